"""What the base model makes of the validation pairs, and whether old ones are still translated as well."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from interlingua.runs.validation import Validation, Validator

__all__ = ["BaseComparison", "KnownScores"]

FEW = 2
"""What so many pairs make of the score may be lost in any case: of few pairs, a score moves by chance."""
PICTURE_POINT = 0.1
"""Bits a token that are to a model of pictures what a point of the metric is to others."""


@dataclass(frozen=True)
class KnownScores:
    """Of some weights on the validation pairs, translated by greedy search."""

    metrics: dict[str, float]
    old_metrics: dict[str, float]
    """Of old pairs that are mixed in, where there are some."""

    @classmethod
    def of(cls, validation: Validation) -> Self:
        """Those of a validation."""
        new, old = (
            {score.name: score.score for score in scores}
            for scores in (validation.scores, validation.old_scores)
        )
        return cls(new, old)


class BaseComparison:
    """Compares weights with the model that the run starts from.

    Args:
        validator: scores translations.
        tolerance: points by which the score on old pairs may be worse than the base model's.
    """

    def __init__(self, validator: Validator, tolerance: float) -> None:
        self.validator, self.tolerance = validator, tolerance
        self.base: KnownScores | None = None
        self.best: KnownScores | None = None
        """Of the weights that are saved."""
        self._outputs: tuple[str, ...] = ()
        self._old_score = self._best_old_score = 0.0

    def start_from(self, validation: Validation) -> None:
        """Takes in how the base model was validated."""
        self.base = KnownScores.of(validation)
        self._outputs, self._old_score = validation.outputs, _old_score(validation)

    def keeps_old(self, validation: Validation) -> bool:
        """Whether old pairs are translated about as well as by the base model; true where there are none."""
        if self.base is None or not self.base.old_metrics:
            return True
        now, before = validation.old_score, self._old_score
        if not self.validator.metrics:  # of pictures, whose tokens are predicted one by one
            return now >= before - self.tolerance * PICTURE_POINT
        shared = min(len(validation.outputs), len(self._outputs))
        compared = self.validator.count_old(shared)
        if len(validation.outputs) != len(self._outputs):  # there was not the same time for both
            now, before = (
                self.validator.judge(outputs[:shared], old=True)
                for outputs in (validation.outputs, self._outputs)
            )
        return now >= before - max(self.tolerance, 100 * FEW / max(1, compared))

    def is_preferred(self, validation: Validation) -> bool:
        """Whether weights of the same score on new pairs are to be saved in place of those that are."""
        return _old_score(validation) >= self._best_old_score

    def save(self, validation: Validation) -> None:
        """Takes in how the weights that are saved were validated."""
        self.best, self._best_old_score = KnownScores.of(validation), _old_score(validation)

    def __str__(self) -> str:
        """In a line, for people."""
        if self.base is None or self.best is None:
            return ""
        new = _changes(self.base.metrics, self.best.metrics)
        if not new:
            return ""
        old = _changes(self.base.old_metrics, self.best.old_metrics)
        kinds = f"new pairs: {new}; old pairs: {old}" if old else new
        how = " by greedy search" if self.validator.metrics else ""
        return f"from the base model to the saved one, on validation pairs{how}: {kinds}"

    def as_info(self) -> dict[str, Any]:
        """Plain values, for programs."""
        known = (("base", self.base), ("saved", self.best))
        return {name: asdict(scores) for name, scores in known if scores} | {"summary": str(self)}

    def state(self) -> dict[str, Any]:
        """Plain values, for a checkpoint."""
        return {
            **self.as_info(), "outputs": self._outputs, "old_score": self._old_score,
            "best_old_score": self._best_old_score,
        }  # fmt: skip

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continues from what `state` returned."""
        self.base, self.best = (
            KnownScores(**state[name]) if name in state else None for name in ("base", "saved")
        )
        self._outputs, self._old_score = tuple(state["outputs"]), state["old_score"]
        self._best_old_score = state["best_old_score"]


def _old_score(validation: Validation) -> float:
    return validation.old_score if validation.old_scores else 0.0


def _changes(before: Mapping[str, float], after: Mapping[str, float]) -> str:
    """Such as "BLEU 12.00 → 25.31"."""
    return ", ".join(f"{name} {score:.2f} → {after[name]:.2f}" for name, score in before.items()
                     if name in after)  # fmt: skip
