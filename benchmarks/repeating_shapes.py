"""What it is worth that products have few shapes (model/linear.py): training speed with it and without.

    python benchmarks/repeating_shapes.py --train FILE [--preset letters] [--max-tokens 1024] [--threads 1]

Kernels of both sides would push each other out of one process's cache, so each side has processes of its own,
which take turns. Every process trains on the same batches; those of the warm-up are not timed.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from torch import nn

from interlingua.data.corpus import CorpusSettings
from interlingua.data.loader import Position, load_batches
from interlingua.data.preparation import prepare
from interlingua.engine.device import choose_dtype
from interlingua.model.architectures import build_model
from interlingua.model.linear import Linear
from interlingua.model.presets import PRESETS
from interlingua.text.tokenizer import TokenizerSettings
from interlingua.training.loop import Learner, optimise
from interlingua.training.objective import build_objective
from interlingua.training.settings import TrainingSettings

SIDES = ("any number of rows", "few numbers of rows")


def measure(options: argparse.Namespace) -> float:
    """Target tokens a second of this process."""
    if options.side == SIDES[0]:
        Linear.forward = nn.Linear.forward  # type: ignore[method-assign]
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    corpus = CorpusSettings(train=str(options.train))
    tokenizer = TokenizerSettings(source=options.tokenizer, target=options.tokenizer)
    prepared = prepare(corpus, tokenizer, options.cache)
    source, target = prepared.tokenizers.source, prepared.tokenizers.target
    model = build_model(PRESETS[options.preset], len(source), len(target), shared=source is target)
    settings = TrainingSettings(optimizer="muon")
    learner = Learner(model, settings, choose_dtype("auto", torch.device("cpu")))
    stream = load_batches(prepared.train, options.max_tokens, 1, Position())
    reports = optimise(learner, stream, build_objective(settings), lambda step: 1e-3)
    for _ in range(options.warm_up):
        next(reports)
    began = time.perf_counter()
    tokens = sum(next(reports).target_tokens for _ in range(options.updates))
    return tokens / (time.perf_counter() - began)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--preset", choices=PRESETS, default="letters")
    parser.add_argument("--tokenizer", default="characters")
    parser.add_argument("--max-tokens", type=int, default=1024)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--warm-up", type=int, default=20, help="updates before the timed ones")
    parser.add_argument("--updates", type=int, default=60, help="timed, a process")
    parser.add_argument("--rounds", type=int, default=3, help="processes a side")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--cache", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        print(measure(options))
        return
    speeds: dict[str, list[float]] = {side: [] for side in SIDES}
    with tempfile.TemporaryDirectory() as cache:
        for _ in range(options.rounds):
            for side in SIDES:
                command = [sys.executable, *sys.argv, "--side", side, "--cache", cache]
                speeds[side].append(float(subprocess.check_output(command, text=True)))
    print("| | target tokens a second |\n|---|---:|")
    for side, values in speeds.items():
        print(f"| {side} | {', '.join(f'{value:,.0f}' for value in values)} |")
    print(f"\nratio: {statistics.median(speeds[SIDES[1]]) / statistics.median(speeds[SIDES[0]]):.2f}")


if __name__ == "__main__":
    main()
