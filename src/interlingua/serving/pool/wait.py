"""How long a request would have to wait: what the service goes by when it decides whether to take one on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection

from interlingua.serving.pool.queue import SHORT_COST, Queue

__all__ = ["WaitEstimate"]

_INTERVAL_S = 0.05
_DECAY = 0.9  # the weight of earlier batches when there is a new one


class _Throughput:
    """An average over the latest batches; the older, the less they weigh."""

    def __init__(self) -> None:
        self.seconds, self.cost, self.batches = 0.0, 1.0, 1.0

    def add(self, seconds: float, cost: float) -> None:
        self.seconds = _DECAY * self.seconds + seconds
        self.cost = _DECAY * self.cost + cost
        self.batches = _DECAY * self.batches + 1

    def wait_s(self, cost: float, workers: int) -> float:
        """The time until so much is decoded, and one batch more."""
        return cost * self.seconds / self.cost / workers + self.seconds / self.batches


class WaitEstimate:
    """Watches a queue, the batches taken from it, and how late the event loop is.

    Short sentences pass long ones, so they have a wait of their own.
    """

    def __init__(self, queue: Queue) -> None:
        self.queue = queue
        self.short_s = self.long_s = 0.0
        """Seconds until a short, or a long, sentence that came now would be decoded."""
        self.loop_delay_s = 0.0
        """How late the event loop was lately: requests wait so long before they are even seen."""
        self._short, self._long = _Throughput(), _Throughput()

    def add_batch(self, cost: float, longest: float, seconds: float) -> None:
        """Counts a batch: the cost of it all, and of its longest sentence."""
        (self._short if longest <= SHORT_COST else self._long).add(seconds, cost)

    def batch_s(self, cost: float) -> float:
        """The time that a batch with a sentence of that cost takes."""
        throughput = self._short if cost <= SHORT_COST else self._long
        return throughput.seconds / throughput.batches

    async def watch(self, workers: Collection[object]) -> None:
        """Updates the estimate for ever; it depends on how many workers there are."""
        while True:
            before = time.monotonic()
            await asyncio.sleep(_INTERVAL_S)
            delay = time.monotonic() - before - _INTERVAL_S
            self.loop_delay_s = max(delay, _DECAY * self.loop_delay_s)
            short, long = self.queue.costs()
            count = max(1, len(workers))
            self.short_s = self._short.wait_s(short, count) if short else 0.0
            self.long_s = self.short_s + self._long.wait_s(long, count) if long else self.short_s
