"""How long a request would have to wait: what the service goes by when it decides whether to take one on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection

from interlingua.serving.pool.queue import SHORT, Queue

__all__ = ["Pace"]

_LOOK_S = 0.05
_FORGET = 0.9  # what the batches before count when there is a new one


class _Speed:
    """How fast the latest batches went, the older the less they count."""

    def __init__(self) -> None:
        self.seconds, self.effort, self.batches = 0.0, 1.0, 1.0

    def add(self, seconds: float, effort: float) -> None:
        self.seconds = _FORGET * self.seconds + seconds
        self.effort = _FORGET * self.effort + effort
        self.batches = _FORGET * self.batches + 1

    def wait_s(self, effort: float, workers: int) -> float:
        """The time until so much is decoded, and one batch more."""
        return effort * self.seconds / self.effort / workers + self.seconds / self.batches


class Pace:
    """Watches a queue, the batches taken from it, and how late the event loop is.

    Short sentences pass long ones, so they have a wait of their own.

    Args:
        queue: what waits.
    """

    def __init__(self, queue: Queue) -> None:
        self.queue = queue
        self.short_s = self.long_s = 0.0
        """Seconds until a short, or a long, sentence that came now would be decoded."""
        self.lag_s = 0.0
        """How late the event loop was lately: requests wait so long before they are even seen."""
        self._short, self._long = _Speed(), _Speed()

    def decoded(self, effort: float, longest: float, seconds: float) -> None:
        """Counts a batch: the effort of it all, and of its longest sentence."""
        (self._short if longest <= SHORT else self._long).add(seconds, effort)

    def batch_s(self, effort: float) -> float:
        """The time that a batch with a sentence of that effort takes."""
        speed = self._short if effort <= SHORT else self._long
        return speed.seconds / speed.batches

    async def watch(self, workers: Collection[object]) -> None:
        """Looks for ever; the wait depends on how many workers there are."""
        while True:
            before = time.monotonic()
            await asyncio.sleep(_LOOK_S)
            late = time.monotonic() - before - _LOOK_S
            self.lag_s = max(late, _FORGET * self.lag_s)
            short, long = self.queue.effort()
            count = max(1, len(workers))
            self.short_s = self._short.wait_s(short, count) if short else 0.0
            self.long_s = self.short_s + self._long.wait_s(long, count) if long else self.short_s
