"""Lines to be scored, and what they are scored against."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple, cast, get_args

from interlingua.errors import ConfigurationError, DataError, nearest

__all__ = [
    "Example",
    "Lines",
    "Repeated",
    "choose_repeated",
    "describe_repeated",
    "group_references",
    "lines_to_score",
    "single_lines",
]

Repeated = Literal["references", "cases"]
"""What pairs with the same source are: several references of one line, or test cases of their own."""


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


def choose_repeated(pairs: Iterable[tuple[str, str]], asked: str = "auto") -> Repeated:
    """What repeated sources are: what is asked for, else what their targets tell.

    Where half of the repeated sources or more have targets that differ, they are references: several
    translations or pronunciations. Where nearly all have one target again and again, they are cases, such as
    the words of a running text.

    Raises:
        ConfigurationError: something else is asked for.
    """
    if asked != "auto":
        if asked not in get_args(Repeated):
            raise ConfigurationError(
                "repeated sources are either references or cases", where="repeated", found=asked,
                accepted=nearest(asked, ["auto", *get_args(Repeated)]),
            )  # fmt: skip
        return cast(Repeated, asked)
    repeated, differing = _count_repeated(pairs)
    return "references" if 2 * differing >= repeated else "cases"


def describe_repeated(pairs: Iterable[tuple[str, str]], repeated: Repeated) -> str | None:
    """Says how repeated sources are counted, for people; None where there are none."""
    count, differing = _count_repeated(pairs)
    if not count:
        return None
    sources = "1 source is repeated" if count == 1 else f"{count:,} sources are repeated"
    counted, other = {
        "references": ("each is one line with all its targets as references", "cases"),
        "cases": ("each pair is a line of its own", "references"),
    }[repeated]
    return f"{sources}, {differing:,} of them with targets that differ; {counted} (else: --repeated {other})"


def lines_to_score(hypotheses: Sequence[str], pairs: Sequence[tuple[str, str]], repeated: Repeated) -> Lines:
    """The lines of all pairs, repeated sources as told.

    Raises:
        DataError: there is nothing to score, or not one hypothesis for each pair.
    """
    return (_grouped_lines if repeated == "references" else single_lines)(hypotheses, pairs)


def _count_repeated(pairs: Iterable[tuple[str, str]]) -> tuple[int, int]:
    """How many sources are repeated, and how many of these have targets that differ."""
    first: dict[str, str] = {}
    differs: dict[str, bool] = {}
    for source, target in pairs:
        if source in first:
            differs[source] = differs.get(source, False) or target != first[source]
        first.setdefault(source, target)
    return len(differs), sum(differs.values())


def _grouped_lines(hypotheses: Sequence[str], pairs: Sequence[tuple[str, str]]) -> Lines:
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
