"""What one process does for a run: a race, where several models may suit the data, then training one."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch

from interlingua.data.codecs import build_model_for
from interlingua.data.loader import max_source
from interlingua.engine.device import choose_device, choose_dtype, choose_threads
from interlingua.engine.packed import pack
from interlingua.inference.bundle import (
    TOKENIZER_FILES,
    WEIGHTS,
    load_bundle,
    save_config,
)
from interlingua.runs.codec_phase import learn_codec
from interlingua.runs.events import Ended, Event, Note
from interlingua.runs.interrupt import stop_on_signal
from interlingua.runs.journal import Journal
from interlingua.runs.plan import Plan
from interlingua.runs.race import Race, Standing
from interlingua.runs.trainer import USED_UP, Trainer
from interlingua.runs.validation import Validator
from interlingua.training.loop import Learner
from interlingua.training.schedule import Clock
from interlingua.version import __version__

__all__ = ["Machine", "Session", "build_learner", "carry_out_session"]

FEW_STEPS, HARDLY_ANY_STEPS = 1_000, 100
"""After fewer more time is worth most; a model of still fewer writes nothing that makes sense."""
SMALL_SHARE_LEFT = 0.7
"""Of the minutes: when less is left for training, that is said."""


class Machine(NamedTuple):
    """What a run computes on, for people."""

    device: str
    precision: str
    threads: int


class Session:
    """What one process does for a run: a race first, where several models may suit the data.

    Args:
        journal: of the run.
        plans: what may be carried out, the one that experience suggests first.
        machine: what computes.
        clock: of the run.
        damaged: lines on damaged checkpoints.
    """

    def __init__(
        self,
        journal: Journal,
        plans: Sequence[Plan],
        machine: Machine,
        clock: Clock,
        damaged: Sequence[str] = (),
    ) -> None:
        self.journal, self.plans, self.machine, self.clock = journal, plans, machine, clock
        self.damaged = damaged
        self.standing: Standing | None = None
        self.competition: Race | None = None
        self.trainer: Trainer | None = None

    def build(self, plan: Plan, learner: Learner | None = None) -> Trainer:
        """The trainer of a plan, at its beginning."""
        learner = learner or build_learner(plan, resumed=False)[0]
        validator = _build_validator(plan, learner.weights.master.device)
        return Trainer(plan, learner, validator, self.journal, self.clock)

    def race(self, standing: Standing) -> None:
        """Has the plans race, from some standing on."""
        self.standing = standing
        plans = {plan.name: plan for plan in self.plans}
        self.competition = Race(standing, plans, self.build, self.journal.out)
        self.competition.save()

    def choose(self) -> Trainer:
        """Makes the winner's plan the run's; what is killed meanwhile is done again by --resume."""
        assert self.competition is not None
        plan = self.competition.plans[self.competition.standing.left[0]]
        out, self.journal.plan = self.journal.out, plan
        for name in TOKENIZER_FILES:
            (out / name).unlink(missing_ok=True)
        save_config(out, plan.experiment.as_toml(), plan.prepared.tokenizers)
        trainer = self.build(plan)
        self.competition.hand_over(trainer)
        self.journal.save_checkpoint(trainer.checkpoint())
        self.competition.clear()
        return trainer


def build_learner(plan: Plan, resumed: bool) -> tuple[Learner, Machine]:
    """The model with the weights it starts from, which a resumed run replaces, and its optimizer."""
    experiment, tokenizers = plan.experiment, plan.prepared.tokenizers
    settings = experiment.training
    device = choose_device(settings.device)
    dtype = choose_dtype(settings.precision, device)
    torch.set_num_threads(choose_threads(settings.threads))
    torch.manual_seed(settings.seed)
    model = build_model_for(tokenizers, experiment.model)
    if experiment.base_model is not None and not resumed:
        model.load_state_dict(load_bundle(experiment.base_model).model.state_dict())
    machine = Machine(str(device), str(dtype).removeprefix("torch."), torch.get_num_threads())
    return Learner(model.to(device), settings, dtype), machine


def _build_validator(plan: Plan, device: torch.device) -> Validator:
    settings, prepared = plan.experiment.training, plan.prepared
    corpora = zip(prepared.report.get("valid_corpora", ()), prepared.valid_by_file, strict=False)
    return Validator(
        prepared.valid, prepared.tokenizers, plan.lengths, plan.experiment.search,
        settings.choose_length_penalty, settings.decode_pairs, settings.max_tokens, device, plan.facts,
        [*corpora], max_source(prepared.valid, settings.batch_seconds), prepared.old_valid,
        fine_tuning=plan.experiment.base_model is not None,
    )  # fmt: skip


def carry_out_session(session: Session) -> Iterator[Event]:
    """Has models race where there are several; then trains one until the budget is used up, the score stops
    rising, or the user stops it.
    """
    for text in session.plans[0].notes:
        yield Note(text)
    for text in session.damaged:
        yield Note(text, warning=True)
    with stop_on_signal() as stopped:
        trainer = session.trainer
        if session.competition is not None:
            if not (yield from _race(session, session.competition, stopped)):
                yield Ended(0, session.clock(), "stopped", finished=False, best_step=0)
                return
            trainer = session.choose()
        assert trainer is not None, "without a race the trainer is made before"
        yield from _time_left(trainer)
        trainer = yield from _with_codec(trainer, session, stopped)
        if trainer is None:
            yield Ended(0, session.clock(), "stopped", finished=False, best_step=0)
            return
        yield from _train(trainer, session, stopped)


def _race(session: Session, race: Race, stopped: threading.Event) -> Generator[Event, None, bool]:
    """Tells of a race; returns whether it has a winner."""
    yield Note(f"racing: {', '.join(race.standing.left)}")
    if not (yield from race.run(stopped)):
        return False
    yield Note(str(race.standing))
    plan = race.plans[race.standing.left[0]]
    if plan is not session.plans[0] and plan.experiment.base_model is None:
        tokenizers, before = (each.prepared.report["tokenizers"] for each in (plan, session.plans[0]))
        for text in [*([f"vocabulary: {tokenizers}"] if tokenizers != before else []), *plan.notes]:
            yield Note(text)
    return True


def _with_codec(
    trainer: Trainer, session: Session, stopped: threading.Event
) -> Generator[Event, None, Trainer | None]:
    """What trains the model once the codec of targets is learnt; None when `stopped` was set before."""
    device = trainer.validator.device
    took_s = yield from learn_codec(trainer.plan, session.journal, session.clock, device, stopped)
    if took_s is None:
        return None
    if took_s:  # only now it is known how many tokens a model has to know
        trainer = session.build(trainer.plan)
        trainer.budget.others_s = trainer.budget.others_used_s = took_s
    return trainer


def _train(trainer: Trainer, session: Session, stopped: threading.Event) -> Iterator[Event]:
    """Trains one model and scores it."""
    plan, learner, selection, machine = trainer.plan, trainer.learner, trainer.selection, session.machine
    model = plan.experiment.model
    description = f"{model.architecture}: {_parameters(learner):,} parameters, {model.describe()}"
    yield Note(f"{description}; {machine.device}, {machine.precision}, {machine.threads} threads")
    if session.trainer is not None and learner.step:
        yield Note(f"going on after step {learner.step:,}")
    reason = USED_UP if trainer.used_up else (yield from trainer.train(stopped))
    finished = not stopped.is_set()
    if finished and not (trainer.journal.out / WEIGHTS).exists():  # the time was over before
        yield trainer.validate(1.0)
    if finished and trainer.fine_tuning and not selection.best_step and trainer.settings.save == "best":
        yield Note(_kept_base(trainer), warning=True)
    elif finished and (compared := str(trainer.comparison)):
        yield Note(compared)
    scores = (yield from _finish(trainer, session, reason)) if finished else []
    few = FEW_STEPS if reason == USED_UP else HARDLY_ANY_STEPS  # patience has its reasons
    if finished and learner.step < few and not trainer.fine_tuning and not _is_perfect(scores):
        yield _few_steps(trainer, reason)
    yield Ended(learner.step, trainer.clock(), reason, finished, selection.best_step, scores)


def _is_perfect(scores: Sequence[Mapping[str, Any]]) -> bool:
    """Whether nothing is wrong by the metric that decides, so that more time would not help."""
    (score, *_) = scores or [{"score": 0.0, "higher_is_better": True}]
    return bool(score["score"] >= 100 if score["higher_is_better"] else score["score"] <= 0)


def _few_steps(trainer: Trainer, reason: str) -> Note:
    """Says that a model has had little time to learn, and what would be enough."""
    step, settings = trainer.learner.step, trainer.settings
    hardly = step < HARDLY_ANY_STEPS
    more = max(2, math.ceil(FEW_STEPS / max(1, step)))
    advice = f"--max-steps {FEW_STEPS}"
    if settings.minutes is not None:
        advice = f"--minutes {more * settings.minutes:g}"
    advice = f"More of it would help most: {advice}, for example."
    if reason != USED_UP:
        advice = "To wait for longer: --set training.patience=0, for ever."
    few = (
        "hardly any model has learnt enough by then" if hardly else "few for a model that learns from nothing"
    )
    return Note(f"only {step:,} updates: {few}. {advice}", warning=hardly)


def _kept_base(trainer: Trainer) -> str:
    """Says that the run saves the model that it started from, and why."""
    why = "no validation was better than the model to start from"
    if trainer.lost_old:
        why += ", or those that were lost too much on the old pairs (training.mix_tolerance)"
    return f"{why}, so that is what is saved; for the last weights all the same: --set training.save=last"


def _time_left(trainer: Trainer) -> Iterator[Event]:
    """Says so when getting ready took a large part of the minutes."""
    minutes = trainer.settings.minutes
    left_s = trainer.budget.ends_at - time.monotonic()
    if minutes is not None and left_s < SMALL_SHARE_LEFT * 60 * minutes and not trainer.learner.step:
        left = f"{max(0.0, left_s):.0f} s of the {60 * minutes:.0f} s"
        took = "starting up and preparing the data took the rest"
        yield Note(f"{left} are left for training and scoring: {took}", warning=True)


def _finish(trainer: Trainer, session: Session, reason: str) -> Generator[Event, None, list[dict[str, Any]]]:
    """Scores what was saved, thoroughly, and writes how it was made and how it is best searched."""
    journal, validator = trainer.journal, trainer.validator
    saved = load_bundle(journal.out, validator.device).model
    validation = validator.score(pack(saved, "fp32"), trainer.scoring_ends_at(), trainer.measuring_ends_at())
    if validator.chooses_length_penalty and validation.scores:
        penalty = validation.search.length_penalty
        yield Note(f"length penalty {penalty:g} suits the validation pairs best")
        journal.save_search(validation.search)
    if trainer.plan.facts.natural:
        journal.save_facts(trainer.plan.facts._replace(min_coverage=validation.min_coverage))
    if not validation.scores and trainer.saved is not None:
        validation = trainer.saved  # there was no time; these scores are of greedy search
    if validation.pairs < len(validator.order):
        few = f"the scores are of {validation.pairs:,} of the {len(validator.order):,} validation pairs"
        few = f"{few}: there was no time for more"
        yield Note(few if validation.scores else "no scores: there was no time to translate validation pairs")
    scores = [score.as_json() for score in validation.scores]
    info = {
        "interlingua": __version__,
        "torch": torch.__version__,
        **session.machine._asdict(),
        "parameters": _parameters(trainer.learner),
        "vocabulary": [len(side) for side in trainer.plan.prepared.tokenizers],
        "steps": trainer.learner.step,
        "best_step": trainer.selection.best_step,
        "elapsed_s": round(trainer.clock(), 1),
        "minutes": trainer.settings.minutes,
        "max_steps": trainer.settings.max_steps,
        "ended": reason,
        "validation_pairs": validation.pairs,
        "validation_loss": validation.loss,
        "bits_per_character": validation.bits_per_character,
        "scores": scores,
        "numbers_copied": validator.measure_numbers_copied(),
        "data": trainer.plan.prepared.report,
    }
    if trainer.fine_tuning:
        info["base_comparison"] = trainer.comparison.as_info()
    if validation.by_corpus:
        info["scores_by_corpus"] = {
            name: [score.as_json() for score in of_corpus] for name, of_corpus in validation.by_corpus.items()
        }
    if session.standing is not None:
        info["race"] = session.standing.as_info()
    journal.save_result(info, validation)
    return scores


def _parameters(learner: Learner) -> int:
    return sum(parameter.numel() for parameter in learner.model.parameters())
