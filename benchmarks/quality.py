"""Quality after a number of minutes, with the defaults alone: what the README's commands give.

    python benchmarks/quality.py --data DIR TASK...      # see --help for the tasks; each takes its minutes

DIR holds a directory a data set, with train.tsv, test files and perhaps valid.tsv. Each task is trained with
`interlingua train --minutes` (and --preset, for the LSTM's), which chooses everything else from the data and
the weights by validation, and evaluated once on its test set with `interlingua evaluate`. Prints a table with
a row a seed and one for their mean; its last line is the last figure. Multi30k's 60 minutes also give the
"multi-bleu" of papers on that data: lower-cased, split by Moses' tokenizer (needs sacremoses).
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from interlingua.data.reading import read_lines


class Task(NamedTuple):
    """A data set, a budget, and what is to be reached: the figure, if there is one."""

    directory: str
    test: str
    minutes: float
    metric: str
    target: float | None
    preset: str = ""


def pronunciation(language: str, target: float, preset: str = "") -> Task:
    """A language of SIGMORPHON 2020's first task."""
    return Task(f"sigmorphon2020-g2p/{language}", "test.tsv", 10, "sequence_error", target, preset)


MULTI_BLEU = "multi-bleu"
TASKS = {
    "multi30k-10": Task("multi30k-en-de", "test2016.tsv", 10, "BLEU", 34.5),
    "multi30k-25": Task("multi30k-en-de", "test2016.tsv", 25, "BLEU", 37.5),
    "multi30k-60": Task("multi30k-en-de", "test2016.tsv", 60, MULTI_BLEU, 41.0),
    "cmudict-6": Task("cmudict-g2p", "test.tsv", 6, "sequence_error", 40.0),
    "cmudict-45": Task("cmudict-g2p", "test.tsv", 45, "sequence_error", 27.0),
    "cmudict-60": Task("cmudict-g2p", "test.tsv", 60, "sequence_error", 23.0),
    # Published figures and a point, for the LSTM two (Gorman et al. 2020).
    "french-10": pronunciation("fre", 7.89),
    "hungarian-10": pronunciation("hun", 6.33),
    "icelandic-10": pronunciation("ice", 11.22),
    "french-lstm-10": pronunciation("fre", 8.22, "lstm"),
    "hungarian-lstm-10": pronunciation("hun", 7.33, "lstm"),
    "icelandic-lstm-10": pronunciation("ice", 12.00, "lstm"),
    "scan-simple-10": Task("scan-simple", "test.tsv", 10, "sequence_error", 1.0),
    "scan-length-10": Task("scan-length", "test.tsv", 10, "sequence_error", None),
    "tatoeba-25": Task("tatoeba-en-de", "test.tsv", 25, "BLEU", None),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tasks", nargs="+", choices=TASKS, metavar="TASK", help=", ".join(TASKS))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, help="where the models stay; otherwise they are removed")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--threads", type=int, help="all cores when not given")
    options = parser.parse_args()
    if any(TASKS[name].metric == MULTI_BLEU for name in options.tasks) and not find_spec("sacremoses"):
        parser.error(f"{MULTI_BLEU} needs: pip install sacremoses")  # before the hour, not after it
    row(
        "task", "seed", "minutes", "metric", "score", "to reach", "95% interval", "beside it", "steps", "took"
    )
    row("---", *["---:"] * 9)
    with tempfile.TemporaryDirectory() as scratch:
        out = options.out or Path(scratch)
        for name in options.tasks:
            scores = [run(name, options.data, out, seed, options.threads) for seed in options.seeds]
            mean, task = statistics.mean(scores), TASKS[name]
            if len(scores) > 1:
                row(name, "mean", task.minutes, task.metric, f"{mean:.2f}", task.target or "", "", "", "", "")
    print(f"\n{task.metric}: {mean:.2f}")


def run(name: str, data: Path, out: Path, seed: int, threads: int | None) -> float:
    """Trains and evaluates one model; prints its row and returns its score."""
    task = TASKS[name]
    directory, model = data / task.directory, out / f"{name}-seed{seed}"
    train: list[object] = [
        "train",
        "--train",
        directory / "train.tsv",
        "--out",
        model,
        "--minutes",
        task.minutes,
    ]
    train += ["--seed", seed]
    if (directory / "valid.tsv").exists():
        train += ["--valid", directory / "valid.tsv"]
    if task.preset:
        train += ["--preset", task.preset]
    if threads:
        train += ["--set", f"training.threads={threads}"]
    out.mkdir(parents=True, exist_ok=True)
    with (out / f"{name}-seed{seed}.log").open("w") as log:
        interlingua(train, log)
        repeated = ("--repeated", "cases" if task.metric in ("BLEU", MULTI_BLEU) else "references")
        found = json.loads(interlingua(["evaluate", model, directory / task.test, "--json", *repeated], log))
        if task.metric == MULTI_BLEU:
            found.insert(0, multi_bleu(model, directory / task.test, log))
    score = next(score for score in found if score["name"] == task.metric)
    beside = ", ".join(f"{other['name']} {other['score']:.2f}" for other in found if other is not score)
    info = json.loads((model / "info.json").read_text())
    bounds = [score[bound] for bound in ("confidence_low", "confidence_high") if bound in score]
    interval = " to ".join(f"{bound:.2f}" for bound in bounds)
    row(name, seed, task.minutes, task.metric, f"{score['score']:.2f}", task.target or "", interval, beside,
        f"{info['steps']:,}", f"{info['elapsed_s'] / 60:.1f} min")  # fmt: skip
    return float(score["score"])


def row(*cells: object) -> None:
    print("|", " | ".join(map(str, cells)), "|", flush=True)


def multi_bleu(model: Path, test: Path, log: Any) -> dict[str, Any]:
    """BLEU of lower-cased text split by Moses' tokenizer for German, as Moses' multi-bleu.perl counts it."""
    from sacrebleu.metrics import BLEU
    from sacremoses import MosesTokenizer

    sources, references = zip(*(line.split("\t") for line in read_lines(test)), strict=True)
    with tempfile.TemporaryDirectory() as scratch:
        texts = Path(scratch, "sources.txt")
        texts.write_text("\n".join(sources) + "\n", "utf-8")
        interlingua(["translate", model, "--input", texts, "--output", Path(scratch, "outputs.txt")], log)
        outputs = list(read_lines(Path(scratch, "outputs.txt")))
    tokenizer = MosesTokenizer("de")
    sides = [[tokenizer.tokenize(text.lower(), escape=False, return_str=True) for text in side]
             for side in (outputs, references)]  # fmt: skip
    bleu = BLEU(tokenize="none", smooth_method="none", force=True)
    return {"name": MULTI_BLEU, "score": bleu.corpus_score(sides[0], [sides[1]]).score}


def interlingua(arguments: list[object], log: Any) -> str:
    command = [sys.executable, "-m", "interlingua", *map(str, arguments)]
    print("$ interlingua", *arguments, file=log, flush=True)
    streams = subprocess.PIPE if "--json" in arguments else log
    return subprocess.run(command, check=True, stdout=streams, stderr=log, text=True).stdout or ""


if __name__ == "__main__":
    main()
