"""Which weights are the best, and when to stop waiting for better ones."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Selection"]


@dataclass
class Selection:
    """The best validation so far; larger scores are better."""

    patience: int
    """Stop after so many validations in a row without a better score; 0 is never."""
    best_score: float = -math.inf
    best_step: int = 0
    """Of the weights that were taken last; 0 before the first validation."""
    without_better: int = 0
    """Validations since the score last rose."""
    lowest_loss: float = math.inf
    """While nothing is right yet."""
    latest: bool = False
    """Whether the later is taken, whatever its score; what is waited for are better ones all the same."""

    @property
    def patience_ended(self) -> bool:
        """Whether there were as many validations without a better one as `patience` allows."""
        return 0 < self.patience <= self.without_better

    def add(self, score: float, step: int, *, acceptable: bool = True, loss: float | None = None) -> bool:
        """Takes a validation in; returns whether its weights are taken, as the best so far.

        Of equal ones the later is, but it is not better, which is what patience waits for. One that is not
        acceptable, whatever its score, is neither.

        Args:
            score: larger is better.
            step: of the weights.
            acceptable: whether they may be saved.
            loss: where nothing is right yet, of which no score can tell: then a lower one is better.
        """
        best = self.latest or (acceptable and score >= self.best_score)
        better = acceptable and score > self.best_score
        if loss is not None and loss < self.lowest_loss:
            self.lowest_loss, better = loss, acceptable
        if best:
            self.best_score, self.best_step = max(self.best_score, score), step
        self.without_better = 0 if better else self.without_better + 1
        return best

    def wait_anew(self) -> None:
        """Forgets how long there was nothing better: the run had ended, and is to go on."""
        self.without_better = 0

    def state(self) -> dict[str, Any]:
        """Plain values, for a checkpoint."""
        return {
            "best_step": self.best_step,
            "best": self.best_score if math.isfinite(self.best_score) else None,
            "without_better": self.without_better,
            "lowest_loss": self.lowest_loss if math.isfinite(self.lowest_loss) else None,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continues from what `state` returned."""
        self.best_score = -math.inf if state["best"] is None else state["best"]
        self.best_step, self.without_better = state["best_step"], state["without_better"]
        lowest = state.get("lowest_loss")
        self.lowest_loss = math.inf if lowest is None else lowest
