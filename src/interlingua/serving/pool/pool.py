"""The machine room: a queue, and for each worker a loop that feeds it and replaces it when it dies."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Mapping
from typing import Any

from interlingua.errors import InterlinguaError
from interlingua.serving.logs import tell
from interlingua.serving.metrics import Metrics
from interlingua.serving.pool.pace import Pace
from interlingua.serving.pool.queue import SHORT, Flow, Job, Queue, Sentence
from interlingua.serving.pool.workers import Worker, WorkerGoneError
from interlingua.serving.refusal import RefusalError, too_late
from interlingua.serving.settings import ServeSettings

__all__ = ["Engine"]

_USUAL = 5  # hypotheses a sentence that batches are made for; more of them are more effort
_FOR_TERM = 2  # hypotheses that a term adds, about one for each of its tokens
_BESIDE_S = 0.05  # how often it is looked for short sentences that wait behind a long one
_ATTEMPTS = 2  # workers that may die over a sentence before it is given up
_RESTART_S = (0.0, 1.0, 5.0, 30.0)  # pauses before a worker is replaced that does not even start

log = logging.getLogger(__name__)


class Engine:
    """Translates sentences with worker processes.

    Args:
        models: names and directories.
        settings: of the service.
        metrics: what is counted.
    """

    def __init__(self, models: Mapping[str, str], settings: ServeSettings, metrics: Metrics) -> None:
        self.models, self.settings, self.metrics = dict(models), settings, metrics
        self.queue = Queue(settings.batch, settings.wait_ms / 1000)
        self.limits: dict[str, int] = {}
        """The most source tokens that each model takes at once."""
        self.maps: dict[str, int] = {}
        """How many heads each model has whose attention can be told; 0: it has none."""
        self._lanes: list[asyncio.Task[None]] = []
        self._workers: set[Worker] = set()
        self._busy = 0
        self._beams: dict[str, int] = {}
        self._pace = Pace(self.queue)
        metrics.watch(lambda: len(self.queue), lambda: len(self._workers))

    @property
    def alive(self) -> bool:
        """Whether some worker can translate."""
        return bool(self._workers)

    @property
    def processes(self) -> list[int]:
        """The ids of the worker processes."""
        return [worker.process.pid for worker in self._workers]

    async def start(self) -> None:
        """Starts the workers.

        Raises:
            InterlinguaError: a model cannot be loaded.
        """
        count = self.settings.worker_count()
        started = await asyncio.gather(*(self._worker() for _ in range(count)), return_exceptions=True)
        workers = [each for each in started if isinstance(each, Worker)]
        failures = [each for each in started if isinstance(each, BaseException)]
        if failures:
            await asyncio.gather(*(worker.stop() for worker in workers))
            raise failures[0]
        self.limits = {name: about["max_source_length"] for name, about in workers[0].ready.items()}
        self.maps = {name: about["maps"] for name, about in workers[0].ready.items()}
        self._beams = {name: about["beam"] for name, about in workers[0].ready.items()}
        self._lanes = [asyncio.create_task(self._lane(worker)) for worker in workers]
        self._lanes.append(asyncio.create_task(self._pace.watch(self._workers)))

    async def stop(self) -> None:
        """Ends the workers."""
        for lane in self._lanes:
            lane.cancel()
        await asyncio.gather(*self._lanes, return_exceptions=True)

    def admit(self, effort: float = 0.0, sentences: int = 1) -> None:
        """Refuses a request when too many sentences wait already, or it would wait for too long.

        Args:
            effort: of its longest sentence, once that is known.
            sentences: how many join the queue at once.

        Raises:
            RefusalError: with 503 and the time until trying again makes sense.
        """
        # Short sentences are the many: when they wait for long, the event loop is late as well.
        wait_s, share = (self._pace.long_s, 0.9) if effort > SHORT else (self._pace.short_s, 0.5)
        full = len(self.queue) + sentences > self.settings.queue
        if full or wait_s + self._pace.lag_s > share * self.settings.timeout_s:
            self.queue.sweep()
            self.metrics.refused.labels("queue full").inc()
            raise RefusalError(503, "Too many requests are waiting. Please try again.", retry_after_s=wait_s)

    def effort(self, model: str, tokens: int, options: Mapping[str, Any], terms: int = 0) -> float:
        """What a sentence of so many tokens and terms costs, of which 1 is the usual cost of a token."""
        width: float = (
            options.get("n_best", 1) if options.get("sample") else options.get("beam", self._beams[model])
        )
        width += _FOR_TERM * terms
        weights = options.get("alignment") or options.get("attention")  # as many as the square of the length
        return tokens * max(1.0, width / _USUAL) * (max(1.0, tokens / SHORT) if weights else 1.0)

    def submit(self, sentence: Sentence, flow: Flow) -> asyncio.Future[dict[str, Any]]:
        """Puts a sentence in the queue, to be translated together with others.

        Args:
            sentence: what to translate, and how.
            flow: the request that it belongs to.

        Returns:
            its translation, to be cancelled once it is not wanted any more; or a RefusalError, when decoding
            failed or could not be done in time.
        """
        group = json.dumps([sentence.model, sentence.detail, sentence.options], sort_keys=True)
        done: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        job = Job(
            sentence.text, sentence.effort, group, done, sentence.deadline, sentence.tell, sentence.terms
        )
        self.queue.add(job, flow)
        return done

    async def _worker(self) -> Worker:
        return await Worker.start(self.models, self.settings.precision)

    async def _lane(self, worker: Worker) -> None:
        """Feeds a worker for ever, and the one that takes its place when it dies."""
        while True:
            self._workers.add(worker)
            try:
                await self._feed(worker)
            except Exception as error:  # whatever it was, a new worker knows nothing of it
                tell(log, "worker_lost", error=type(error).__name__)
            finally:
                self._workers.discard(worker)
                await worker.stop()
            worker = await self._replacement()

    async def _replacement(self) -> Worker:
        failures = 0
        while True:
            await asyncio.sleep(_RESTART_S[min(failures, len(_RESTART_S) - 1)])
            try:
                worker = await self._worker()
            except (InterlinguaError, WorkerGoneError, OSError) as error:
                failures += 1
                tell(log, "worker_failed", error=str(error))
            else:
                self.metrics.restarts.inc()
                return worker

    async def _feed(self, worker: Worker) -> None:
        while True:
            ready = asyncio.ensure_future(self.queue.ready())
            try:
                await asyncio.wait({ready, worker.gone}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                ready.cancel()
            if worker.gone.done():
                raise WorkerGoneError
            await self._next(worker)

    async def _next(self, worker: Worker, *, beside: bool = False) -> None:
        """Has a worker decode the next batch, and short sentences beside a long one."""
        for job in self.queue.late(
            lambda effort: min(self._pace.batch_s(effort), self.settings.timeout_s / 4)
        ):
            job.done.set_exception(too_late())
        batch = self.queue.take(max(1, len(self._workers) - self._busy), beside=beside)
        if not batch:
            return
        work = asyncio.create_task(self._decode(worker, batch))
        try:
            while max(job.effort for job in batch) > SHORT and not work.done():
                await asyncio.wait({work}, timeout=_BESIDE_S)
                if not work.done():
                    await self._next(worker, beside=True)
            await work
        except asyncio.CancelledError:
            work.cancel()
            raise
        except Exception:
            await worker.stop()  # it takes all that it does with it
            raise
        finally:
            await asyncio.gather(work, return_exceptions=True)

    async def _decode(self, worker: Worker, batch: list[Job]) -> None:
        model, detail, options = json.loads(batch[0].group)
        watched = [job for job in batch if job.tell]
        task = {
            "model": model, "texts": [job.text for job in batch], "options": options, "detail": detail,
            "terms": [job.terms for job in batch],
            "watched": [job.text for job in watched], "draft_s": self.settings.draft_ms / 1000,
        }  # fmt: skip

        def told(drafts: dict[str, str]) -> None:
            for job in watched:
                if job.tell and job.text in drafts and not job.done.done():
                    job.tell(drafts[job.text])

        unwanted = asyncio.gather(*(job.done for job in batch), return_exceptions=True)
        started = time.monotonic()
        self._busy += 1
        try:
            # Every request has given up by then: a worker that still computes will not come back.
            async with asyncio.timeout(self.settings.timeout_s + 5):
                answers = await worker.translate(task, told, unwanted)
        except (WorkerGoneError, TimeoutError):
            deadly = [job for job in batch if job.attempts + 1 >= _ATTEMPTS]
            for job in deadly:
                _answer(job, {"error": "WorkerGoneError"})
            self.queue.put_back([job for job in batch if job not in deadly])
            raise
        finally:
            self._busy -= 1
        if not answers:
            return
        seconds = time.monotonic() - started
        efforts = [job.effort for job in batch]
        self._pace.decoded(sum(efforts), max(efforts), seconds)
        self.metrics.decoded(len(batch), sum(answer.get("count", 0) for answer in answers), seconds)
        for job, answer in zip(batch, answers, strict=True):
            _answer(job, answer)


def _answer(job: Job, answer: dict[str, Any]) -> None:
    if job.done.done():
        return
    if "error" in answer:
        tell(log, "decoding_failed", **answer)
        job.done.set_exception(RefusalError(500, "The text could not be translated."))
    else:
        job.done.set_result(answer)
