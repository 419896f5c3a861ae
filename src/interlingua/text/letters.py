"""How much of targets stands in their sources: copied, in other letters, or in another order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from statistics import fmean
from typing import NamedTuple, TypeVar

import numpy as np
from jaxtyping import Float
from rapidfuzz.distance import LCSseq

__all__ = ["SharedLetters", "measure_letters", "measure_words"]

COMPARED_PAIRS, COMPARED_CHARACTERS = 1_000, 300
"""What is compared character by character, at most."""
COMPARED_LETTERS, LEAST_CORRELATION = 300, 0.2
"""Of each side the most frequent, and from when on one may stand for another; by chance it is about .03."""
MOSTLY_REWRITTEN, HARDLY_COPIED = 0.5, 0.3
"""From such a share of characters on, and below such a one, a text is in another alphabet."""

Text = TypeVar("Text", bound=Sequence[str])


class SharedLetters(NamedTuple):
    """Shares of target characters, beyond what other pairs' sources hold by chance: 0 to 1."""

    copied: float
    """Stand in the source in the same order."""
    rewritten: float
    """The same if sources were written in the targets' letters, one for one: of another alphabet."""
    shared: float
    """The same in whatever order."""

    @property
    def is_other_alphabet(self) -> bool:
        """Whether targets are their sources in other letters.

        Subwords cannot copy them then: what each becomes must be learnt (benchmarks/results/any_data.md).
        """
        return self.rewritten >= MOSTLY_REWRITTEN and self.copied < HARDLY_COPIED


def measure_letters(pairs: Sequence[tuple[str, str]]) -> SharedLetters:
    """Compares characters: the first of each text, in the first pairs."""
    pairs = [
        (source[:COMPARED_CHARACTERS], target[:COMPARED_CHARACTERS])
        for source, target in pairs[:COMPARED_PAIRS]
    ]
    as_targets = _in_target_letters(pairs)
    copied = _beyond_chance(_common_subsequence, pairs)
    rewritten = max(copied, _beyond_chance(_common_subsequence, as_targets))
    return SharedLetters(copied, rewritten, max(rewritten, _beyond_chance(_common_letters, as_targets)))


def measure_words(pairs: Sequence[tuple[str, str]]) -> SharedLetters:
    """Compares words, such as letters with spaces between, without the spaces; words do not become others."""
    words = [
        (source[:COMPARED_CHARACTERS].split(" "), target[:COMPARED_CHARACTERS].split(" "))
        for source, target in pairs[:COMPARED_PAIRS]
    ]
    copied = _beyond_chance(_common_subsequence, words)
    return SharedLetters(copied, copied, copied)


def _common_subsequence(source: Sequence[str], target: Sequence[str]) -> float:
    """The longest one, as a share of the target."""
    return LCSseq.similarity(source, target) / max(1, len(target))


def _common_letters(source: Sequence[str], target: Sequence[str]) -> float:
    """Those that both have, in any order, as a share of the target."""
    return (Counter(source) & Counter(target)).total() / max(1, len(target))


def _beyond_chance(share: Callable[[Text, Text], float], pairs: Sequence[tuple[Text, Text]]) -> float:
    """The mean share of targets that sources hold, 0 where it is that which the next pairs' sources hold."""
    own = fmean(share(source, target) for source, target in pairs)
    others = zip([*pairs[1:], pairs[0]], pairs, strict=True)
    chance = fmean(share(other, target) for (other, _), (_, target) in others) if len(pairs) > 1 else 0.0
    return max(0.0, own - chance) / max(1e-9, 1 - chance)


def _in_target_letters(pairs: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Pairs, each source letter replaced by the target letter, if any, that is frequent in the same pairs."""
    (letters, shares), (others, other_shares) = (_shares([*side]) for side in zip(*pairs, strict=True))
    if not letters or not others:
        return [*pairs]
    correlation = shares.T @ other_shares / len(pairs)
    table = {
        ord(letter): others[best] if row[best] >= LEAST_CORRELATION else None
        for letter, row, best in zip(letters, correlation, correlation.argmax(axis=1), strict=True)
    }
    return [(source.translate(table), target) for source, target in pairs]


def _shares(texts: Sequence[str]) -> tuple[list[str], Float[np.ndarray, "text letter"]]:
    """The most frequent letters of texts, and the share of each in each text, standardised by letter."""
    counts = [Counter(text) for text in texts]
    letters = [letter for letter, _ in sum(counts, Counter()).most_common(COMPARED_LETTERS)]
    rows = [[count[letter] / max(1, count.total()) for letter in letters] for count in counts]
    shares = np.array(rows).reshape(len(texts), len(letters))
    shares -= shares.mean(axis=0)
    return letters, shares / np.maximum(shares.std(axis=0), 1e-9)
