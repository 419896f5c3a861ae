"""What a service does under load: speed, overload, hostile requests, kills.

    python benchmarks/serving.py load --model runs/en-de --sentences FILE [--seconds 300] [--clients 64]
    python benchmarks/serving.py overload --model runs/en-de --sentences FILE [--seconds 60]
    python benchmarks/serving.py hostile --model runs/en-de --sentences FILE
    python benchmarks/serving.py kill --model runs/en-de --sentences FILE

FILE holds source sentences, one a line (or pairs, with a tab); MODEL says its languages. Each scenario starts
the service itself, greedy, on this machine's loopback, and talks to it from this process: the service and its
workers are others. It needs psutil. A table goes to standard output in Markdown, remarks to standard error;
the exit code is 1 when a promise is broken. Nothing else should run meanwhile.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import random
import resource
import signal
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import psutil
from serving_hostile import requests as hostile_requests

import interlingua


class Answer(NamedTuple):
    """What came of a request."""

    at: float
    """When it was due, in seconds."""
    seconds: float
    status: int
    """0: no answer."""
    source: str
    text: str


class Service:
    """A service of one model in processes of its own."""

    def __init__(self, model: Path, *options: str, port: int = 0) -> None:
        self.log = Path(tempfile.mkstemp(suffix=".log")[1])
        languages = tomllib.loads((model / "config.toml").read_text())["languages"]
        self.source, self.target = languages
        begun = time.monotonic()
        command = [
            sys.executable,
            "-m",
            "interlingua",
            "serve",
            str(model),
            "--beam",
            "1",
            "--port",
            str(port),
        ]
        with self.log.open("w") as log:
            self.process = psutil.Popen([*command, *options], stdout=sys.stderr, stderr=log)
        while not (started := [line for line in self.lines() if line["event"] == "started"]):
            if self.process.poll() is not None or time.monotonic() > begun + 60:
                raise SystemExit(self.log.read_text())
            time.sleep(0.05)
        self.seconds_to_start = time.monotonic() - begun
        self.port, self.workers = started[0]["port"], started[0]["workers"]

    def lines(self) -> list[dict[str, Any]]:
        """Its log so far."""
        lines = self.log.read_text().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("\n")]

    def memory(self) -> float:
        """Returns the MB of all its processes."""
        processes = [self.process, *self.process.children()]
        return sum(process.memory_info().rss for process in processes) / 1e6

    def request(self, text: str) -> bytes:
        """A request to translate a text."""
        body = json.dumps({"q": text, "source": self.source, "target": self.target}).encode()
        head = "POST /translate HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
        return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body

    def stop(self) -> int:
        """Asks it to stop; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return int(self.process.wait(timeout=60))


class Connection:
    """A connection that is kept, and opened again when it broke."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.used = 0.0
        self.streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """Status and body; status 0 when there was no answer."""
        if time.monotonic() - self.used > 10:
            self.close()  # the service closes connections that are idle for 15 s
        self.used = time.monotonic()
        try:
            if self.streams is None:
                self.streams = await asyncio.open_connection("127.0.0.1", self.port)
            reader, writer = self.streams
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = int(head.partition(b"content-length: ")[2].split(b"\r\n")[0])
            body = await reader.readexactly(length)
            if b"connection: close" in head:
                self.close()
            return int(head.split()[1]), body
        except (OSError, asyncio.IncompleteReadError, ValueError):
            self.close()
            return 0, b""

    def close(self) -> None:
        """Closes it."""
        if self.streams is not None:
            self.streams[1].close()
            self.streams = None


async def ask(connection: Connection, service: Service, text: str, due: float) -> Answer:
    status, body = await connection.ask(service.request(text))
    done = time.monotonic()
    answer = json.loads(body)["translatedText"] if status == 200 else ""
    return Answer(due, done - due, status, text, answer)


async def closed_loop(service: Service, texts: Iterator[str], clients: int, seconds: float) -> list[Answer]:
    """So many clients, each asking again as soon as it has an answer."""
    answers: list[Answer] = []
    end = time.monotonic() + seconds

    async def client() -> None:
        connection = Connection(service.port)
        while (now := time.monotonic()) < end:
            answers.append(await ask(connection, service, next(texts), now))
        connection.close()

    await asyncio.gather(*(client() for _ in range(clients)))
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


def distinct(sentences: list[str]) -> Iterator[str]:
    """The sentences, then the sentences with a number before them, so that no two are the same."""
    yield from sentences
    for turn in itertools.count(1):
        for sentence in sentences:
            yield f"{turn} {sentence}"


def quantiles(answers: list[Answer]) -> list[float]:
    """p50, p95 and p99 in ms."""
    times = sorted(1000 * answer.seconds for answer in answers)
    return [times[min(len(times) - 1, int(share * len(times)))] for share in (0.5, 0.95, 0.99)]


def mixed_up(answers: list[Answer], model: Path) -> int:
    """How many answers are not the offline translation of their own text, nor as probable.

    The company of a sentence may turn a near tie, since matrix products round differently; such an answer
    must have the log-probability of the offline one, within 0.01 a token.
    """
    translator = interlingua.load(model)
    sources = [answer.source for answer in answers]
    offline = translator.translate(sources, beam=1)
    other = [
        (answer, translation)
        for answer, translation in zip(answers, offline, strict=True)
        if answer.text != translation.text
    ]
    scores = list(translator.score_pairs([(answer.source, answer.text) for answer, _ in other]))
    wrong = 0
    for (_, translation), score in zip(other, scores, strict=True):
        margin = 0.01 * max(len(score.log_probs), len(translation.log_probs))
        wrong += score.log_prob < sum(translation.log_probs) - margin
    print(f"{len(other)} of {len(answers)} differ from offline, {wrong} of them worse", file=sys.stderr)
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
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def load(arguments: argparse.Namespace, sentences: list[str]) -> bool:
    """Many clients for some minutes, beside one client and offline translation."""
    before = offline_speed(arguments.model, sentences)
    service = Service(arguments.model)
    texts = distinct(sentences)
    one = await closed_loop(service, texts, 1, min(20, arguments.seconds))
    one_rate = len(one) / min(20, arguments.seconds)
    memory: list[float] = []

    async def watch() -> None:
        for _ in range(max(2, int(arguments.seconds // 60) + 1)):
            await asyncio.sleep(min(60, arguments.seconds * 0.45))
            memory.append(service.memory())

    watching = asyncio.create_task(watch())
    cpu, begun = own_cpu(), time.monotonic()
    answers = await closed_loop(service, texts, arguments.clients, arguments.seconds)
    seconds = time.monotonic() - begun
    share = (own_cpu() - cpu) / seconds
    watching.cancel()
    code = service.stop()
    after = offline_speed(arguments.model, sentences)
    offline = (before + after) / 2
    rate = len(answers) / seconds
    errors = sum(answer.status != 200 for answer in answers)
    wrong = mixed_up([answer for answer in answers if answer.status == 200], arguments.model)
    p50, p95, p99 = quantiles(answers)
    print(f"{arguments.clients} clients for {seconds:.0f} s, greedy, {len(sentences)} sentences\n")
    print("| | sentences/s | p50 ms | p95 ms | p99 ms | errors | mixed up |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    name = f"{arguments.clients} clients"
    print(f"| {name} | {rate:.0f} | {p50:.0f} | {p95:.0f} | {p99:.0f} | {errors} | {wrong} |")
    print("| one client | {:.0f} | {:.0f} | {:.0f} | {:.0f} | {} | |".format(
        one_rate, *quantiles(one), sum(answer.status != 200 for answer in one)))  # fmt: skip
    print(f"| offline, groups of 64 | {offline:.0f} | | | | | |\n")
    print(
        f"Start to the first answer: {service.seconds_to_start:.1f} s. Load generator: {share:.0%} of a core."
    )
    growth = memory[-1] / memory[0] - 1
    print("Memory in MB: " + ", ".join(f"{value:.0f}" for value in memory) + f" ({growth:+.1%})\n")
    print(f"served / offline: {rate / offline:.2f}; served / one at a time: {rate / one_rate:.1f}")
    good = rate >= 0.7 * offline and rate >= 4 * one_rate and growth <= 0.05
    return not errors and not wrong and code == 0 and good


async def overload(arguments: argparse.Namespace, sentences: list[str]) -> bool:
    """Four times the load that it can carry, then a light one."""
    deadline = 5.0
    service = Service(arguments.model, "--timeout", str(deadline), "--queue", "400")
    texts = distinct(sentences)
    capacity = len(await closed_loop(service, texts, 64, 15)) / 15
    rows = []
    for name, rate, seconds in (
        ("half", capacity / 2, 15.0),
        ("4 times", 4 * capacity, arguments.seconds),
        ("half again", capacity / 2, 15.0),
    ):  # fmt: skip
        cpu, begun = own_cpu(), time.monotonic()
        answers = await open_loop(service, texts, rate, seconds)
        spent = time.monotonic() - begun
        accepted = [answer for answer in answers if answer.status == 200]
        statuses = Counter(answer.status for answer in answers)
        print(name, dict(statuses), file=sys.stderr)
        late = sum(answer.seconds > deadline for answer in accepted)
        first = [answer for answer in answers if answer.at < answers[0].at + 1]
        rows.append((name, rate, len(accepted) / spent, statuses, quantiles(accepted), late, first,
                     (own_cpu() - cpu) / spent, service.memory()))  # fmt: skip
    code = service.stop()
    print(f"Capacity {capacity:.0f} sentences/s; deadline {deadline:.0f} s\n")
    print("| load | asked/s | answered/s | 200 | 503 | other | p50 ms | p99 ms | late | generator | MB |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
    good = code == 0
    for name, rate, served, statuses, (p50, _, p99), late, _, cpu, memory in rows:
        other = sum(statuses.values()) - statuses[200] - statuses[503]
        good &= not other and not late and (name == "4 times" or not statuses[503])
        counted = f"{statuses[200]} | {statuses[503]} | {other}"
        print(f"| {name} | {rate:.0f} | {served:.0f} | {counted} | {p50:.0f} | {p99:.0f} "
              f"| {late} | {cpu:.0%} | {memory:.0f} |")  # fmt: skip
    first = rows[2][6]
    print(f"\nFirst second after: {sum(answer.status == 200 for answer in first)} of {len(first)} answered")
    print(f"answered under 4 times the load / capacity: {rows[1][2] / capacity:.2f}")
    return good


async def hostile(arguments: argparse.Namespace, sentences: list[str]) -> bool:
    """Hundreds of hostile requests, beside an ordinary client."""
    service = Service(arguments.model)
    texts = distinct(sentences)
    await closed_loop(service, texts, 8, 5)
    before = service.memory()
    ordinary: list[Answer] = []
    stop = asyncio.Event()

    async def client() -> None:
        connection = Connection(service.port)
        while not stop.is_set():
            ordinary.append(await ask(connection, service, next(texts), time.monotonic()))
            await asyncio.sleep(0.02)

    beside = asyncio.create_task(client())
    counts: Counter[tuple[str, str]] = Counter()
    bad: list[str] = []
    places = asyncio.Semaphore(16)

    async def one(kind: str, chunks: list[bytes], wanted: str, pause: float) -> None:
        async with places:
            status, body = await raw(service.port, chunks, pause)
        fine = {
            "200": status == 200, "4xx": 400 <= status < 500 and b'"error"' in body,
            "any": status in (0, 200) or 400 <= status < 500, "broken": status in (0, 400, 431),
        }[wanted]  # fmt: skip
        counts[kind, str(status or "closed")] += 1
        if not fine:
            bad.append(f"{kind}: {status} {body[:100]!r}")

    tasks = [
        one(*each) for each in hostile_requests(service.source, service.target, sentences, random.Random(0))
    ]
    await asyncio.gather(*tasks)
    stop.set()
    await beside
    after = service.memory()
    alive = service.process.is_running() and [p.pid for p in service.process.children()]
    code = service.stop()
    print(f"{len(tasks)} hostile requests, 16 at a time, beside an ordinary client\n")
    print("| kind | answers |\n|---|---|")
    for kind, group in itertools.groupby(sorted(counts), key=lambda key: key[0]):
        print(f"| {kind} | " + ", ".join(f"{status}: {counts[kind, status]}" for _, status in group) + " |")
    harmed = sum(answer.status != 200 for answer in ordinary)
    print(
        f"\nOrdinary client: {len(ordinary)} requests, {harmed} failed, p99 {quantiles(ordinary)[2]:.0f} ms"
    )
    same = sorted(alive or []) == sorted(service.workers)
    print(f"Workers {'are the same' if same else 'died'}; memory {before:.0f} -> {after:.0f} MB")
    for line in bad[:20]:
        print(line, file=sys.stderr)
    print(f"wrongly answered / all: {len(bad)}/{len(tasks)}")
    return not bad and not harmed and same and code == 0 and after < 1.1 * before


async def raw(port: int, chunks: list[bytes], pause: float) -> tuple[int, bytes]:
    """Sends bytes and reads what comes back until the end of the answer or of the connection."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return 0, b""
    answer = b""
    try:
        reading = asyncio.create_task(reader.readuntil(b"\r\n\r\n"))
        for chunk in chunks:
            writer.write(chunk)
            await writer.drain()
            if pause:
                await asyncio.sleep(pause)
            if reading.done():
                break
        head = await asyncio.wait_for(reading, 60)
        length = head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]
        answer = head + (await reader.readexactly(int(length)) if length else b"")
    except asyncio.IncompleteReadError as error:
        answer = error.partial
    except OSError:
        pass
    finally:
        reading.cancel()
        writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    return (int(head.split()[1]) if head.startswith(b"HTTP/") else 0), body


async def strike_down(arguments: argparse.Namespace, sentences: list[str]) -> bool:
    """Sends kill -9 to a worker and then of the service, under load."""
    service = Service(arguments.model)
    texts = distinct(sentences)
    victim = service.workers[0]
    rate = 60.0
    loop = asyncio.get_running_loop()
    loop.call_later(5, os.kill, victim, signal.SIGKILL)
    first = await open_loop(service, texts, rate, 15)
    children = [child.pid for child in service.process.children()]
    replaced = victim not in children and len(children) == len(service.workers)

    again: list[Service] = []

    def restart() -> None:
        again.append(Service(arguments.model, port=service.port))

    def strike() -> None:
        os.kill(service.process.pid, signal.SIGKILL)
        service.process.wait()
        loop.run_in_executor(None, restart)

    loop.call_later(5, strike)
    second = await open_loop(service, texts, rate, 20)
    orphans = [pid for pid in children if psutil.pid_exists(pid)]
    code = again[0].stop()
    wrong = mixed_up([answer for answer in first + second if answer.status == 200], arguments.model)
    down = [answer.at for answer in second if answer.status != 200]
    print(f"{rate:.0f} requests a second\n\n| killed | 200 | 5xx | no answer | worst ms | mixed up |")
    print("|---|---:|---:|---:|---:|---:|")
    for name, answers in (("a worker", first), ("the service, started again", second)):
        statuses = Counter(answer.status for answer in answers)
        server = sum(count for status, count in statuses.items() if status >= 500)
        worst = max(1000 * answer.seconds for answer in answers if answer.status == 200)
        print(f"| {name} | {statuses[200]} | {server} | {statuses[0]} | {worst:.0f} | {wrong} |")
    gap = max(down) - min(down) if down else 0.0
    print(
        f"\nWorker {'replaced' if replaced else 'NOT replaced'}; orphans: {len(orphans)}; gap {gap:.1f} s\n"
    )
    lost = sum(answer.status != 200 for answer in first)
    print(f"requests lost with a worker / all: {lost}/{len(first)}")
    allowed = all(answer.status in (0, 200) or answer.status >= 500 for answer in second)
    return replaced and not orphans and not wrong and not lost and allowed and code == 0


SCENARIOS: dict[str, Callable[..., Any]] = {
    "load": load,
    "overload": overload,
    "hostile": hostile,
    "kill": strike_down,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scenario", choices=SCENARIOS)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--sentences", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--clients", type=int, default=64)
    arguments = parser.parse_args()
    lines = arguments.sentences.read_text(encoding="utf-8").splitlines()
    sentences = list(dict.fromkeys(line.partition("\t")[0] for line in lines if line.strip()))
    sys.exit(0 if asyncio.run(SCENARIOS[arguments.scenario](arguments, sentences)) else 1)


if __name__ == "__main__":
    main()
