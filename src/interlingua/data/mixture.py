"""Corpora that are mixed in training: how often each is seen, and the tag that tells its sources apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Annotated, Any, NamedTuple

from pydantic import AfterValidator, BeforeValidator, Field

from interlingua.errors import ConfigurationError
from interlingua.settings import Settings
from interlingua.text.columns import COLUMN_END
from interlingua.text.normalise import normalise

__all__ = ["STANDARD_INPUT", "CorpusFile", "Files", "MixedCorpora", "MixedCorpus", "PairFile", "Part",
           "count_parts", "display_name", "refuse_epoch", "report_corpora"]  # fmt: skip

STANDARD_INPUT = "standard input"
MAX_EPOCH_PAIRS = 1_000_000_000
"""Each takes four bytes of memory."""

PairFile = str | tuple[str, str]
"""A file of pairs ("-" is standard input), or the source and the target file of two parallel ones."""

Files = Annotated[tuple[PairFile, ...], BeforeValidator(lambda v: (v,) if isinstance(v, str) else v)]


def display_name(file: PairFile) -> str:
    """What a file, or two parallel ones, are called in messages."""
    if isinstance(file, str):
        return STANDARD_INPUT if file == "-" else file
    return " + ".join(file)


def _check_tag(tag: str) -> str:
    one_line = len(f"{tag}.".splitlines()) == 1
    if COLUMN_END in tag or not one_line or not (known_as := normalise(tag, "text")):
        raise ValueError("should be a text on one line, without a tab")
    return known_as


class MixedCorpus(Settings):
    """One of several corpora."""

    files: Annotated[Files, Field(min_length=1)]
    """As data.train takes them."""
    weight: float = Field(1.0, gt=0)
    """How many times each pair is seen in an epoch: .5 is every other epoch, 2.5 twice and every other epoch
    a third time."""
    tag: Annotated[str, AfterValidator(_check_tag)] | None = None
    """A first column that its sources get, such as the language to translate into; all corpora or none."""
    valid: Files = ()
    """Validation files of its own, which get its tag."""

    @property
    def name(self) -> str:
        """What it is called in accounts."""
        return self.tag or display_name(self.files[0])


MixedCorpora = Annotated[
    tuple[MixedCorpus, ...], BeforeValidator(lambda v: (v,) if isinstance(v, Mapping) else v)
]


class CorpusFile(NamedTuple):
    """A file, and what it is a part of."""

    file: PairFile
    corpus: str
    """Its name."""
    tag: str | None


class Part(NamedTuple):
    """Consecutive pairs that are seen equally often."""

    pairs: int
    weight: float
    """How many times each is seen in an epoch, on average."""


def count_parts(by_file: Sequence[int], mixture: Sequence[MixedCorpus]) -> list[Part]:
    """The parts of a store.

    Args:
        by_file: how many of its pairs are of each file.
        mixture: the corpora that the files are of.
    """
    counts = iter(by_file)
    return [Part(sum(islice(counts, len(corpus.files))), corpus.weight) for corpus in mixture]


def report_corpora(
    parts: Sequence[Part], duplicates_by_file: Sequence[int], mixture: Sequence[MixedCorpus]
) -> list[dict[str, Any]]:
    """What there is to tell of each corpus, as plain values."""
    duplicates = iter(duplicates_by_file)
    return [
        {
            "name": corpus.name, "files": [*map(display_name, corpus.files)], "weight": corpus.weight,
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
