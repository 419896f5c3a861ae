"""How work is shared out: which sequences go together, what is read ahead, what runs side by side."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

from interlingua.errors import InterlinguaError

__all__ = ["batches", "chunks", "side_by_side"]

WORKERS = 8  # batches at a time; more would wait for the interpreter's lock
TOKENS = 16_384  # tokens a batch that memory is held for, so that long texts go in smaller batches

T = TypeVar("T")
R = TypeVar("R")


def batches(lengths: Sequence[int], held: Sequence[int], rows: int) -> Iterator[list[int]]:
    """Indices by falling length, without those of length 0, a bounded number at a time.

    Args:
        lengths: of the sequences.
        held: the tokens that memory is held for, of each; longer sequences hold more.
        rows: how many at most.
    """
    batch: list[int] = []
    for i in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        if not lengths[i]:
            continue
        if batch and (len(batch) == rows or (len(batch) + 1) * held[batch[0]] > TOKENS):
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch


def side_by_side(function: Callable[[T], R], items: Sequence[T], device: torch.device) -> Iterator[R]:
    """Applies a function to all items, in order; on a CPU to several at once, each by one thread.

    The matrices of a decoding step are too small to be worth sharing among threads; whole batches are not.
    """
    threads = torch.get_num_threads()
    workers = min(threads, len(items), WORKERS)
    if device.type != "cpu" or workers < 2:
        yield from map(function, items)
        return
    try:
        with ThreadPoolExecutor(
            workers, initializer=torch.set_num_threads, initargs=(threads // workers,)
        ) as pool:
            yield from pool.map(function, items)
    finally:
        torch.set_num_threads(threads)


def chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Items by the chunk; when reading fails, those before the failure come first."""
    iterator = iter(items)
    failure: InterlinguaError | None = None
    while failure is None:
        chunk: list[T] = []
        try:
            for item in itertools.islice(iterator, size):
                chunk.append(item)
        except InterlinguaError as error:
            failure = error
        if chunk:
            yield chunk
        elif failure is None:
            return
    raise failure
