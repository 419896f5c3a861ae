"""Holding out pairs for validation, by source."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Set
from dataclasses import dataclass
from itertools import islice

from interlingua.data.corpus import Corpus, CorpusSettings, Pair, end_of_name
from interlingua.errors import DataError
from interlingua.text.normalise import normalise

__all__ = ["SplitPart", "split"]

ANOTHER_SPLIT = (
    "Give a validation file: --valid FILE. Of several sources another share may hold out one: "
    "--set data.valid_share=0.5"
)


@dataclass(frozen=True)
class SplitPart:
    """The pairs of a corpus whose sources are held out, or those whose are not.

    All pairs of one source are in one part of the split, whatever their tags, so nothing held out has been
    trained on; where targets are pictures that have several captions each, or captions are labels of many
    pictures, all pairs of one picture. A hash of the seed and of the NFC form of the source decides: hardly
    any memory, and the same whatever the order.
    """

    corpus: Corpus
    share: float
    """Of the distinct sources, on average."""
    seed: int
    held_out: bool
    sources: Set[int] | None = None
    """Hashes of the sources that are held out, where not all files hold out the same share."""
    by_target: bool = False

    def __iter__(self) -> Iterator[Pair]:
        return filter(self.holds, self.corpus)

    def holds(self, pair: Pair) -> bool:
        """Whether a pair is in this part."""
        value = _hash_text(_key(self.corpus, pair, self.by_target), self.seed)
        chosen = value < int(self.share * 2**64) if self.sources is None else value in self.sources
        return chosen == self.held_out


FEW_PAIRS = 2_000
"""Of more pairs chance holds out about as many as are asked for."""
COUNTED_PAIRS = 100_000
"""Of more pairs it is not told how many distinct sources they have."""
LABELS = 0.1
"""Fewer captions than this share of the pictures are labels: one that is held out would not be learnt."""


def split(corpus: Corpus) -> tuple[SplitPart, SplitPart]:
    """Returns the pairs to train on, and those held out.

    The share is the settings' own, or else 5%, but about 2,000 pairs of a large corpus and up to half of
    one with fewer than 200 pairs, to have about ten.

    Raises:
        DataError: the corpus is too small to hold out anything.
    """
    settings, pairs = corpus.settings, corpus.report().kept
    if any(settings.mixed_in):
        return _split_kinds(corpus)
    share = _choose_share(settings, pairs)
    by_target = _by_target(corpus)
    if settings.split_by == "count" and pairs <= FEW_PAIRS:
        share = _exact_share(corpus, share, by_target)
    train, valid = (
        SplitPart(corpus, share, settings.split_seed, held_out, by_target=by_target)
        for held_out in (False, True)
    )
    for part in (train, valid):
        if next(iter(part), None) is None:
            raise DataError(
                f"there are too few {'pictures' if by_target else 'sources'} to hold some out for validation",
                where=", ".join(corpus.names),
                found=_count_distinct(corpus, pairs, by_target),
                accepted=ANOTHER_SPLIT,
            )
    return train, valid


def _split_kinds(corpus: Corpus) -> tuple[SplitPart, SplitPart]:
    """Holds out some of the new pairs, and some of the old ones that are mixed in, each by their own number.

    A source that is held out of one kind is not trained on in the other.
    """
    settings, kinds = corpus.settings, corpus.settings.mixed_in
    by_target = _by_target(corpus)
    counts = Counter(kinds[file] for file, _ in corpus.by_file())
    shares = {kind: _choose_share(settings, counts[kind])
              for kind, held_out in zip(kinds, settings.held_out, strict=True) if held_out}  # fmt: skip
    sources = set[int]()
    chosen = Counter[bool]()
    for file, pair in corpus.by_file():
        value = _hash_text(_key(corpus, pair, by_target), settings.split_seed)
        if value < int(shares.get(kinds[file], 0) * 2**64):
            sources.add(value)
    for file, pair in corpus.by_file():
        chosen[kinds[file]] += _hash_text(_key(corpus, pair, by_target), settings.split_seed) in sources
    for kind in set(kinds):
        if chosen[kind] == counts[kind] or (kind in shares and not chosen[kind]):
            files = [name for name, each in zip(corpus.names, kinds, strict=True) if each == kind]
            raise DataError(
                "there are too few sources to hold some out for validation", where=", ".join(files),
                found=f"{counts[kind]:,} pairs", accepted=ANOTHER_SPLIT,
            )  # fmt: skip
    share = chosen.total() / counts.total()
    train, valid = (
        SplitPart(corpus, share, settings.split_seed, held_out, sources, by_target)
        for held_out in (False, True)
    )
    return train, valid


def _choose_share(settings: CorpusSettings, pairs: int) -> float:
    if settings.valid_share is not None:
        return settings.valid_share
    return max(min(0.05, 2_000 / max(1, pairs)), min(0.5, 10 / max(1, pairs)))


def _exact_share(corpus: Corpus, share: float, by_target: bool) -> float:
    """The share of all hashes that holds out just the wanted share of the sources, and one at least."""
    seed = corpus.settings.split_seed
    values = sorted({_hash_text(_key(corpus, pair, by_target), seed) for pair in corpus})
    if len(values) < 2:
        return share
    count = min(max(1, round(share * len(values))), len(values) - 1)
    return (values[count - 1] + values[count]) / 2 / 2**64


def _by_target(corpus: Corpus) -> bool:
    """Whether pictures are held out and not captions.

    They are where more than one of ten first pairs has the picture of another one, or captions are labels.
    """
    if corpus.settings.target_kind != "picture":
        return False
    pairs = [*islice(corpus, COUNTED_PAIRS)]
    pictures, captions = {pair.target for pair in pairs}, {corpus.untagged(pair) for pair in pairs}
    return len(pictures) < 0.9 * len(pairs) or len(captions) < LABELS * len(pictures)


def _key(corpus: Corpus, pair: Pair, by_target: bool) -> str:
    """What decides whether a pair is held out."""
    return end_of_name(pair.target) if by_target else corpus.untagged(pair)


def _hash_text(text: str, seed: int) -> int:
    key = seed.to_bytes(8, "little", signed=True)
    digest = hashlib.blake2b(normalise(text, "NFC").encode(), digest_size=8, key=key).digest()
    return int.from_bytes(digest, "little")


def _count_distinct(corpus: Corpus, pairs: int, by_target: bool) -> str:
    if pairs > COUNTED_PAIRS:
        return f"{pairs:,} pairs"
    distinct = len({pair.target if by_target else corpus.untagged(pair) for pair in corpus})
    what = "picture" if by_target else "source"
    return f"{pairs:,} pair{'s' * (pairs != 1)} with {distinct:,} distinct {what}{'s' * (distinct != 1)}"
