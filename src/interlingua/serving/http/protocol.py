"""HTTP as uvicorn speaks it, with bounds on what a connection may hold and how long it may take.

The time of a request's body is bounded in reception.py; here it is all else: headers and trailers that never
end, what is sent between requests, answers that nobody reads, and how many connections there are. uvicorn
itself bounds none of these (0.54): its timeout_keep_alive begins after a first answer and any byte stops it,
and its limit_concurrency counts connections only once they have sent a whole request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["BoundedProtocol", "bounded"]

_MAX_HEADER_BYTES = 64 * 1024
_TIMEOUT_S = 15.0
_TOO_MANY = b'{"error": "Too many connections. Please try again."}'
_TOO_MANY_ANSWER = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 1\r\n"
    b"connection: close\r\ncontent-length: %d\r\n\r\n%s" % (len(_TOO_MANY), _TOO_MANY)
)


class BoundedProtocol(HttpToolsProtocol):
    """Ends connections that are too many, and those that cost something and get nowhere."""

    max_connections = 1000

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._overhead = 0
        """Bytes since the last of a body: headers, trailers, sizes of chunks, what is between requests."""
        self._in_headers = True
        self._request_timer: asyncio.TimerHandle | None = None
        """Runs while the client is to send a request's headers."""
        self._write_timer: asyncio.TimerHandle | None = None
        """Runs while the client is to read what was written."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Starts the timer, or turns the client away."""
        super().connection_made(transport)
        if self.client and self.client[0].startswith("::ffff:"):  # IPv4 on a listener of both
            self.client = self.client[0].removeprefix("::ffff:"), self.client[1]
        self._request_timer = self._later(self._request_timed_out)
        if len(self.connections) > self.max_connections:
            transport.write(_TOO_MANY_ANSWER)
            self._close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops the timers."""
        self._stop_request_timer()
        if self._write_timer is not None:
            self._write_timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Counts what comes beside bodies."""
        if self.transport.is_closing():
            return
        self._overhead += len(data)
        super().data_received(data)
        if self._overhead > _MAX_HEADER_BYTES and not self.transport.is_closing():
            self.send_400_response("The headers are too large.")
        if self._request_timer is None and self._idle():  # whatever this was, it stopped uvicorn's own timer
            self._request_timer = self._later(self._request_timed_out)

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._in_headers = True
        self._overhead = 0
        if self._request_timer is None:
            self._request_timer = self._later(self._request_timed_out)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Takes a header, but no trailer: uvicorn would add it to the headers, X-Forwarded-For and all."""
        if self._in_headers:
            super().on_header(name, value)

    def on_body(self, body: bytes) -> None:
        """Some of the body came."""
        self._overhead = 0
        super().on_body(body)

    def on_headers_complete(self) -> None:
        """Its body begins."""
        self._in_headers = False
        self._overhead = 0
        self._stop_request_timer()
        super().on_headers_complete()

    def pause_writing(self) -> None:
        """The client reads more slowly than is written."""
        super().pause_writing()
        self._write_timer = self._later(self.transport.abort)

    def resume_writing(self) -> None:
        """It has read most of it."""
        super().resume_writing()
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    def timeout_keep_alive_handler(self) -> None:
        """No further request came."""
        self._close()

    def _later(self, call: Callable[[], object]) -> asyncio.TimerHandle:
        return self.loop.call_later(_TIMEOUT_S, call)

    def _idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _stop_request_timer(self) -> None:
        if self._request_timer is not None:
            self._request_timer.cancel()
            self._request_timer = None

    def _request_timed_out(self) -> None:
        self._request_timer = None
        if self._in_headers or self._idle():
            self._close()

    def _close(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()
            if self.transport.get_write_buffer_size():  # closed once that is read, or never
                self._later(self.transport.abort)


def bounded(max_connections: int) -> type[BoundedProtocol]:
    """The protocol of a service that serves so many connections at a time."""
    return type("Bounded", (BoundedProtocol,), {"max_connections": max_connections})
