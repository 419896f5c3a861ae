"""What pairs of texts are like: what proposes models for them, and tells people what they have."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from statistics import fmean
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from rapidfuzz.distance import LCSseq

from interlingua.text.choice import SideStatistics, choose_kind

__all__ = ["Description", "describe"]

COMPARED_PAIRS, COMPARED_CHARACTERS = 1_000, 300
"""What is compared character by character, at most."""
COMPARED_LETTERS, LEAST_CORRELATION = 300, 0.2
"""Of each side the most frequent, and from when on one may stand for another; by chance it is about .03."""
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
    copied = rewritten = shared_letters = _copied(pairs[:COMPARED_PAIRS], of_words=all(closed))
    if not all(closed):
        as_targets = _in_target_letters(pairs[:COMPARED_PAIRS])
        rewritten = max(copied, _copied(as_targets, of_words=False))
        shared_letters = max(rewritten, _beyond_chance(_shared_letters, as_targets))
    return Description(
        source_length=_quantiles([len(text) for text in sources]),
        target_length=_quantiles([len(text) for text in targets]),
        ratio=_quantiles([len(target) / max(1, len(source)) for source, target in pairs]),
        source_words=source_side.running_words / max(1, source_side.texts),
        target_words=target_side.running_words / max(1, target_side.texts),
        source_alphabet=len(source_side.characters),
        target_alphabet=len(target_side.characters),
        shared_alphabet=shared / max(1, target_side.characters.total()),
        copied=copied,
        monotonic=_monotonic(pairs),
        repeated_sources=1 - len(set(sources)) / len(pairs),
        repeated_targets=1 - len(set(targets)) / len(pairs),
        closed=closed,
        rewritten=rewritten,
        shared_letters=shared_letters,
    )


def _rounded(value: Any) -> Any:
    return round(value, 3) if isinstance(value, float) else value


def _quantiles(values: Sequence[float]) -> Quantiles:
    ordered = sorted(values)
    low, middle, high = (float(ordered[int(share * (len(ordered) - 1))]) for share in QUANTILES)
    return low, middle, high


def _copied(pairs: Sequence[tuple[str, str]], *, of_words: bool) -> float:
    """The longest common subsequence, as a share of a target, beyond that with the next pair's source."""

    def symbols(text: str) -> Sequence[str]:
        # Letters with spaces between, for example: the spaces are not copied.
        return text[:COMPARED_CHARACTERS].split(" ") if of_words else text[:COMPARED_CHARACTERS]

    def share(source: str, target: str) -> float:
        return LCSseq.similarity(symbols(source), symbols(target)) / max(1, len(symbols(target)))

    return _beyond_chance(share, pairs)


def _shared_letters(source: str, target: str) -> float:
    """Letters that both have, in any order, as a share of the target."""
    source, target = source[:COMPARED_CHARACTERS], target[:COMPARED_CHARACTERS]
    return (Counter(source) & Counter(target)).total() / max(1, len(target))


def _beyond_chance(share: Callable[[str, str], float], pairs: Sequence[tuple[str, str]]) -> float:
    """The mean share of targets that sources hold, 0 where it is that which the next pairs' sources hold."""
    own = fmean(share(source, target) for source, target in pairs)
    others = zip([*pairs[1:], pairs[0]], pairs, strict=True)
    chance = fmean(share(other, target) for (other, _), (_, target) in others) if len(pairs) > 1 else 0.0
    return max(0.0, own - chance) / max(1e-9, 1 - chance)


def _in_target_letters(pairs: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Pairs, each source letter replaced by the target letter, if any, that is frequent in the same pairs."""
    short = [(source[:COMPARED_CHARACTERS], target[:COMPARED_CHARACTERS]) for source, target in pairs]
    (letters, shares), (others, other_shares) = (_shares([*side]) for side in zip(*short, strict=True))
    if not letters or not others:
        return short
    correlation = shares.T @ other_shares / len(pairs)
    table = {
        ord(letter): others[best] if row[best] >= LEAST_CORRELATION else None
        for letter, row, best in zip(letters, correlation, correlation.argmax(axis=1), strict=True)
    }
    return [(source.translate(table), target) for source, target in short]


def _shares(texts: Sequence[str]) -> tuple[list[str], Float[np.ndarray, "text letter"]]:
    """The most frequent letters of texts, and the share of each in each text, standardised by letter."""
    counts = [Counter(text) for text in texts]
    letters = [letter for letter, _ in sum(counts, Counter()).most_common(COMPARED_LETTERS)]
    rows = [[count[letter] / max(1, count.total()) for letter in letters] for count in counts]
    shares = np.array(rows).reshape(len(texts), len(letters))
    shares -= shares.mean(axis=0)
    return letters, shares / np.maximum(shares.std(axis=0), 1e-9)


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
