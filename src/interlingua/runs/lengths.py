"""How long texts may become, from the lengths of the training pairs, and which of these are far outside.

Every statistic is a quantile, so that a few damaged lines (two texts that do not belong together, a document
in place of a sentence) neither make decoding long for all nor go unnoticed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from interlingua.data.corpus import CorpusSettings, display_name, read_pairs
from interlingua.data.file_account import FileAccount
from interlingua.data.store import Store
from interlingua.inference.bundle import LengthStatistics
from interlingua.text.columns import add_tag
from interlingua.text.tokenizer import TokenizerPair

__all__ = ["describe_outliers", "measure_lengths"]

PAIRS_AT_ONCE = 1 << 18
MIN_SOURCE_LENGTH = 64
"""Sources up to this many tokens are never split, however short those of the training were."""
MIN_SOUND_LENGTH = 25
"""The same of sounds, in positions: a second. Longer than those of the training they are always cut."""
RATIO_QUANTILE, PAIR_RATIO_QUANTILE = 0.99, 0.995
"""Of the ratios, each counted by its source tokens, since a short source says little about long ones; but no
more than that of the ratios each counted once, so that one long pair does not decide."""
QUANTILE = 0.999
"""Of the other statistics: all but one pair in a thousand is usual."""
SOURCE_MARGIN = 1.5
"""A source may be so many times as long as the quantile, but not longer than any of the training."""
MIN_EXTRA_CAP, EXTRA_QUANTILE, EXTRA_FACTOR = 64, 0.95, 2
"""Short sources may exceed the ratio by 64 tokens, or twice the .95 quantile of target lengths, at most."""
SHOWN = 3

Lengths = npt.NDArray[np.int64]


class LengthCounts(NamedTuple):
    """How many pairs there are of each combination of lengths."""

    source: Lengths
    target: Lengths
    pairs: Lengths


def measure_lengths(train: Store) -> LengthStatistics:
    """What search must know of the training data."""
    source, target, pairs = _count_lengths(train)
    ratio, weights = target / np.maximum(source, 1), pairs * np.maximum(source, 1)
    max_ratio = min(_quantile(ratio, weights, RATIO_QUANTILE), _quantile(ratio, pairs, PAIR_RATIO_QUANTILE))
    extra = _quantile(np.maximum(target - max_ratio * source, 0), pairs, QUANTILE)
    cap = max(MIN_EXTRA_CAP, EXTRA_FACTOR * _quantile(target, pairs, EXTRA_QUANTILE))
    of_files = train.source_kind != "text"  # longer ones are cut, or there are none
    margin, least = (1.0, MIN_SOUND_LENGTH) if of_files else (SOURCE_MARGIN, MIN_SOURCE_LENGTH)
    usual_source = math.ceil(margin * _quantile(source, pairs, QUANTILE))
    longest = int(source.max())
    of_captions = train.target_kind == "picture"  # which are not split
    max_source_length = longest if of_captions else max(least, min(longest, usual_source))
    return LengthStatistics(max_ratio, max_source_length, min(extra, cap))


def describe_outliers(
    train: Store, tokenizers: TokenizerPair, data: CorpusSettings, lengths: LengthStatistics
) -> str | None:
    """Says which training pairs are far longer than is usual, with file and line; None when there are none.

    Args:
        train: the pairs.
        tokenizers: made them.
        data: the files that they came from.
        lengths: of them.
    """
    outliers = [i for start in range(0, len(train), PAIRS_AT_ONCE) for i in _outliers(train, start, lengths)]
    if not outliers:
        return None
    shown = sorted(sorted(outliers, key=lambda i: (-_excess(train, i, lengths), i))[:SHOWN])
    lines = [
        f"{where}: {_tokens(train.source_lengths[i], 'source')}, {_tokens(train.target_lengths[i], 'target')}"
        for i, where in zip(shown, _places(train, shown, tokenizers, data), strict=True)
    ]
    count = "1 pair is" if len(outliers) == 1 else f"{len(outliers):,} pairs are"
    such = "" if len(outliers) <= SHOWN else ", such as"
    return "\n  ".join([f"{count} far longer than usual, perhaps damaged (still used){such}:", *lines])


def _count_lengths(train: Store) -> LengthCounts:
    """Reads the lengths in pieces, to hold little memory: there are few combinations of them."""
    keys, pairs = np.zeros(0, np.int64), np.zeros(0, np.int64)
    for start in range(0, len(train), PAIRS_AT_ONCE):
        source, target = _piece(train, start)
        new, counts = np.unique((source << 32) + target, return_counts=True)
        keys, places = np.unique(np.concatenate([keys, new]), return_inverse=True)
        pairs = np.bincount(places, np.concatenate([pairs, counts])).astype(np.int64)
    return LengthCounts(keys >> 32, keys & 0xFFFF_FFFF, pairs)


def _quantile(values: npt.NDArray[np.number], weights: Lengths, share: float) -> float:
    """The value below or at which lies that share of the weight; never the largest of several by a hair."""
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(reached, share * (reached[-1] - 1), side="right")])


def _piece(train: Store, start: int) -> tuple[Lengths, Lengths]:
    piece = slice(start, start + PAIRS_AT_ONCE)
    return train.source_lengths[piece].astype(np.int64), train.target_lengths[piece].astype(np.int64)


def _outliers(train: Store, start: int, lengths: LengthStatistics) -> Iterator[int]:
    source, target = _piece(train, start)
    # What is longer than the least limit of all is looked at one by one.
    for i in np.flatnonzero((target > lengths.limit(0)) | (source > lengths.max_source_length)).tolist():
        if target[i] > lengths.limit(int(source[i])) or source[i] > lengths.max_source_length:
            yield start + i


def _excess(train: Store, i: int, lengths: LengthStatistics) -> float:
    """How many times as long as it may be the pair is."""
    source, target = int(train.source_lengths[i]), int(train.target_lengths[i])
    return max(target / lengths.limit(source), source / lengths.max_source_length)


def _tokens(count: int, side: str) -> str:
    return f"{count:,} {side} token" + ("" if count == 1 else "s")


def _places(train: Store, numbers: list[int], tokenizers: TokenizerPair, data: CorpusSettings) -> list[str]:
    """The file and line of pairs, which are sought by their texts in the files' order."""
    remaining = iter(numbers)
    sought, found = next(remaining), list[str]()
    wanted = train.source_text(sought), train.target_text(sought)
    for file in data.train_files:
        account = FileAccount()
        for source, target in read_pairs(file.file, data.for_file(file), account=account):
            pair = add_tag(file.tag, source), target
            texts = (side.normalise(text) for side, text in zip(tokenizers, pair, strict=True))
            if tuple(texts) != wanted:
                continue
            found.append(account.where(display_name(file.file)))
            if len(found) == len(numbers):
                return found
            sought = next(remaining)
            wanted = train.source_text(sought), train.target_text(sought)
    return found + ["a training pair"] * (len(numbers) - len(found))  # a file has changed meanwhile
