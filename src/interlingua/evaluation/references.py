"""Lines to be scored, and what they are scored against."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from interlingua.errors import DataError

__all__ = ["Example", "Lines", "group_references", "grouped_lines", "single_lines"]


class Example(NamedTuple):
    """One source and every target that is right for it."""

    source: str
    references: tuple[str, ...]


class Lines(NamedTuple):
    """Hypotheses beside their references; both have one entry a line."""

    hypotheses: list[str]
    references: list[tuple[str, ...]]


def group_references(pairs: Iterable[tuple[str, str]]) -> list[Example]:
    """Merges repeated sources into one example each, in the order in which they are first seen.

    A reference that is given twice for the same source is kept once.
    """
    grouped: dict[str, dict[str, None]] = {}
    for source, target in pairs:
        grouped.setdefault(source, {})[target] = None
    return [Example(source, tuple(targets)) for source, targets in grouped.items()]


def single_lines(hypotheses: Sequence[str], pairs: Sequence[tuple[str, str]]) -> Lines:
    """Scores every pair as its own line, against its own target.

    Raises:
        DataError: there is nothing to score, or not one hypothesis for each pair.
    """
    if not pairs:
        raise DataError("there are no pairs to evaluate on", accepted="At least one pair is needed.")
    if len(hypotheses) != len(pairs):
        raise DataError(
            "hypotheses and pairs differ in number",
            found=f"{len(hypotheses)} hypotheses for {len(pairs)} pairs",
            accepted="One hypothesis is needed for each pair, in the same order.",
        )
    return Lines(list(hypotheses), [(target,) for _, target in pairs])


def grouped_lines(hypotheses: Sequence[str], pairs: Sequence[tuple[str, str]]) -> Lines:
    """Scores every distinct source once, against all of its targets.

    Should the hypotheses of a repeated source differ (they do only when sampled), its first one counts.

    Raises:
        DataError: there is nothing to score, or not one hypothesis for each pair.
    """
    single_lines(hypotheses, pairs)
    first: dict[str, str] = {}
    for (source, _), hypothesis in zip(pairs, hypotheses, strict=True):
        first.setdefault(source, hypothesis)
    return Lines(list(first.values()), [example.references for example in group_references(pairs)])
