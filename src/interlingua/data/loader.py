"""Batches without end, from any position."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from interlingua.data.batch import Batch, batch_of, make_batch
from interlingua.data.batching import epoch_batches
from interlingua.data.store import Store
from interlingua.text.tokenizer import TokenizerPair

__all__ = ["Cutting", "Position", "load_batches"]


class Position(NamedTuple):
    """Where training stands in its data: counts batches consumed, whatever was read ahead."""

    epoch: int = 0
    batch: int = 0
    """Batches of this epoch consumed."""


class Cutting(NamedTuple):
    """How texts are cut into subwords at random."""

    tokenizers: TokenizerPair
    amount: float
    """As `TokenizerPair.encode_sampled` takes it."""


def load_batches(
    store: Store, max_tokens: int, seed: int, start: Position, cutting: Cutting | None = None
) -> Iterator[tuple[Batch, Position]]:
    """Yields batches for ever, each with the position after it; the same ones from the same start.

    Args:
        store: the pairs.
        max_tokens: the most ids of a side of a batch, padding included.
        seed: with the epoch, decides the order.
        start: the first batch to yield.
        cutting: cut the texts anew instead of taking the stored ids; batches then come out somewhat longer.
    """
    epoch, skip = start
    while True:
        batches = epoch_batches(store.source_lengths, store.target_lengths, max_tokens, seed, epoch)
        for number, indices in enumerate(batches, start=1):
            if number <= skip:
                continue
            if cutting is None:
                batch = make_batch(store, indices)
            else:
                batch = _cut_anew(store, indices.tolist(), cutting, (seed, epoch, number))
            yield batch, Position(epoch, number)
        epoch, skip = epoch + 1, 0


def _cut_anew(store: Store, indices: list[int], cutting: Cutting, seeds: tuple[int, ...]) -> Batch:
    sources, targets = [store.source_text(i) for i in indices], [store.target_text(i) for i in indices]
    seed = int(np.random.SeedSequence(seeds).generate_state(1)[0])
    return batch_of(*cutting.tokenizers.encode_sampled(sources, targets, cutting.amount, seed))
