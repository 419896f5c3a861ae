"""Subwords at random: SentencePiece's two ways to sample, drawn from a generator that can be seeded.

SentencePiece mixes something of each process into its own generator, so that a resumed training would see
other subwords than an undisturbed one. A piece never reaches over a space, so each word is segmented alone.
"""

from __future__ import annotations

import heapq
import math
import random
import re
from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

from interlingua.kinds import SPECIALS, UNK

__all__ = ["SubwordSampler"]

_WORD = re.compile("▁[^▁]*")
_CACHED_WORDS = 1 << 14
_UNKNOWN_PENALTY = 10.0
"""SentencePiece's: by so much a character that is no piece is less probable than the rarest piece."""

Ids = tuple[int, ...]


class Ends(NamedTuple):
    """Of the pieces that end at one place of a word: how probable each is, and where it begins."""

    cumulative: list[float]
    """Probabilities, each with those before it added; the last is 1."""
    starts: list[int]
    ids: list[Ids]


class SubwordSampler:
    """Segments texts at random.

    Args:
        processor: SentencePiece's, with a model of the kind "unigram" or "bpe".
        kind: which of these.
    """

    def __init__(self, processor: Any, kind: str) -> None:
        self._bpe = kind == "bpe"
        self._byte_ids = [processor.PieceToId(f"<0x{byte:02X}>") for byte in range(256)]
        self._spells = UNK not in self._byte_ids
        special = {*range(len(SPECIALS)), *self._byte_ids}
        ids = range(processor.GetPieceSize())
        special |= {*filter(processor.IsControl, ids), *filter(processor.IsUnused, ids)}
        learnt = [i for i in ids if i not in special]
        self._ids: dict[str, int] = {processor.IdToPiece(i): i for i in learnt}
        self._scores = {piece: processor.GetScore(i) for piece, i in self._ids.items()}
        self._longest = max(map(len, self._ids), default=1)
        self._unknown_score = min(self._scores.values(), default=0.0) - _UNKNOWN_PENALTY
        self._ends = lru_cache(_CACHED_WORDS)(self._find_ends)

    def sample(self, texts: Sequence[str], alpha: float, seed: int) -> list[list[int]]:
        """The ids of each text; a pure function of the arguments and the model.

        Args:
            texts: with "▁" before every word in place of spaces.
            alpha: BPE: the probability that a merge is left out (Provilkov et al. 2020); unigram: the
                smoothing of the segmentations' probabilities, smaller is more random (Kudo 2018).
            seed: of the generator.
        """
        generator = random.Random(seed)
        sample = self._sample_merges if self._bpe else self._sample_path
        cut = [[i for word in _WORD.findall(text) for i in sample(word, alpha, generator)] for text in texts]
        if self._spells:
            return cut
        # Like SentencePiece, one id for unknown characters in a row.
        return [[i for before, i in pairwise([-1, *ids]) if i != UNK or before != UNK] for ids in cut]

    def _sample_path(self, word: str, alpha: float, generator: random.Random) -> list[int]:
        """One segmentation, drawn backwards with the probability that unigrams give it."""
        table, end, reversed_pieces = self._ends(word, alpha), len(word), list[Ids]()
        while end:
            cumulative, starts, ids = table[end - 1]
            chosen = bisect_right(cumulative, generator.random(), hi=len(cumulative) - 1)
            reversed_pieces.append(ids[chosen])
            end = starts[chosen]
        return [i for piece in reversed(reversed_pieces) for i in piece]

    def _find_ends(self, word: str, alpha: float) -> list[Ends]:
        """The forward algorithm over all segmentations of a word."""
        forward, table = [0.0], list[Ends]()
        for end in range(1, len(word) + 1):
            starts = [
                start
                for start in range(max(0, end - self._longest), end)
                if start == end - 1 or word[start:end] in self._ids
            ]
            scores = [
                forward[start] + alpha * self._scores.get(word[start:end], self._unknown_score)
                for start in starts
            ]
            highest = max(scores)
            weights = [math.exp(score - highest) for score in scores]
            total = sum(weights)
            forward.append(highest + math.log(total))
            cumulative = list(accumulate(weight / total for weight in weights))
            table.append(Ends(cumulative, starts, [self._piece_ids(word[start:end]) for start in starts]))
        return table

    def _sample_merges(self, word: str, alpha: float, generator: random.Random) -> list[int]:
        """Merges by rank, each left out with probability alpha, as SentencePiece does it."""
        pieces, count = list(word), len(word)
        after, before = list(range(1, count + 1)), list(range(-1, count - 1))
        neighbours = [(left, left + 1) for left in range(count - 1)]
        merges: list[tuple[float, int, int, str]] = []
        while neighbours or merges:
            for left, right in neighbours:
                merged = pieces[left] + pieces[right] if left >= 0 and right < count else ""
                if merged in self._scores:
                    heapq.heappush(merges, (-self._scores[merged], left, right, merged))
            neighbours = []
            if not merges:
                break
            _, left, right, merged = heapq.heappop(merges)
            # One of the two may have become part of another piece, which is then gone or longer.
            stale = not pieces[left] or not pieces[right] or pieces[left] + pieces[right] != merged
            if stale or (alpha and generator.random() < alpha):
                continue
            pieces[left], pieces[right] = merged, ""
            after[left] = after[right]
            if after[right] < count:
                before[after[right]] = left
            neighbours = [(before[left], left), (left, after[left])]
        return [i for piece in pieces if piece for i in self._piece_ids(piece)]

    def _piece_ids(self, piece: str) -> Ids:
        known = self._ids.get(piece)
        if known is not None or not self._spells:
            return (UNK if known is None else known,)
        return tuple(self._byte_ids[byte] for byte in piece.encode())
