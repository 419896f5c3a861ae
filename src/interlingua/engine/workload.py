"""How work is shared out: which sequences go together, what is read ahead, what runs side by side."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

from interlingua.engine.device import choose_threads, compute
from interlingua.engine.protocol import Capacity, Engine
from interlingua.errors import InterlinguaError

__all__ = ["batches", "chunks", "side_by_side"]

T = TypeVar("T")
R = TypeVar("R")


def batches(
    lengths: Sequence[int], memory_tokens: Sequence[int], capacity: Capacity, width: int = 1
) -> Iterator[list[int]]:
    """Indices by falling length, without those of length 0, as many at a time as suit an engine.

    Args:
        lengths: of the sequences.
        memory_tokens: the tokens that memory is taken for, of each; longer sequences take more.
        capacity: of the engine.
        width: rows of each sequence.
    """
    rows = max(1, capacity.rows // width)
    batch: list[int] = []
    for i in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        if not lengths[i]:
            continue
        if batch and (len(batch) == rows or (len(batch) + 1) * memory_tokens[batch[0]] > capacity.tokens):
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch


def side_by_side(function: Callable[[T], R], items: Sequence[T], engine: Engine) -> list[R]:
    """Applies a function to all items, in order; on a CPU to several at once, each by one thread.

    The matrices of a decoding step are too small to be worth sharing among threads; whole batches are not.
    """
    threads = choose_threads(engine.threads)
    workers = min(threads, len(items), engine.capacity.workers)
    if engine.device.type != "cpu" or workers < 2:
        return compute(lambda: [function(item) for item in items], threads)
    before = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(
            workers, initializer=torch.set_num_threads, initargs=(threads // workers,)
        ) as pool:
            return list(pool.map(function, items))
    finally:
        torch.set_num_threads(before)  # what the workers set would hold for threads that begin later


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
