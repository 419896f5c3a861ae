"""Optimising as the events of a run: progress, validations, checkpoints, and when to stop."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any

from torch import Tensor

from interlingua.data.batch import Batch
from interlingua.data.loader import (
    CaptionDropout,
    Position,
    SoundAugmentation,
    SubwordSampling,
    Variation,
    load_batches,
    max_source,
    read_ahead,
)
from interlingua.errors import BundleError
from interlingua.inference.bundle import load_bundle
from interlingua.runs.base_comparison import BaseComparison
from interlingua.runs.checkpoint import Checkpoint, restore_generators
from interlingua.runs.events import Event, Validated, skipped_note
from interlingua.runs.journal import Journal
from interlingua.runs.plan import Plan
from interlingua.runs.selection import Selection
from interlingua.runs.validation import StoppedError, Validation, Validator
from interlingua.runs.window import Window
from interlingua.training.loop import Learner, StepReport, optimise
from interlingua.training.objective import build_objective
from interlingua.training.schedule import Clock, Schedule, StepBudget, TimeBudget
from interlingua.training.settings import TrainingSettings

__all__ = ["USED_UP", "Trainer"]

PROGRESS_EVERY_S = 1.0
USED_UP = "the budget is used up"

# In a budget of time:
TRAINING_PER_VALIDATION = 15
"""So many times as long as a validation took passes before the next one."""
VALIDATION_SHARE, MIN_VALIDATION_S = 1 / 60, 1.0
"""Of the budget, what a validation may take; and seconds that it may take however short the budget."""
BEAM_TIMES, ALL_ENDED_TIMES = 2, 4
"""How many times as long as greedy search a beam takes, and one that goes on until all its slots ended."""
NEARER = (0.5, 0.25)
"""How far from the base model weights are tried that have forgotten too much where they are."""
MAX_SCORING_SHARE = 0.1
"""Of the budget, the most that is kept for scoring the saved model; as many pairs as fit are scored."""
SCORING_SHARE = 0.2
"""Of the time for scoring, what is left for the metrics when all is translated."""
EXIT_S = 1.5
"""For the end of the process."""


class Trainer:
    """Trains a model, validating and saving on the way.

    Args:
        plan: the experiment, with nothing left open.
        learner: its model, from the start; see `restore`.
        validator: scores the model.
        journal: takes checkpoints and the best weights.
        clock: of the run.
    """

    def __init__(
        self, plan: Plan, learner: Learner, validator: Validator, journal: Journal, clock: Clock
    ) -> None:
        self.plan, self.settings = plan, plan.experiment.training
        self.learner, self.validator, self.journal, self.clock = learner, validator, journal, clock
        self.budget = choose_budget(self.settings, clock)
        self.selection = Selection(
            # A budget of time is used to its end.
            patience=0 if self.settings.minutes is not None else self.settings.patience,
            latest=self.settings.save == "last",
        )
        self.position = Position()
        self.validations_done = 0  # how many the budget's progress has asked for so far
        self.last_validation_ended_s = self.last_validation_took_s = 0.0
        self.saved: Validation | None = None
        """Of the weights that are saved, if this process has validated them."""
        self.best_outputs: tuple[str, ...] = ()
        self.saved_loss = math.inf
        """What the best weights made of the validation pairs, in the order in which these are taken."""
        self.comparison = BaseComparison(validator, self.settings.mix_tolerance)
        """With the model that the run starts from, if it does from one."""
        self.lost_old = False
        """Whether weights were refused that were better on new pairs, but lost too much on old ones."""
        self.saving_s = 0.0
        """How long the last checkpoint took to be written."""

    @property
    def fine_tuning(self) -> bool:
        """Whether the run starts from a trained model."""
        return self.plan.experiment.base_model is not None

    @property
    def used_up(self) -> bool:
        """Whether there is nothing left of the budget."""
        return self.learner.step > 0 and self.budget.progress(self.learner.step) >= 1

    def train(self, stopped: threading.Event) -> Generator[Event, None, str]:
        """Trains until the budget is used up, the score stops rising, or `stopped` is set; returns which."""
        if self.selection.patience_ended:  # killed before it was scored
            return self._out_of_patience()
        window = Window(self.clock)
        checkpointed = time.monotonic()
        if self.fine_tuning and not self.learner.step:
            try:
                yield self.validate(0.0, stopped)  # nothing worse than the model to start from is saved
            except StoppedError:
                return "stopped"
        for report in self.updates():
            window.add(report)
            if report.skipped:
                yield skipped_note(report.step, report.skipped)
            progress = self.budget.progress(report.step)
            # Read once: a request that comes while an event is handled is met after the next update.
            stopping, used_up = stopped.is_set(), progress >= 1
            validating = self._validation_due(progress) and not stopping
            if stopping or used_up or validating or window.seconds >= PROGRESS_EVERY_S:
                yield window.sum_up(progress, self.clock() - self.budget.others_used_s)
            if validating:
                try:
                    yield self.validate(progress, stopped)
                except StoppedError:
                    stopping = True
                window = Window(self.clock)  # the validation's time is not training time
            patience_ended = self.selection.patience_ended
            checkpoint_due = time.monotonic() - checkpointed >= self.settings.checkpoint_every_s
            if stopping or used_up or patience_ended or validating or checkpoint_due:
                began_s = self.clock()
                self.journal.save_checkpoint(self.checkpoint())
                checkpointed, self.saving_s = time.monotonic(), self.clock() - began_s
            if stopping:
                return "stopped"
            if used_up:
                return USED_UP
            if patience_ended:
                return self._out_of_patience()
        raise AssertionError("updates never end by themselves")

    def updates(self) -> Iterator[StepReport]:
        """Makes updates for ever, and keeps the place in the data."""
        schedule = Schedule(self.settings, self.budget, self.plan.experiment.model.dim)
        objective = build_objective(self.settings)
        updated_s = self.clock()
        for report in optimise(self.learner, self._batches(), objective, schedule.rate):
            self.position = report.position
            self._expect_step(self.clock() - updated_s)
            yield report
            updated_s = self.clock()

    def compare(self, characters: int, pairs: int, *, others_sources: bool = False) -> float:
        """The averaged weights' bits a character on validation pairs, so many of either at least.

        Where old pairs are mixed in, each kind counts as much as it is seen.

        Args:
            characters: of the targets.
            pairs: see above.
            others_sources: see `Validator.measure_loss`.
        """
        validator, learner = self.validator, self.learner
        share = self.plan.experiment.data.mix_share if validator.numbers(old=True) else 0.0
        bits = 0.0
        with learner.using(learner.averaged):
            learner.model.eval()
            for old, weight in ((False, 1 - share), (True, share)):
                if weight:
                    compared = _first(validator, validator.numbers(old=old), characters, pairs)
                    loss = validator.measure_loss(learner.model, compared, others_sources=others_sources)
                    bits += weight * loss.bits_per_character
            learner.model.train()
        return bits

    def try_on_pairs(
        self, stopped: threading.Event | None = None, weights: Tensor | None = None
    ) -> Validation:
        """Has weights translate validation pairs, for so long as a validation may take.

        Args:
            stopped: ends it.
            weights: flat; the averaged ones when not given.

        Raises:
            StoppedError: `stopped` was set.
        """
        with self.learner.using(self.learner.averaged if weights is None else weights):
            return self.validator.validate(self.learner.model, self._validation_ends_at(), stopped)

    def _out_of_patience(self) -> str:
        return f"no better score in {self.selection.without_better} validations"

    def validate(self, progress: float, stopped: threading.Event | None = None) -> Validated:
        """Validates the averaged weights, and saves them if they are the best so far, or the last are wanted.

        Where they lose too much on old pairs, weights between them and the base model are tried, which often
        keep most of what is new (Wortsman et al. 2022, "Robust fine-tuning of zero-shot models", 3).

        Raises:
            StoppedError: `stopped` was set; it is as if the validation had not begun.
        """
        learner, began_s = self.learner, self.clock()
        weights, share = learner.averaged, 1.0
        validation = self.try_on_pairs(stopped)
        if not self._keeps_old(validation) and (base := self._load_base()) is not None:
            for nearer in NEARER:
                between = base.lerp(learner.averaged, nearer)
                found = self.try_on_pairs(stopped, between)
                if self._keeps_old(found):
                    weights, share, validation = between, nearer, found
                    break
        self.validations_done = self._validations_by(progress)
        best = self._compare(validation)
        if best:
            self.journal.save_weights(learner.weights.split(weights))
            self.saved = validation
        self.last_validation_ended_s, self.last_validation_took_s = self.clock(), self.clock() - began_s
        self._reserve_time(validation)
        return Validated(
            step=learner.step,
            elapsed_s=self.clock(),
            seconds=validation.seconds,
            loss=validation.loss,
            metrics={score.name: score.score for score in validation.scores},
            headline=validation.scores[0].name if validation.scores else "",
            best=best,
            latest=self.selection.latest,
            pairs=validation.pairs if validation.scores else 0,
            samples=validation.samples,
            bits_per_character=validation.bits_per_character,
            old_metrics={score.name: score.score for score in validation.old_scores},
            by_loss=validation.by_loss,
            base_share=1 - share,
        )

    def _keeps_old(self, validation: Validation) -> bool:
        """Whether weights may be saved for all that they make of old pairs.

        The base model's own always may, and the last ones where these are asked for.
        """
        is_base = not self.learner.step
        return is_base or self.settings.save == "last" or self.comparison.keeps_old(validation)

    def _load_base(self) -> Tensor | None:
        """The weights of the base model, flat; None if it is gone."""
        base = self.plan.experiment.base_model
        try:
            return None if base is None else self.learner.weights.join(load_bundle(base).model.state_dict())
        except BundleError:
            return None

    def _compare(self, validation: Validation) -> bool:
        """Whether it is the best so far; when there was not the same time for both, on the pairs of both.

        Where there was no time to translate any pair, what predicts them no worse than the best is taken.
        """
        ours, best = validation.outputs, self.best_outputs
        score, best_score = validation.selection_score, self.selection.best_score
        shared = min(len(ours), len(best))
        differ = shared and len(ours) != len(best) and not validation.by_loss
        if differ:
            score, self.selection.best_score = (self.validator.judge(each[:shared]) for each in (ours, best))
        worse = False
        if not (validation.scores or validation.by_loss or self.fine_tuning):
            score, worse = best_score, validation.loss > self.saved_loss
        if self.fine_tuning and not self.learner.step:
            self.comparison.start_from(validation)
        keeps_old = self.comparison.keeps_old(validation)
        self.lost_old |= not keeps_old and score > self.selection.best_score
        ties = score == self.selection.best_score and not self.comparison.is_preferred(validation)
        loss = validation.loss if validation.is_all_wrong else None
        if self.selection.add(
            score, self.learner.step, acceptable=keeps_old and not ties and not worse, loss=loss
        ):
            if differ:
                self.selection.best_score = validation.selection_score
            self.best_outputs, self.saved_loss = ours or best, validation.loss
            self.comparison.save(validation)
            return True
        self.selection.best_score = best_score
        return False

    def scoring_ends_at(self) -> float:
        """By time.monotonic(), when translating for the score of the saved model must be over."""
        if self.budget.ends_at == math.inf:
            return math.inf
        ends_at = self.budget.ends_at - EXIT_S
        return ends_at - SCORING_SHARE * max(0.0, ends_at - time.monotonic())

    def measuring_ends_at(self) -> float:
        """By time.monotonic(), when what comes after scoring must be over, but for writing the model."""
        return self.budget.ends_at - EXIT_S - self.saving_s

    def checkpoint(self) -> Checkpoint:
        """All that an undisturbed run would know after this step."""
        about = {
            "step": self.learner.step,
            "position": list(self.position),
            "elapsed_s": self.clock(),
            "data": self.plan.prepared.train.digest,
            "validated": self.validations_done,
            "others_s": self.budget.others_used_s,
            **self.validated_so_far(),
        }
        return Checkpoint(self.learner.tensors(), about)

    def validated_so_far(self) -> dict[str, Any]:
        """What validations found: plain values."""
        return {
            **self.selection.state(),
            "decode_pairs": self.validator.decode_pairs,
            "best_outputs": self.best_outputs,
            "saved_loss": self.saved_loss if math.isfinite(self.saved_loss) else None,
            "base": self.comparison.state(),
        }

    def restore_validated(self, found: Mapping[str, Any]) -> None:
        """Goes on from what `validated_so_far` returned."""
        self.selection.restore(found)
        self.validator.decode_pairs = found.get("decode_pairs", self.validator.decode_pairs)
        self.best_outputs = tuple(found.get("best_outputs", ()))
        loss = found.get("saved_loss")
        self.saved_loss = math.inf if loss is None else loss
        if "base" in found:
            self.comparison.restore(found["base"])

    def restore(self, checkpoint: Checkpoint) -> None:
        """Continues from what `checkpoint` returned, the random generators as well."""
        restore_generators(checkpoint)
        about = checkpoint.about
        self.learner.restore(checkpoint.tensors, about["step"])
        self.position = Position(*about["position"])
        self.budget.others_s = self.budget.others_used_s = about.get("others_s", 0.0)
        self.validations_done = about["validated"]
        self.restore_validated(about)

    def _batches(self) -> Iterator[tuple[Batch, Position]]:
        settings, prepared, pictures = self.settings, self.plan.prepared, self.plan.experiment.pictures
        variation: Variation | None = None
        of_sound = prepared.train.source_kind == "sound"
        if of_sound and self.plan.experiment.augmentation is not None:
            variation = SoundAugmentation(self.plan.experiment.augmentation)
        elif pictures is not None and prepared.train.source_kind == "text":
            variation = CaptionDropout(pictures.caption_dropout)
        elif settings.subword_sampling and prepared.train.source_kind == "text":
            variation = SubwordSampling(prepared.tokenizers, settings.subword_sampling)
        batches = load_batches(
            prepared.train, settings.max_tokens, settings.seed, self.position, variation, prepared.parts,
            max_source(prepared.train, settings.batch_seconds),
        )  # fmt: skip
        return read_ahead(batches) if of_sound else batches

    def _validations_by(self, progress: float) -> int:
        return int(progress * self.settings.validations)

    def _validation_due(self, progress: float) -> bool:
        if self._validations_by(progress) == self.validations_done:
            return False
        if isinstance(self.budget, StepBudget):
            return True
        since_s = self.clock() - self.last_validation_ended_s
        # At the end there is one more, unless it would take longer than what it could tell of.
        times = 1 if progress >= 1 else TRAINING_PER_VALIDATION
        return since_s >= times * self.last_validation_took_s

    def _validation_ends_at(self) -> float:
        """By time.monotonic(), when a validation must be over."""
        if isinstance(self.budget, StepBudget):
            return math.inf
        return time.monotonic() + max(MIN_VALIDATION_S, VALIDATION_SHARE * self.budget.seconds)

    def _expect_step(self, seconds: float) -> None:
        """Takes in how long an update took."""
        if isinstance(self.budget, TimeBudget):
            known = self.budget.step_s or seconds
            self.budget.step_s = 0.9 * known + 0.1 * seconds

    def _reserve_time(self, validation: Validation) -> None:
        """Keeps time for the end: a last validation, and scoring the saved model on more pairs by beam."""
        if isinstance(self.budget, TimeBudget):
            times = ALL_ENDED_TIMES if self.validator.chooses_length_penalty else BEAM_TIMES
            a_pair_s = validation.seconds / max(1, validation.pairs)
            scoring_s = times * len(self.validator.order) * a_pair_s
            # An early model writes endlessly; what it needs says little, so there is a bound.
            scoring_s = min(scoring_s, MAX_SCORING_SHARE * self.budget.seconds)
            self.budget.reserve_s = self.last_validation_took_s + scoring_s + 2 * self.saving_s + EXIT_S


def _first(validator: Validator, numbers: Sequence[int], characters: int, pairs: int) -> list[int]:
    """The first of the pairs that have so many characters, or that are so many, whichever is more."""
    chosen: list[int] = []
    for number in numbers:
        if characters <= 0 and len(chosen) >= pairs:
            break
        chosen.append(number)
        characters -= len(validator.store.target_text(number))
    return chosen


def choose_budget(settings: TrainingSettings, clock: Clock) -> StepBudget | TimeBudget:
    """The budget that the settings of a plan give."""
    if settings.minutes is not None:
        return TimeBudget(60 * settings.minutes, clock)
    assert settings.max_steps is not None, "a plan has a budget"
    return StepBudget(settings.max_steps)
