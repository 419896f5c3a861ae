"""A worker process seen from the service: start it, give it batches, notice its end."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from interlingua.errors import BundleError
from interlingua.text.facts import TextFacts

__all__ = ["AboutModel", "OnDrafts", "Worker", "WorkerGoneError"]

_MAX_MESSAGE_BYTES = 1 << 30

OnDrafts = Callable[[dict[int, Any]], object]
"""Given translations so far, by the number of their text in the batch; or pictures."""


class AboutModel(NamedTuple):
    """What a worker says of a model."""

    max_source_length: int
    """The most source tokens that it takes at once."""
    beam: int
    """Hypotheses kept a sentence, unless a request says otherwise."""
    attention_heads: int
    """How many it has whose attention can be shown."""
    facts: TextFacts = TextFacts()
    """What kind of text it is for."""
    picture_size: int = 0
    """The edge of its pictures, in pixels."""
    picture_grid: int = 0
    """Tokens on an edge of what it paints."""
    guidance: float = 1.0
    """How much more a caption counts than by itself, unless a request says otherwise."""


class WorkerGoneError(Exception):
    """The process ended, or does not answer any more."""


class Worker:
    """One process that translates; made by `start`."""

    def __init__(self, process: asyncio.subprocess.Process, about: dict[str, AboutModel]) -> None:
        self.process, self.about = process, about
        self.gone = asyncio.create_task(self._read())
        """Done as soon as the process has ended."""
        self._batches: dict[int, tuple[asyncio.Future[dict[str, Any]], OnDrafts]] = {}

    @classmethod
    async def start(cls, models: Mapping[str, str], precision: str, device: str, engine: str) -> Worker:
        """Starts a process and waits until it has loaded the models: directories by name.

        Raises:
            BundleError: a model cannot be loaded.
            WorkerGoneError: the process ended early.
        """
        creating = asyncio.ensure_future(_create_process())
        try:
            process = await asyncio.shield(creating)
        except asyncio.CancelledError:
            await _end(await creating)
            raise
        try:
            setup = {"models": dict(models), "precision": precision, "device": device, "engine": engine}
            _send(process, {**setup, "service": os.getpid()})
            message = await _receive(process)
            if message is None:
                raise WorkerGoneError(_describe_end(await process.wait()))
            if "error" in message:
                raise BundleError(message["error"])
        except BaseException:
            await _end(process)
            raise
        return cls(
            process,
            {
                name: AboutModel(**{**about, "facts": TextFacts(**about["facts"])})
                for name, about in message["ready"].items()
            },
        )

    async def translate(
        self, task: Mapping[str, Any], on_drafts: OnDrafts, abandoned: asyncio.Future[Any]
    ) -> list[dict[str, Any]]:
        """Has some texts translated together; one answer for each, or none when they were abandoned.

        Args:
            task: its number, model, texts (or what stands for one, see queue.py) and their glossaries, the
                numbers of the texts that are watched, options of the search, `detail`; `reads` where the
                texts are files of sounds to be read.
            on_drafts: is given the translations so far of the texts that are watched.
            abandoned: done when nobody waits for any of them any more.

        Raises:
            WorkerGoneError: the process ended meanwhile.
        """
        number = task["number"]
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._batches[number] = answer, on_drafts
        try:
            self._send(dict(task))
            await asyncio.wait({answer, abandoned}, return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                self._send({"cancel": number})
            done: list[dict[str, Any]] = (await answer)["done"]
            return done
        finally:
            del self._batches[number]

    def drop(self, number: int, text: int) -> None:
        """Tells that nobody waits for a text of a batch any more: the others go on without it."""
        if number in self._batches and not self.gone.done():
            self._send({"drop": number, "text": text})

    async def stop(self) -> None:
        """Ends the process at once; it holds nothing that could be lost."""
        await _kill(self.process)
        await asyncio.wait({self.gone})

    def _send(self, message: dict[str, Any]) -> None:
        if self.gone.done():
            raise WorkerGoneError
        _send(self.process, message)

    async def _read(self) -> None:
        try:
            while (message := await _receive(self.process)) is not None:
                answer, on_drafts = self._batches[message["number"]]
                if "drafts" in message:
                    on_drafts(dict(message["drafts"]))
                else:
                    answer.set_result(message)
        finally:
            await self.process.wait()
            for answer, _ in self._batches.values():
                if not answer.done():
                    answer.set_exception(WorkerGoneError())


def _send(process: asyncio.subprocess.Process, message: dict[str, Any]) -> None:
    assert process.stdin is not None
    # Not drained: a worker has few batches at a time, and each is small.
    process.stdin.write(json.dumps(message).encode() + b"\n")


async def _receive(process: asyncio.subprocess.Process) -> dict[str, Any] | None:
    """The next message; None when the process has ended, perhaps while it wrote."""
    assert process.stdout is not None
    line = await process.stdout.readline()
    message: dict[str, Any] | None = json.loads(line) if line.endswith(b"\n") else None
    return message


async def _create_process() -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", "interlingua.serving.pool.worker",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=_MAX_MESSAGE_BYTES,
        # A second arena of memory for the second thread would hold about as much as the first.
        env={"OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1", **os.environ},
    )  # fmt: skip


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kills a process and waits until its pipes are closed as well."""
    await _kill(process)
    await process.communicate()


def _describe_end(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    return f"killed by signal {-code}, {signal.strsignal(-code)}"


async def _kill(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
        await process.wait()
    # Otherwise its pipes are closed when it is collected, perhaps after the event loop.
    process._transport.close()  # type: ignore[attr-defined]
