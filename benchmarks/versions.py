"""Text to text by two versions of this package: whether the later one has become slower, or worse.

    python benchmarks/versions.py DATA --before CHECKOUT --work DIR [--steps 300] [--rounds 3]

DATA holds train.tsv, valid.tsv and test.tsv (or --test); CHECKOUT is a checkout of the earlier version, the
later one is that of this script. Both train the same model with the same settings and updates on the same
data, in turns, and translate the test's sources, each by its own command line on one thread. Told are the
seconds of the processor that each took, whole processes, the median of the rounds, and the BLEU of what they
made.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from pathlib import Path

from sacrebleu.metrics.bleu import BLEU

HERE = Path(__file__).resolve().parents[1]
SETTINGS = {
    "training.learning_rate": 0.01, "training.validations": 1, "training.decode_pairs": 100,
    "training.choose_length_penalty": "false", "training.max_tokens": 2048, "model.dropout": 0.1,
    "training.precision": "fp32", "tokenizer.vocabulary_size": 4000,
}  # fmt: skip
"""What the defaults of versions may choose differently."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("--before", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--test", default="test.tsv")
    parser.add_argument("--preset", default="mini")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    pairs = [line.split("\t") for line in read_lines(options.data / options.test)]
    sources = options.work / "sources.txt"
    sources.write_text("".join(f"{source}\n" for source, _ in pairs), encoding="utf-8")
    sides = {"before": options.before.resolve(), "after": HERE}
    seconds: dict[str, dict[str, list[float]]] = {side: {} for side in sides}
    for _ in range(options.rounds):
        for side, checkout in sides.items():
            for what, command in commands(options, options.work / side, sources).items():
                took = run(checkout, command, options.work / f"{side}-{what}.log")
                seconds[side].setdefault(what, []).append(took)
    print("| | before | after | before / after |")
    print("|---|---:|---:|---:|")
    for what in seconds["before"]:
        before, after = (statistics.median(seconds[side][what]) for side in sides)
        print(f"| {what}, seconds | {before:.1f} | {after:.1f} | {before / after:.2f} |")
    outputs = {side: read_lines(options.work / f"{side}.txt") for side in sides}
    references = [[target for _, target in pairs]]
    scores = [BLEU().corpus_score(outputs[side], references).score for side in sides]
    print(f"| BLEU | {scores[0]:.2f} | {scores[1]:.2f} | |")
    same = sum(one == other for one, other in zip(*outputs.values(), strict=True))
    print(f"| equal translations | | {same} of {len(pairs)} | |")


def read_lines(path: Path) -> list[str]:
    return path.read_text("utf-8").removesuffix("\n").split("\n")


def commands(options: argparse.Namespace, model: Path, sources: Path) -> dict[str, list[object]]:
    settings = [word for name, value in SETTINGS.items() for word in ("--set", f"{name}={value}")]
    return {
        "training": [
            "train", "--train", options.data / "train.tsv", "--valid", options.data / "valid.tsv",
            "--out", model, "--force", "--preset", options.preset, "--no-race", "--max-steps", options.steps,
            "--seed", 1, "--threads", 1, *settings,
        ],
        "translating": [
            "translate", model, "--input", sources, "--output", model.with_suffix(".txt"), "--threads", 1,
            "--precision", "fp32",
        ],
    }  # fmt: skip


def run(checkout: Path, command: list[object], log: Path) -> float:
    """The seconds of the processor that a command takes."""
    given = {**os.environ, "PYTHONPATH": str(checkout / "src"), "OMP_NUM_THREADS": "1"}
    words = [sys.executable, "-m", "interlingua", *map(str, command)]
    with log.open("w") as out:
        process = subprocess.Popen(words, env=given, stdout=out, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(words)} failed: {log}")
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
