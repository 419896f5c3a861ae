"""Quality after a number of minutes, with the defaults alone: what the README's commands give.

    python benchmarks/quality.py --data DIR TASK...      # see --help for the tasks; each takes its minutes

DIR holds a directory a data set, with train.tsv, test files and perhaps valid.tsv. Each task is trained with
`interlingua train --minutes`, which chooses everything else from the data and the weights by validation, and
evaluated once on its test set with `interlingua evaluate`. Prints a table; its last line is the last figure.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple


class Task(NamedTuple):
    """A data set, a budget, and what is to be reached."""

    directory: str
    test: str
    minutes: float
    metric: str
    target: float


TASKS = {
    "multi30k-10": Task("multi30k-en-de", "test2016.tsv", 10, "BLEU", 34.5),
    "multi30k-25": Task("multi30k-en-de", "test2016.tsv", 25, "BLEU", 37.5),
    "cmudict-6": Task("cmudict-g2p", "test.tsv", 6, "sequence_error", 40.0),
    "cmudict-45": Task("cmudict-g2p", "test.tsv", 45, "sequence_error", 27.0),
    "french-10": Task("sigmorphon2020-g2p/fre", "test.tsv", 10, "sequence_error", 9.0),
    "scan-simple-10": Task("scan-simple", "test.tsv", 10, "sequence_error", 1.0),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tasks", nargs="+", choices=TASKS, metavar="TASK", help=", ".join(TASKS))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, help="where the models stay; otherwise they are removed")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print("| task | minutes | metric | score | to reach | 95% interval | steps | minutes taken |")
    print("|---|---:|---|---:|---:|---|---:|---:|", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        for name in options.tasks:
            score = run(name, TASKS[name], options.data, options.out or Path(scratch), options.seed)
    print(f"\n{TASKS[name].metric}: {score:.2f}")


def run(name: str, task: Task, data: Path, out: Path, seed: int) -> float:
    directory, model = data / task.directory, out / f"{name}-seed{seed}"
    train = [
        "train",
        "--train",
        directory / "train.tsv",
        "--out",
        model,
        "--minutes",
        task.minutes,
        "--seed",
        seed,
    ]
    if (directory / "valid.tsv").exists():
        train += ["--valid", directory / "valid.tsv"]
    out.mkdir(parents=True, exist_ok=True)
    with (out / f"{name}-seed{seed}.log").open("w") as log:
        interlingua(train, log)
        found = json.loads(interlingua(["evaluate", model, directory / task.test, "--json"], log))
    score = next(score for score in found if score["name"] == task.metric)
    info = json.loads((model / "info.json").read_text())
    interval = f"{score['confidence_low']:.2f} to {score['confidence_high']:.2f}"
    print(
        f"| {name} | {task.minutes} | {task.metric} | {score['score']:.2f} | {task.target} | {interval} "
        f"| {info['steps']:,} | {info['elapsed_s'] / 60:.1f} |",
        flush=True,
    )
    return float(score["score"])


def interlingua(arguments: list[object], log: object) -> str:
    command = [sys.executable, "-m", "interlingua", *map(str, arguments)]
    print("$ interlingua", *arguments, file=log, flush=True)
    streams = subprocess.PIPE if "--json" in arguments else log
    return subprocess.run(command, check=True, stdout=streams, stderr=log, text=True).stdout or ""


if __name__ == "__main__":
    main()
