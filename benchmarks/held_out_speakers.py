"""How well a recogniser understands a speaker whom it has never heard.

    python benchmarks/held_out_speakers.py --data DIR --work DIR --minutes 5 [--group '_([a-z]+)_']

DIR holds train.tsv, valid.tsv and test.tsv, whose sounds' names tell the speaker: the group of the regular
expression. For each speaker a model is trained by the defaults on the training pairs of all others, validated
on the validation pairs of all others, and tested on that speaker's test pairs. With --official the split is
that of the files instead, once for each of --seeds. What is done is kept in --work and not done again.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path
from statistics import fmean


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--group", default="_([a-z]+)_")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--official", action="store_true")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--speakers", nargs="+", help="only these are held out, in turn")
    options = parser.parse_args()
    parts = {name: read(options.data / f"{name}.tsv") for name in ("train", "valid", "test")}
    if options.official:
        for seed in options.seeds:
            report(f"official split, seed {seed}", measure(f"official-{seed}", parts, seed, options))
        return
    speakers = options.speakers or sorted({speaker_of(name, options.group) for name, _ in parts["test"]})
    errors = []
    for speaker in speakers:
        own = {
            part: [pair for pair in pairs
                   if (speaker_of(pair[0], options.group) == speaker) == (part == "test")]
            for part, pairs in parts.items()
        }  # fmt: skip
        scores = measure(speaker, own, options.seeds[0], options)
        report(f"without {speaker}, tested on {len(own['test'])} sounds", scores)
        errors.append(scores["sequence_error"])
    print(f"mean of {len(speakers)} speakers: {fmean(errors):.2f}% of the sounds wrong")


def read(path: Path) -> list[tuple[str, str]]:
    """(absolute name of a sound, what is said)."""
    lines = path.read_text("utf-8").split("\n")
    pairs = [line.split("\t") for line in lines if line]
    return [(str((path.parent / name).resolve()), said) for name, said in pairs]


def speaker_of(name: str, group: str) -> str:
    """Who speaks, by the file's name."""
    found = re.search(group, Path(name).name)
    assert found, f"{name} names no speaker"
    return found[1]


def measure(
    name: str, parts: dict[str, list[tuple[str, str]]], seed: int, options: argparse.Namespace
) -> dict[str, float]:
    """The scores of a model on the test part."""
    place: Path = options.work / f"{name}.json"
    if place.exists():
        found: dict[str, float] = json.loads(place.read_text())
        return found
    data = options.work / name
    data.mkdir(parents=True, exist_ok=True)
    for part, pairs in parts.items():
        text = "".join(f"{sound}\t{said}\n" for sound, said in pairs)
        (data / f"{part}.tsv").write_text(text, encoding="utf-8")
    model = data / "model"
    threads = ["--threads", options.threads] if options.threads else []
    run("train", "--train", data / "train.tsv", "--valid", data / "valid.tsv", "--out", model, "--force",
        "--minutes", options.minutes, "--seed", seed, *threads)  # fmt: skip
    scores = json.loads(run("evaluate", model, data / "test.tsv", "--json", *threads))
    found = {score["name"]: score["score"] for score in scores}
    place.write_text(json.dumps(found))
    return found


def run(*arguments: object) -> str:
    """What a command prints."""
    command = [sys.executable, "-m", "interlingua", *map(str, arguments)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, encoding="utf-8").stdout


def report(what: str, scores: dict[str, float]) -> None:
    print(f"{what}: " + ", ".join(f"{name} {score:.2f}" for name, score in scores.items()), flush=True)


if __name__ == "__main__":
    main()
