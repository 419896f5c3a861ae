"""The training loop: it optimises and reports; its caller logs, validates, saves and stops."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor

from interlingua.data.batch import Batch
from interlingua.data.loader import Position
from interlingua.errors import TrainingError
from interlingua.model.protocol import Model
from interlingua.training.objective import Objective
from interlingua.training.optimizer import build_optimizers
from interlingua.training.settings import TrainingSettings
from interlingua.training.weights import FlatWeights

__all__ = ["Learner", "StepReport", "optimise"]

MAX_SKIPPED = 10
"""So many updates in a row that are not finite end the training."""


class StepReport(NamedTuple):
    """One update."""

    step: int
    """From 1."""
    loss: float
    """Of the objective, a target token: usually smoothed cross entropy, in nats."""
    target_tokens: int
    learning_rate: float
    gradient_norm: float
    """Before clipping."""
    padding: float
    """Share of the positions, 0 to 1."""
    position: Position
    """Where the data goes on."""
    skipped: int = 0
    """Updates left out since the last report: their loss or gradient was not finite."""


class Learner:
    """A model in training: weights, optimizer, averaged weights, and how many updates they have seen.

    Args:
        model: on its device, in fp32; its parameters become views of one flat vector.
        settings: of the optimizer.
        dtype: what the model computes in.
    """

    def __init__(self, model: Model, settings: TrainingSettings, dtype: torch.dtype) -> None:
        self.model, self.settings = model, settings
        self.weights = FlatWeights(model, dtype)
        self.averaged = self.weights.master.clone()
        self.step = 0
        self.optimizers = build_optimizers(self.weights, settings)

    def update(self, target_tokens: int, learning_rate: float) -> float:
        """One update from the gradient collected over so many tokens; returns the gradient's norm.

        A gradient that is not finite is dropped: nothing is updated, and the step does not count.
        """
        gradient = self.weights.gradient.div_(target_tokens)
        norm = float(gradient.norm())
        if not math.isfinite(norm):
            self.weights.clear_gradient()
            return norm
        limit = self.settings.clip_norm
        if 0 < limit < norm:
            gradient.mul_(limit / norm)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = learning_rate
            optimizer.step()
        self.weights.update_model()
        self.weights.clear_gradient()
        self.step += 1
        # The average starts with few weights and becomes as long as it is meant to be.
        decay = min(self.settings.average_decay, self.step / (10 + self.step))
        self.averaged.lerp_(self.weights.master, 1 - decay)
        return norm

    @contextmanager
    def using(self, flat: Tensor) -> Iterator[None]:
        """The model computes with other weights for a while, such as the averaged ones.

        Args:
            flat: the weights, as `weights.master` has them.
        """
        weights = self.weights
        kept = weights.working.clone()
        weights.working.copy_(flat)
        try:
            yield
        finally:
            weights.working.copy_(kept)

    def tensors(self) -> dict[str, Tensor]:
        """All that the next update depends on, for a checkpoint."""
        tensors = {"master": self.weights.master, "averaged": self.averaged}
        for optimizer in self.optimizers:
            for index, state in optimizer.state_dict()["state"].items():
                prefix = f"{type(optimizer).__name__}.{index}"
                tensors |= {f"{prefix}.{name}": value for name, value in state.items()}
        return tensors

    def restore(self, tensors: dict[str, Tensor], step: int) -> None:
        """Continues from what `tensors` returned after so many steps."""
        self.weights.master.copy_(tensors["master"])
        self.averaged.copy_(tensors["averaged"])
        for optimizer in self.optimizers:
            saved = optimizer.state_dict()
            for key, value in tensors.items():
                kind, *place = key.split(".")
                if kind == type(optimizer).__name__:
                    saved["state"].setdefault(int(place[0]), {})[place[1]] = value
            optimizer.load_state_dict(saved)
        self.step = step
        self.weights.update_model()


def optimise(
    learner: Learner, batches: Iterator[tuple[Batch, Position]], objective: Objective,
    rate: Callable[[int], float],
) -> Iterator[StepReport]:  # fmt: skip
    """Yields after every update, for ever.

    The loss is a sum; the gradient is divided once by the update's target tokens, so that several batches an
    update give what one large batch would. Each update waits for the device once a batch and once for the
    gradient's norm, which tell of divergence before the weights are touched. An update whose loss or gradient
    is not finite is skipped, with its data.

    Args:
        learner: is changed in place.
        batches: with the position after each.
        objective: what is minimised.
        rate: the learning rate of a step, asked for just before it.

    Raises:
        TrainingError: the loss rises far above its start, or several updates in a row are not finite.
    """
    model, device = learner.model, learner.weights.master.device
    accumulate = learner.settings.accumulate
    model.train()
    divergence = _Divergence(math.log(model.target_size))
    skipped = 0
    while True:
        total, tokens, padding = 0.0, 0, 0.0
        for _ in range(accumulate):
            batch, position = next(batches)
            padding += batch.padding / accumulate
            loss = objective(model, batch.to(device))
            loss_sum = sum(loss.sums.values(), torch.zeros((), device=device))
            loss_sum.backward()
            learner.weights.collect_gradient()
            total += loss_sum.item()
            tokens += loss.tokens
        learning_rate = rate(learner.step + 1)
        if math.isfinite(total):
            divergence.check(learner.step + 1, total / tokens)
            norm = learner.update(tokens, learning_rate)
        else:
            learner.weights.clear_gradient()
        if not math.isfinite(total) or not math.isfinite(norm):
            skipped += 1
            if skipped == MAX_SKIPPED:
                what, value = ("the gradient", norm) if math.isfinite(total) else ("the loss", total)
                raise _diverged(learner.step + 1, f"{what}, {skipped} times in a row,", value)
            continue
        yield StepReport(
            learner.step, total / tokens, tokens, learning_rate, norm, padding, position, skipped
        )
        skipped = 0


class _Divergence:
    """Notices when the loss, smoothed over steps, is far above an untrained model's.

    Args:
        untrained: the loss of a model that guesses. The first step of this process may be above it, or far
            below when the model was trained before, which is no reason to expect as much from then on.
    """

    def __init__(self, untrained: float) -> None:
        self.untrained = untrained
        self.recent: float | None = None

    def check(self, step: int, loss: float) -> None:
        """Takes in the loss of a step, in nats a target token."""
        if self.recent is None:
            self.recent, self.untrained = loss, max(loss, self.untrained)
        self.recent = 0.95 * self.recent + 0.05 * loss
        if self.recent > 1.5 * self.untrained + 1:  # worse than guessing
            raise _diverged(step, "the loss", self.recent)


def _diverged(step: int, what: str, value: float) -> TrainingError:
    return TrainingError(
        f"training diverged: {what} is {value} at step {step}",
        accepted="The last good model is kept. Try half the learning rate (training.learning_rate), a "
        "longer warm-up (training.warmup_share) or training.precision=fp32.",
    )
