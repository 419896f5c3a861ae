"""A worker seen from the service: start it, give it batches, notice its end."""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

from interlingua.errors import BundleError
from interlingua.serving.pool import frames

__all__ = ["Told", "Worker", "WorkerGoneError"]

Told = Callable[[dict[str, str]], object]


class WorkerGoneError(Exception):
    """The process ended, or does not answer any more."""


class Worker:
    """One process that translates; made by `start`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.ready: dict[str, dict[str, Any]] = {}
        """What it told of each model."""
        self.gone = asyncio.create_task(self._read())
        """Done as soon as the process has ended."""
        self._numbers = itertools.count(1)
        self._setup: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._batches: dict[int, tuple[asyncio.Future[dict[str, Any]], Told]] = {}

    @classmethod
    async def start(cls, models: Mapping[str, str], precision: str) -> Worker:
        """Starts a process and waits until it has loaded the models.

        Args:
            models: names and directories.
            precision: what to compute in.

        Raises:
            BundleError: a model cannot be loaded.
            WorkerGoneError: the process ended early.
        """
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "interlingua.serving.pool.worker",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            # A second arena of memory for the second thread would hold about as much as the first.
            env={"OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1", **os.environ},
        )  # fmt: skip
        worker = cls(process)
        try:
            worker._send({"models": dict(models), "precision": precision})
            message = await worker._setup
        except BaseException:
            await worker.stop()
            raise
        if "error" in message:
            await worker.stop()
            raise BundleError(message["error"])
        worker.ready = message["ready"]
        return worker

    async def translate(
        self, task: Mapping[str, Any], told: Told, unwanted: asyncio.Future[Any]
    ) -> list[dict[str, Any]]:
        """Has some texts translated together; one answer for each, or none when they became unwanted.

        Args:
            task: model, texts and their terms, the texts that are watched, options of the search, `detail`.
            told: is given the texts that are watched and their translations so far.
            unwanted: done when nobody waits for any of them any more.

        Raises:
            WorkerGoneError: the process ended meanwhile.
        """
        number = next(self._numbers)
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._batches[number] = answer, told
        try:
            self._send({"number": number, **task})
            await asyncio.wait({answer, unwanted}, return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                self._send({"unwanted": number})
            done: list[dict[str, Any]] = (await answer)["done"]
            return done
        finally:
            del self._batches[number]

    async def stop(self) -> None:
        """Ends the process at once; it holds nothing that could be lost."""
        if self.process.returncode is None:
            self.process.kill()
        await asyncio.wait({self.gone})

    def _send(self, message: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        if self.gone.done():
            raise WorkerGoneError
        # Not drained: a worker has few batches at a time, and each is small.
        self.process.stdin.write(frames.pack(message))

    async def _read(self) -> None:
        assert self.process.stdout is not None
        try:
            while (message := await frames.read_async(self.process.stdout)) is not None:
                self._take(message)
        finally:
            await self.process.wait()
            for answer in [self._setup, *(answer for answer, _ in self._batches.values())]:
                if not answer.done():
                    answer.set_exception(WorkerGoneError())

    def _take(self, message: dict[str, Any]) -> None:
        if "number" not in message:
            self._setup.set_result(message)
            return
        answer, told = self._batches[message["number"]]
        if "drafts" in message:
            told(message["drafts"])
        else:
            answer.set_result(message)
