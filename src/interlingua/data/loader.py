"""Batches without end, from any position."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
import torch

from interlingua.data.batch import Batch, Ids, batch_of, features_of, make_batch, make_source
from interlingua.data.mixture import Part
from interlingua.data.sampler import epoch_batches
from interlingua.data.store import Store
from interlingua.sound.augmentation import AugmentationSettings, augment, noise_alone, spec_augment
from interlingua.sound.codec import POSITION_SAMPLES
from interlingua.sound.features import pad_frames
from interlingua.sound.reading import SAMPLE_RATE
from interlingua.text.tokenizer import TokenizerPair

__all__ = [
    "CaptionDropout",
    "Position",
    "SoundAugmentation",
    "SubwordSampling",
    "Variation",
    "load_batches",
    "max_source",
    "read_ahead",
]

T = TypeVar("T")


class Position(NamedTuple):
    """Where training stands in its data: counts batches consumed, whatever was read ahead."""

    epoch: int = 0
    batch: int = 0
    """Batches of this epoch consumed."""


class Variation(Protocol):
    """How pairs are varied at random, anew in every epoch."""

    def make_batch(self, store: Store, indices: Sequence[int], seeds: tuple[int, ...]) -> Batch:
        """The pairs of these numbers, a pure function of the seeds."""


class SubwordSampling(NamedTuple):
    """Texts are segmented into subwords at random, not as in the store, which makes them longer."""

    tokenizers: TokenizerPair
    alpha: float
    """As `TokenizerPair.encode_sampled` takes it."""

    def make_batch(self, store: Store, indices: Sequence[int], seeds: tuple[int, ...]) -> Batch:
        """The pairs of these numbers, segmented by the seeds."""
        sources, targets = [store.source_text(i) for i in indices], [store.target_text(i) for i in indices]
        seed = int(np.random.SeedSequence(seeds).generate_state(1)[0])
        source_ids, target_ids = self.tokenizers.encode_sampled(sources, targets, self.alpha, seed)
        return batch_of(make_source(source_ids, "text"), target_ids)


class SoundAugmentation(NamedTuple):
    """Sounds are made faster, slower, louder, noisier, and parts of their features are hidden.

    In place of some there is noise, and nothing is said.
    """

    settings: AugmentationSettings

    def make_batch(self, store: Store, indices: Sequence[int], seeds: tuple[int, ...]) -> Batch:
        """The pairs of these numbers, their sounds changed by the seeds."""
        frames, targets = [], []
        for row, i in enumerate(indices):
            own, sound = (*seeds, row), store.source(i)
            noise = noise_alone(sound, own, self.settings)
            varied = augment(sound, own, self.settings) if noise is None else noise
            frames.append(spec_augment(features_of(varied), own, self.settings))
            targets.append(store.target(i) if noise is None else store.target(i)[:0])
        return batch_of(pad_frames(frames), targets)


class CaptionDropout(NamedTuple):
    """Some sources are taken away: the model also learns what targets are like whatever the source says."""

    share: float

    def make_batch(self, store: Store, indices: Sequence[int], seeds: tuple[int, ...]) -> Batch:
        """The pairs of these numbers, some without a source."""
        dropped = np.random.default_rng(seeds).random(len(indices)) < self.share
        sources: list[Ids] = [
            [] if drop else store.source(i) for i, drop in zip(indices, dropped, strict=True)
        ]
        return batch_of(make_source(sources, "text"), [store.target(i) for i in indices])


def load_batches(
    store: Store, max_tokens: int, seed: int, position: Position, variation: Variation | None = None,
    parts: Sequence[Part] = (), source_bound: int | None = None,
) -> Iterator[tuple[Batch, Position]]:  # fmt: skip
    """Yields batches for ever, each with the position after it; the same ones from the same position.

    Args:
        store: the pairs.
        max_tokens: the most ids of a side of a batch, padding included, BOS and EOS not counted.
        seed: with the epoch, decides the order.
        position: of the first batch to yield.
        variation: varies the pairs; None takes them as they are.
        parts: how often pairs are seen, see `epoch_batches`.
        source_bound: the most positions of sources, see `epoch_batches` and `max_source`.
    """
    epoch, consumed = position
    lengths = store.source_lengths, store.target_lengths
    while True:
        batches = epoch_batches(*lengths, max_tokens, seed, epoch, parts, source_bound)
        for number, indices in enumerate(batches, start=1):
            if number <= consumed:
                continue
            if variation is None:
                batch = make_batch(store, indices)
            else:
                batch = variation.make_batch(store, indices.tolist(), (seed, epoch, number))
            yield batch, Position(epoch, number)
        epoch, consumed = epoch + 1, 0


def max_source(store: Store, seconds: float) -> int | None:
    """The most positions of sources in a batch of so many seconds of sound; None of other sources."""
    return round(seconds * SAMPLE_RATE / POSITION_SAMPLES) if store.source_kind == "sound" else None


def read_ahead(items: Iterator[T]) -> Generator[T, None, None]:
    """Yields the same items, the next one of which is made meanwhile by another thread."""

    def one_thread() -> None:
        torch.set_num_threads(1)  # of this thread: the others belong to the model

    with ThreadPoolExecutor(1, initializer=one_thread) as pool:
        coming = pool.submit(next, items)
        while True:
            item = coming.result()
            coming = pool.submit(next, items)
            yield item
