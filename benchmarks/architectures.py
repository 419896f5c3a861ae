"""The story in figures: no attention, attention, the Transformer, at equal minutes and about equal sizes.

    python benchmarks/architectures.py --data DIR --out DIR [--minutes 8] [--results benchmarks/results]
    python benchmarks/architectures.py --speed-only

DIR of --data holds multi30k-en-de and cmudict-g2p. Every model of a task is as wide as gives it about as many
parameters as the Transformer that the defaults choose there; all else is the defaults. Those that lie in
--out already are not trained again; --train-only trains those of one task, so that each core of a machine can
have a process of its own (under `taskset`). Speed against length is of pairs of random pieces, without an
optimizer, the models taking turns. Writes architectures.md, architectures_speed.md and architectures.svg to
--results (which needs matplotlib), prints the tables, and as its last line how much slower than
the Transformer an LSTM that goes token by token learns from one long pair.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import torch

import interlingua
from interlingua.data.batch import Batch, batch_of, make_source
from interlingua.data.reading import read_lines
from interlingua.engine.device import choose_dtype
from interlingua.evaluation.metrics import Metric, metric_named
from interlingua.evaluation.scores import evaluate
from interlingua.kinds import SPECIALS
from interlingua.model.architectures import build_model
from interlingua.model.presets import PRESETS
from interlingua.training.loop import Learner
from interlingua.training.objective import CrossEntropy
from interlingua.training.settings import TrainingSettings

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


LENGTHS = (16, 64, 256, 512)
ONE_PAIR = "one pair"
AT_ONCE = 2048
"""Target tokens of a large batch."""
SPEED_MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "Transformer": ("mini", {}),
    "LSTM, multiplicative attention": ("lstm", {"attention": "multiplicative"}),
    "LSTM, token by token": ("lstm", {"attention": "multiplicative", "input_feeding": True}),
}
"""The last reads what it attended to a token earlier (Luong et al. 2015, 3.3), so no kernel can take all."""
VOCABULARY = 8_000


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
    parser.add_argument("--data", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--minutes", type=float, default=8)
    parser.add_argument("--speed-only", action="store_true")
    parser.add_argument("--train-only", choices=[task.directory for task in TASKS.values()])
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    if not options.speed_only and not (options.data and options.out):
        parser.error("--data and --out are needed, or --speed-only")
    if not options.train_only:
        speeds = speed_by_length()
        speed_text = speed_table(speeds)
        (options.results / "architectures_speed.md").write_text(speed_text)
        longest = [figures[-1] for figures in speeds[ONE_PAIR].values()]
        last_line = (
            f"one pair of {LENGTHS[-1]} tokens, token by token: {longest[0] / longest[-1]:.1f} times as slow"
        )
        if options.speed_only:
            print(f"{speed_text}\n{last_line}")
            return
    chosen = [task for task in TASKS.values() if options.train_only in (None, task.directory)]
    for task in chosen:
        for name in MODELS:
            run = directory(options.out, task, name)
            if not (run / "info.json").exists():
                transformer = directory(options.out, task, "Transformer")
                width = equal_width_as(transformer, *MODELS[name])
                train(run, options.data / task.directory, name, width, options.minutes)
    if options.train_only:
        return
    found: dict[str, dict[str, Row]] = {}
    for title, task in TASKS.items():
        test = options.data / task.directory / task.test
        found[title] = {name: look(directory(options.out, task, name), test, task) for name in MODELS}
    text = "\n".join(table(title, TASKS[title], rows) for title, rows in found.items())
    (options.results / "architectures.md").write_text(text)
    plot(found, speeds[ONE_PAIR], options.results / "architectures.svg")
    print(f"{text}\n{speed_text}\n{last_line}")


def directory(out: Path, task: Task, name: str) -> Path:
    return out / f"{task.directory} {name}".replace(" ", "-").replace(",", "")


def equal_width_as(transformer: Path, preset: str, attention: str) -> int:
    """The width that gives a recurrent model as many parameters as a trained Transformer has."""
    if not preset:
        return 0
    info = json.loads((transformer / "info.json").read_text())
    shared = (transformer / "joint.json").exists()
    return equal_width(preset, {"attention": attention}, info["parameters"], info["vocabulary"], shared)


def equal_width(
    preset: str, settings: dict[str, Any], parameters: int, vocabulary: list[int], shared: bool
) -> int:
    """The width that gives a recurrent model about so many parameters."""

    def distance(width: int) -> int:
        sizes = PRESETS[preset].model_copy(update={**settings, "dim": width})
        with torch.device("meta"):
            model = build_model(sizes, *vocabulary, shared=shared)
        return abs(sum(each.numel() for each in model.parameters()) - parameters)

    return min(range(32, 1024, 8), key=distance)


def speed_by_length() -> dict[str, dict[str, list[float]]]:
    """Target tokens a second of a forward and backward pass, by what is taken at once, model and LENGTHS."""
    learners: dict[str, Learner] = {}
    for name, (preset, settings) in SPEED_MODELS.items():
        sizes = PRESETS[preset].model_copy(update=settings)
        if learners:
            parameters = next(iter(learners.values())).weights.master.numel()
            width = equal_width(preset, settings, parameters, [VOCABULARY] * 2, shared=True)
            sizes = sizes.model_copy(update={"dim": width})
        model = build_model(sizes, VOCABULARY, VOCABULARY, shared=True)
        learners[name] = Learner(model.train(), TrainingSettings(), choose_dtype("auto", torch.device("cpu")))
    random = torch.Generator().manual_seed(1)
    speeds: dict[str, dict[str, list[float]]] = {ONE_PAIR: {}, f"{AT_ONCE:,} tokens": {}}
    for taken in speeds:
        for length in LENGTHS:
            pairs = 1 if taken == ONE_PAIR else AT_ONCE // length
            rows = torch.randint(len(SPECIALS), VOCABULARY, (pairs, length - 1), generator=random).numpy()
            batch = batch_of(make_source(list(rows), "text"), list(rows))
            turns = [{name: pass_speed(learner, batch) for name, learner in learners.items()}
                     for _ in range(9)]  # fmt: skip
            for name in learners:
                median = statistics.median(turn[name] for turn in turns[2:])
                speeds[taken].setdefault(name, []).append(median)
    return speeds


def pass_speed(learner: Learner, batch: Batch) -> float:
    """Target tokens a second of one forward and backward pass."""
    started = time.perf_counter()
    loss = CrossEntropy(smoothing=0.1)(learner.model, batch)
    loss.sums["loss"].backward()
    learner.weights.collect_gradient()
    return batch.target_tokens / (time.perf_counter() - started)


def speed_table(speeds: dict[str, dict[str, list[float]]]) -> str:
    """A part for one pair at a time, and one for large batches."""
    lines = []
    for taken, rows in speeds.items():
        lines += [f"### {taken} at a time, target tokens/s\n",
                  "| model | " + " | ".join(f"length {length:,}" for length in LENGTHS) + " |",
                  "|---|" + "---:|" * len(LENGTHS)]  # fmt: skip
        lines += [f"| {name} | {' | '.join(f'{each:,.0f}' for each in row)} |" for name, row in rows.items()]
        lines.append("")
    return "\n".join([*lines, f"torch {torch.__version__}, {torch.get_num_threads()} threads\n"])


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
    records = [json.loads(line) for line in read_lines(run / "training" / "log.jsonl")]
    speeds = [each["target_tokens_per_s"] for each in records if each["event"] == "progress"]
    pairs = [tuple(line.split("\t")) for line in read_lines(test)]
    outputs = [each.text for each in interlingua.load(run).translate([source for source, _ in pairs])]
    metric = (
        metric_named(task.metric, "words") if task.metric == "sequence_error" else metric_named(task.metric)
    )

    def score(numbers: list[int]) -> float:
        chosen: list[Metric] = [metric]
        repeated = "cases" if task.metric == "BLEU" else "references"
        return evaluate([outputs[i] for i in numbers], [pairs[i] for i in numbers], metrics=chosen,
                        repeated=repeated, n_bootstrap=0)[0].score  # fmt: skip

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


def plot(found: dict[str, dict[str, Row]], speeds: dict[str, list[float]], path: Path) -> None:
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(found) + 1, figsize=(15, 4.8), layout="constrained")
    for axis, (title, rows) in zip(axes, found.items(), strict=False):
        task = TASKS[title]
        for name, row in rows.items():
            axis.plot(bands(task), row.by_length, marker="o", label=name, linewidth=line_width(name))
        axis.set_title(title)
        axis.set_xlabel("source length, " + ("words" if task.metric == "BLEU" else "letters"))
        axis.set_ylabel("BLEU" if task.metric == "BLEU" else "words wrong, %")
    for name, figures in speeds.items():
        axes[-1].loglog(LENGTHS, figures, marker="o", label=name, linewidth=line_width(name))
    axes[-1].set_title("Learning from one pair at a time")
    axes[-1].set_xlabel("length, tokens")
    axes[-1].set_ylabel("target tokens/s")
    axes[-1].set_xticks(LENGTHS, labels=LENGTHS)
    axes[-1].legend(fontsize="small")
    for axis in axes:
        axis.grid(alpha=0.3)
    figure.legend(*axes[0].get_legend_handles_labels(), fontsize="small", loc="outside lower center", ncols=3)
    figure.savefig(path)


def line_width(model: str) -> float:
    return 2.5 if model == "Transformer" else 1.2


if __name__ == "__main__":
    main()
