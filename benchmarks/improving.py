"""Corrections of which a third is garbage, from the service that collects them to a model that learnt them.

    python benchmarks/improving.py MODEL --pairs PAIRS --test TEST --work DIR --minutes 10 [--old PAIRS]

A service of a copy of MODEL collects 300 corrections by its own API: 200 are pairs of PAIRS, drawn by chance,
100 are what nobody can have meant (see GARBAGE). `interlingua improve` follows, while the service runs; what
it prints is shown, then the metric of the old and the new model on 500 other pairs of PAIRS, and on the test
set. With --all-garbage the 300 are garbage, and the model must stay as it is. It needs psutil.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from serving_client import Service

Pairs = list[tuple[str, str]]
Garbage = Callable[[str, str, random.Random], str]
"""From a source, a target and chance to what stands in the target's place."""


def shuffled(text: str, draw: random.Random) -> str:
    words = text.split()
    draw.shuffle(words)
    return " ".join(words)


GARBAGE: dict[str, Garbage] = {
    "the source again": lambda source, target, draw: source,
    "empty": lambda source, target, draw: " ",
    "keys hit by chance": lambda source, target, draw: "".join(draw.choices("asdfjklö", k=20)),
    "a word again and again": lambda source, target, draw: " ".join([target.split()[0]] * 30),
    "another script": lambda source, target, draw: "привет мир, как дела",
    "a remark": lambda source, target, draw: f"wrong!!! should be better {draw.randint(1, 99)}",
    "an address": lambda source, target, draw: f"https://spam.example/{draw.randint(1, 10**6)}",
    "words in any order": lambda source, target, draw: shuffled(target, draw),
    "the first word": lambda source, target, draw: target.split()[0],
    "far too long": lambda source, target, draw: " ".join([target] * 8),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path, metavar="MODEL")
    parser.add_argument("--pairs", type=Path, required=True, help="what the corrections teach")
    parser.add_argument("--test", type=Path, required=True, help="on which the model must be no worse")
    parser.add_argument("--old", type=Path, help="pairs to mix in; those the model was trained on")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--all-garbage", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    draw = random.Random(options.seed)
    pairs = read(options.pairs)
    draw.shuffle(pairs)
    corrections, others = pairs[: options.count], pairs[options.count :][:500]
    spoilt = options.count if options.all_garbage else options.count // 3
    kinds = [*GARBAGE] * (spoilt // len(GARBAGE) + 1)
    lines = [(source, GARBAGE[kind](source, target, draw))
             for kind, (source, target) in zip(kinds, corrections[:spoilt], strict=False)]  # fmt: skip
    lines += corrections[spoilt:]
    draw.shuffle(lines)

    options.work.mkdir(parents=True)
    model, collected = options.work / "model", options.work / "corrections"
    shutil.copytree(options.model, model)
    other_pairs = options.work / "others.tsv"
    other_pairs.write_text("".join(f"{source}\t{target}\n" for source, target in others), encoding="utf-8")
    service = Service(model, "--workers", 1, "--corrections", collected)
    statuses = Counter(post(service, source, target) for source, target in lines)
    print(f"{len(lines)} corrections posted, {spoilt} of them garbage; answers: {dict(statuses)}", flush=True)
    mix = ["--mix", options.old] if options.old else []
    done = run("improve", model, "--test", options.test, "--corrections", collected,
               "--minutes", options.minutes, "--seed", options.seed, *mix)  # fmt: skip
    print(f"improve ended with exit code {done}", flush=True)
    if not done:
        previous = model / "improvements" / "previous"
        run("evaluate", model, "--against", previous, other_pairs, options.test)
    print("the service loaded", sum(line["event"] == "reloaded" for line in service.lines()), "other model")
    print(f"the service ended with exit code {service.stop()}")


def read(path: Path) -> Pairs:
    """(source, target) of each line."""
    lines = path.read_text("utf-8").split("\n")
    return [(source, target) for source, _, target in (line.partition("\t") for line in lines if line)]


def post(service: Service, source: str, translation: str) -> int:
    """The status of the answer to a correction."""
    body = {"q": source, "translation": translation, "source": service.source, "target": service.target}
    request = urllib.request.Request(
        f"http://127.0.0.1:{service.port}/v1/corrections", json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )  # fmt: skip
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def run(*arguments: object) -> int:
    """The exit code of a command, whose output is shown."""
    return subprocess.run([sys.executable, "-m", "interlingua", *map(str, arguments)], check=False).returncode


if __name__ == "__main__":
    main()
