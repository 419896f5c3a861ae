"""The worker processes: for each a loop that feeds it from the queue and replaces it when it dies."""

from __future__ import annotations

import asyncio
import functools
import itertools
import logging
import time
from collections.abc import Mapping
from typing import Any

from interlingua.errors import InterlinguaError
from interlingua.serving.logs import log_event
from interlingua.serving.metrics import Metrics
from interlingua.serving.pool.process import AboutModel, Worker, WorkerGoneError
from interlingua.serving.pool.queue import SHORT_COST, Job, PaintOrder, PictureFile, Queue, SoundPiece
from interlingua.serving.pool.wait import WaitEstimate
from interlingua.serving.refusal import RefusalError, deadline_missed
from interlingua.serving.settings import ServeSettings
from interlingua.terms.width import beam_width

__all__ = ["Pool"]

_USUAL_BEAM = 5  # hypotheses a sentence that batches are made for; more of them cost more
_TOKENS_PER_TERM = 2  # about; each adds a hypothesis
_SHORT_INTERVAL_S = 0.05  # how often short sentences are looked for that wait behind a long one
_MAX_ATTEMPTS = 2  # workers that may die over a sentence before it fails
_RESTART_S = (0.0, 1.0, 5.0, 30.0)  # pauses before a worker is replaced that does not even start

log = logging.getLogger(__name__)


class Pool:
    """Translates sentences with worker processes, which load `models`: directories by name."""

    def __init__(self, models: Mapping[str, str], settings: ServeSettings, metrics: Metrics) -> None:
        self.models, self.settings, self.metrics = dict(models), settings, metrics
        self.queue = Queue(settings.batch, settings.wait_ms / 1000)
        self.about: dict[str, AboutModel] = {}
        self._workers: set[Worker] = set()
        self._busy = 0
        self._batch_numbers = itertools.count(1)
        self._tasks: list[asyncio.Task[None]] = []
        self._wait = WaitEstimate(self.queue)
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
        devices = self.settings.worker_devices()
        starting = [asyncio.create_task(self._start_worker(device)) for device in devices]
        try:
            workers = await asyncio.gather(*starting)
        except BaseException as error:  # the rest must not be left behind
            for task in starting:
                if not task.cancelling():  # a second time would end what it does to clean up
                    task.cancel()
            started = await asyncio.gather(*starting, return_exceptions=True)
            await asyncio.gather(*(each.stop() for each in started if not isinstance(each, BaseException)))
            if isinstance(error, WorkerGoneError):
                raise InterlinguaError(
                    "a worker ended while it loaded the models", where="serve", found=str(error),
                    accepted="Perhaps there is too little memory: each worker holds all models. Try fewer "
                    "--workers.",
                ) from error  # fmt: skip
            raise
        self.about = workers[0].about
        self._tasks = [
            asyncio.create_task(self._run_worker(worker, device))
            for worker, device in zip(workers, devices, strict=True)
        ]
        self._tasks.append(asyncio.create_task(self._wait.watch(self._workers)))

    async def stop(self) -> None:
        """Ends the workers."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def admit(self, cost: float = 0.0, sentences: int = 1) -> None:
        """Refuses a request when too many sentences wait already, or it would wait for too long.

        Args:
            cost: of its longest sentence, once that is known.
            sentences: how many join the queue at once.

        Raises:
            RefusalError: with 503 and the time until trying again makes sense.
        """
        # Short sentences are the many: when they wait for long, the event loop is late as well.
        wait_s, share = (self._wait.long_s, 0.9) if cost > SHORT_COST else (self._wait.short_s, 0.5)
        full = len(self.queue) + sentences > self.settings.queue
        if full or wait_s + self._wait.loop_delay_s > share * self.settings.timeout_s:
            self.queue.drop_abandoned()
            self.metrics.refused.labels("queue full").inc()
            raise RefusalError(503, "Too many requests are waiting. Please try again.", retry_after_s=wait_s)

    def cost(self, model: str, tokens: int, options: Mapping[str, Any], num_terms: int = 0) -> float:
        """What a sentence of so many tokens and terms costs, of which 1 is the usual cost of a token."""
        n_best = options.get("n_best", 1)
        beam = 1 if options.get("sample") else options.get("beam", self.about[model].beam)
        if n_best > beam:  # a second search, see worker.py
            beam += n_best
        width = beam_width(_TOKENS_PER_TERM * num_terms, beam)
        weights = options.get("alignment") or options.get("attention")  # as many as the square of the length
        return tokens * max(1.0, width / _USUAL_BEAM) * (max(1.0, tokens / SHORT_COST) if weights else 1.0)

    async def _start_worker(self, device: str) -> Worker:
        return await Worker.start(self.models, self.settings.precision, device, self.settings.engine)

    async def _run_worker(self, worker: Worker, device: str) -> None:
        """Feeds a worker for ever, and the one that takes its place when it dies."""
        while True:
            self._workers.add(worker)
            try:
                await self._feed(worker)
            except Exception as error:  # whatever it was, a new worker knows nothing of it
                log_event(log, "worker_lost", error=type(error).__name__)
            finally:
                self._workers.discard(worker)
                await worker.stop()
            worker = await self._replace_worker(device)

    async def _replace_worker(self, device: str) -> Worker:
        failures = 0
        while True:
            await asyncio.sleep(_RESTART_S[min(failures, len(_RESTART_S) - 1)])
            try:
                worker = await self._start_worker(device)
            except (InterlinguaError, WorkerGoneError, OSError) as error:
                failures += 1
                log_event(log, "worker_failed", error=str(error))
            else:
                self.metrics.restarts.inc()
                return worker

    async def _feed(self, worker: Worker) -> None:
        while True:
            ready = asyncio.ensure_future(self.queue.wait_for_batch())
            try:
                await asyncio.wait({ready, worker.gone}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                ready.cancel()
            if worker.gone.done():
                raise WorkerGoneError
            await self._decode_next(worker)

    async def _decode_next(self, worker: Worker, *, short_only: bool = False) -> None:
        """Has a worker decode the next batch, and short sentences beside a long one."""
        for job in self.queue.too_late(
            lambda cost: min(self._wait.batch_s(cost), self.settings.timeout_s / 4)
        ):
            job.done.set_exception(deadline_missed())
        batch = self.queue.take_batch(max(1, len(self._workers) - self._busy), short_only=short_only)
        if not batch:
            return
        work = asyncio.create_task(self._decode(worker, batch))
        try:
            while max(job.cost for job in batch) > SHORT_COST and not work.done():
                await asyncio.wait({work}, timeout=_SHORT_INTERVAL_S)
                if not work.done():
                    await self._decode_next(worker, short_only=True)
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
        number = next(self._batch_numbers)
        task = {
            "number": number, "model": batch[0].model, "options": batch[0].options, "detail": batch[0].detail,
            "reads": batch[0].reads,
            "texts": [job.text for job in batch], "glossaries": [job.glossary for job in batch],
            "watched": [number for number, job in enumerate(batch) if job.on_draft],
            "draft_s": self.settings.draft_ms / 1000,
        }  # fmt: skip

        def on_drafts(drafts: dict[int, Any]) -> None:
            for number, draft in drafts.items():
                job = batch[number]
                if job.on_draft and not job.done.done():
                    job.on_draft(draft)

        for text, job in enumerate(batch):
            job.done.add_done_callback(functools.partial(_drop, worker, number, text))
        abandoned = asyncio.gather(*(job.done for job in batch), return_exceptions=True)
        started = time.monotonic()
        self._busy += 1
        try:
            # Every request has timed out by then: a worker that still computes will not come back.
            async with asyncio.timeout(self._longest_s(batch[0]) + 5):
                answers = await worker.translate(task, on_drafts, abandoned)
        except (WorkerGoneError, TimeoutError):
            deadly = [job for job in batch if job.attempts + 1 >= _MAX_ATTEMPTS]
            for job in deadly:
                _answer(job, {"error": "WorkerGoneError"})
            self.queue.put_back([job for job in batch if job not in deadly])
            raise
        finally:
            self._busy -= 1
        if not answers:
            return
        seconds = time.monotonic() - started
        costs = [job.cost for job in batch]
        self._wait.add_batch(sum(costs), max(costs), seconds)
        if not batch[0].reads:
            self.metrics.decoded(len(batch), sum(answer.get("count", 0) for answer in answers), seconds)
        for job, answer in zip(batch, answers, strict=True):
            _answer(job, answer)

    def _longest_s(self, job: Job) -> float:
        """How long a request may take that a job is of."""
        if job.reads:
            return self.settings.sound_timeout_s
        of_picture = isinstance(job.text, PaintOrder | PictureFile)
        return self.settings.picture_timeout_s if of_picture else self.settings.timeout_s


def _drop(worker: Worker, number: int, text: int, done: asyncio.Future[Any]) -> None:
    if done.cancelled():
        worker.drop(number, text)


def _answer(job: Job, answer: dict[str, Any]) -> None:
    if job.done.done():
        return
    if "error" in answer:
        log_event(log, "decoding_failed", **answer)
        job.done.set_exception(RefusalError(500, f"The {_failure(job)}."))
    else:
        job.done.set_result(answer)


def _failure(job: Job) -> str:
    if job.reads or isinstance(job.text, SoundPiece):
        return "sound could not be transcribed"
    if isinstance(job.text, PaintOrder):
        return "picture could not be painted"
    if isinstance(job.text, PictureFile):
        return "picture could not be described"
    return "text could not be translated"
