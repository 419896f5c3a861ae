"""The first to see a request: reads its body within limits, watches for the client leaving, writes the log.

An ASGI application around another one. Bodies are read whole before anything else happens, so that a slow or
huge one costs no more than its own connection.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from interlingua.serving.logs import tell
from interlingua.serving.metrics import Metrics
from interlingua.serving.pool.pool import Engine
from interlingua.serving.refusal import RefusalError
from interlingua.serving.settings import ServeSettings

__all__ = ["Reception"]

_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}
_TRANSLATING = frozenset({"/translate", "/translate_file", "/v1/translate"})
_PATIENCE = 8  # times the body limit that is read and thrown away, so that the client gets to see the answer

log = logging.getLogger("interlingua.requests")


class Reception:
    """Guards an application.

    Args:
        app: what answers the requests.
        settings: limits.
        metrics: what is counted.
        engine: says early when it is full.
    """

    def __init__(self, app: ASGIApp, settings: ServeSettings, metrics: Metrics, engine: Engine) -> None:
        self.app, self.settings, self.metrics, self.engine = app, settings, metrics, engine
        self._headers = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.monotonic()
        status = 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": [*message.get("headers", []), *self._headers]}
            await send(message)

        try:
            body = await self._body(scope, receive)
            scope.setdefault("state", {})["arrived"] = time.monotonic()  # a slow client is not our delay
            if scope["path"] in _TRANSLATING:
                self.engine.admit()  # refusing must cost little when there is much to refuse
            await self._answer(scope, body, receive, sending)
        except RefusalError as refusal:
            await _refuse(refusal, sending)
        except _ClientGoneError:
            status = status or 499  # as nginx calls it; nobody sees it but the log
        except Exception as error:
            # The application has sent its 500 already, if it still could.
            log.exception("request_failed", exc_info=error)
            if not status:
                await _refuse(RefusalError(500, "Something went wrong here."), sending)
        self._note(scope, status, time.monotonic() - started)

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        """The whole body.

        Raises:
            RefusalError: it is compressed, too large or too slow.
        """
        headers = dict(scope["headers"])
        if headers.get(b"content-encoding", b"identity") != b"identity":
            raise _closing(RefusalError(415, "Compressed requests are not accepted."))
        most = self.settings.max_body_bytes
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self.settings.body_timeout_s):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise _ClientGoneError
                    size += len(message.get("body", b""))
                    if size <= most:
                        parts.append(message.get("body", b""))
                    if not message.get("more_body") or size > _PATIENCE * most:
                        break
        except TimeoutError:
            raise _closing(RefusalError(408, "The request came too slowly.")) from None
        if size > most:
            raise _closing(RefusalError(413, f"The request is larger than {most:,} bytes."))
        return b"".join(parts)

    async def _answer(self, scope: Scope, body: bytes, receive: Receive, send: Send) -> None:
        """Runs the application until it is done or the client has gone."""
        gone = asyncio.Event()
        given = False

        async def receiving() -> Message:
            nonlocal given
            if not given:
                given = True
                return {"type": "http.request", "body": body, "more_body": False}
            await gone.wait()
            return {"type": "http.disconnect"}

        work = asyncio.ensure_future(self.app(scope, receiving, send))
        watch = asyncio.ensure_future(receive())
        try:
            await asyncio.wait({work, watch}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                gone.set()
                work.cancel()
                raise _ClientGoneError
            await work
        finally:
            for task in (work, watch):
                task.cancel()
            await asyncio.gather(work, watch, return_exceptions=True)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        # The route, not the path: a path may hold whatever a user put there.
        route = getattr(scope.get("route"), "path", None)
        route = route or (scope["path"] if scope["path"] in _TRANSLATING else "other")
        self.metrics.requests.labels(route, str(status)).inc()
        self.metrics.latency.labels(route).observe(seconds)
        notes: dict[str, Any] = scope.get("state", {}).get("notes", {})
        fields = {"method": scope["method"], "route": route, "status": status, "ms": round(1000 * seconds, 1)}
        tell(log, "request", **fields, **notes)


class _ClientGoneError(Exception):
    """Nobody waits for the answer any more."""


def _closing(refusal: RefusalError) -> RefusalError:
    """The rest of the body is not read, so the connection is of no further use."""
    refusal.headers["Connection"] = "close"
    return refusal


async def _refuse(refusal: RefusalError, send: Send) -> None:
    content = json.dumps({"error": refusal.message}).encode()
    headers = {"Content-Type": "application/json", "Content-Length": str(len(content)), **refusal.headers}
    pairs = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": refusal.status, "headers": pairs})
    await send({"type": "http.response.body", "body": content})
