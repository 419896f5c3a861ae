"""Which pairs make a batch: lengths in, lists of indices out, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from interlingua.data.mixture import Part

__all__ = ["epoch_batches"]

Indices = npt.NDArray[np.int64]
Lengths = npt.NDArray[np.integer]

POOL_PAIRS = 131_072
"""Pairs sorted together; bounds the memory, and how far an order by length reaches."""


def epoch_batches(
    source_lengths: Lengths, target_lengths: Lengths, max_tokens: int, seed: int, epoch: int,
    parts: Sequence[Part] = (), max_source: int | None = None,
) -> Iterator[Indices]:  # fmt: skip
    """Yields every index, as often as its weight says, in batches of pairs of about equal length.

    A pure function of its arguments. The pairs are shuffled into pools, each pool is sorted by length and
    divided into batches, and its batches are shuffled.

    Args:
        source_lengths: ids of each source, EOS included or not (it changes nothing but the budget's meaning).
        target_lengths: ids of each target.
        max_tokens: the most ids of a side of a batch, padding included; a pair longer than this is a batch
            of its own.
        seed: of the whole training.
        epoch: from 0.
        parts: all the pairs in order, by weight; each is seen once when there are none.
        max_source: the bound of the sources, where they have one of their own: they are sounds, much longer
            than their targets, and decide which pairs go together.
    """
    random = np.random.default_rng((seed, epoch))
    order = _seen_in_epoch(parts or [Part(len(source_lengths), 1.0)], seed, epoch)
    random.shuffle(order)
    for start in range(0, len(order), POOL_PAIRS):
        pool = order[start : start + POOL_PAIRS]
        source, target = source_lengths[pool].astype(np.int64), target_lengths[pool].astype(np.int64)
        if max_source is None:
            batches = _batches_by_length(pool, source, target, max_tokens)
        else:
            scaled = -(-source * max_tokens // max_source)  # as if both had the bound of the targets
            batches = _batches_by_length(pool, target, scaled, max_tokens)
        for i in random.permutation(len(batches)):
            yield batches[i]


def _seen_in_epoch(parts: Sequence[Part], seed: int, epoch: int) -> npt.NDArray[np.int32]:
    """The indices of an epoch: each part is gone through for ever, and an epoch takes its weight of it."""
    seen, first = [], 0
    for number, (pairs, weight) in enumerate(parts):
        walk = np.arange(first, first + pairs, dtype=np.int32)
        if weight % 1:
            np.random.default_rng((seed, number, 1)).shuffle(walk)
        begin, end = (round(n * weight * pairs) for n in (epoch, epoch + 1))
        seen.append(np.resize(np.roll(walk, -begin), end - begin) if weight != 1 else walk)
        first += pairs
    return np.concatenate(seen)


def _batches_by_length(
    pool: npt.NDArray[np.int32], source: Lengths, target: Lengths, max_tokens: int
) -> list[Indices]:
    # Targets in steps of two; within a step the sources rise, in the next one they fall, and so on: both
    # sides change slowly along the order, and equal lengths stay shuffled.
    step = target // 2
    order = np.lexsort((np.where(step % 2, -source, source), step))
    longest = np.maximum(source, target)[order].tolist()
    batches, first, width = [], 0, 0
    for i, length in enumerate(longest):
        width = max(width, length)
        if i > first and width * (i + 1 - first) > max_tokens:
            batches.append(pool[order[first:i]].astype(np.int64))
            first, width = i, length
    if len(order):
        batches.append(pool[order[first:]].astype(np.int64))
    return batches
