"""What sounds and what was said in them are like: what proposes models for them, and tells people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["SoundDescription", "describe_sounds"]

QUANTILES = (0.05, 0.5, 0.95)


class SoundDescription(NamedTuple):
    """Of a sample of training pairs; quantiles are .05, .5 and .95."""

    hours: float
    """Of all training sounds."""
    seconds: tuple[float, float, float]
    """Of a sound."""
    target_length: tuple[float, float, float]
    """In characters."""
    target_words: float
    """Between spaces; the mean of a target."""
    distinct_words: int
    repeated_targets: float
    """The share of pairs whose target occurred before."""

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON, rounded."""
        return {
            name: [round(each, 2) for each in value] if isinstance(value, tuple) else round(value, 3)
            for name, value in self._asdict().items()
        }

    def __str__(self) -> str:
        length = f"{self.hours:.1f} hours" if self.hours >= 1 else f"{60 * self.hours:.0f} minutes"
        low, middle, high = self.seconds
        about = f"{length} of sound, {middle:.1f} s each ({low:.1f} to {high:.1f}), "
        return about + f"{self.target_length[1]:,.0f} characters a target, {self.distinct_words:,} words"


def describe_sounds(seconds: npt.NDArray[np.floating], targets: Sequence[str]) -> SoundDescription:
    """Describes sounds.

    Args:
        seconds: of all sounds.
        targets: a sample of what was said in them.
    """
    words = [target.split() for target in targets]
    return SoundDescription(
        hours=float(seconds.sum()) / 3600,
        seconds=_quantiles(seconds),
        target_length=_quantiles([len(target) for target in targets]),
        target_words=sum(map(len, words)) / max(1, len(words)),
        distinct_words=len({word for line in words for word in line}),
        repeated_targets=1 - len(set(targets)) / max(1, len(targets)),
    )


def _quantiles(values: Sequence[float] | npt.NDArray[np.floating]) -> tuple[float, float, float]:
    low, middle, high = (float(each) for each in np.quantile(np.asarray(values, float), QUANTILES))
    return low, middle, high
