"""Answers as streams of events: what is known so far, then all of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from fastapi.responses import StreamingResponse

from interlingua.serving.refusal import RefusalError

__all__ = ["Tell", "stream_events"]

Tell = Callable[[dict[str, Any]], object]
"""Called with what is known so far."""
Work = Callable[[Tell], Awaitable[dict[str, Any]]]


def stream_events(work: Work, *, for_openai: bool = False) -> StreamingResponse:
    """The answer of some work: events named progress, then done with the whole answer, or error.

    Args:
        work: is given what tells what is known so far; returns the whole answer.
        for_openai: its events have no names, and errors are written as there.
    """
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_events(work, for_openai), media_type="text/event-stream", headers=headers)


async def _events(work: Work, for_openai: bool) -> AsyncIterator[str]:
    queue: asyncio.Queue[str | None] = asyncio.Queue()

    def put(name: str, content: dict[str, Any]) -> None:
        event = "" if for_openai else f"event: {name}\n"
        queue.put_nowait(f"{event}data: {json.dumps(content, ensure_ascii=False)}\n\n")

    def tell(content: dict[str, Any]) -> None:
        put("progress", content)

    async def run() -> None:
        try:
            put("done", await work(tell))
        except RefusalError as refusal:
            retry = {"retryAfter": int(after)} if (after := refusal.headers.get("Retry-After")) else {}
            mistake = {"status": refusal.status} if refusal.status < 500 else {}
            error = refusal.for_openai() if for_openai else refusal.message
            put("error", {"error": error, **mistake, **retry})
        finally:
            queue.put_nowait(None)

    task = asyncio.create_task(run())
    try:
        while (event := await queue.get()) is not None:
            yield event
        await task
    finally:
        task.cancel()
