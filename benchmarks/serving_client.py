"""For benchmarks/serving.py: a service in processes of its own, and what talks to it."""

from __future__ import annotations

import asyncio
import itertools
import json
import resource
import signal
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import psutil

import interlingua

__all__ = [
    "Answer", "Service", "closed_loop", "distinct", "mixed_up", "offline_speed", "open_loop", "own_cpu",
    "post", "quantiles", "raw",
]  # fmt: skip


class Answer(NamedTuple):
    """What came of a request."""

    at: float
    """When it was due, in seconds."""
    sent: float
    """When it was sent: the load generator itself may be late."""
    seconds: float
    """From when it was due to the end of the answer."""
    status: int
    """0: no answer."""
    source: str
    text: str


class Service:
    """A service of one model in processes of its own."""

    def __init__(self, model: Path, *options: object, port: int = 0, key: str | None = None) -> None:
        self.log = Path(tempfile.mkstemp(suffix=".log")[1])
        self.key = key
        self.source, self.target = tomllib.loads((model / "config.toml").read_text())["languages"]
        begun = time.monotonic()
        command = [sys.executable, "-m", "interlingua", "serve", model, "--beam", 1, "--port", port, *options]
        with self.log.open("w") as log:
            self.process = psutil.Popen([*map(str, command)], stdout=sys.stderr, stderr=log)
        while not (started := [line for line in self.lines() if line["event"] == "started"]):
            if self.process.poll() is not None or time.monotonic() > begun + 120:
                raise SystemExit(self.log.read_text())
            time.sleep(0.05)
        self.seconds_to_start = time.monotonic() - begun
        self.port, self.workers = started[0]["port"], started[0]["workers"]

    def lines(self) -> list[dict[str, Any]]:
        """Its log so far."""
        *lines, _ = self.log.read_bytes().split(b"\n")  # the last is not written yet
        return [json.loads(line) for line in lines if line.startswith(b"{")]

    def memory(self) -> float:
        """Returns the MB of all its processes."""
        processes = [self.process, *self.process.children()]
        return sum(process.memory_info().rss for process in processes) / 1e6

    def request(self, text: str) -> bytes:
        """A request to translate a text."""
        return post("/translate", {"q": text, **self.fields()})

    def fields(self) -> dict[str, str]:
        """What every request names."""
        key = {"api_key": self.key} if self.key else {}
        return {"source": self.source, "target": self.target, **key}

    def stop(self) -> int:
        """Asks it to stop; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return int(self.process.wait(timeout=60))


def post(path: str, fields: dict[str, Any]) -> bytes:
    """A request as bytes."""
    body = json.dumps(fields).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


class Connection(asyncio.Protocol):
    """A connection that is kept, and opened again when it broke."""

    def __init__(self, port: int) -> None:
        self.port, self.used = port, 0.0
        self.transport: asyncio.Transport | None = None
        self.received = b""
        self.answer: asyncio.Future[tuple[int, bytes]] | None = None

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """Status and body; status 0 when there was no answer."""
        loop = asyncio.get_running_loop()
        if time.monotonic() - self.used > 10:
            self.close()  # the service closes connections that are idle for 15 s
        self.used = time.monotonic()
        try:
            if self.transport is None:
                await loop.create_connection(lambda: self, "127.0.0.1", self.port)
            assert self.transport is not None
            self.received, self.answer = b"", loop.create_future()
            self.transport.write(request)
            return await self.answer
        except OSError:
            self.close()
            return 0, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, end, body = self.received.partition(b"\r\n\r\n")
        head = head.lower()
        length = head.partition(b"content-length: ")[2].split(b"\r\n")[0]
        if end and len(body) >= int(length) and self.answer and not self.answer.done():
            self.answer.set_result((int(head.split()[1]), body))
            if b"connection: close" in head:
                self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        if self.answer and not self.answer.done():
            self.answer.set_exception(ConnectionResetError())

    def close(self) -> None:
        """Closes it."""
        if self.transport is not None:
            self.transport.abort()
            self.transport = None


async def ask(connection: Connection, service: Service, text: str, due: float) -> Answer:
    sent = time.monotonic()
    status, body = await connection.ask(service.request(text))
    answer = json.loads(body)["translatedText"] if status == 200 else ""
    return Answer(due, sent, time.monotonic() - due, status, text, answer)


async def closed_loop(
    service: Service, texts: Iterator[str], clients: int, seconds: float, pause: float = 0.0
) -> list[Answer]:
    """So many clients, each asking again as soon as it has an answer, or after a pause."""
    answers: list[Answer] = []
    end = time.monotonic() + seconds

    async def client() -> None:
        connection = Connection(service.port)
        while (now := time.monotonic()) < end:
            answers.append(await ask(connection, service, next(texts), now))
            await asyncio.sleep(pause)
        connection.close()

    clients_running = [asyncio.create_task(client()) for _ in range(clients)]
    try:
        await asyncio.gather(*clients_running)
    except asyncio.CancelledError:
        await asyncio.gather(*clients_running, return_exceptions=True)
    return answers


async def open_loop(service: Service, texts: Iterator[str], rate: float, seconds: float) -> list[Answer]:
    """So many requests a second, whether or not the earlier ones are answered."""
    answers: list[Answer] = []
    free: list[Connection] = []
    running: set[asyncio.Task[None]] = set()
    start = time.monotonic()

    async def one(text: str, due: float) -> None:
        connection = free.pop() if free else Connection(service.port)
        answers.append(await ask(connection, service, text, due))
        free.append(connection)

    for number in range(int(rate * seconds)):
        due = start + number / rate
        if (wait := due - time.monotonic()) > 0:
            await asyncio.sleep(wait)
        task = asyncio.create_task(one(next(texts), due))
        running.add(task)
        task.add_done_callback(running.discard)
    await asyncio.gather(*running)
    for connection in free:
        connection.close()
    return answers


async def raw(
    port: int, chunks: list[bytes], pause: float, *, hang_up: bool = False
) -> tuple[int, bytes]:  # fmt: skip
    """Sends bytes and reads what comes back until the end of the answer or of the connection.

    With `hang_up` it closes the connection soon after it has sent everything.
    """
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return 0, b""
    answer = b""
    reading = asyncio.create_task(reader.readuntil(b"\r\n\r\n"))
    try:
        for chunk in chunks:
            writer.write(chunk)
            await writer.drain()
            if pause:
                await asyncio.sleep(pause)
            if reading.done():
                break
        if hang_up:
            await asyncio.sleep(0.2)
            return 0, b""
        head = await asyncio.wait_for(reading, 60)
        length = head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]
        answer = head + (await reader.readexactly(int(length)) if length else b"")
    except asyncio.IncompleteReadError as error:
        answer = error.partial
    except OSError:
        pass
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    return (int(head.split()[1]) if head.startswith(b"HTTP/") else 0), body


def distinct(sentences: list[str]) -> Iterator[str]:
    """The sentences, then the sentences with a number before them, so that no two are the same."""
    yield from sentences
    for turn in itertools.count(1):
        for sentence in sentences:
            yield f"{turn} {sentence}"


def quantiles(answers: list[Answer]) -> list[float]:
    """p50, p95 and p99 in ms."""
    times = sorted(1000 * answer.seconds for answer in answers) or [float("nan")]
    return [times[min(len(times) - 1, int(share * len(times)))] for share in (0.5, 0.95, 0.99)]


def mixed_up(answers: list[Answer], model: Path) -> int:
    """How many answers are not the offline translation of their own text, nor as probable.

    The company of a sentence may turn a near tie, since matrix products round differently; such an answer
    must have the log-probability of the offline one, within 0.01 a token.
    """
    translator = interlingua.load(model)
    answered = [answer for answer in answers if answer.status == 200]
    offline = translator.translate([answer.source for answer in answered], beam=1)
    other = [pair for pair in zip(answered, offline, strict=True) if pair[0].text != pair[1].text]
    scores = list(translator.score_pairs([(answer.source, answer.text) for answer, _ in other]))
    wrong = 0
    for (answer, translation), score in zip(other, scores, strict=True):
        margin = 0.01 * max(len(score.log_probs), len(translation.log_probs))
        if score.log_prob < sum(translation.log_probs) - margin:
            wrong += 1
            print(f"{answer.source!r}: {answer.text!r}, offline {translation.text!r}", file=sys.stderr)
    print(f"{len(other)} of {len(answered)} differ from offline, {wrong} of them worse", file=sys.stderr)
    return wrong


def offline_speed(model: Path, sentences: list[str], group: int = 64) -> float:
    """Sentences a second of `translate` in arrival order, so many at a time."""
    translator = interlingua.load(model)
    translator.translate(sentences[:group], beam=1)
    begun = time.monotonic()
    for start in range(0, len(sentences), group):
        translator.translate(sentences[start : start + group], beam=1)
    return len(sentences) / (time.monotonic() - begun)


def own_cpu() -> float:
    """Seconds of processor time that the load generator has used."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
