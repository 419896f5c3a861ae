"""Bootstrap resampling: how far a score, or a difference of two, would move on another test set of its kind.

Koehn 2004, "Statistical Significance Tests for Machine Translation Evaluation". Draws and intervals are
those of sacreBLEU (same generator, same seed, same numbers), without its array of every drawn row: memory
hardly grows with the number of resamples.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from interlingua.evaluation.metrics import Floats

__all__ = ["Interval", "p_value", "resample"]


class Interval(NamedTuple):
    """The middle 95% of resampled scores."""

    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, scores: Floats) -> Interval:
        """Leaves out 1/40 at either end of (resamples,) scores."""
        ordered, tail = np.sort(scores), len(scores) // 40
        return cls(float(scores.mean()), float(ordered[tail]), float(ordered[-1 - tail]))

    @property
    def half_width(self) -> float:
        """The number to print after ±."""
        return (self.high - self.low) / 2


def resample(rows: Sequence[Floats], n_bootstrap: int, seed: int) -> list[Floats]:
    """Sums the rows of each array over lines drawn with replacement, the same draws for all arrays.

    Args:
        rows: arrays of (lines, counts).
        n_bootstrap: how many resamples to draw.
        seed: of the draws; sacreBLEU's default is 12345.

    Returns:
        An array of (n_bootstrap, counts) for each array given.
    """
    generator, lines = np.random.default_rng(seed), len(rows[0])
    sums: list[Floats] = [np.empty((n_bootstrap, array.shape[1])) for array in rows]
    for draw in range(n_bootstrap):
        weights = np.bincount(generator.choice(lines, size=lines), minlength=lines).astype(np.float64)
        for array, out in zip(rows, sums, strict=True):
            out[draw] = weights @ array
    return sums


def p_value(differences: Floats, difference: float) -> float:
    """How often chance alone would give a difference at least this large, in either direction.

    Chance is the resampled differences moved to the mean zero (Efron and Tibshirani 1993, 16.4). sacreBLEU
    takes absolute values before it moves them, and so calls equal systems different and tests one side.

    Args:
        differences: (resamples,) score differences of two systems on the same draws.
        difference: the difference on the whole test set.
    """
    by_chance = np.abs(differences - differences.mean())
    # The margin keeps equal differences equal in floating point.
    beyond = int(np.sum(by_chance >= abs(difference) - 1e-9))
    return (beyond + 1) / (len(differences) + 1)
