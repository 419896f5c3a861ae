"""Holding out pairs for validation, by source."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from interlingua.data.corpus import Corpus, Pair
from interlingua.errors import DataError
from interlingua.text.normalise import normalise

__all__ = ["SplitPart", "split"]


@dataclass(frozen=True)
class SplitPart:
    """The pairs of a corpus whose sources are held out, or those whose are not.

    All pairs of one source are in one part of the split, whatever their tags, so nothing held out has been
    trained on. A hash of the seed and of the NFC form of the source decides: no memory, and the same whatever
    the order.
    """

    corpus: Corpus
    share: float
    """Of the distinct sources, on average."""
    seed: int
    held_out: bool

    def __iter__(self) -> Iterator[Pair]:
        return filter(self.holds, self.corpus)

    def holds(self, pair: Pair) -> bool:
        """Whether a pair is in this part."""
        source = normalise(self.corpus.untagged(pair), "NFC").encode()
        key = self.seed.to_bytes(8, "little", signed=True)
        value = int.from_bytes(hashlib.blake2b(source, digest_size=8, key=key).digest(), "little")
        return (value < int(self.share * 2**64)) == self.held_out


COUNTED_PAIRS = 100_000
"""Of more pairs it is not told how many distinct sources they have."""


def split(corpus: Corpus) -> tuple[SplitPart, SplitPart]:
    """Returns the pairs to train on, and those held out.

    The share is the settings' own, or else 5%, but about 2,000 pairs of a large corpus and up to half of
    one with fewer than 200 pairs, to have about ten.

    Raises:
        DataError: the corpus is too small to hold out anything.
    """
    settings, pairs = corpus.settings, corpus.report().kept
    share = settings.valid_share
    if share is None:
        share = max(min(0.05, 2_000 / pairs), min(0.5, 10 / pairs))
    train, valid = (SplitPart(corpus, share, settings.split_seed, held_out) for held_out in (False, True))
    for part in (train, valid):
        if next(iter(part), None) is None:
            raise DataError(
                "there are too few sources to hold some out for validation",
                where=", ".join(corpus.names),
                found=_count_sources(corpus, pairs),
                accepted="Give a validation file, or another share.",
            )
    return train, valid


def _count_sources(corpus: Corpus, pairs: int) -> str:
    if pairs > COUNTED_PAIRS:
        return f"{pairs:,} pairs"
    distinct = len({corpus.untagged(pair) for pair in corpus})
    return f"{pairs:,} pairs with {distinct:,} distinct source{'s' * (distinct != 1)}"
