"""A run: an experiment carried out in its directory, from its start or from where it stopped."""

from __future__ import annotations

import dataclasses
import shutil
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

from interlingua.data.cache import UNFINISHED
from interlingua.errors import BundleError, CheckpointError, ConfigurationError
from interlingua.inference.bundle import (
    CONFIG,
    WEIGHTS,
    read_config,
    save_config,
)
from interlingua.runs.beginning import write_beginning
from interlingua.runs.candidates import choose_turn
from interlingua.runs.codec_phase import codec_elapsed, refuse_lost_codec
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
from interlingua.runs.events import EARLIER_STAYS, Ended, Event, Validated
from interlingua.runs.experiment import cache_directory, change_training
from interlingua.runs.inputs import name_anew
from interlingua.runs.journal import Journal
from interlingua.runs.manifest import load_manifest, refuse_without_checkpoint, save_manifest
from interlingua.runs.plan import Plan
from interlingua.runs.plans import load_plan, load_racing_plans, make_plans
from interlingua.runs.race import Standing, is_racing, load_standing
from interlingua.runs.session import Machine, Session, build_learner, carry_out_session
from interlingua.runs.trainer import Trainer
from interlingua.training.loop import Learner
from interlingua.training.schedule import Clock

__all__ = ["resume", "start"]

RESUMABLE = ("minutes", "max_steps", "device", "threads", "precision")
"""What may be changed of a run that goes on."""


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
        learner, machine = build_learner(plans[0], resumed=False)
        with locked(out):
            finish_or_drop_replacement(out)
            refuse_existing(out, force)  # another process may have trained into it meanwhile
            yield from _begin(plans, learner, machine, out, started)
    finally:
        shutil.rmtree(copies, ignore_errors=True)


def resume(
    out: Path, changes: Mapping[str, Any], started: float | None = None
) -> Generator[Event, None, None]:
    """Goes on with a run after its newest whole checkpoint.

    Args:
        out: the run's directory.
        changes: {"training": {"minutes": ...}} or max_steps, in all, to go on for longer than first meant;
            or device, threads, precision. {"data": {"train": [...], "valid": [...], "mix": [...]}}: those of
            the run's own files that lie elsewhere now.
        started: as for `start`.
    """
    started = time.monotonic() if started is None else started
    changed, moved = _refuse_other_changes(changes), _moved_files(changes)
    out = named_directory(out)
    if not holds_run(out):
        read_config(out)  # there may be no such directory, or no configuration
        raise BundleError("this directory holds no run", where=out)
    with locked(out):
        finish_or_drop_replacement(out)
        config, manifest = read_config(out), load_manifest(out)
        if moved and manifest is None:
            raise CheckpointError("the run is of a version that did not note what its data held", where=out,
                                  accepted="Put the old files back.")  # fmt: skip
        before = dict(config)
        config["training"] = change_training(config["training"], changed)
        refuse_without_checkpoint(out, manifest)
        standing = load_standing(out)
        if standing is not None and is_racing(out) and manifest is not None:
            configs = {name: racer.config for name, racer in standing.racers.items()}
            plans = load_racing_plans(out, configs, changed, manifest, moved)
            for plan in plans:
                standing.racers[plan.name].config["data"] = plan.experiment.as_toml()["data"]
            plan = plans[0]
            _, machine = build_learner(plans[0], resumed=True)
            session = Session(Journal(out, plans[0]), plans, machine, Clock(standing.elapsed_s, started))
            session.race(standing)
        else:
            plan = load_plan(out, config, manifest, moved)
            session = _resume_training(out, plan, started, standing)
        if moved and manifest is not None:  # and is looked for there from now on
            now = {**before, "data": plan.experiment.as_toml()["data"]}
            save_config(out, now, plan.prepared.tokenizers)
            files = name_anew(manifest.files, plan.experiment.data, out)
            save_manifest(out, dataclasses.replace(manifest, files=files))
        if manifest is not None and (note := _other_machine(manifest.machine, session.machine)):
            session.plans[0].notes.append(note)
        yield from _carry_out(session, out)


def _resume_training(out: Path, plan: Plan, started: float, standing: Standing | None) -> Session:
    """Goes on with the one model of a run."""
    journal = Journal(out, plan)
    checkpoint, damaged = journal.load_checkpoint()
    if checkpoint is not None:
        refuse_lost_codec(plan, out)
    learner, machine = build_learner(plan, resumed=checkpoint is not None)
    clock = Clock(checkpoint.about["elapsed_s"] if checkpoint else codec_elapsed(out), started)
    session = Session(journal, [plan], machine, clock, damaged)
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
    others = [*(changes.keys() - {"training", "data"}),
              *(f"data.{key}" for key in changes.get("data", {}).keys() - {"train", "valid", "mix"}),
              *(f"training.{key}" for key in changed.keys() - {*RESUMABLE})]  # fmt: skip
    if others:
        raise ConfigurationError(
            "a run goes on with its own data and model", where="resume", found=", ".join(sorted(others)),
            accepted=f"What may be changed: {', '.join(RESUMABLE)}; where its data is: train, valid, mix.",
        )  # fmt: skip
    return changed


def _moved_files(changes: Mapping[str, Any]) -> list[str]:
    """The files that a run is told to find, each side of parallel ones by itself."""
    parts = changes.get("data", {}).values()
    files = [file for part in parts for file in ([part] if isinstance(part, str | Path) else part)]
    return [str(name) for file in files for name in ([file] if isinstance(file, str | Path) else file)]


def _other_machine(before: Mapping[str, Any], now: Machine) -> str:
    """A line when a run goes on in another way than it began."""
    was, is_now = (f"{each['device']}, {each['precision']}" for each in (before, now._asdict()))
    return "" if was == is_now else f"this run began on {was} and goes on on {is_now}"


def _begin(
    plans: Sequence[Plan], learner: Learner, machine: Machine, out: Path, started: float
) -> Iterator[Event]:
    """Writes what a run needs to go on, then trains; an earlier run stays until there are weights."""
    replaces = holds_run(out) and (out / CONFIG).exists()
    directory = prepare_replacement(out) if replaces else out
    try:
        write_beginning(plans[0], machine._asdict(), directory, out)
        if replaces and (foreign := foreign_files(out)):
            left = ", ".join(map(str, foreign[:5]))
            plans[0].notes.append(f"not of a run, and left as it is in {out}: {left}")
        session = Session(Journal(directory, plans[0]), plans, machine, Clock(0.0, started))
        if len(plans) > 1:
            training = plans[0].experiment.training
            fine_tuning = plans[0].experiment.base_model is not None
            turn = choose_turn(training.minutes, training.max_steps, len(plans), fine_tuning=fine_tuning)
            assert turn is not None, "several plans are made for a race only"
            session.race(Standing.beginning(plans, turn, session.clock()))
        else:
            session.trainer = session.build(plans[0], learner)
        yield from _carry_out(session, out)
    finally:
        if replaces:
            finish_or_drop_replacement(out)


def _carry_out(session: Session, out: Path) -> Iterator[Event]:
    """What one process does for a run, in a directory with the configuration that it has locked."""
    journal = session.journal
    with journal.open(session.trainer.learner.step if session.trainer else 0):
        for event in carry_out_session(session):
            replaces = journal.out != out
            if replaces and isinstance(event, Validated) and event.best:
                journal.replace(out, event.step)
            elif replaces and isinstance(event, Ended) and not event.finished:
                event = dataclasses.replace(event, reason=EARLIER_STAYS)
            journal.record(event)
            yield event


def _refuse_late(plan: Plan, started: float) -> None:
    minutes, took_s = plan.experiment.training.minutes, time.monotonic() - started
    if minutes is not None and took_s >= 60 * minutes:
        raise ConfigurationError(
            "the time was over before training could begin", where="minutes",
            found=f"{60 * minutes:.0f} s were given; starting up and preparing the data took {took_s:.0f} s",
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
