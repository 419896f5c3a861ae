"""Connections that get nowhere: each is ended, however it is held open."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvicorn

from interlingua.serving.http import protocol
from interlingua.serving.http.protocol import bounded

Work = Callable[[int], Awaitable[None]]
seen: list[tuple[bytes, bytes]] = []
"""The headers of what came to /wait."""
GET = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"


async def answering(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Does not look at the body, but for /wait; at /long the answer has no end."""
    if scope["path"] == "/wait":
        while (message := await receive()).get("more_body"):
            pass
        if message["type"] == "http.disconnect":
            return
        seen.extend(scope["headers"])
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]
                if scope["path"] != "/long" else []})  # fmt: skip
    leaving = asyncio.ensure_future(_left(receive))
    while scope["path"] == "/long" and not leaving.done():
        await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
        await asyncio.sleep(0)
    leaving.cancel()
    await send({"type": "http.response.body", "body": b"ok"})


async def _left(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def run(work: Work, timeout_s: float = 100.0) -> None:
        monkeypatch.setattr(protocol, "_TIMEOUT_S", timeout_s)

        async def main() -> None:
            config = uvicorn.Config(answering, port=0, http=bounded(3), ws="none", lifespan="off",
                                    log_config=None, timeout_keep_alive=1)  # fmt: skip
            server = uvicorn.Server(config)
            running = asyncio.create_task(server.serve())
            while not server.started:
                await asyncio.sleep(0.01)
            async with asyncio.timeout(120):
                await work(server.servers[0].sockets[0].getsockname()[1])
            server.should_exit = True
            await running

        asyncio.run(main())

    return run


async def ended(reader: asyncio.StreamReader) -> bytes:
    """What comes until the connection is closed, kindly or not."""
    try:
        return await reader.read()
    except ConnectionError:
        return b""


@pytest.mark.parametrize(
    ("begin", "drip"),
    [
        (b"", b""),
        (b"GET / HTTP/1.1\r\n", b"x"),
        (GET, b"\r\n"),
        (b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 1000000\r\n\r\n", b"x"),
    ],
    ids=["nothing", "endless headers", "noise after an answer", "a body that nobody wants"],
)
def test_a_connection_that_gets_nowhere_is_ended(serve, begin, drip):
    async def work(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(begin)

        async def dripping() -> None:
            while drip:
                await asyncio.sleep(0.05)
                writer.write(drip)

        dripper = asyncio.create_task(dripping())
        await ended(reader)
        dripper.cancel()
        writer.close()

    serve(work, timeout_s=0.3)


def test_an_answer_that_nobody_reads_is_given_up(serve):
    async def work(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1)
        writer.write(GET.replace(b"/ ", b"/long "))
        await asyncio.sleep(1.5)  # the reader takes nothing in this time
        assert await ended(reader)  # what was under way still comes, and then it is over
        writer.close()

    serve(work, timeout_s=0.3)


def test_connections_beyond_the_most_are_told_so(serve):
    async def work(port: int) -> None:
        kept = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        told = await ended(reader)
        assert b" 503 " in told
        assert b'{"error"' in told
        assert b"retry-after" in told
        writer.close()
        kept[0][1].write(GET)
        assert b" 200 " in await kept[0][0].readline()
        for _, other in kept:
            other.close()

    serve(work)


CHUNKED = b"POST /wait HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"


@pytest.mark.parametrize(
    ("begin", "flood"),
    [
        (CHUNKED + b"0\r\n", b"X-Trailer: y\r\n"),
        (CHUNKED + b"0\r\nX: ", b"aaaaaaaa"),
        (CHUNKED + b"3;", b"extension"),
    ],
    ids=["many", "one that is long", "an extension of a chunk"],
)
def test_trailers_without_an_end_are_refused(serve, begin, flood):
    async def work(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(begin)
        told = asyncio.create_task(ended(reader))
        sent = 0
        while not told.done() and sent < 40_000_000:
            writer.write(flood * 1000)
            sent += len(flood) * 1000
            with contextlib.suppress(ConnectionError):
                await writer.drain()
            await asyncio.sleep(0)
        assert sent < 40_000_000
        writer.close()

    serve(work)


def test_a_large_body_in_small_chunks_is_no_trailer(serve):
    async def work(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(CHUNKED.replace(b"3\r\nabc\r\n", b"") + b"1\r\na\r\n" * 100_000 + b"0\r\n\r\n")
        assert b" 200 " in await reader.readline()
        assert await reader.readuntil(b"\r\n\r\n")
        assert await reader.readexactly(2) == b"ok"
        writer.close()

    serve(work)


def test_trailers_are_no_headers(serve):
    async def work(port: int) -> None:
        seen.clear()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(CHUNKED + b"0\r\nX-Forwarded-For: 6.6.6.6\r\nHost: there\r\n\r\n")
        assert b" 200 " in await reader.readline()
        writer.close()
        assert [value for name, value in seen if name in (b"host", b"x-forwarded-for")] == [b"here"]

    serve(work)
