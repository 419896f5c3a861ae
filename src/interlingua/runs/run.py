"""A run: an experiment carried out in its directory, from its start or from where it stopped."""

from __future__ import annotations

import dataclasses
import shutil
import threading
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import torch

from interlingua.data.cache import UNFINISHED
from interlingua.engine.device import choose_device, choose_dtype, choose_threads
from interlingua.engine.packed import pack
from interlingua.errors import BundleError, ConfigurationError
from interlingua.inference.bundle import (
    CONFIG,
    TOKENIZER_FILES,
    WEIGHTS,
    load_bundle,
    read_config,
    save_config,
)
from interlingua.model.architectures import build_model
from interlingua.runs.beginning import write_beginning
from interlingua.runs.candidates import choose_turn
from interlingua.runs.directory import (
    check_place,
    finish_or_drop_replacement,
    foreign_files,
    holds_run,
    locked,
    named_directory,
    prepare_replacement,
    refuse_existing,
)
from interlingua.runs.events import EARLIER_STAYS, Ended, Event, Note, Validated
from interlingua.runs.experiment import (
    Plan,
    cache_directory,
    change_training,
    load_plan,
    load_racing_plans,
    make_plans,
)
from interlingua.runs.interrupt import stop_on_signal
from interlingua.runs.journal import Journal
from interlingua.runs.manifest import load_manifest, refuse_without_checkpoint
from interlingua.runs.race import Race, Standing, is_racing, load_standing
from interlingua.runs.trainer import USED_UP, Trainer
from interlingua.runs.validation import Validator
from interlingua.training.loop import Learner
from interlingua.training.schedule import Clock
from interlingua.version import __version__

__all__ = ["resume", "start"]

FEW_STEPS = 100
"""A model of fewer updates writes nothing that makes sense."""
SMALL_SHARE_LEFT = 0.7
"""Of the minutes: when less is left for training, that is said."""


RESUMABLE = ("minutes", "max_steps", "device", "threads", "precision")
"""What may be changed of a run that goes on."""


class Machine(NamedTuple):
    """What a run computes on, for people."""

    device: str
    precision: str
    threads: int


def start(
    values: Mapping[str, Any], out: Path, *, force: bool = False, where: str = "configuration",
    started: float | None = None,
) -> Generator[Event, None, None]:  # fmt: skip
    """Trains a new model into a directory, telling what happens.

    Args:
        values: the configuration as plain values (see Experiment).
        out: the run's directory; made when everything else was found to be in order.
        force: whether an earlier run in it is replaced, as soon as the new one has its first weights.
        where: where the values come from, for messages.
        started: time.monotonic() when the process started, which --minutes counts from.

    Raises:
        InterlinguaError: anything the user can put right; see errors.py.
    """
    started = time.monotonic() if started is None else started
    out = check_place(out)
    refuse_existing(out, force)
    copies = cache_directory() / f"{UNFINISHED}{uuid4().hex}"
    try:
        plans = make_plans(values, where, out, copies)
        _refuse_late(plans[0], started)
        _, machine = _build_learner(
            plans[0], resumed=False
        )  # what is wrong is found before anything is written
        with locked(out):
            finish_or_drop_replacement(out)
            refuse_existing(out, force)  # another process may have trained into it meanwhile
            yield from _begin(plans, machine, out, started)
    finally:
        shutil.rmtree(copies, ignore_errors=True)


def resume(
    out: Path, changes: Mapping[str, Any], started: float | None = None
) -> Generator[Event, None, None]:
    """Goes on with a run after its newest whole checkpoint.

    Args:
        out: the run's directory.
        changes: {"training": {"minutes": ...}} or max_steps, in all, to go on for longer than first meant;
            or device, threads, precision.
        started: as for `start`.
    """
    started = time.monotonic() if started is None else started
    changed, out = _refuse_other_changes(changes), named_directory(out)
    if not holds_run(out):
        read_config(out)  # there may be no such directory, or no configuration
        raise BundleError("this directory holds no run", where=out)
    with locked(out):
        finish_or_drop_replacement(out)
        config, manifest = read_config(out), load_manifest(out)
        config["training"] = change_training(config["training"], changed)
        refuse_without_checkpoint(out, manifest)
        standing = load_standing(out)
        if standing is not None and is_racing(out) and manifest is not None:
            configs = {name: racer.config for name, racer in standing.racers.items()}
            plans = load_racing_plans(out, configs, changed, manifest)
            _, machine = _build_learner(plans[0], resumed=True)
            session = _Session(Journal(out, plans[0]), plans, machine, Clock(standing.elapsed_s, started))
            session.race(standing)
        else:
            plan = load_plan(out, config, manifest)
            session = _resume_training(out, plan, started, standing)
        if manifest is not None and (note := _other_machine(manifest.machine, session.machine)):
            session.plans[0].notes.append(note)
        yield from _carry_out(session, out)


def _resume_training(out: Path, plan: Plan, started: float, standing: Standing | None) -> _Session:
    """Goes on with the one model of a run."""
    journal = Journal(out, plan)
    checkpoint, damaged = journal.load_checkpoint()
    learner, machine = _build_learner(plan, resumed=checkpoint is not None)
    clock = Clock(checkpoint.about["elapsed_s"] if checkpoint else 0.0, started)
    session = _Session(journal, [plan], machine, clock, damaged)
    trainer = session.trainer = session.build(plan, learner)
    session.standing = standing
    if checkpoint is not None:
        trainer.restore(checkpoint)
    if trainer.selection.best_step and not (out / WEIGHTS).exists():
        raise BundleError("the best weights so far are gone", where=out / WEIGHTS,
                          accepted="Put the file back, or begin anew with --force.")  # fmt: skip
    _refuse_used_up(trainer, journal)
    if journal.scored_step() == trainer.learner.step:
        trainer.selection.wait_anew()
    return session


def _refuse_other_changes(changes: Mapping[str, Any]) -> dict[str, Any]:
    changed = dict(changes.get("training", {}))
    others = [*(changes.keys() - {"training"}), *(f"training.{key}" for key in changed.keys() - {*RESUMABLE})]
    if others:
        raise ConfigurationError(
            "a run goes on with its own data and model", where="resume", found=", ".join(sorted(others)),
            accepted=f"What may be changed: {', '.join(RESUMABLE)}.",
        )  # fmt: skip
    return changed


def _other_machine(before: Mapping[str, Any], now: Machine) -> str:
    """A line when a run goes on in another way than it began."""
    was, is_now = (f"{each['device']}, {each['precision']}" for each in (before, now._asdict()))
    return "" if was == is_now else f"this run began on {was} and goes on on {is_now}"


class _Session:
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
        learner = learner or _build_learner(plan, resumed=False)[0]
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


def _begin(plans: Sequence[Plan], machine: Machine, out: Path, started: float) -> Iterator[Event]:
    """Writes what a run needs to go on, then trains; an earlier run stays until there are weights."""
    replaces = holds_run(out) and (out / CONFIG).exists()
    directory = prepare_replacement(out) if replaces else out
    try:
        write_beginning(plans[0], machine._asdict(), directory, out)
        if replaces and (foreign := foreign_files(out)):
            left = ", ".join(map(str, foreign[:5]))
            plans[0].notes.append(f"not of a run, and left as it is in {out}: {left}")
        session = _Session(Journal(directory, plans[0]), plans, machine, Clock(0.0, started))
        if len(plans) > 1:
            training = plans[0].experiment.training
            turn = choose_turn(training.minutes, training.max_steps, len(plans))
            assert turn is not None, "several plans are made for a race only"
            session.race(Standing.beginning(plans, turn, session.clock()))
        yield from _carry_out(session, out)
    finally:
        if replaces:
            finish_or_drop_replacement(out)


def _carry_out(session: _Session, out: Path) -> Iterator[Event]:
    """What one process does for a run, in a directory with the configuration that it has locked."""
    journal = session.journal
    with journal.open(session.trainer.learner.step if session.trainer else 0):
        for event in _events(session):
            replaces = journal.out != out
            if replaces and isinstance(event, Validated) and event.best:
                journal.replace(out, event.step)
            elif replaces and isinstance(event, Ended) and not event.finished:
                event = dataclasses.replace(event, reason=EARLIER_STAYS)
            journal.record(event)
            yield event


def _build_learner(plan: Plan, resumed: bool) -> tuple[Learner, Machine]:
    """The model with the weights it starts from, which a resumed run replaces, and its optimizer."""
    experiment, tokenizers = plan.experiment, plan.prepared.tokenizers
    settings = experiment.training
    device = choose_device(settings.device)
    dtype = choose_dtype(settings.precision, device)
    torch.set_num_threads(choose_threads(settings.threads))
    torch.manual_seed(settings.seed)
    model = build_model(experiment.model, *map(len, tokenizers), shared=tokenizers.joint)
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
        [*corpora],
    )  # fmt: skip


def _refuse_late(plan: Plan, started: float) -> None:
    minutes, took_s = plan.experiment.training.minutes, time.monotonic() - started
    if minutes is not None and took_s >= 60 * minutes:
        raise ConfigurationError(
            "the time was over before training could begin", where="minutes",
            found=f"{60 * minutes:.0f} s were given, and preparing the data took {took_s:.0f} s",
            accepted="Give it more minutes, or start again: the prepared data is kept.",
        )  # fmt: skip


def _refuse_used_up(trainer: Trainer, journal: Journal) -> None:
    # A run that was killed between its last step and its end has yet to be scored.
    if trainer.used_up and journal.scored_step() == trainer.learner.step:
        used = f"{trainer.learner.step:,} steps, {trainer.clock() / 60:.1f} minutes"
        raise ConfigurationError(
            "this run has used up its budget", where=journal.out, found=used,
            accepted="To go on for longer: --max-steps N or --minutes N, counted from its first start.",
        )  # fmt: skip


def _events(session: _Session) -> Iterator[Event]:
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
        yield from _train(trainer or session.build(session.plans[0]), session, stopped)


def _race(session: _Session, race: Race, stopped: threading.Event) -> Generator[Event, None, bool]:
    """Tells of a race; returns whether it has a winner."""
    yield Note(f"racing: {', '.join(race.standing.left)}")
    if not (yield from race.run(stopped)):
        return False
    yield Note(str(race.standing))
    plan = race.plans[race.standing.left[0]]
    if plan is not session.plans[0]:
        for text in (f"vocabulary: {plan.prepared.report['tokenizers']}", *plan.notes):
            yield Note(text)
    return True


def _train(trainer: Trainer, session: _Session, stopped: threading.Event) -> Iterator[Event]:
    """Trains one model and scores it."""
    plan, learner, selection, machine = trainer.plan, trainer.learner, trainer.selection, session.machine
    model = plan.experiment.model
    description = f"{model.architecture}: {_parameters(learner):,} parameters, {model.describe()}"
    yield Note(f"{description}; {machine.device}, {machine.precision}, {machine.threads} threads")
    if session.trainer is not None and learner.step:
        yield Note(f"going on after step {learner.step:,}")
    yield from _time_left(trainer)
    reason = USED_UP if trainer.used_up else (yield from trainer.train(stopped))
    finished = not stopped.is_set()
    if finished and learner.step < FEW_STEPS and not trainer.fine_tuning:
        few = f"only {learner.step:,} updates: too few for a model that has learnt anything"
        yield Note(f"{few}. Give it more time, or take a smaller model (--preset).", warning=True)
    if finished and not (trainer.journal.out / WEIGHTS).exists():  # the time was over before
        yield trainer.validate(1.0)
    if finished and trainer.fine_tuning and not selection.best_step and trainer.settings.save == "best":
        yield Note("no validation was better than the model to start from, so that is what is saved; for the "
                   "last weights all the same: --set training.save=last", warning=True)  # fmt: skip
    scores = (yield from _finish(trainer, session, reason)) if finished else []
    yield Ended(learner.step, trainer.clock(), reason, finished, selection.best_step, scores)


def _time_left(trainer: Trainer) -> Iterator[Event]:
    """Says so when getting ready took a large part of the minutes."""
    minutes = trainer.settings.minutes
    left_s = trainer.budget.ends_at - time.monotonic()
    if minutes is not None and left_s < SMALL_SHARE_LEFT * 60 * minutes and not trainer.learner.step:
        left = f"{max(0.0, left_s):.0f} s of the {60 * minutes:.0f} s"
        yield Note(f"{left} are left for training and scoring: preparing took the rest", warning=True)


def _finish(trainer: Trainer, session: _Session, reason: str) -> Generator[Event, None, list[dict[str, Any]]]:
    """Scores what was saved, thoroughly, and writes how it was made and how it is best searched."""
    journal, validator = trainer.journal, trainer.validator
    saved = load_bundle(journal.out, validator.device).model
    validation = validator.score(pack(saved, "fp32"), trainer.scoring_ends_at())
    if validator.chooses_length_penalty and validation.scores:
        penalty = validation.search.length_penalty
        yield Note(f"length penalty {penalty:g} suits the validation pairs best")
        journal.save_search(validation.search)
    if trainer.plan.facts.natural:
        journal.save_facts(trainer.plan.facts._replace(min_coverage=validation.min_coverage))
    if not validation.scores and trainer.saved is not None:
        validation = trainer.saved  # there was no time; these scores are of greedy search
    if validation.pairs < len(validator.order):
        few = f"{validation.pairs:,} of the {len(validator.order):,} validation pairs"
        yield Note(f"the scores are of {few}: there was no time for more")
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
        "ended": reason,
        "validation_pairs": validation.pairs,
        "validation_loss": validation.loss,
        "bits_per_character": validation.bits_per_character,
        "scores": scores,
        "numbers_copied": validator.measure_numbers_copied(),
        "data": trainer.plan.prepared.report,
    }
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
