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


def stream_events(work: Callable[[Tell], Awaitable[dict[str, Any]]]) -> StreamingResponse:
    """The answer of some work: events named progress, then done with the whole answer, or error."""
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_events(work), media_type="text/event-stream", headers=headers)


async def _events(work: Callable[[Tell], Awaitable[dict[str, Any]]]) -> AsyncIterator[str]:
    queue: asyncio.Queue[str | None] = asyncio.Queue()

    def tell(content: dict[str, Any]) -> None:
        queue.put_nowait(_event("progress", content))

    async def run() -> None:
        try:
            queue.put_nowait(_event("done", await work(tell)))
        except RefusalError as refusal:
            retry = {"retryAfter": int(after)} if (after := refusal.headers.get("Retry-After")) else {}
            mistake = {"status": refusal.status} if refusal.status < 500 else {}
            queue.put_nowait(_event("error", {"error": refusal.message, **mistake, **retry}))
        finally:
            queue.put_nowait(None)

    task = asyncio.create_task(run())
    try:
        while (event := await queue.get()) is not None:
            yield event
        await task
    finally:
        task.cancel()


def _event(name: str, content: dict[str, Any]) -> str:
    return f"event: {name}\ndata: {json.dumps(content, ensure_ascii=False)}\n\n"
