"""HTTP as uvicorn speaks it, with bounds on what a connection may hold and how long it may take.

A request's body is the reception's business; here it is all else: headers that never end, what is sent
between requests, answers that nobody reads, and how many connections there are.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["BoundedProtocol", "bounded"]

_HEADER_BYTES = 64 * 1024
_PATIENCE_S = 15.0
_FULL = b'{"error": "Too many connections. Please try again."}'
_FULL_ANSWER = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 1\r\n"
    b"connection: close\r\ncontent-length: %d\r\n\r\n%s" % (len(_FULL), _FULL)
)


class BoundedProtocol(HttpToolsProtocol):
    """Ends connections that are too many, and those that cost something and get nowhere."""

    most_connections = 1000

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._header_bytes = 0
        self._in_headers = True
        self._waiting: asyncio.TimerHandle | None = None
        """For a request; while none is under way."""
        self._unread: asyncio.TimerHandle | None = None
        """For the client to read what was written."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Starts the clock."""
        super().connection_made(transport)
        self._waiting = self.loop.call_later(_PATIENCE_S, self._too_slow)
        if len(self.connections) > self.most_connections:
            transport.write(_FULL_ANSWER)
            self._end()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops the clocks."""
        self._stop_waiting()
        if self._unread is not None:
            self._unread.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Counts what comes before the end of the headers."""
        if self.transport.is_closing():
            return
        if self._in_headers:
            self._header_bytes += len(data)
        super().data_received(data)
        if self._in_headers and self._header_bytes > _HEADER_BYTES and not self.transport.is_closing():
            self.send_400_response("The headers are too large.")
        if self._waiting is None and self._idle():  # whatever this was, it stopped uvicorn's own clock
            self._waiting = self.loop.call_later(_PATIENCE_S, self._too_slow)

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._in_headers = True
        self._header_bytes = 0
        if self._waiting is None:
            self._waiting = self.loop.call_later(_PATIENCE_S, self._too_slow)

    def on_headers_complete(self) -> None:
        """Its body begins."""
        self._in_headers = False
        self._stop_waiting()
        super().on_headers_complete()

    def pause_writing(self) -> None:
        """The client reads more slowly than is written."""
        super().pause_writing()
        self._unread = self.loop.call_later(_PATIENCE_S, self.transport.abort)

    def resume_writing(self) -> None:
        """It has read most of it."""
        super().resume_writing()
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def timeout_keep_alive_handler(self) -> None:
        """No further request came."""
        self._end()

    def _idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _too_slow(self) -> None:
        self._waiting = None
        if self._in_headers or self._idle():
            self._end()

    def _end(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()
            if self.transport.get_write_buffer_size():  # closed once that is read, or never
                self.loop.call_later(_PATIENCE_S, self.transport.abort)


def bounded(most_connections: int) -> type[BoundedProtocol]:
    """The protocol of a service that serves so many connections at a time."""
    return type("Bounded", (BoundedProtocol,), {"most_connections": most_connections})
