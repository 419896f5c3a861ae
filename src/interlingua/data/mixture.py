"""Corpora that are mixed in training: how often the pairs of each are seen."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any, NamedTuple

from interlingua.data.settings import MixedCorpus, display_name
from interlingua.errors import ConfigurationError

__all__ = ["Part", "count_parts", "refuse_epoch", "report_corpora"]

MAX_EPOCH_PAIRS = 1_000_000_000
"""Each takes four bytes of memory."""


class Part(NamedTuple):
    """Consecutive pairs that are seen equally often."""

    pairs: int
    weight: float
    """How many times each is seen in an epoch, on average."""


def count_parts(by_file: Sequence[int], mixture: Sequence[MixedCorpus], mix_share: float) -> list[Part]:
    """The parts of a store.

    Args:
        by_file: how many of its pairs are of each file.
        mixture: the corpora that the files are of.
        mix_share: of the pairs seen in an epoch, the share that is of corpora that are mixed in, if any are.
    """
    counts = iter(by_file)
    parts = [Part(sum(islice(counts, len(corpus.files))), corpus.weight) for corpus in mixture]
    new, old = (
        sum(pairs * weight for (pairs, weight), corpus in zip(parts, mixture, strict=True)
            if corpus.mixed_in == mixed_in)
        for mixed_in in (False, True)
    )  # fmt: skip
    factor = new * mix_share / (1 - mix_share) / old if old else 1.0
    return [
        Part(pairs, weight * factor if corpus.mixed_in else weight)
        for (pairs, weight), corpus in zip(parts, mixture, strict=True)
    ]


def report_corpora(
    parts: Sequence[Part], duplicates_by_file: Sequence[int], mixture: Sequence[MixedCorpus]
) -> list[dict[str, Any]]:
    """What there is to tell of each corpus, as plain values."""
    duplicates = iter(duplicates_by_file)
    return [
        {
            "name": corpus.name, "files": [*map(display_name, corpus.files)], "weight": part.weight,
            "pairs": part.pairs, "seen": round(part.pairs * part.weight),
            "duplicates": sum(islice(duplicates, len(corpus.files))),
        }
        for part, corpus in zip(parts, mixture, strict=True)
    ]  # fmt: skip


def refuse_epoch(parts: Sequence[Part]) -> None:
    """Refuses weights with which an epoch would have no pair, or too many to be shuffled in memory."""
    pairs = sum(pairs * weight for pairs, weight in parts)
    if not 1 <= pairs <= MAX_EPOCH_PAIRS:
        raise ConfigurationError(
            "the weights of the corpora make an epoch of no usable size", where="data.corpora",
            found=f"{pairs:,.3g} pairs",
            accepted=f"1 to {MAX_EPOCH_PAIRS:,}: divide or multiply all weights; how they differ counts.",
        )  # fmt: skip
