"""What the service goes by: how long things take, what comes too late, what of a translation is told."""

from __future__ import annotations

import asyncio
import math
import time

import pytest

from interlingua.serving.pool.pace import Pace
from interlingua.serving.pool.queue import SHORT, Flow, Job, Queue
from interlingua.serving.routes.drafts import Drafts


def add(queue: Queue, effort: float, *, deadline: float = math.inf) -> Job:
    job = Job("a", effort, "g", asyncio.get_running_loop().create_future(), deadline)
    queue.add(job, Flow())
    return job


def test_short_sentences_do_not_wait_for_long_ones():
    async def main() -> None:
        queue = Queue(batch=8, wait_s=0)
        pace = Pace(queue)
        for _ in range(50):
            pace.decoded(effort=100, longest=20, seconds=1)
            pace.decoded(effort=1000, longest=500, seconds=30)
        assert pace.batch_s(SHORT) == pytest.approx(1, rel=0.05)
        assert pace.batch_s(SHORT + 1) == pytest.approx(30, rel=0.05)
        watching = asyncio.create_task(pace.watch([object(), object()]))

        async def waits() -> tuple[float, float]:
            await asyncio.sleep(0.15)
            return pace.short_s, pace.long_s

        assert await waits() == (0, 0)  # nothing waits
        add(queue, 100 * SHORT)
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
        assert queue.late(lambda effort: 0) == []
        assert queue.late(lambda effort: 200) == [soon]
        assert queue.late(lambda effort: 2000 if effort > SHORT else 0) == [long]
        long.done.cancel()
        assert queue.late(lambda effort: 2000 if effort > SHORT else 0) == []

    asyncio.run(main())


def test_a_text_is_told_up_to_the_first_part_of_which_nothing_is_known():
    told: list[tuple[int, str]] = []
    drafts = Drafts(
        [(["a", "b", "a"], " ".join), (["b"], "".join)], lambda *each: told.append(each), every_s=0
    )
    drafts.tell("b", "B")
    drafts.tell("a", "A")
    drafts.tell("b", "BB")
    assert sorted(told) == [(0, "A B A"), (0, "A BB A"), (1, "B"), (1, "BB")]
    drafts.every_s = 1000
    drafts.tell("b", "BBB")
    assert len(told) == 4
