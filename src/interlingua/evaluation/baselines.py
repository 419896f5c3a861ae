"""What any model should beat: systems that learn nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

__all__ = ["copy_source", "look_up"]


def copy_source(pairs: Iterable[tuple[str, str]]) -> list[str]:
    """Answers each pair with its source."""
    return [source for source, _ in pairs]


def look_up(train_pairs: Iterable[tuple[str, str]], pairs: Sequence[tuple[str, str]]) -> list[str]:
    """Answers each pair with the target that training pairs give most often for its source.

    Among equally frequent targets the one seen first is taken; a source not seen in training gets the empty
    string. The training pairs are read once and only those of the sources asked for are kept, so they may be
    a stream of any length.
    """
    seen: dict[str, Counter[str]] = {source: Counter() for source, _ in pairs}
    for source, target in train_pairs:
        if source in seen:
            seen[source][target] += 1
    answers = {source: max(counts, key=counts.__getitem__, default="") for source, counts in seen.items()}
    return [answers[source] for source, _ in pairs]
