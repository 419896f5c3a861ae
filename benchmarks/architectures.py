"""The story in figures: no attention, attention, the Transformer, at equal minutes and about equal sizes.

    python benchmarks/architectures.py --data DIR --out DIR [--minutes 8] [--results benchmarks/results]

DIR of --data holds multi30k-en-de and cmudict-g2p. Every model of a task is as wide as gives it about as many
parameters as the Transformer that the defaults choose there; all else is the defaults. Those that lie in
--out already are not trained again; --train-only trains those of one task, so that each core of a machine can
have a process of its own (under `taskset`). Writes architectures.md and architectures.svg to --results (which
needs matplotlib), prints the table, and as its last line how much faster the Transformer trains than the LSTM
with additive attention.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import torch

import interlingua
from interlingua.evaluation import Metric, evaluate
from interlingua.evaluation.metrics import metric_named
from interlingua.model.presets import PRESETS, build_model

MODELS = {
    "Transformer": ("", ""),
    "LSTM, no attention": ("lstm", "none"),
    "RNN, multiplicative attention": ("rnn", "multiplicative"),
    "GRU, multiplicative attention": ("gru", "multiplicative"),
    "LSTM, additive attention": ("lstm", "additive"),
    "LSTM, multiplicative attention": ("lstm", "multiplicative"),
}


class Task(NamedTuple):
    """A data set, its metric, and its classes of source length in words or letters."""

    directory: str
    test: str
    metric: str
    lengths: tuple[int, ...]


TASKS = {
    "Multi30k, English to German": Task("multi30k-en-de", "test2016.tsv", "BLEU", (0, 8, 11, 14, 18, 99)),
    "CMUdict, spelling to sounds": Task("cmudict-g2p", "test.tsv", "sequence_error", (0, 5, 7, 9, 11, 99)),
}


class Row(NamedTuple):
    """What one model came to."""

    parameters: int
    tokens_per_s: float
    steps: int
    score: float
    by_length: list[float]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=8)
    parser.add_argument("--train-only", choices=[task.directory for task in TASKS.values()])
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    chosen = [task for task in TASKS.values() if options.train_only in (None, task.directory)]
    for task in chosen:
        for name in MODELS:
            run = directory(options.out, task, name)
            if not (run / "info.json").exists():
                width = equal_width(*MODELS[name], directory(options.out, task, "Transformer"))
                train(run, options.data / task.directory, name, width, options.minutes)
    if options.train_only:
        return
    found: dict[str, dict[str, Row]] = {}
    for title, task in TASKS.items():
        test = options.data / task.directory / task.test
        found[title] = {name: look(directory(options.out, task, name), test, task) for name in MODELS}
    text = "\n".join(table(title, TASKS[title], rows) for title, rows in found.items())
    (options.results / "architectures.md").write_text(text)
    plot(found, options.results / "architectures.svg")
    speeds = next(iter(found.values()))
    ratio = speeds["Transformer"].tokens_per_s / speeds["LSTM, additive attention"].tokens_per_s
    print(f"{text}\nthe Transformer trains {ratio:.1f} times as fast as the LSTM with additive attention")


def directory(out: Path, task: Task, name: str) -> Path:
    return out / f"{task.directory} {name}".replace(" ", "-").replace(",", "")


def equal_width(preset: str, attention: str, transformer: Path) -> int:
    """The width that gives a recurrent model as many parameters as a trained Transformer has."""
    if not preset:
        return 0
    info = json.loads((transformer / "info.json").read_text())

    def distance(width: int) -> int:
        sizes = PRESETS[preset].model_copy(update={"attention": attention, "dim": width})
        with torch.device("meta"):
            model = build_model(sizes, *info["vocabulary"], shared=(transformer / "joint.json").exists())
        return abs(sum(each.numel() for each in model.parameters()) - int(info["parameters"]))

    return min(range(32, 1024, 8), key=distance)


def train(run: Path, data: Path, name: str, width: int, minutes: float) -> None:
    run.parent.mkdir(parents=True, exist_ok=True)
    command: list[Any] = [sys.executable, "-m", "interlingua", "train", "--train", data / "train.tsv",
                          "--valid", data / "valid.tsv", "--out", run, "--minutes", minutes,
                          "--force"]  # fmt: skip
    preset, attention = MODELS[name]
    if preset:
        command += [
            "--preset",
            preset,
            "--set",
            f"model.attention={attention}",
            "--set",
            f"model.dim={width}",
        ]
    with run.with_name(f"{run.name}.log").open("w") as log:
        subprocess.run(list(map(str, command)), check=True, stdout=log, stderr=subprocess.STDOUT)


def look(run: Path, test: Path, task: Task) -> Row:
    """Scores one model on the test set, whole and by the length of the source."""
    info = json.loads((run / "info.json").read_text())
    records = [json.loads(line) for line in (run / "training" / "log.jsonl").read_text().splitlines()]
    speeds = [each["target_tokens_per_s"] for each in records if each["event"] == "progress"]
    pairs = [tuple(line.split("\t")) for line in test.read_text(encoding="utf-8").splitlines()]
    outputs = [each.text for each in interlingua.load(run).translate([source for source, _ in pairs])]
    metric = (
        metric_named(task.metric, "words") if task.metric == "sequence_error" else metric_named(task.metric)
    )

    def score(numbers: list[int]) -> float:
        chosen: list[Metric] = [metric]
        return evaluate([outputs[i] for i in numbers], [pairs[i] for i in numbers], metrics=chosen,
                        n_bootstrap=0)[0].score  # fmt: skip

    def length(i: int) -> int:
        return len(pairs[i][0].split()) if task.metric == "BLEU" else len(pairs[i][0].replace(" ", ""))

    classes = [[i for i in range(len(pairs)) if low <= length(i) < high]
               for low, high in zip(task.lengths, task.lengths[1:], strict=False)]  # fmt: skip
    return Row(info["parameters"], statistics.median(speeds), info["steps"], score(list(range(len(pairs)))),
               [score(numbers) for numbers in classes])  # fmt: skip


def bands(task: Task) -> list[str]:
    pairs = list(zip(task.lengths, task.lengths[1:], strict=False))
    return [
        f"< {high}" if not low else f"{low}+" if high == 99 else f"{low} to {high - 1}" for low, high in pairs
    ]


def table(title: str, task: Task, rows: dict[str, Row]) -> str:
    unit = "words" if task.metric == "BLEU" else "letters"
    heads = ["model", "parameters", "target tokens/s", "updates", task.metric,
             *(f"{band} {unit}" for band in bands(task))]  # fmt: skip
    lines = [f"### {title}\n", f"| {' | '.join(heads)} |", "|---|" + "---:|" * (len(heads) - 1)]
    for name, row in rows.items():
        cells = [f"{row.parameters:,}", f"{row.tokens_per_s:,.0f}", f"{row.steps:,}", f"{row.score:.2f}"]
        cells += [f"{score:.1f}" for score in row.by_length]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def plot(found: dict[str, dict[str, Row]], path: Path) -> None:
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(found), figsize=(11, 4.8), layout="constrained")
    for axis, (title, rows) in zip(axes, found.items(), strict=True):
        task = TASKS[title]
        for name, row in rows.items():
            width = 2.5 if name == "Transformer" else 1.2
            axis.plot(bands(task), row.by_length, marker="o", label=name, linewidth=width)
        axis.set_title(title)
        axis.set_xlabel("source length, " + ("words" if task.metric == "BLEU" else "letters"))
        axis.set_ylabel("BLEU" if task.metric == "BLEU" else "words wrong, %")
        axis.grid(alpha=0.3)
    figure.legend(*axes[0].get_legend_handles_labels(), fontsize="small", loc="outside lower center", ncols=3)
    figure.savefig(path)


if __name__ == "__main__":
    main()
