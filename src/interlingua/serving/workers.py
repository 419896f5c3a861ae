"""A worker seen from the service: start it, give it a batch, notice its end."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from typing import Any

from interlingua.errors import BundleError
from interlingua.serving import frames

__all__ = ["Worker", "WorkerGoneError"]


class WorkerGoneError(Exception):
    """The process ended, or does not answer any more."""


class Worker:
    """One process that translates; made by `start`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.ready: dict[str, dict[str, Any]] = {}
        """What it told of each model."""
        self.gone = asyncio.create_task(process.wait())
        """Done as soon as the process has ended."""

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
            sys.executable, "-P", "-m", "interlingua.serving.worker",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            env={"OMP_NUM_THREADS": "1", **os.environ},
        )  # fmt: skip
        worker = cls(process)
        try:
            message = await worker._ask({"models": dict(models), "precision": precision})
        except BaseException:
            await worker.stop()
            raise
        if "error" in message:
            await worker.stop()
            raise BundleError(message["error"])
        worker.ready = message["ready"]
        return worker

    async def translate(self, task: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Has some texts translated together; one answer for each.

        Args:
            task: model, texts, options of the search and `detail`.

        Raises:
            WorkerGoneError: the process ended meanwhile.
        """
        message = await self._ask(dict(task))
        done: list[dict[str, Any]] = message["done"]
        return done

    async def stop(self) -> None:
        """Ends the process at once; it holds nothing that could be lost."""
        if self.process.returncode is None:
            self.process.kill()
        await self.gone

    async def _ask(self, message: dict[str, Any]) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write(frames.pack(message))
            await self.process.stdin.drain()
        except (ConnectionError, RuntimeError):
            raise WorkerGoneError from None
        answer = await frames.read_async(self.process.stdout)
        if answer is None:
            raise WorkerGoneError
        return answer
