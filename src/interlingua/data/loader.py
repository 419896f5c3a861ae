"""Batches without end, from any position."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from interlingua.data.batch import Batch, make_batch
from interlingua.data.batching import epoch_batches
from interlingua.data.store import Store

__all__ = ["Position", "load_batches"]


class Position(NamedTuple):
    """Where training stands in its data: counts batches consumed, whatever was read ahead."""

    epoch: int = 0
    batch: int = 0
    """Batches of this epoch consumed."""


def load_batches(
    store: Store, max_tokens: int, seed: int, start: Position
) -> Iterator[tuple[Batch, Position]]:
    """Yields batches for ever, each with the position after it; the same ones from the same start.

    Args:
        store: the pairs.
        max_tokens: the most ids of a side of a batch, padding included.
        seed: with the epoch, decides the order.
        start: the first batch to yield.
    """
    epoch, skip = start
    while True:
        batches = epoch_batches(store.source_lengths, store.target_lengths, max_tokens, seed, epoch)
        for number, indices in enumerate(batches, start=1):
            if number > skip:
                yield make_batch(store, indices), Position(epoch, number)
        epoch, skip = epoch + 1, 0
