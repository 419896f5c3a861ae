"""Five million distinct pairs through corpus, tokenizer and store, and into training: memory and speed.

    python benchmarks/corpus_scale.py --data DIR [--pairs 5000000]

DIR holds Multi30k as `multi30k-en-de/train.tsv`, for comparison: each corpus goes through a process of its
own, whose peak resident set the kernel reports, and then a short training from it through another, whose
anonymous memory (what the process holds itself, mapped files not counted) is read after every update. Both
have 8,000 pieces and batches of 1,024 tokens, so that the models and their activations are of one size. The
last line is the large corpus' figures.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from itertools import accumulate
from pathlib import Path

from interlingua.data.corpus import CorpusSettings
from interlingua.data.preparation import prepare
from interlingua.runs import trainer
from interlingua.runs.experiment import cache_directory
from interlingua.runs.run import start
from interlingua.text.tokenizer import TokenizerSettings

WORDS = 60_000


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--data", type=Path, required=True)
    arguments.add_argument("--pairs", type=int, default=5_000_000)
    arguments.add_argument("--measure", choices=MEASURES, help=argparse.SUPPRESS)
    options = arguments.parse_args()
    if options.measure:
        print(json.dumps(MEASURES[options.measure](options.data)))
        return
    with tempfile.TemporaryDirectory(prefix="corpus-scale-") as directory:
        generated = Path(directory) / "generated.tsv"
        words = generate(generated, options.pairs)
        rows = [
            ("Multi30k", run(options.data / "multi30k-en-de" / "train.tsv")),
            (f"generated, {words:.1f} words a side", run(generated)),
        ]
    print("| corpus | pairs | seconds | pairs/s | second start, s | peak RSS, MB | training, anonymous MB |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for name, row in rows:
        print(
            f"| {name} | {row['pairs']:,} | {row['seconds']:.1f} | {row['pairs'] / row['seconds']:,.0f} "
            f"| {row['again']:.2f} | {row['peak_mb']:,.0f} | {row['anonymous_mb']:,.0f} |"
        )
    small, large = (row for _, row in rows)
    more = large["anonymous_mb"] - small["anonymous_mb"]
    print(
        f"\n{large['pairs'] / large['seconds']:,.0f} pairs/s, peak RSS {large['peak_mb']:,.0f} MB, "
        f"training holds {more:,.0f} MB more anonymous memory"
    )


def generate(path: Path, pairs: int) -> float:
    """Writes distinct pairs of invented words, frequencies after Zipf; returns the mean words a side."""
    generator = random.Random(1)
    source_words, target_words = (
        lexicon(generator, "bdgklmnprst aeiou"),
        lexicon(generator, "chfgklnrstw äeiouü"),
    )
    cumulative = list(accumulate(1 / (rank + 3) for rank in range(WORDS)))
    written = 0
    with path.open("w", encoding="utf-8") as file:
        for number in range(pairs):
            ranks = generator.choices(range(WORDS), cum_weights=cumulative, k=generator.randint(6, 20))
            source, target = (" ".join(side[rank] for rank in ranks) for side in (source_words, target_words))
            file.write(f"{source} {number}.\t{target} {number}.\n")  # the number makes every pair distinct
            written += len(ranks) + 1
    return written / pairs


def lexicon(generator: random.Random, letters: str) -> list[str]:
    """Returns distinct words of open syllables, the frequent ones short."""
    consonants, vowels = letters.split()
    words: dict[str, None] = {}
    while len(words) < WORDS:
        syllables = 2 + len(words).bit_length() // 6
        words["".join(generator.choice(consonants) + generator.choice(vowels) for _ in range(syllables))] = (
            None
        )
    return list(words)


def run(path: Path) -> dict[str, float]:
    """Prepares a corpus and trains from it, each in a process of its own."""
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="corpus-scale-") as cache:
        for name in MEASURES:
            command = [sys.executable, __file__, "--data", str(path), "--measure", name]
            environment = {**os.environ, "INTERLINGUA_CACHE": cache}
            result = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
            figures |= json.loads(result.stdout)
    return figures


def measure_preparation(path: Path) -> dict[str, float]:
    """Prepares the corpus in a new directory, and again; returns the figures of this process."""
    corpus = CorpusSettings(train=(str(path),))
    start = time.perf_counter()
    prepared = prepare(corpus, TokenizerSettings(vocabulary_size=8000), cache_directory())
    seconds = time.perf_counter() - start
    start = time.perf_counter()
    prepare(corpus, TokenizerSettings(vocabulary_size=8000), cache_directory())
    return {
        "pairs": prepared.report["train"]["read"],
        "seconds": seconds,
        "again": time.perf_counter() - start,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def measure_training(path: Path) -> dict[str, float]:
    """Trains a little from what is prepared; returns the most anonymous memory seen."""
    values = {
        "data": {"train": str(path)},
        "tokenizer": {"vocabulary_size": 8000},
        "model": {"dropout": 0.1},
        "training": {"max_steps": 60, "validations": 1, "decode_pairs": 20, "max_tokens": 1024},
    }
    trainer.PROGRESS_EVERY_S = 0.0
    with tempfile.TemporaryDirectory(prefix="corpus-scale-") as out:
        seen = [anonymous_mb() for _ in start(values, Path(out) / "run")]
    return {"anonymous_mb": max(seen)}


def anonymous_mb() -> float:
    """Memory of this process that no file backs (Linux)."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("RssAnon:")[1].split()[0]) / 1024


MEASURES = {"preparation": measure_preparation, "training": measure_training}

if __name__ == "__main__":
    main()
