"""What a service does under load: speed, overload, hostile requests, kills.

    python benchmarks/serving.py load --model runs/en-de --sentences FILE [--seconds 300] [--clients 64]
    python benchmarks/serving.py workers --model runs/en-de --sentences FILE [--seconds 30] [--clients 64]
    python benchmarks/serving.py engines --model runs/en-de --sentences FILE [--seconds 30] [--clients 64]
    python benchmarks/serving.py overload --model runs/en-de --sentences FILE [--seconds 60]
    python benchmarks/serving.py hostile --model runs/en-de --sentences FILE
    python benchmarks/serving.py kill --model runs/en-de --sentences FILE

FILE holds source sentences, one a line (or pairs, with a tab); MODEL says its languages. Each scenario starts
the service itself, greedy, on this machine's loopback, and talks to it from this process: the service and its
workers are others. It needs psutil. The table and the promises, each with what was measured and whether it
was kept, go to standard output and to --results/serving_SCENARIO.md, remarks to standard error; the exit code
is 1 when a promise is broken. Nothing else should run meanwhile.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import psutil
from serving_client import (
    Answer,
    Service,
    closed_loop,
    distinct,
    mixed_up,
    offline_speed,
    open_loop,
    own_cpu,
    post,
    quantiles,
    raw,
)
from serving_hostile import requests as hostile_requests

from interlingua.data.reading import read_lines

DEADLINE_S = 5.0
ENGINES = [("interlingua", "fp32"), ("interlingua", "bf16"), ("ctranslate2", "fp32"), ("ctranslate2", "int8")]


class Promise(NamedTuple):
    """What a service is to keep."""

    what: str
    measured: str
    kept: bool


Outcome = tuple[list[str], list[Promise]]
"""Lines of Markdown, and the promises."""


def clean_exit(code: int) -> Promise:
    return Promise("exit code 0 on SIGTERM", str(code), code == 0)


async def load(arguments: argparse.Namespace, sentences: list[str]) -> Outcome:
    """Many clients for some minutes, beside one client and offline translation."""
    seconds, clients = arguments.seconds or 300, arguments.clients
    sample = sentences[:4000]
    before = offline_speed(arguments.model, sample)
    service = Service(arguments.model)
    texts = distinct(sentences)
    one = await closed_loop(service, texts, 1, min(20, seconds))
    one_rate = len(one) / min(20, seconds)
    minutes: list[float] = []

    async def watch() -> None:
        while True:
            await asyncio.sleep(seconds / 5 - 5.2)
            some = []
            for _ in range(9):
                await asyncio.sleep(0.5)
                some.append(service.memory())
            minutes.append(sum(some) / len(some))
            await asyncio.sleep(0.5)

    watching = asyncio.create_task(watch())
    cpu, begun = own_cpu(), time.monotonic()
    answers = await closed_loop(service, texts, clients, seconds)
    spent = time.monotonic() - begun
    share = (own_cpu() - cpu) / spent
    watching.cancel()
    code = service.stop()
    offline = (before + offline_speed(arguments.model, sample)) / 2
    rate = len(answers) / spent
    errors = sum(answer.status != 200 for answer in answers)
    wrong = mixed_up(answers, arguments.model)
    growth = minutes[-1] / minutes[0] - 1
    table = [
        f"{clients} clients for {spent:.0f} s, greedy, {len(answers)} distinct sentences", "",
        "| | sentences/s | p50 ms | p95 ms | p99 ms |", "|---|---:|---:|---:|---:|",
        "| {} clients | {:.0f} | {:.0f} | {:.0f} | {:.0f} |".format(clients, rate, *quantiles(answers)),
        "| one client | {:.0f} | {:.0f} | {:.0f} | {:.0f} |".format(one_rate, *quantiles(one)),
        f"| offline, groups of 64 in the order of arrival | {offline:.0f} | | | |", "",
        f"From start to ready: {service.seconds_to_start:.1f} s. Load generator: {share:.0%} of a core. "
        f"Memory in MB, each fifth: {', '.join(f'{each:.0f}' for each in minutes)}.",
    ]  # fmt: skip
    return table, [
        Promise("no errors", str(errors), not errors),
        Promise("no answer mixed up", str(wrong), not wrong),
        Promise("served / offline at least 0.7", f"{rate / offline:.2f}", rate >= 0.7 * offline),
        Promise("served / one at a time at least 4", f"{rate / one_rate:.1f}", rate >= 4 * one_rate),
        Promise("memory of the last fifth within 5% of the first", f"{growth:+.1%}", growth <= 0.05),
        clean_exit(code),
    ]


class Turns(NamedTuple):
    """What came of services that were started one after the other, forwards and backwards."""

    rates: dict[str, list[float]]
    """Sentences a second in each round, by name."""
    answers: list[Answer]
    exit_code: int

    @property
    def promises(self) -> list[Promise]:
        """What any service is to keep."""
        errors = sum(answer.status != 200 for answer in self.answers)
        return [Promise("no errors", str(errors), not errors), clean_exit(self.exit_code)]


async def in_turns(
    arguments: argparse.Namespace, sentences: list[str], options: dict[str, tuple[object, ...]]
) -> Turns:
    """Has a service with each of some options answer the same clients, for --seconds after a warm-up."""
    seconds, texts = arguments.seconds or 30, distinct(sentences)
    turns = Turns({name: [] for name in options}, [], 0)
    for name in (*options, *reversed(options)):
        service = Service(arguments.model, *options[name])
        await closed_loop(service, texts, arguments.clients, 5)
        answers = await closed_loop(service, texts, arguments.clients, seconds)
        turns = turns._replace(exit_code=max(turns.exit_code, abs(service.stop())))
        turns.rates[name].append(len(answers) / seconds)
        turns.answers.extend(answers)
    return turns


async def workers(arguments: argparse.Namespace, sentences: list[str]) -> Outcome:
    """As many worker processes as cores against one process, which decodes two batches side by side."""
    cores = os.cpu_count() or 1
    turns = await in_turns(arguments, sentences, {str(count): ("--workers", count) for count in (cores, 1)})
    ratio = sum(turns.rates[str(cores)]) / sum(turns.rates["1"])
    table = [
        f"{arguments.clients} clients, greedy, rounds of {arguments.seconds or 30:.0f} s in turns", "",
        "| worker processes | sentences/s, each round |", "|---|---:|",
        *(f"| {name} | {', '.join(f'{rate:.0f}' for rate in each)} |" for name, each in turns.rates.items()),
    ]  # fmt: skip
    return table, [
        Promise(f"{cores} processes as fast as one, or faster", f"{ratio:.2f} times", ratio >= 1),
        *turns.promises,
    ]


async def engines(arguments: argparse.Namespace, sentences: list[str]) -> Outcome:
    """The same model served by our own engine and by CTranslate2."""
    options = {", ".join(each): ("--engine", each[0], "--precision", each[1]) for each in ENGINES}
    turns = await in_turns(arguments, sentences, options)
    means = {name: sum(each) / len(each) for name, each in turns.rates.items()}
    own = next(iter(means.values()))
    table = [
        f"{arguments.clients} clients, greedy, rounds of {arguments.seconds or 30:.0f} s in turns", "",
        "| engine | sentences/s, each round | times the first |", "|---|---:|---:|",
        *(f"| {name} | {', '.join(f'{rate:.0f}' for rate in each)} | {means[name] / own:.2f} |"
          for name, each in turns.rates.items()),
    ]  # fmt: skip
    return table, turns.promises


async def overload(arguments: argparse.Namespace, sentences: list[str]) -> Outcome:
    """Four times the load that it can carry, then a light one."""
    service = Service(arguments.model, "--timeout", DEADLINE_S, "--queue", 400)
    texts = distinct(sentences)
    capacity = len(await closed_loop(service, texts, 64, 15)) / 15
    table = [
        f"Capacity {capacity:.0f} sentences/s; deadline {DEADLINE_S:.0f} s", "",
        "| load | asked/s | done/s | 200 | 503 | other | p50 ms | p99 ms | late | generator | its lag | MB |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]  # fmt: skip
    found: dict[str, list[Answer]] = {}
    for name, rate, seconds in (
        ("half", capacity / 2, 15.0),
        ("4 times", 4 * capacity, float(arguments.seconds or 60)),
        ("half again", capacity / 2, 15.0),
    ):
        cpu, begun = own_cpu(), time.monotonic()
        found[name] = answers = await open_loop(service, texts, rate, seconds)
        spent = time.monotonic() - begun
        good = [answer for answer in answers if answer.status == 200]
        shed = sum(answer.status == 503 for answer in answers)
        p50, _, p99 = quantiles(good)
        *_, own = quantiles([each._replace(seconds=each.sent - each.at) for each in answers])
        table.append(
            f"| {name} | {rate:.0f} | {len(good) / spent:.0f} | {len(good)} | {shed} "
            f"| {len(answers) - len(good) - shed} | {p50:.0f} | {p99:.0f} | {late(good)} "
            f"| {(own_cpu() - cpu) / spent:.0%} | {own:.0f} | {service.memory():.0f} |"
        )
    code = service.stop()
    everything = [answer for answers in found.values() for answer in answers]
    light = [*found["half"], *found["half again"]]
    after = found["half again"]
    first = [answer for answer in after if answer.at < after[0].at + 1]
    answered = sum(answer.status == 200 for answer in first)
    other = sum(answer.status not in (200, 503) for answer in everything)
    shed = sum(answer.status == 503 for answer in light)
    return table, [
        Promise("only 200 and 503", f"{other} others", not other),
        Promise("no accepted request late", str(late(everything)), not late(everything)),
        Promise("nothing shed under half the load", str(shed), not shed),
        Promise("the first second after is answered", f"{answered} of {len(first)}", answered == len(first)),
        clean_exit(code),
    ]  # fmt: skip


def late(answers: list[Answer]) -> int:
    return sum(answer.status == 200 and answer.seconds > DEADLINE_S for answer in answers)


async def hostile(arguments: argparse.Namespace, sentences: list[str]) -> Outcome:
    """Hundreds of hostile requests, beside an ordinary client."""
    service = Service(arguments.model)
    texts = distinct(sentences)
    await closed_loop(service, texts, 64, 10)
    await asyncio.sleep(5)
    before = service.memory()
    beside = asyncio.create_task(closed_loop(service, texts, 1, 3600, pause=0.02))
    counts: Counter[tuple[str, str]] = Counter()
    bad: list[str] = []
    places = asyncio.Semaphore(16)

    async def one(kind: str, chunks: list[bytes], wanted: str, pause: float) -> None:
        async with places:
            status, body = await raw(service.port, chunks, pause, hang_up=wanted == "hang up")
        fine = {
            "200": status == 200, "4xx": 400 <= status < 500 and b'"error"' in body,
            "any": status in (0, 200) or 400 <= status < 500, "broken": status in (0, 400, 431),
            "200 or busy": status in (200, 503), "hang up": status == 0,
        }[wanted]  # fmt: skip
        counts[kind, str(status or "closed")] += 1
        if not fine:
            bad.append(f"{kind}: {status} {body[:100]!r}")

    begun = time.monotonic()
    draw = random.Random(0)
    tasks = [one(*each) for each in hostile_requests(service.source, service.target, sentences, draw)]
    await asyncio.gather(*tasks)
    spent = time.monotonic() - begun
    beside.cancel()
    ordinary = await beside
    await asyncio.sleep(5)
    growth = service.memory() / before - 1
    _, told = await raw(service.port, [b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"], 0.0)
    waiting = told.decode().partition("\ninterlingua_queue_sentences ")[2].partition("\n")[0]
    same = sorted(child.pid for child in service.process.children()) == sorted(service.workers)
    code = service.stop()
    print(*bad[:20], sep="\n", file=sys.stderr)
    table = [f"{len(tasks)} hostile requests, 16 at a time, for {spent:.0f} s, beside an ordinary client", ""]
    table += ["| kind | answers |", "|---|---|"]
    for kind, group in itertools.groupby(sorted(counts), key=lambda key: key[0]):
        table.append(
            f"| {kind} | " + ", ".join(f"{status}: {counts[kind, status]}" for _, status in group) + " |"
        )
    harmed = sum(answer.status != 200 for answer in ordinary)
    p50, _, p99 = quantiles(ordinary)
    table += ["", f"Ordinary client: {len(ordinary)} requests, p50 {p50:.0f} ms, p99 {p99:.0f} ms."]
    return table, [
        Promise("at least 500 requests", str(len(tasks)), len(tasks) >= 500),
        Promise("none wrongly answered", str(len(bad)), not bad),
        Promise("no request of the ordinary client failed", str(harmed), not harmed),
        Promise("its p99 below a second", f"{p99:.0f} ms", p99 < 1000),
        Promise("the same workers all the time", "yes" if same else "no", same),
        Promise("nothing waits in the end", waiting, waiting == "0.0"),
        Promise("memory grew by less than 5%", f"{growth:+.1%}", growth < 0.05),
        clean_exit(code),
    ]


async def kill(arguments: argparse.Namespace, sentences: list[str]) -> Outcome:
    """Sends kill -9 to a worker and then to the service, under load, while corrections are saved."""
    place = Path(tempfile.mkdtemp())
    keys, saved = place / "keys", place / "corrections"
    keys.write_text(f"{sha256(b'secret').hexdigest()}  -\n")
    content = keys.read_bytes()
    options = ("--api-keys", keys, "--corrections", saved)
    service = Service(arguments.model, *options, key="secret")
    texts, rate = distinct(sentences), arguments.rate
    loop = asyncio.get_running_loop()
    victim = service.workers[0]
    correcting = asyncio.create_task(correct(service))
    loop.call_later(5, os.kill, victim, signal.SIGKILL)
    first = await open_loop(service, texts, rate, 15)
    children = [child.pid for child in service.process.children()]
    replaced = victim not in children and len(children) == len(service.workers)
    restarting: list[asyncio.Future[Service]] = []

    def strike() -> None:
        os.kill(service.process.pid, signal.SIGKILL)
        service.process.wait()
        again = lambda: Service(arguments.model, *options, port=service.port, key="secret")  # noqa: E731
        restarting.append(loop.run_in_executor(None, again))

    loop.call_later(5, strike)
    second = await open_loop(service, texts, rate, 25)
    orphans = [pid for pid in children if psutil.pid_exists(pid)]
    correcting.cancel()
    acknowledged = await correcting
    again = await restarting[0]
    refused, _ = await raw(
        again.port, [post("/translate", {"q": "a", **again.fields(), "api_key": "guess"})], 0
    )
    code = again.stop()
    lines = (saved / f"{again.source}-{again.target}.tsv").read_bytes().decode().split("\n")
    whole = not lines.pop() and all(line.count("\t") == 1 for line in lines)
    missing = len(set(acknowledged) - set(lines))
    wrong = mixed_up(first + second, arguments.model)
    table = [
        f"{rate:.0f} requests a second, and corrections", "",
        "| killed | 200 | 5xx | no answer | worst ms |", "|---|---:|---:|---:|---:|",
    ]  # fmt: skip
    for name, answers in (("a worker", first), ("the service, started again", second)):
        statuses = Counter(answer.status for answer in answers)
        server = sum(count for status, count in statuses.items() if status >= 500)
        worst = max(1000 * answer.seconds for answer in answers if answer.status == 200)
        table.append(f"| {name} | {statuses[200]} | {server} | {statuses[0]} | {worst:.0f} |")
    down = [answer.at for answer in second if answer.status != 200]
    table += ["", f"From the first failure to the last: {max(down) - min(down):.1f} s."]
    lost = sum(answer.status != 200 for answer in first)
    allowed = all(answer.status in (0, 200) or answer.status >= 500 for answer in second)
    back = [answer for answer in second if answer.at > max(down)]
    return table, [
        Promise("the worker is replaced", "yes" if replaced else "no", replaced),
        Promise("no request lost with the worker", str(lost), not lost),
        Promise("with the service only refused or 5xx", "yes" if allowed else "no", allowed),
        Promise("all answered after that", f"{len(back)} answered", bool(back)),
        Promise("no worker left behind", str(len(orphans)), not orphans),
        Promise("no answer mixed up", str(wrong), not wrong),
        Promise("all corrections whole, none told of missing", f"{missing} of {len(acknowledged)} missing",
                whole and not missing and bool(acknowledged)),
        Promise("the keys as before, and asked for", f"{refused} without",
                keys.read_bytes() == content and refused == 403),
        clean_exit(code),
    ]  # fmt: skip


async def correct(service: Service) -> list[str]:
    """Saves corrections until cancelled; the lines of those that the service said are saved."""
    saved = []
    try:
        for number in itertools.count():
            text, better = f"sentence {number}", f"Satz {number} " + "x" * (number % 3000)
            fields = {"q": text, "translation": better, **service.fields()}
            status, _ = await raw(service.port, [post("/v1/corrections", fields)], 0)
            if status == 200:
                saved.append(f"{text}\t{better}".removesuffix(" "))
            await asyncio.sleep(0.02)
    except asyncio.CancelledError:
        pass
    return saved


SCENARIOS: dict[str, Callable[..., Any]] = {
    each.__name__: each for each in (load, workers, engines, overload, hostile, kill)
}


def verdict(promises: list[Promise]) -> Iterator[str]:
    yield from ("| promise | measured | kept |", "|---|---:|---|")
    yield from (
        f"| {each.what} | {each.measured} | {'yes' if each.kept else '**no**'} |" for each in promises
    )
    broken = sum(not each.kept for each in promises)
    yield from ("", f"broken promises / all: {broken}/{len(promises)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("scenario", choices=SCENARIOS)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--sentences", type=Path, required=True)
    parser.add_argument("--seconds", type=float, help="load: 300, workers and engines: 30, overload: 60")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--rate", type=float, default=60, help="kill: requests a second")
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results")
    arguments = parser.parse_args()
    lines = read_lines(arguments.sentences)
    sentences = list(dict.fromkeys(line.partition("\t")[0] for line in lines if line.strip()))
    table, promises = asyncio.run(SCENARIOS[arguments.scenario](arguments, sentences))
    text = "\n".join([*table, "", *verdict(promises)]) + "\n"
    arguments.results.mkdir(parents=True, exist_ok=True)
    (arguments.results / f"serving_{arguments.scenario}.md").write_text(text)
    print(text, end="")
    sys.exit(not all(each.kept for each in promises))


if __name__ == "__main__":
    main()
