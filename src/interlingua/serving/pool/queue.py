"""Sentences that wait, and which of them are decoded together next."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

__all__ = ["SHORT", "Flow", "Job", "Queue", "Sentence"]

SHORT = 64.0
"""The effort of a sentence that need not wait for the end of a longer one.

A batch holds as much for each of its places: long sentences go in smaller batches."""

_LATE_S = 1.0
_PACE_S = 0.0012
"""For each token of a request: about 50 sentences a second."""


class Flow:
    """The sentences of one request, as far as their turns go."""

    due = 0.0


class Sentence(NamedTuple):
    """A sentence to translate."""

    text: str
    """Within the model's limit."""
    terms: Sequence[tuple[str, str]]
    """(source, target) of the glossary, for each time that one occurs."""
    effort: float
    model: str
    """Its name."""
    options: Mapping[str, Any]
    """What `Translator.translate` takes beside the texts."""
    detail: bool
    """Whether tokens and log-probabilities are wanted."""
    deadline: float
    """When it is of no use any more, by the monotonic clock."""
    tell: Callable[[str], object] | None = None
    """Wants to know the translation so far."""


@dataclass(eq=False)
class Job:
    """A sentence to translate."""

    text: str
    effort: float
    """Its tokens, and more of them if more than the usual number of hypotheses are wanted."""
    group: str
    """Only jobs of one group are decoded together: model and options, as JSON."""
    done: asyncio.Future[dict[str, Any]]
    """Its translation; cancelled when nobody waits for it any more."""
    deadline: float = math.inf
    """When its translation is of no use any more, by the monotonic clock."""
    tell: Callable[[str], object] | None = None
    """Wants to know the translation so far."""
    terms: Sequence[tuple[str, str]] = ()
    """Of the glossary, for each time that one occurs; they need not be those of the other jobs."""
    since: float = field(default_factory=time.monotonic)
    due: float = 0.0
    attempts: int = 0
    """How often a worker died over it; it then goes alone."""


class Queue:
    """The jobs that wait.

    Args:
        batch: the most jobs decoded together.
        wait_s: how long a job may wait for company while a worker is free.
    """

    def __init__(self, batch: int, wait_s: float) -> None:
        self.batch, self.wait_s = batch, wait_s
        self._jobs: list[Job] = []
        self._some = asyncio.Event()

    def __len__(self) -> int:
        return len(self._jobs)

    def add(self, job: Job, flow: Flow) -> None:
        """Puts a sentence in the queue.

        The sentences of a request are due one after the other at some pace, so that a short request need not
        wait for all of a long one, and none waits for ever.
        """
        job.due = max(job.since, flow.due)
        flow.due = job.due + job.effort * _PACE_S
        self._jobs.append(job)
        self._some.set()

    def effort(self) -> tuple[float, float]:
        """Of the short sentences that wait, and of the long ones."""
        short = sum(job.effort for job in self._jobs if job.effort <= SHORT)
        return short, sum(job.effort for job in self._jobs) - short

    def put_back(self, jobs: Sequence[Job]) -> None:
        """Takes jobs back whose worker died."""
        for job in jobs:
            job.attempts += 1
        self._jobs += jobs
        if jobs:
            self._some.set()

    def sweep(self) -> None:
        """Drops the jobs that nobody waits for any more."""
        self._jobs = [job for job in self._jobs if not job.done.done()]
        if not self._jobs:
            self._some.clear()

    def late(self, takes_s: Callable[[float], float]) -> list[Job]:
        """The jobs that cannot be done by their deadline; `takes_s` says how long an effort takes."""
        now = time.monotonic()
        return [job for job in self._jobs if job.deadline < now + takes_s(job.effort) and not job.done.done()]

    async def ready(self) -> None:
        """Waits until there is a batch to take: a full one, or one whose first job has waited long enough."""
        while True:
            await self._some.wait()
            if len(self._jobs) >= self.batch:
                return
            left = min(job.since for job in self._jobs) + self.wait_s - time.monotonic()
            if left <= 0:
                return
            await asyncio.sleep(left)

    def take(self, free: int = 1, *, beside: bool = False) -> list[Job]:
        """The next batch, perhaps empty: the job that is due first and others of its group of similar length.

        Those due next, two batches of them, are cut in two by length; when they wait for long already, the
        order alone counts, so that none is passed over again and again.

        Args:
            free: how many workers have nothing to do, the asking one included; each gets its share.
            beside: whether the batch is to run beside another; it is then of short sentences only.
        """
        self.sweep()
        fit = [job for job in self._jobs if not beside or (job.effort <= SHORT and not job.attempts)]
        jobs = sorted(fit, key=lambda job: job.due)
        if not jobs:
            return []
        first = jobs[0]
        chosen = [first]
        if not first.attempts:
            size = min(self.batch, -(-len(jobs) // free))
            same = [job for job in jobs if job.group == first.group and not job.attempts]
            late = time.monotonic() - first.due > _LATE_S
            near = sorted(same[: size if late else 2 * size], key=lambda job: job.effort)
            start = near.index(first) // size * size
            half = near[start : start + size]
            fitting = max(1, int(self.batch * SHORT / max(1, half[-1].effort)))
            chosen = sorted(half, key=lambda job: abs(job.effort - first.effort))[:fitting]
        taken = set(map(id, chosen))
        self._jobs = [job for job in self._jobs if id(job) not in taken]
        if not self._jobs:
            self._some.clear()
        return chosen
