"""What pairs of texts are like: what proposes models for them, and tells people what they have."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import fmean
from typing import Any, NamedTuple

from interlingua.text.choice import SideStatistics, choose_kind
from interlingua.text.letters import measure_letters, measure_words

__all__ = ["Description", "describe"]

ALIGNED_PAIRS, ALIGNED_SYMBOLS, ROUNDS = 300, 60, 3
"""What is aligned, at most, and the rounds of expectation maximisation."""
QUANTILES = (0.05, 0.5, 0.95)

Quantiles = tuple[float, float, float]


class Description(NamedTuple):
    """Of a sample of training pairs. Lengths are in characters; quantiles are .05, .5 and .95."""

    source_length: Quantiles
    target_length: Quantiles
    ratio: Quantiles
    """Of target length / source length."""
    source_words: float
    """Between spaces; the mean of a text."""
    target_words: float
    source_alphabet: int
    """Distinct characters."""
    target_alphabet: int
    shared_alphabet: float
    """The share of running target characters that occur in sources."""
    copied: float
    """The share of target characters (of words where both sides have few) that stand in the source in the
    same order, beyond what stands in other pairs' sources by chance: 0 to 1."""
    monotonic: float | None
    """How far targets go through their sources from left to right, 0 (no more than chance) to 1; None where
    texts are too long to be aligned."""
    repeated_sources: float
    """The share of pairs whose source occurred before."""
    repeated_targets: float
    closed: tuple[bool, bool]
    """Whether source and target are of few words, so that hardly a new one is to be expected."""
    rewritten: float = 0.0
    """The share that would be copied if sources were written in the targets' letters, one for one: of another
    alphabet or spelling; no less than what is copied. Earlier versions did not look."""
    shared_letters: float = 0.0
    """The same in whatever order, such as of words that are reversed; no less than what is rewritten."""

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON, rounded."""
        return {
            name: tuple(map(_rounded, value)) if isinstance(value, tuple) else _rounded(value)
            for name, value in self._asdict().items()
        }

    def __str__(self) -> str:
        source, target = (f"{lengths[1]:,.0f}" for lengths in (self.source_length, self.target_length))
        about = [f"{source} characters a source, {target} a target"]
        if self.copied >= 0.05:
            about.append(f"{self.copied:.0%} copied")
        if self.rewritten >= max(0.3, self.copied + 0.1):
            about.append(f"{self.rewritten:.0%} rewritten letter for letter")
        if self.monotonic is not None and self.monotonic >= 0.5:
            about.append("monotonic")
        if any(self.closed):
            sides = [name for name, closed in zip(("source", "target"), self.closed, strict=True) if closed]
            about.append(f"few words: {' and '.join(sides)}")
        return ", ".join(about)


def describe(pairs: Sequence[tuple[str, str]]) -> Description:
    """Describes a sample of pairs, at least one, in about a second for ten thousand of them."""
    sources, targets = [source for source, _ in pairs], [target for _, target in pairs]
    sides = [SideStatistics.of(texts) for texts in (sources, targets)]
    source_side, target_side = sides
    shared = sum(count for character, count in target_side.characters.items()
                 if character in source_side.characters)  # fmt: skip
    closed = choose_kind(source_side) == "words", choose_kind(target_side) == "words"
    letters = measure_words(pairs) if all(closed) else measure_letters(pairs)
    return Description(
        source_length=_quantiles([len(text) for text in sources]),
        target_length=_quantiles([len(text) for text in targets]),
        ratio=_quantiles([len(target) / max(1, len(source)) for source, target in pairs]),
        source_words=source_side.running_words / max(1, source_side.texts),
        target_words=target_side.running_words / max(1, target_side.texts),
        source_alphabet=len(source_side.characters),
        target_alphabet=len(target_side.characters),
        shared_alphabet=shared / max(1, target_side.characters.total()),
        copied=letters.copied,
        monotonic=_monotonic(pairs),
        repeated_sources=1 - len(set(sources)) / len(pairs),
        repeated_targets=1 - len(set(targets)) / len(pairs),
        closed=closed,
        rewritten=letters.rewritten,
        shared_letters=letters.shared,
    )


def _rounded(value: Any) -> Any:
    return round(value, 3) if isinstance(value, float) else value


def _quantiles(values: Sequence[float]) -> Quantiles:
    ordered = sorted(values)
    low, middle, high = (float(ordered[int(share * (len(ordered) - 1))]) for share in QUANTILES)
    return low, middle, high


def _monotonic(pairs: Sequence[tuple[str, str]]) -> float | None:
    """Aligns symbols by IBM's model 1 (Brown et al. 1993) and sees how often the source position goes on."""
    symbols = [tuple(text.split(" ") if " " in text else list(text) for text in pair) for pair in pairs]
    fitting = [pair for pair in symbols if max(map(len, pair)) <= ALIGNED_SYMBOLS][:ALIGNED_PAIRS]
    if 2 * len(fitting) < min(len(pairs), ALIGNED_PAIRS):
        return None
    chance: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(lambda: 1.0))
    for _ in range(ROUNDS):
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        for source, target in fitting:
            for to in target:
                weights = [chance[of][to] for of in source]
                total = sum(weights) or 1.0
                for of, weight in zip(source, weights, strict=True):
                    counts[of][to] += weight / total  # type: ignore[assignment]
        chance = {of: defaultdict(float, {to: n / row.total() for to, n in row.items()})
                  for of, row in counts.items()}  # fmt: skip
    steps: list[float] = []
    for source, target in fitting:
        found = (_place(source, to, j / len(target), chance) for j, to in enumerate(target))
        steps += [math.copysign(1, after - before) if after != before else 0
                  for before, after in pairwise(place for place in found if place is not None)]  # fmt: skip
    return max(0.0, fmean(steps)) if steps else None


def _place(
    source: Sequence[str], to: str, share: float, chance: Mapping[str, Mapping[str, float]]
) -> int | None:
    """Where in the source a target symbol comes from; None when several symbols are equally likely.

    Of places with the same symbol the one nearest to the target's share of the way is taken.
    """
    best = max(chance[of][to] for of in source)
    places = [i for i, of in enumerate(source) if chance[of][to] == best]
    if len({source[i] for i in places}) > 1:
        return None
    return min(places, key=lambda i: abs(i / len(source) - share))
