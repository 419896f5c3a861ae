"""A run: an experiment carried out in its directory, from its start or from where it stopped."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch

from interlingua.engine.device import choose_device, choose_dtype, choose_threads
from interlingua.engine.packed import pack
from interlingua.errors import ConfigurationError
from interlingua.inference.bundle import load_bundle, read_config, save_config
from interlingua.model.architectures import build_model
from interlingua.runs.directory import clear, locked, refuse_existing
from interlingua.runs.events import Ended, Event, Note
from interlingua.runs.experiment import Plan, load_plan, make_plan
from interlingua.runs.interrupt import stop_on_signal
from interlingua.runs.journal import Journal
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


def start(
    values: Mapping[str, Any], out: Path, *, force: bool = False, where: str = "configuration",
    started: float | None = None,
) -> Iterator[Event]:  # fmt: skip
    """Trains a new model into a directory, telling what happens.

    Args:
        values: the configuration as plain values (see Experiment).
        out: the run's directory; made when everything else was found to be in order.
        force: whether an earlier run in it is replaced.
        where: where the values come from, for messages.
        started: time.monotonic() when the process started, which --minutes counts from.

    Raises:
        InterlinguaError: anything the user can put right; see errors.py.
    """
    started = time.monotonic() if started is None else started
    refuse_existing(out, force)
    plan = make_plan(values, where)
    _refuse_late(plan, started)
    with locked(out):
        clear(out)
        (out / "training").mkdir(exist_ok=True)
        save_config(out, plan.experiment.as_toml(), plan.prepared.tokenizers)
        yield from _carry_out(plan, out, started)


def resume(out: Path, changes: Mapping[str, Any], started: float | None = None) -> Iterator[Event]:
    """Goes on with a run after its newest whole checkpoint.

    Args:
        out: the run's directory.
        changes: {"training": {"minutes": ...}} or max_steps, in all, to go on for longer than first meant.
        started: as for `start`.
    """
    started = time.monotonic() if started is None else started
    config = read_config(out)
    if changes:
        config["training"] = {
            key: value for key, value in config["training"].items() if key not in ("minutes", "max_steps")
        } | changes["training"]
    plan = load_plan(out, config)
    with locked(out):
        yield from _carry_out(plan, out, started)


class Machine(NamedTuple):
    """What a run computes on, for people."""

    device: str
    precision: str
    threads: int


def _carry_out(plan: Plan, out: Path, started: float) -> Iterator[Event]:
    """What one process does for a run, in a directory with the configuration that it has locked."""
    journal = Journal(out, plan)
    device = choose_device(plan.experiment.training.device)
    dtype = choose_dtype(plan.experiment.training.precision, device)
    checkpoint, damaged = journal.load_checkpoint()
    learner = _build_learner(plan, device, dtype, resumed=checkpoint is not None)
    trainer = Trainer(plan, learner, _build_validator(plan, device), journal, Clock(0.0, started))
    if checkpoint is not None:
        trainer.restore(checkpoint)
    _refuse_used_up(trainer, journal)
    if journal.scored_step() == learner.step:
        trainer.selection.wait_anew()
    machine = Machine(str(device), str(dtype).removeprefix("torch."), torch.get_num_threads())
    with journal.open(learner.step):
        for event in _events(trainer, machine, damaged):
            journal.record(event)
            yield event


def _build_learner(plan: Plan, device: torch.device, dtype: torch.dtype, resumed: bool) -> Learner:
    """The model with the weights it starts from, which a resumed run replaces, and its optimizer."""
    experiment, tokenizers = plan.experiment, plan.prepared.tokenizers
    torch.set_num_threads(choose_threads(experiment.training.threads))
    torch.manual_seed(experiment.training.seed)
    model = build_model(experiment.model, *map(len, tokenizers), shared=tokenizers.joint)
    if experiment.base_model is not None and not resumed:
        model.load_state_dict(load_bundle(experiment.base_model).model.state_dict())
    return Learner(model.to(device), experiment.training, dtype)


def _build_validator(plan: Plan, device: torch.device) -> Validator:
    settings = plan.experiment.training
    return Validator(
        plan.prepared.valid, plan.prepared.tokenizers, plan.lengths, plan.experiment.search,
        settings.choose_length_penalty, settings.decode_pairs, settings.max_tokens, device,
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


def _events(trainer: Trainer, machine: Machine, damaged: list[str]) -> Iterator[Event]:
    """Trains until the budget is used up, the score stops rising, or the user stops it."""
    plan, learner, selection = trainer.plan, trainer.learner, trainer.selection
    model = plan.experiment.model
    description = f"{model.architecture}: {_parameters(learner):,} parameters, {model.describe()}"
    computing = f"{machine.device}, {machine.precision}, {machine.threads} threads"
    for text in [*plan.notes, f"{description}; {computing}"]:
        yield Note(text)
    for text in damaged:
        yield Note(text, warning=True)
    if learner.step:
        yield Note(f"going on after step {learner.step:,}")
    yield from _time_left(trainer)
    with stop_on_signal() as stopped:
        reason = USED_UP if trainer.used_up else (yield from trainer.train(stopped))
    finished = not stopped.is_set()
    if finished and learner.step < FEW_STEPS and plan.experiment.base_model is None:
        few = f"only {learner.step:,} updates: too few for a model that has learnt anything"
        yield Note(f"{few}. Give it more time, or take a smaller model (--preset).", warning=True)
    if finished and not selection.best_step:  # the time was over before anything was saved
        yield trainer.validate(1.0)
    scores = (yield from _finish(trainer, machine, reason)) if finished else []
    yield Ended(learner.step, trainer.clock(), reason, finished, selection.best_step, scores)


def _time_left(trainer: Trainer) -> Iterator[Event]:
    """Says so when getting ready took a large part of the minutes."""
    minutes = trainer.settings.minutes
    left_s = trainer.budget.ends_at - time.monotonic()
    if minutes is not None and left_s < SMALL_SHARE_LEFT * 60 * minutes and not trainer.learner.step:
        left = f"{max(0.0, left_s):.0f} s of the {60 * minutes:.0f} s"
        yield Note(f"{left} are left for training and scoring: preparing took the rest", warning=True)


def _finish(trainer: Trainer, machine: Machine, reason: str) -> Generator[Event, None, list[dict[str, Any]]]:
    """Scores what was saved, thoroughly, and writes how it was made and how it is best searched."""
    journal, validator = trainer.journal, trainer.validator
    saved = load_bundle(journal.out, validator.device).model
    validation = validator.score(pack(saved, "fp32"), trainer.scoring_ends_at())
    if validator.chooses_length_penalty and validation.scores:
        penalty = validation.search.length_penalty
        yield Note(f"length penalty {penalty:g} suits the validation pairs best")
        journal.save_search(validation.search)
    if not validation.scores and trainer.saved is not None:
        validation = trainer.saved  # there was no time; these scores are of greedy search
    if validation.pairs < len(validator.order):
        few = f"{validation.pairs:,} of the {len(validator.order):,} validation pairs"
        yield Note(f"the scores are of {few}: there was no time for more")
    scores = [score.as_json() for score in validation.scores]
    info = {
        "interlingua": __version__,
        "torch": torch.__version__,
        **machine._asdict(),
        "parameters": _parameters(trainer.learner),
        "vocabulary": [len(side) for side in trainer.plan.prepared.tokenizers],
        "steps": trainer.learner.step,
        "best_step": trainer.selection.best_step,
        "elapsed_s": round(trainer.clock(), 1),
        "ended": reason,
        "validation_pairs": validation.pairs,
        "validation_loss": validation.loss,
        "scores": scores,
        "numbers_copied": validator.measure_numbers_copied(),
        "data": trainer.plan.prepared.report,
    }
    journal.save_result(info, validation)
    return scores


def _parameters(learner: Learner) -> int:
    return sum(parameter.numel() for parameter in learner.model.parameters())
