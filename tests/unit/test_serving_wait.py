"""What the service goes by: how long things take, what comes too late, what of a translation is told."""

from __future__ import annotations

import asyncio
import math
import time

import pytest

from interlingua.serving.pool.queue import SHORT_COST, Job, Queue, RequestTurn
from interlingua.serving.pool.wait import WaitEstimate
from interlingua.serving.routes.drafts import Drafts


def add(queue: Queue, cost: float, *, deadline: float = math.inf) -> Job:
    job = Job("a", cost, "g", deadline=deadline)
    queue.add(job, RequestTurn())
    return job


def test_short_sentences_do_not_wait_for_long_ones():
    async def main() -> None:
        queue = Queue(batch=8, wait_s=0)
        wait = WaitEstimate(queue)
        for _ in range(50):
            wait.add_batch(cost=100, longest=20, seconds=1)
            wait.add_batch(cost=1000, longest=500, seconds=30)
        assert wait.batch_s(SHORT_COST) == pytest.approx(1, rel=0.05)
        assert wait.batch_s(SHORT_COST + 1) == pytest.approx(30, rel=0.05)
        watching = asyncio.create_task(wait.watch([object(), object()]))

        async def waits() -> tuple[float, float]:
            await asyncio.sleep(0.15)
            return wait.short_s, wait.long_s

        assert await waits() == (0, 0)  # nothing waits
        add(queue, 100 * SHORT_COST)
        short_s, long_s = await waits()
        assert (short_s, long_s > 60) == (0, True)
        for _ in range(40):
            add(queue, 10)
        short_s, both_s = await waits()
        assert short_s == pytest.approx(400 / 100 / 2 + 1, rel=0.1)  # two workers, and the batches under way
        assert both_s == pytest.approx(long_s + short_s, rel=0.1)
        watching.cancel()

    asyncio.run(main())


def test_what_cannot_be_done_in_time_is_known_before():
    async def main() -> None:
        queue = Queue(batch=8, wait_s=0)
        now = time.monotonic()
        add(queue, 10, deadline=now + 1000)
        long, soon = add(queue, 500, deadline=now + 1000), add(queue, 10, deadline=now + 100)
        assert queue.too_late(lambda cost: 0) == []
        assert queue.too_late(lambda cost: 200) == [soon]
        assert queue.too_late(lambda cost: 2000 if cost > SHORT_COST else 0) == [long]
        long.done.cancel()
        assert queue.too_late(lambda cost: 2000 if cost > SHORT_COST else 0) == []

    asyncio.run(main())


def test_a_text_is_told_up_to_the_first_part_of_which_nothing_is_known():
    told: list[tuple[int, str]] = []
    drafts = Drafts(
        [(["a", "b", "a"], " ".join), (["b"], "".join)], lambda *each: told.append(each), every_s=0
    )
    drafts.update("b", "B")
    drafts.update("a", "A")
    drafts.update("b", "BB")
    assert sorted(told) == [(0, "A B A"), (0, "A BB A"), (1, "B"), (1, "BB")]
    drafts.every_s = 1000
    drafts.update("b", "BBB")
    assert len(told) == 4
