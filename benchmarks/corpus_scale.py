"""Five million distinct pairs through corpus, tokenizer and store: memory and speed.

    python benchmarks/corpus_scale.py --data DIR [--pairs 5000000]

DIR holds Multi30k as `multi30k-en-de/train.tsv`, for comparison: each corpus goes through a process of its
own, whose peak resident set the kernel reports. The last line is the large corpus' figure.
"""

from __future__ import annotations

import argparse
import json
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
from interlingua.text.tokenizer import TokenizerSettings

WORDS = 60_000


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--data", type=Path, required=True)
    arguments.add_argument("--pairs", type=int, default=5_000_000)
    arguments.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    options = arguments.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure)))
        return
    with tempfile.TemporaryDirectory(prefix="corpus-scale-") as directory:
        generated = Path(directory) / "generated.tsv"
        words = generate(generated, options.pairs)
        rows = [
            ("Multi30k", run(options.data, options.data / "multi30k-en-de" / "train.tsv")),
            (f"generated, {words:.1f} words a side", run(options.data, generated)),
        ]
    print("| corpus | pairs | seconds | pairs/s | second start, s | peak RSS, MB | tokenizer |")
    print("|---|---:|---:|---:|---:|---:|---|")
    for name, row in rows:
        print(
            f"| {name} | {row['pairs']:,} | {row['seconds']:.1f} | {row['pairs'] / row['seconds']:,.0f} "
            f"| {row['again']:.2f} | {row['peak_mb']:,.0f} | {row['tokenizer']} |"
        )
    row = rows[1][1]
    print(f"\n{row['pairs'] / row['seconds']:,.0f} pairs/s, peak RSS {row['peak_mb']:,.0f} MB")


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


def run(data: Path, path: Path) -> dict[str, float]:
    command = [sys.executable, __file__, "--data", str(data), "--measure", str(path)]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    return dict(json.loads(result.stdout))


def measure(path: Path) -> dict[str, float | str]:
    """Prepares the corpus in a new directory, and again; returns the figures of this process."""
    corpus = CorpusSettings(train=(str(path),))
    with tempfile.TemporaryDirectory(prefix="corpus-scale-") as cache:
        start = time.perf_counter()
        prepared = prepare(corpus, TokenizerSettings(), Path(cache))
        seconds = time.perf_counter() - start
        start = time.perf_counter()
        prepare(corpus, TokenizerSettings(), Path(cache))
        again = time.perf_counter() - start
    return {
        "pairs": prepared.report["train"]["read"],
        "tokenizer": prepared.report["tokenizers"],
        "seconds": seconds,
        "again": again,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


if __name__ == "__main__":
    main()
