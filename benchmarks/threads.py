"""How many CPU threads train fastest, on a machine that is quiet and on one where other programs compute.

    python benchmarks/threads.py PAIRS [--presets lstm letters mini] [--load 0 1 2] [--turns 5]

PAIRS is a file of pairs. All numbers of threads that halving gives are measured in turns, in one process,
beside as many processes that compute all the time as --load says. The last column is what a training with
`--minutes 5` would choose then.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from statistics import median

import torch
from any_data import busy

from interlingua.data.corpus import CorpusSettings
from interlingua.data.preparation import Prepared, prepare
from interlingua.engine.device import choose_threads
from interlingua.model.presets import PRESETS
from interlingua.runs.machine import choose_fewer_threads, measure_throughput
from interlingua.text.tokenizer import TokenizerSettings
from interlingua.training.settings import TrainingSettings

CPU = torch.device("cpu")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pairs", type=Path)
    parser.add_argument("--presets", nargs="+", choices=PRESETS, default=["lstm", "letters", "mini"])
    parser.add_argument("--load", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--turns", type=int, default=5)
    options = parser.parse_args()
    numbers = [every := choose_threads(None)]
    while numbers[-1] > 1:
        numbers.append(numbers[-1] // 2)
    print(f"tokens/s of {options.pairs.name}, by threads; busy: other processes that compute\n")
    print("| preset | busy |", *(f"{number} |" for number in numbers), "best : all | chosen |")
    print("|---|---:|", "---:|" * (len(numbers) + 2))
    with tempfile.TemporaryDirectory() as cache:
        corpus = CorpusSettings(train=(str(options.pairs),))
        prepared = prepare(corpus, TokenizerSettings(), Path(cache))
        for preset in options.presets:
            for load in options.load:
                with busy(load):
                    rates = measure(preset, numbers, prepared, options.turns)
                    torch.set_num_threads(every)
                    settings = TrainingSettings(minutes=5)
                    fewer = choose_fewer_threads(PRESETS[preset], settings, prepared, CPU)
                cells = " | ".join(f"{rate:,.0f}" for rate in rates)
                chosen = fewer.threads if fewer else every
                print(f"| {preset} | {load} | {cells} | {max(rates) / rates[0]:.2f} | {chosen} |", flush=True)


def measure(preset: str, numbers: list[int], prepared: Prepared, turns: int) -> list[float]:
    """Target tokens a second by number of threads: medians of turns."""
    settings = [TrainingSettings(minutes=5, threads=number) for number in numbers]
    rates = [
        [measure_throughput(PRESETS[preset], each, prepared, CPU) for each in settings] for _ in range(turns)
    ]
    return [median(of_number) for of_number in zip(*rates, strict=True)]


if __name__ == "__main__":
    main()
