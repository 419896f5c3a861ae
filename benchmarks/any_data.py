"""The defaults on any data, against recipes that are fixed beforehand.

    python benchmarks/any_data.py --data DIR --work DIR --minutes 5 [--tasks …] [--recipes …] [--seeds 1 2 3]

DIR holds a directory a data set (see TASKS; others are named by their directories, whose test file is
test.tsv), with train.tsv, a test file and perhaps valid.tsv. Each recipe
of RECIPES, and the default, which knows none of them, is trained for the same time on each task; copying the
source and looking it up in the training pairs stand beside them. What is done is kept in --work and not done
again, so that it runs in parts; --table prints what there is. --load 2 has two processes compute beside it
all the time. --cpu-time has the minutes be of computing instead of the clock's (with --threads 1), so that
other work on the machine does not decide who trains longer. The error is 100 - BLEU for sentences, else the
share of wrong sequences, and never below one item of the test set. "behind": how much larger the default's
error is than that of the best fixed recipe, which is known only afterwards; p: how often chance alone would
make such a difference (paired bootstrap). `--recipes default "no race"` tells what the race costs.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from interlingua.data.corpus import Corpus, CorpusSettings, Pair
from interlingua.evaluation.baselines import look_up
from interlingua.evaluation.metrics import metric_named
from interlingua.evaluation.references import choose_repeated
from interlingua.evaluation.scores import compare, evaluate


class Task(NamedTuple):
    """A data set, which of its columns are source and target, and what judges it."""

    directory: str
    columns: str = "1,2"
    test: str = "test.tsv"
    metric: str = "sequence_error"
    small: bool = False
    """Whether one seed says little: three are the rule."""


TASKS = {
    "multi30k en-de": Task("multi30k-en-de", test="test2016.tsv", metric="BLEU"),
    "multi30k de-en": Task("multi30k-en-de", "2,1", "test2016.tsv", "BLEU"),
    "tatoeba": Task("tatoeba-en-de", metric="BLEU"),
    "cmudict": Task("cmudict-g2p"),
    "french": Task("sigmorphon2020-g2p/fre", small=True),
    "hungarian": Task("sigmorphon2020-g2p/hun", small=True),
    "icelandic": Task("sigmorphon2020-g2p/ice", small=True),
    "scan simple": Task("scan-simple"),
    "scan length": Task("scan-length"),
    "old slovene": Task("histnorm-slovene"),
    "inflection deu": Task("inflection-deu", "1+3,2"),
    "inflection tgl": Task("inflection-tgl", "1+3,2", small=True),
}


def task_named(name: str) -> Task:
    """One of TASKS, or a data set of the same form."""
    return TASKS.get(name) or Task(name)


DEFAULT, NO_RACE = "default", "no race"

BY_CPU_TIME = """
import time
time.monotonic = time.perf_counter = time.process_time
from interlingua.cli.main import main
main()
"""
"""The command line, by another clock: what is measured of the machine, too."""


def tokenizers(kind: str, **settings: object) -> list[str]:
    """The options that choose the same kind of tokens for both sides."""
    values = {"source": kind, "target": kind, **settings}
    return [word for key, value in values.items() for word in ("--set", f"tokenizer.{key}={value}")]


RECIPES: dict[str, list[str]] = {
    DEFAULT: [],
    "subwords, mini": [*tokenizers("unigram"), "--preset", "mini"],
    "1,000 subwords, mini": [*tokenizers("unigram", vocabulary_size=1000), "--preset", "mini"],
    "characters, letters": [*tokenizers("characters"), "--preset", "letters"],
    "characters, lstm": [*tokenizers("characters"), "--preset", "lstm"],
    "words, letters": [*tokenizers("words"), "--preset", "letters"],
    "words, lstm": [*tokenizers("words"), "--preset", "lstm"],
    NO_RACE: ["--no-race"],
}

FIXED = [recipe for recipe in RECIPES if recipe != NO_RACE]


class Outcome(NamedTuple):
    """What one training came to."""

    task: str
    recipe: str
    seed: int
    outputs: list[str]
    steps: int
    chosen: str


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True, help="where outcomes are kept")
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--tasks", nargs="+", default=list(TASKS), help="of TASKS, or directories of --data")
    parser.add_argument("--recipes", nargs="+", choices=RECIPES, default=FIXED)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1], help="of small sets 1 2 3 as a rule")
    parser.add_argument("--threads", type=int, help="all cores when not given")
    parser.add_argument("--cpu-time", action="store_true", help="minutes of computing, not of the clock")
    parser.add_argument("--load", type=int, default=0, help="processes that compute beside it")
    parser.add_argument("--table", action="store_true", help="train nothing")
    options = parser.parse_args()
    if options.cpu_time and options.threads != 1:
        parser.error("--cpu-time goes with --threads 1: the threads' times are added up")
    for name in options.tasks:
        directory = options.data / task_named(name).directory
        if "/" in name or not all(
            (directory / file).is_file() for file in ("train.tsv", task_named(name).test)
        ):
            parser.error(f"no task of this name: {name} (there are {', '.join(TASKS)}, and directories of "
                         f"{options.data} with train.tsv and test.tsv)")  # fmt: skip
    options.work.mkdir(parents=True, exist_ok=True)
    if not options.table:
        with busy(options.load):
            for name in options.tasks:
                for seed in options.seeds:
                    for recipe in options.recipes:
                        train(name, recipe, seed, options)
    print_table(options.tasks, options.recipes, options.data, options.work)


@contextmanager
def busy(count: int) -> Iterator[None]:
    """Has so many processes compute."""
    processes = [multiprocessing.Process(target=compute, daemon=True) for _ in range(count)]
    for process in processes:
        process.start()
    try:
        yield
    finally:
        for process in processes:
            process.kill()


def compute() -> None:
    while True:
        math.sqrt(2)


def train(name: str, recipe: str, seed: int, options: argparse.Namespace) -> None:
    """Trains one model and keeps what it answers to the test set."""
    task, place = task_named(name), options.work / f"{name}, {recipe}, {seed}.json"
    if place.exists():
        return
    directory, model = options.data / task.directory, options.work / "model"
    arguments: list[object] = ["train", "--train", directory / "train.tsv", "--out", model, "--force"]
    arguments += ["--minutes", options.minutes, "--seed", seed, "--columns", task.columns, *RECIPES[recipe]]
    if (directory / "valid.tsv").exists():
        arguments += ["--valid", directory / "valid.tsv"]
    if options.threads:
        arguments += ["--threads", options.threads]
    began = time.monotonic()
    with (options.work / f"{name}, {recipe}, {seed}.log").open("w") as log:
        pairs = read(directory / task.test, task)
        try:
            interlingua(arguments, log, options.cpu_time)
        except subprocess.CalledProcessError:
            refused = Outcome(name, recipe, seed, [""] * len(pairs), 0, "refused: see the log")
            print(f"{name}, {recipe}, seed {seed}: refused, so all is wrong", flush=True)
            place.write_text(json.dumps(refused._asdict()), "utf-8")
            return
        texts = options.work / "sources.txt"
        sources = [pair.source for pair in pairs]
        texts.write_text("".join(f"{source}\n" for source in sources), "utf-8")
        outputs = interlingua(["translate", model, "--input", texts], log).split("\n")[:-1]
    assert len(outputs) == len(pairs)
    info = json.loads((model / "info.json").read_text("utf-8"))
    config = (model / "config.toml").read_text("utf-8")
    shutil.copy(model / "training" / "log.jsonl", place.with_suffix(".jsonl"))
    outcome = Outcome(name, recipe, seed, outputs, info["steps"], config)
    print(f"{name}, {recipe}, seed {seed}: error {error(outcome, pairs):.2f}, {info['steps']:,} steps, "
          f"{time.monotonic() - began:.0f} s", flush=True)  # fmt: skip
    place.write_text(json.dumps(outcome._asdict(), ensure_ascii=False), "utf-8")


def interlingua(arguments: list[object], log: Any, cpu_time: bool = False) -> str:
    """What a command prints, its messages in the log."""
    program = ["-c", BY_CPU_TIME] if cpu_time else ["-m", "interlingua"]
    command = [sys.executable, *program, *map(str, arguments)]
    print("$ interlingua", *arguments, file=log, flush=True)
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=log, encoding="utf-8").stdout


def read(file: Path, task: Task) -> list[Pair]:
    return list(Corpus([str(file)], CorpusSettings(columns=task.columns)))


def error(outcome: Outcome, pairs: Sequence[Pair]) -> float:
    """In percent, at least one item of the test set."""
    return error_of(outcome.outputs, pairs, task_named(outcome.task))


def error_of(outputs: Sequence[str], pairs: Sequence[Pair], task: Task) -> float:
    metrics, repeated = [metric_named(task.metric, "words")], choose_repeated(pairs)
    (score,) = evaluate(outputs, pairs, metrics=metrics, repeated=repeated, n_bootstrap=0)
    value = 100 - score.score if score.higher_is_better else score.score
    return max(value, 100 / len(pairs))


def print_table(names: Sequence[str], recipes: Sequence[str], data: Path, work: Path) -> None:
    fixed = [recipe for recipe in recipes if recipe != DEFAULT]
    row("error, %", *recipes, "copying", "look-up", "best fixed", "behind", "p")
    row("---", *["---:"] * (len(recipes) + 5))
    errors: dict[str, list[float]] = {recipe: [] for recipe in recipes}
    for name in names:
        task = task_named(name)
        directory = data / task.directory
        pairs, training = read(directory / task.test, task), read(directory / "train.tsv", task)
        found = {recipe: load(name, recipe, work) for recipe in recipes}
        means = {recipe: fmean(error(each, pairs) for each in outcomes)
                 for recipe, outcomes in found.items() if outcomes}  # fmt: skip
        copies = [pair.source.split("\t")[0] for pair in pairs]
        baselines = [error_of(outputs, pairs, task) for outputs in (copies, look_up(training, pairs))]
        best = min((recipe for recipe in fixed if recipe in means), key=means.__getitem__, default=None)
        cells = [f"{means[recipe]:.2f}" if recipe in means else "" for recipe in recipes]
        behind = chance = ""
        if best and DEFAULT in means:
            behind = f"{100 * (means[DEFAULT] / means[best] - 1):+.1f}%"
            chance = f"{paired(found[DEFAULT], found[best], pairs, task):.3f}"
        row(name, *cells, *(f"{value:.2f}" for value in baselines), best or "", behind, chance)
        if len(means) == len(recipes):
            for recipe, value in means.items():
                errors[recipe].append(value)
    if errors[recipes[0]]:
        means = {recipe: math.exp(fmean(map(math.log, values))) for recipe, values in errors.items()}
        row("geometric mean", *(f"{means[recipe]:.2f}" for recipe in recipes), *[""] * 5)


def load(name: str, recipe: str, work: Path) -> list[Outcome]:
    return [Outcome(**json.loads(place.read_text("utf-8")))
            for place in sorted(work.glob(f"{name}, {recipe}, *.json"))]  # fmt: skip


def paired(ours: Sequence[Outcome], theirs: Sequence[Outcome], pairs: Sequence[Pair], task: Task) -> float:
    """The mean over seeds of the chance that such a difference, on these test pairs, is none."""
    metric, repeated = metric_named(task.metric, "words"), choose_repeated(pairs)
    return fmean(
        compare(one.outputs, other.outputs, pairs, metrics=[metric], repeated=repeated)[0].p_value
        for one, other in zip(ours, theirs, strict=False)
    )


def row(*cells: object) -> None:
    print("|", " | ".join(map(str, cells)), "|", flush=True)


if __name__ == "__main__":
    main()
