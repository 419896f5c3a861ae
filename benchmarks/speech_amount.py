"""How many errors a recogniser makes, by how much speech it learnt from.

    python benchmarks/speech_amount.py --data DIR --work DIR --minutes 10 [--shares 0.125 0.25 0.5 1]

DIR holds train.tsv, valid.tsv and test.tsv: sound, tab, text. From each share of the training pairs, drawn at
random so that each smaller share is a part of the larger ones, a model is trained by the defaults for the
same time, validated and tested on the same pairs. What is done is kept in --work and not done again.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path

import soundfile
from held_out_speakers import measure, read


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--shares", type=float, nargs="+", default=[0.125, 0.25, 0.5, 1])
    parser.add_argument("--threads", type=int)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    parts = {name: read(options.data / f"{name}.tsv") for name in ("train", "valid", "test")}
    shuffled = random.Random(0).sample(parts["train"], len(parts["train"]))
    print("| minutes of speech | utterances | WER | CER |\n|---:|---:|---:|---:|", flush=True)
    for share in options.shares:
        some = shuffled[: round(share * len(shuffled))]
        found = measure(f"share-{share:g}", {**parts, "train": some}, options.seed, options)
        speech = sum(soundfile.info(name).duration for name, _ in some) / 60
        print(f"| {speech:.1f} | {len(some):,} | {found['WER']:.1f} | {found['CER']:.1f} |", flush=True)


if __name__ == "__main__":
    main()
