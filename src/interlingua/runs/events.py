"""The events of a run, for whoever watches it and for its log."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["EARLIER_STAYS", "CodecProgress", "Ended", "Event", "Note", "Progress", "Raced", "Sample",
           "Validated", "skipped_note"]  # fmt: skip

EARLIER_STAYS = "stopped before the first weights"
"""The reason of a run that was to replace another one, and did not."""


@dataclass(frozen=True)
class Note:
    """A message for people: what was found in the data, what was chosen and why."""

    text: str
    warning: bool = False


@dataclass(frozen=True)
class Progress:
    """The updates since the last such event, summed up; about one a second."""

    step: int
    elapsed_s: float
    loss: float
    """What is minimised, nats a target token: smoothed cross entropy; and R-Drop's divergence if asked."""
    target_tokens: int
    """Real target tokens of these updates."""
    target_tokens_per_s: float
    learning_rate: float
    gradient_norm: float
    padding: float
    """Share of the positions, 0 to 1."""
    progress: float
    """Share of the budget used, 0 to 1."""
    left_s: float
    """Estimated seconds to the end."""
    skipped: int = 0
    """Updates left out beside these, since their loss or gradient was not finite."""


@dataclass(frozen=True)
class CodecProgress:
    """The updates of the codec of pictures since the last such event, summed up; about one a second."""

    updates: int
    """So far."""
    elapsed_s: float
    loss: float
    """Of the pixels, of which 2 is the whole scale."""
    progress: float
    """Share of this phase, 0 to 1."""
    left_s: float
    """Of this phase; 0 where it is counted in updates."""
    step: int = 0
    """Of the model, which has made none yet."""


@dataclass(frozen=True)
class Sample:
    """A validation pair and what the model makes of it."""

    source: str
    target: str
    output: str


@dataclass(frozen=True)
class Validated:
    """The weights that would be saved now, tried on the validation pairs."""

    step: int
    elapsed_s: float
    seconds: float
    loss: float
    """Plain cross entropy, nats a target token."""
    metrics: dict[str, float]
    headline: str
    """The metric that decides."""
    best: bool
    """Whether these are saved: no score was better so far, or the last weights are asked for."""
    samples: list[Sample] = field(default_factory=list)
    bits_per_character: float | None = None
    """The loss in bits a character of the target, which compares across tokenizations."""
    old_metrics: dict[str, float] = field(default_factory=dict)
    """Of old pairs that are mixed in, where some are; loss and other metrics are then of the new pairs."""
    by_loss: bool = False
    """Whether the loss decides instead: there are too few pairs for a metric."""
    base_share: float = 0.0
    """How much of the base model is in the weights: they are in between, so as to forget less."""
    latest: bool = False
    """Whether it is the last weights that are asked for, whatever their score."""
    pairs: int = 0
    """That the metrics are of; all of them, or as many as there was time for."""


@dataclass(frozen=True)
class Raced:
    """One of several models that race had its turn."""

    name: str
    round: int
    """From 0."""
    racer_step: int
    """Its updates so far."""
    used_s: float
    """In its turns so far."""
    elapsed_s: float
    bits_per_character: float
    """Of the validation targets."""
    step: int = 0
    """Of the run, which has made none yet."""


@dataclass(frozen=True)
class Ended:
    """The run is over, or can go on with --resume."""

    step: int
    elapsed_s: float
    reason: str
    finished: bool
    best_step: int
    scores: list[dict[str, Any]] = field(default_factory=list)
    """Of the saved model on the validation pairs, in sacreBLEU's JSON form."""


def skipped_note(step: int, skipped: int) -> Note:
    """Says that updates were left out."""
    updates = "an update was" if skipped == 1 else f"{skipped} updates were"
    return Note(
        f"before step {step:,} {updates} skipped: the loss or the gradient was not a finite number. Now and "
        "then this does no harm; if it happens often, try half the learning rate or training.precision=fp32",
        warning=True,
    )


Event = Note | Progress | CodecProgress | Raced | Validated | Ended
