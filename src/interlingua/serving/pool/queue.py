"""Sentences that wait, and which of them are decoded together next."""

from __future__ import annotations

import asyncio
import functools
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

__all__ = ["SHORT_COST", "Job", "PaintOrder", "PictureFile", "Queue", "RequestTurn", "SoundPiece"]

SHORT_COST = 32.0
"""The cost of a sentence that need not wait for the end of a longer one.

A batch holds as much for each of its places: long sentences go in smaller batches."""

_SIMILAR_TIMES, _SIMILAR_MORE = 2, 8
"""Sentences of up to so many times the first one's cost, and so much more, are decoded with it: a batch is
answered as a whole, when its last sentence has ended."""
_OVERDUE_S = 1.0
_TURN_S = 0.0012
"""For each token of a request: about 50 sentences a second."""


class RequestTurn:
    """When the next sentence of a request is to have its turn."""

    next_at = 0.0


class SoundPiece(NamedTuple):
    """A part of a sound that has been read."""

    path: str
    """Of its samples."""
    start: int
    """Its first sample there."""
    end: int


class PaintOrder(NamedTuple):
    """A picture to be painted."""

    caption: str
    seed: int
    scale: int
    """How many times as large as the model paints it."""


class PictureFile(NamedTuple):
    """An uploaded picture, to be read and described."""

    path: str
    max_pixels: int
    """One with more is refused."""


def _new_future() -> asyncio.Future[dict[str, Any]]:
    return asyncio.get_running_loop().create_future()


@dataclass(eq=False)
class Job:
    """A sentence to translate."""

    text: str | SoundPiece | PaintOrder | PictureFile
    """Within the model's limit; of a sound that is to be read, its file."""
    cost: float
    """Its tokens, and more of them if more than the usual number of hypotheses are asked for."""
    model: str
    """Its name."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """What `Translator.translate`, or whatever uses the model, takes beside the texts."""
    detail: bool = False
    """Whether tokens and log-probabilities are asked for."""
    glossary: Mapping[str, str] = field(default_factory=dict)
    """{source term: target term}; it need not be that of the other jobs."""
    deadline: float = math.inf
    """When its translation is of no use any more, by the monotonic clock."""
    on_draft: Callable[[Any], object] | None = None
    """Called with the translation so far; of a picture with its `painted` tokens and its `png`."""
    reads: bool = False
    """Whether it is a file with a sound, which is only to be read and cut into pieces; it goes alone."""
    done: asyncio.Future[dict[str, Any]] = field(default_factory=_new_future)
    """Its translation, or a RefusalError; to be cancelled when nobody waits for it any more."""
    since: float = field(default_factory=time.monotonic)
    turn_at: float = 0.0
    attempts: int = 0
    """How often a worker died over it; it then goes alone."""

    @functools.cached_property
    def group(self) -> str:
        """Only jobs of one group are decoded together: model, what is asked for and options, as JSON."""
        return json.dumps([self.model, self.detail, self.reads, self.options], sort_keys=True)


class Queue:
    """The jobs that wait.

    Args:
        batch: the most jobs decoded together.
        wait_s: how long a job may wait for company while a worker is free.
    """

    def __init__(self, batch: int, wait_s: float) -> None:
        self.batch, self.wait_s = batch, wait_s
        self._jobs: list[Job] = []
        self._not_empty = asyncio.Event()

    def __len__(self) -> int:
        return len(self._jobs)

    def add(self, job: Job, turn: RequestTurn) -> None:
        """Puts a sentence in the queue.

        The sentences of a request have their turns one after the other, some time apart, so that a short
        request need not wait for all of a long one, and none waits for ever.
        """
        job.turn_at = max(job.since, turn.next_at)
        turn.next_at = job.turn_at + job.cost * _TURN_S
        self._jobs.append(job)
        self._not_empty.set()

    def costs(self) -> tuple[float, float]:
        """Of the short sentences that wait, and of the long ones."""
        short = sum(job.cost for job in self._jobs if job.cost <= SHORT_COST)
        return short, sum(job.cost for job in self._jobs) - short

    def put_back(self, jobs: Sequence[Job]) -> None:
        """Takes jobs back whose worker died."""
        for job in jobs:
            job.attempts += 1
        self._replace([*self._jobs, *jobs])

    def drop_abandoned(self) -> None:
        """Drops the jobs that nobody waits for any more."""
        self._replace([job for job in self._jobs if not job.done.done()])

    def too_late(self, duration_s: Callable[[float], float]) -> list[Job]:
        """The jobs that cannot be done by their deadline; `duration_s` says how long a cost takes."""
        now = time.monotonic()
        return [
            job for job in self._jobs if job.deadline < now + duration_s(job.cost) and not job.done.done()
        ]

    async def wait_for_batch(self) -> None:
        """Waits until there is a batch to take: a full one, or one whose first job has waited long enough."""
        while True:
            await self._not_empty.wait()
            if len(self._jobs) >= self.batch:
                return
            left = min(job.since for job in self._jobs) + self.wait_s - time.monotonic()
            if left <= 0:
                return
            await asyncio.sleep(left)

    def take_batch(self, idle_workers: int = 1, *, short_only: bool = False) -> list[Job]:
        """The next batch, perhaps empty: the job whose turn is next and others like it, similar in length.

        Those whose turn is next, two batches of them, are split in two by length; when they are overdue, the
        order alone counts, so that none is passed over again and again.

        Args:
            idle_workers: how many have nothing to do, the asking one included; each gets its share.
            short_only: whether the batch is to run beside another; it is then of short sentences only.
        """
        self.drop_abandoned()
        jobs = sorted(self._jobs, key=lambda job: job.turn_at)
        if short_only:
            jobs = [job for job in jobs if job.cost <= SHORT_COST and not job.attempts]
        if not jobs:
            return []
        first = jobs[0]
        chosen = (
            [first]
            if first.attempts or first.reads
            else self._similar(first, jobs, -(-len(jobs) // idle_workers))
        )
        taken = set(map(id, chosen))
        self._replace([job for job in self._jobs if id(job) not in taken])
        return chosen

    def _similar(self, first: Job, jobs: Sequence[Job], share: int) -> list[Job]:
        """The jobs to decode together with the first, itself among them."""
        size = min(self.batch, share)
        most = _SIMILAR_TIMES * first.cost + _SIMILAR_MORE
        same_group = [
            job for job in jobs if job.group == first.group and not job.attempts and job.cost <= most
        ]
        overdue = time.monotonic() - first.turn_at > _OVERDUE_S
        by_cost = sorted(same_group[: size if overdue else 2 * size], key=lambda job: job.cost)
        start = by_cost.index(first) // size * size
        half = by_cost[start : start + size]
        fitting = max(1, int(self.batch * SHORT_COST / max(1, half[-1].cost)))
        return sorted(half, key=lambda job: abs(job.cost - first.cost))[:fitting]

    def _replace(self, jobs: list[Job]) -> None:
        self._jobs = jobs
        if jobs:
            self._not_empty.set()
        else:
            self._not_empty.clear()
