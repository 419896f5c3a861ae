"""Whether a model says the same of everything, as one does that has hardly learnt to look at its sources."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

__all__ = ["same_output"]

FEWEST = 20
"""Outputs that tell."""
OFTEN, OFTENER = 0.3, 3
"""The share of outputs that are one text, and how many times more often it is than any target."""


def same_output(outputs: Sequence[str], targets: Sequence[str]) -> tuple[str, int] | None:
    """The text that far too many outputs are, and how many; None where there is none such."""
    if len(outputs) < FEWEST:
        return None
    ((text, count),) = Counter(outputs).most_common(1)
    ((_, usual),) = Counter(targets).most_common(1)
    return (text, count) if count >= max(OFTEN * len(outputs), OFTENER * usual) else None
