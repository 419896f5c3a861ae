"""Batches without end, from any position."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from interlingua.data.batch import Batch, batch_of, make_batch
from interlingua.data.mixture import Part
from interlingua.data.sampler import epoch_batches
from interlingua.data.store import Store
from interlingua.text.tokenizer import TokenizerPair

__all__ = ["Position", "SubwordSampling", "load_batches"]


class Position(NamedTuple):
    """Where training stands in its data: counts batches consumed, whatever was read ahead."""

    epoch: int = 0
    batch: int = 0
    """Batches of this epoch consumed."""


class SubwordSampling(NamedTuple):
    """How texts are segmented into subwords at random."""

    tokenizers: TokenizerPair
    alpha: float
    """As `TokenizerPair.encode_sampled` takes it."""


def load_batches(
    store: Store, max_tokens: int, seed: int, position: Position, sampling: SubwordSampling | None = None,
    parts: Sequence[Part] = (),
) -> Iterator[tuple[Batch, Position]]:  # fmt: skip
    """Yields batches for ever, each with the position after it; the same ones from the same position.

    Args:
        store: the pairs.
        max_tokens: the most ids of a side of a batch, padding included, BOS and EOS not counted.
        seed: with the epoch, decides the order.
        position: of the first batch to yield.
        sampling: segment the texts anew instead of taking the stored ids; batches then come out somewhat
            longer.
        parts: how often pairs are seen, see `epoch_batches`.
    """
    epoch, consumed = position
    while True:
        batches = epoch_batches(store.source_lengths, store.target_lengths, max_tokens, seed, epoch, parts)
        for number, indices in enumerate(batches, start=1):
            if number <= consumed:
                continue
            if sampling is None:
                batch = make_batch(store, indices)
            else:
                batch = _sampled_batch(store, indices.tolist(), sampling, (seed, epoch, number))
            yield batch, Position(epoch, number)
        epoch, consumed = epoch + 1, 0


def _sampled_batch(
    store: Store, indices: list[int], sampling: SubwordSampling, seeds: tuple[int, ...]
) -> Batch:
    sources, targets = [store.source_text(i) for i in indices], [store.target_text(i) for i in indices]
    seed = int(np.random.SeedSequence(seeds).generate_state(1)[0])
    return batch_of(*sampling.tokenizers.encode_sampled(sources, targets, sampling.alpha, seed))
