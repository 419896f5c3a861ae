"""The first to see a request: reads its body within limits, watches for the client leaving, writes the log.

An ASGI application around another one. Bodies are read whole before anything else happens, so that a slow or
huge one costs no more than its own connection. (Starlette's RequestBodyLimitMiddleware has no limit of time,
and does not read on, so that a client that still sends never sees its 413.)
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from interlingua.serving.logs import log_event
from interlingua.serving.metrics import Metrics
from interlingua.serving.pool.pool import Pool
from interlingua.serving.refusal import RefusalError
from interlingua.serving.settings import ServeSettings

__all__ = ["Reception", "log_texts", "path_of"]

_CONTENT_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    b"font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_SECURITY_HEADERS = [(b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer")]
_SOUND_PATHS = frozenset({"/v1/audio/transcriptions", "/v1/transcribe"})
_PICTURE_PATH = "/v1/describe"
_PAINT_PATHS = frozenset({"/v1/images/generations", "/v1/paint"})
_TRANSLATION_PATHS = (
    _SOUND_PATHS | _PAINT_PATHS | {_PICTURE_PATH, "/translate", "/translate_file", "/v1/translate"}
)
_DOCUMENT_PATH = "/v2/document"
_FORM_BYTES = 4096  # of the upload of a document that are not its own
_MAX_HELD = 8  # sounds, or pictures, of the largest size that requests may hold in memory together
_DISCARDED_BODIES = 8  # times the body limit that is read and thrown away, so that the client sees the answer

log = logging.getLogger("interlingua.requests")


class Reception:
    """Guards an application, which answers the requests."""

    def __init__(
        self, app: ASGIApp, settings: ServeSettings, metrics: Metrics, pool: Pool, *,
        with_sounds: bool = False, with_pictures: bool = False,
    ) -> None:  # fmt: skip
        self.app, self.settings, self.metrics, self.pool = app, settings, metrics, pool
        self.headers = [*_SECURITY_HEADERS, *_policies(with_sounds, with_pictures)]
        self.uploads: dict[str, tuple[str, int]] = {}
        """What is uploaded at some paths, and the most bytes of one."""
        if with_sounds:
            self.uploads |= dict.fromkeys(_SOUND_PATHS, ("sound", settings.max_sound_bytes))
        if with_pictures:
            self.uploads[_PICTURE_PATH] = "picture", settings.max_picture_bytes
        self._held_bytes = {"sound": 0, "picture": 0}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.monotonic()
        method, status = scope["method"], 0
        scope, path = self._routed(scope)

        async def send_secured(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": [*message.get("headers", []), *self.headers]}
            elif method == "HEAD":
                message = {**message, "body": b""}
            await send(message)

        held = 0
        what, max_bytes = self.uploads.get(path, ("", 0))

        def hold(size: int) -> None:
            nonlocal held
            held += size
            self._held_bytes[what] += size
            if self._held_bytes[what] > _MAX_HELD * max_bytes:
                self.metrics.refused.labels("queue full").inc()
                raise _closing(
                    RefusalError(503, f"Too many {what}s are waiting. Please try again.", retry_after_s=10)
                )

        try:
            body = await self._read_body(scope, path, receive, hold)
            scope.setdefault("state", {})["arrived_at"] = time.monotonic()  # a slow client is not our delay
            if path in _TRANSLATION_PATHS:
                self.pool.admit()  # refusing must cost little when there is much to refuse
            await self._run_app(scope, body, receive, send_secured)
        except RefusalError as refusal:
            await refusal.response(path)(scope, receive, send_secured)
        except _ClientGoneError:
            status = status or 499  # as nginx calls it; nobody sees it but the log
        except Exception as error:
            # The application has sent its 500 already, if it still could.
            log.exception("request_failed", exc_info=error)
            if not status:
                answer = RefusalError(500, "Something went wrong here.").response(path)
                await answer(scope, receive, send_secured)
        finally:
            if held:
                self._held_bytes[what] -= held
        self._record(scope, method, path, status, time.monotonic() - started)

    def _routed(self, scope: Scope) -> tuple[Scope, str]:
        """A request and its path as the routes know them: HEAD is GET, the root path stands once."""
        root, path = self.settings.root_path, scope["path"]
        if path == root or path.startswith(f"{root}/"):
            path = path.removeprefix(root)
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        return {**scope, "method": method, "root_path": root, "path": root + path}, path

    async def _read_body(
        self, scope: Scope, path: str, receive: Receive, hold: Callable[[int], object]
    ) -> bytes:
        """The whole body; `hold` is told of each part of an uploaded sound or picture.

        Raises:
            RefusalError: it is compressed, too large or too slow.
        """
        headers = dict(scope["headers"])
        if headers.get(b"content-encoding", b"identity") != b"identity":
            raise _closing(RefusalError(415, "Compressed requests are not accepted."))
        settings = self.settings
        max_bytes, timeout_s = settings.max_body_bytes, settings.body_timeout_s
        what, limit = self.uploads.get(path, ("request", 0))
        if settings.documents and scope["path"].endswith(_DOCUMENT_PATH):  # also below a prefix
            max_bytes = max(max_bytes, settings.max_document_bytes + _FORM_BYTES)
        elif limit:
            max_bytes = limit + _FORM_BYTES
        timeout_s *= max(1, max_bytes / settings.max_body_bytes)
        body = bytearray()
        size = 0
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise _ClientGoneError
                    content = message.get("body", b"")
                    size += len(content)
                    if size <= max_bytes:
                        if limit:
                            hold(len(content))
                        body += content
                    if not message.get("more_body") or size > _DISCARDED_BODIES * max_bytes:
                        break
        except TimeoutError:
            raise _closing(RefusalError(408, "The request came too slowly.")) from None
        if size > max_bytes:
            raise _closing(RefusalError(413, f"The {what} is larger than {limit or max_bytes:,} bytes."))
        return bytes(body)

    async def _run_app(self, scope: Scope, body: bytes, receive: Receive, send: Send) -> None:
        """Runs the application until it is done or the client has gone."""
        client_gone = asyncio.Event()
        messages = iter([{"type": "http.request", "body": body, "more_body": False}])

        async def receive_body() -> Message:
            for message in messages:
                return message
            await client_gone.wait()
            return {"type": "http.disconnect"}

        work = asyncio.ensure_future(self.app(scope, receive_body, send))
        disconnect = asyncio.ensure_future(receive())
        try:
            await asyncio.wait({work, disconnect}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                client_gone.set()
                work.cancel()
                raise _ClientGoneError
            await work
        finally:
            for task in (work, disconnect):
                task.cancel()
            await asyncio.gather(work, disconnect, return_exceptions=True)

    def _record(self, scope: Scope, method: str, path: str, status: int, seconds: float) -> None:
        """Counts and logs a request."""
        # The route, not the path: a path may hold whatever a user put there.
        route = getattr(scope.get("route"), "path", None)
        route = route or (path if path in _TRANSLATION_PATHS else "other")
        self.metrics.requests.labels(route, str(status)).inc()
        self.metrics.latency.labels(route).observe(seconds)
        fields: dict[str, Any] = {
            "method": method, "route": route, "status": status, "ms": round(1000 * seconds, 1)
        }  # fmt: skip
        log_event(log, "request", **fields, **scope.get("state", {}).get("log_fields", {}))


def path_of(scope: Scope) -> str:
    """A request's path as the routes know it, without the root path."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


def _policies(with_sounds: bool, with_pictures: bool) -> list[tuple[bytes, bytes]]:
    """What the page may do: to hear the microphone and play a recording, only with a model of sounds.

    To show a file that was chosen, only with a model of pictures.
    """
    media, microphone = (b"; media-src blob:", b"(self)") if with_sounds else (b"", b"()")
    images = b" blob:" if with_pictures else b""
    return [
        (b"content-security-policy", _CONTENT_POLICY.replace(b" data:", b" data:" + images) + media),
        (b"permissions-policy", b"camera=(), geolocation=(), microphone=" + microphone),
    ]


def log_texts(request: Request, settings: ServeSettings, texts: Sequence[str], model: str) -> None:
    """Adds to the request's line in the log: how long the texts are; the texts themselves if that is set."""
    request.state.log_fields = {"model": model, "texts": len(texts), "characters": sum(map(len, texts))}
    if settings.log_texts:
        request.state.log_fields["q"] = list(texts)


class _ClientGoneError(Exception):
    """Nobody waits for the answer any more."""


def _closing(refusal: RefusalError) -> RefusalError:
    """The rest of the body is not read, so the connection is of no further use."""
    refusal.headers["Connection"] = "close"
    return refusal
