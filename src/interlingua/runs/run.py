"""A run: an experiment carried out in its directory, from its start or from where it stopped."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

import interlingua
from interlingua.data.loader import Position, SubwordSampling, load_batches
from interlingua.engine.device import choose_device, choose_dtype, set_threads
from interlingua.engine.packed import prepare
from interlingua.errors import CheckpointError, ConfigurationError
from interlingua.inference.bundle import (
    load_bundle,
    read_config,
    read_info,
    save_config,
    save_info,
    save_weights,
)
from interlingua.model.architectures import build_model
from interlingua.runs.card import model_card
from interlingua.runs.checkpoint import Checkpoint, load_newest, save_checkpoint
from interlingua.runs.directory import clear, locked, refuse_existing
from interlingua.runs.events import Ended, Event, Log, Note, Validated
from interlingua.runs.experiment import Plan, plan, replan
from interlingua.runs.interrupt import stop_on_signal
from interlingua.runs.tensorboard import TensorBoard
from interlingua.runs.validation import Validation, Validator
from interlingua.runs.window import Window
from interlingua.training.loop import Learner, optimise
from interlingua.training.objective import build_objective
from interlingua.training.schedule import Clock, Schedule, StepBudget, TimeBudget

__all__ = ["resume", "start"]

PROGRESS_EVERY_S = 1.0
USED_UP = "the budget is used up"


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
    planned = plan(values, where)
    with locked(out):
        clear(out)
        (out / "training").mkdir(exist_ok=True)
        save_config(out, planned.experiment.as_toml(), planned.prepared.tokenizers)
        yield from Run(planned, out, started).carry_out()


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
    planned = replan(out, config)
    with locked(out):
        yield from Run(planned, out, started).carry_out()


class Run:
    """What one process does for a run.

    Args:
        planned: the experiment, settled.
        out: its directory, with the configuration in it and locked by this process.
        started: time.monotonic() when the process started.
    """

    def __init__(self, planned: Plan, out: Path, started: float) -> None:
        self.experiment, self.prepared, self.limits, self.notes = planned
        self.settings = settings = self.experiment.training
        self.out = out
        self._checkpoints = out / "training" / "checkpoints"
        self.device = choose_device(settings.device)
        set_threads(settings.threads)
        torch.manual_seed(settings.seed)
        tokenizers = self.prepared.tokenizers
        model = build_model(self.experiment.model, *map(len, tokenizers), shared=tokenizers.joint)
        if self.experiment.start is not None and not self._checkpoints.exists():
            trained = load_bundle(self.experiment.start).model
            model.load_state_dict(trained.state_dict())
        self.parameters = sum(parameter.numel() for parameter in model.parameters())
        self.dtype = choose_dtype(settings.precision, self.device)
        self.learner = Learner(model.to(self.device), settings, self.dtype)
        self.validator = Validator(
            self.prepared.valid,
            tokenizers,
            self.limits,
            self.experiment.search,
            settings.choose_length_penalty,
            settings.decode_pairs,
            settings.max_tokens,
            self.device,
        )
        self.position = Position()
        self.best_step, self.best, self.without_better = 0, -math.inf, 0
        self.validated = 0  # how many validations the schedule has asked for so far
        self.validated_s = self.validation_s = 0.0  # when the last one ended, and how long it took
        before_s = self._restore()
        self.clock = Clock(before_s, started)
        self.budget: StepBudget | TimeBudget
        if settings.minutes is not None:
            self.budget = TimeBudget(60 * settings.minutes, self.clock)
        else:
            assert settings.max_steps is not None, "a plan has a budget"
            self.budget = StepBudget(settings.max_steps)

    def carry_out(self) -> Iterator[Event]:
        """Trains until the budget is used up, the score stops rising, or the user stops it."""
        self._refuse_used_up()
        step, place = self.learner.step, self.out / "training"
        logs: list[Log | TensorBoard] = [Log(place / "log.jsonl", step)]
        if self.settings.tensorboard:
            logs.append(TensorBoard(place / "tensorboard", step))
        try:
            for event in self._events():
                for log in logs:
                    log.write(event)
                yield event
        finally:
            for log in logs:
                log.close()

    def _events(self) -> Iterator[Event]:
        for text in [*self.notes, self._describe()]:
            yield Note(text)
        if self.damaged:
            yield from (Note(text, warning=True) for text in self.damaged)
        if self.learner.step:
            yield Note(f"going on after step {self.learner.step:,}")
        with stop_on_signal() as stopped:
            reason = USED_UP if self._used_up() else (yield from self._train(stopped))
        finished = not stopped.is_set()
        if finished and not self.best_step:  # the time was over before anything was saved
            yield self._validate(1.0)
        scores = (yield from self._finish(reason)) if finished else []
        yield Ended(self.learner.step, self.clock(), reason, finished, self.best_step, scores)

    def _train(self, stopped: threading.Event) -> Generator[Event, None, str]:
        """Yields events; returns why it ended."""
        schedule = Schedule(self.settings, self.budget, self.experiment.model.dim)
        settings, sampling = self.settings, None
        if settings.subword_sampling:
            sampling = SubwordSampling(self.prepared.tokenizers, settings.subword_sampling)
        batches = load_batches(
            self.prepared.train, settings.max_tokens, settings.seed, self.position, sampling
        )
        window = Window(self.clock)
        checkpointed = time.monotonic()
        for report in optimise(self.learner, batches, build_objective(settings), schedule.rate):
            self.position = report.position
            window.add(report)
            progress = self.budget.progress(report.step)
            validate = self._validation_due(progress) and not stopped.is_set()
            last = progress >= 1 or stopped.is_set()
            if last or validate or window.seconds >= PROGRESS_EVERY_S:
                yield window.close(progress)
            if validate:
                yield self._validate(progress)
                window = Window(self.clock)
            enough = 0 < self.settings.patience <= self.without_better and self.settings.minutes is None
            due = time.monotonic() - checkpointed >= self.settings.checkpoint_every_s
            if last or enough or validate or due:
                self._checkpoint()
                checkpointed = time.monotonic()
            if stopped.is_set():
                return "stopped"
            if enough:
                return f"no better score in {self.without_better} validations"
            if last:
                return USED_UP
        raise AssertionError("optimise never ends by itself")

    def _validation_due(self, progress: float) -> bool:
        if int(progress * self.settings.validations) == self.validated:
            return False
        if progress >= 1 or isinstance(self.budget, StepBudget):
            return True
        # In a budget of time, validating may take a fifteenth of it.
        return self.clock() - self.validated_s >= 15 * self.validation_s

    def _validate(self, progress: float) -> Validated:
        """Validates the averaged weights, and saves them when they are the best so far."""
        self.validated = int(progress * self.settings.validations)
        learner = self.learner
        with learner.averaged_weights():
            found = self.validator.validate(learner.model)
        if isinstance(self.budget, TimeBudget):
            # The saved model is scored on more pairs and with a beam; then there is writing.
            larger = len(self.validator.indices) / len(self.validator.decoded)
            search = 4 if self.validator.choosing else 2  # times as long as a greedy one
            # (An early model writes endlessly; what it needs says little, so there is a bound.)
            self.budget.reserve_s = min(found.seconds * (1 + search * larger) + 2, 0.1 * self.budget.seconds)
        self.validated_s, self.validation_s = self.clock(), found.seconds
        better = found.goodness >= self.best
        if better:
            self.best, self.best_step, self.without_better = found.goodness, learner.step, 0
            save_weights(self.out, learner.weights.split(learner.averaged), self.limits)
        else:
            self.without_better += 1
        metrics = {score.name: score.score for score in found.scores}
        return Validated(learner.step, self.clock(), found.seconds, found.loss, metrics,
                         found.scores[0].name, better, found.samples)  # fmt: skip

    def _finish(self, reason: str) -> Generator[Event, None, list[dict[str, Any]]]:
        """Scores what was saved, thoroughly, and writes how it was made and how it is best searched."""
        bundle = load_bundle(self.out, self.device)
        found: Validation = self.validator.validate(prepare(bundle.model, "fp32"), thorough=True)
        experiment = self.experiment.model_copy(update={"search": found.search})
        if self.validator.choosing:
            yield Note(f"length penalty {found.search.length_penalty:g} suits the validation pairs best")
            save_config(self.out, experiment.as_toml(), self.prepared.tokenizers)
        info = {
            "interlingua": interlingua.__version__,
            "torch": torch.__version__,
            "device": str(self.device),
            "precision": str(self.dtype).removeprefix("torch."),
            "threads": torch.get_num_threads(),
            "parameters": self.parameters,
            "vocabulary": [len(side) for side in self.prepared.tokenizers],
            "steps": self.learner.step,
            "best_step": self.best_step,
            "elapsed_s": round(self.clock(), 1),
            "ended": reason,
            "validation_pairs": len(self.validator.indices),
            "validation_loss": found.loss,
            "scores": [score.as_json() for score in found.scores],
            "data": self.prepared.report,
        }
        samples = [sample.__dict__ for sample in found.samples]
        save_info(self.out, {**info, "samples": samples}, model_card(self.out.name, experiment, info, found))
        return info["scores"]  # type: ignore[return-value]

    def _checkpoint(self) -> None:
        about = {
            "step": self.learner.step,
            "position": list(self.position),
            "elapsed_s": self.clock(),
            "data": self.prepared.train.digest,
            "best_step": self.best_step,
            "best": self.best if math.isfinite(self.best) else None,
            "without_better": self.without_better,
            "validated": self.validated,
        }
        save_checkpoint(self._checkpoints, Checkpoint(self.learner.tensors(), about))

    def _restore(self) -> float:
        """Continues from the newest whole checkpoint, if there is one; returns the seconds used before it."""
        checkpoint, self.damaged = load_newest(self._checkpoints)
        if checkpoint is None:
            return 0.0
        about = checkpoint.about
        if about["data"] != self.prepared.train.digest:
            raise CheckpointError(
                "the training data has changed since this run was started",
                where=", ".join(map(str, self.experiment.data.train)),
                accepted="Put the old files back, or start a new run from the saved model with --from.",
            )
        # The weights lay in another order then.
        if any(name.startswith("optimizer.") for name in checkpoint.tensors):
            raise CheckpointError(
                "the checkpoint is of an earlier version of interlingua",
                where=self._checkpoints,
                accepted="Start a new run from the saved model with --from.",
            )
        self.learner.restore(checkpoint.tensors, about["step"])
        self.position = Position(*about["position"])
        self.best_step, self.without_better = about["best_step"], about["without_better"]
        self.best = -math.inf if about["best"] is None else about["best"]
        self.validated = about["validated"]
        return float(about["elapsed_s"])

    def _refuse_used_up(self) -> None:
        # A run that was killed between its last step and its end has yet to be scored.
        if self._used_up() and read_info(self.out).get("steps") == self.learner.step:
            used = f"{self.learner.step:,} steps, {self.clock() / 60:.1f} minutes"
            raise ConfigurationError(
                "this run has used up its budget", where=self.out, found=used,
                accepted="To go on for longer: --max-steps N or --minutes N, counted from its first start.",
            )  # fmt: skip

    def _used_up(self) -> bool:
        return self.learner.step > 0 and self.budget.progress(self.learner.step) >= 1

    def _describe(self) -> str:
        model, precision = self.experiment.model, str(self.dtype).removeprefix("torch.")
        machine = f"{self.device}, {precision}, {torch.get_num_threads()} threads"
        return f"{model.architecture}: {self.parameters:,} parameters, {model.describe()}; {machine}"
