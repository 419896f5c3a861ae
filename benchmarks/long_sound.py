"""An hour of speech in one file: memory, errors beside those of the single files, and times.

    python benchmarks/long_sound.py MODEL PAIRS... [--minutes 60] [--seed 1]

The sounds that the files of PAIRS name are joined in a random order, again and again, with pauses of half a
second to three seconds of faint noise between them. Prints the word error rate of the single files and of the
long one; the share of sounds where a segment begins, and ends, within .3 s of them; the speed; and the memory
of `interlingua transcribe` for a tenth and for all of it.
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
import wave
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import interlingua
from interlingua.data.corpus import Corpus, CorpusSettings, Pair
from interlingua.evaluation.metrics import word_error
from interlingua.evaluation.scores import evaluate
from interlingua.sound.reading import SAMPLE_RATE, read_sound

NEAR_S = 0.3
NOISE = 3.0
"""Of the pauses, in steps of 16 bits: about -80 dB."""


class Placed(NamedTuple):
    """An utterance of the long recording."""

    text: str
    start_s: float
    end_s: float


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("pairs", nargs="+")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    pairs = list(Corpus(options.pairs, CorpusSettings(source_kind="sound")))
    model = interlingua.load(options.model)
    single = [found.text for found in model.translate([pair.source for pair in pairs])]
    print(f"single files: {len(pairs)}, WER {wer(single, [pair.target for pair in pairs]):.2f}")
    with tempfile.TemporaryDirectory() as directory:
        for minutes in (options.minutes / 10, options.minutes):
            path = Path(directory) / "long.wav"
            placed = join(pairs, path, 60 * minutes, options.seed)
            record, seconds, mebibytes = transcribe(options.model, path)
            print(f"{minutes:g} minutes, {len(placed)} utterances: {seconds:.0f} s, "
                  f"{60 * minutes / seconds:.0f} times real time, {mebibytes:.0f} MiB at most")  # fmt: skip
        references = " ".join(each.text for each in placed)
        print(f"the long recording: WER {wer([record['text']], [references]):.2f}")
        begins, ends = near(record["segments"], placed)
        print(f"a segment begins within {NEAR_S} s of a sound's beginning: {begins:.1%}; ends so: {ends:.1%}")


def join(pairs: list[Pair], path: Path, seconds: float, seed: int) -> list[Placed]:
    """Writes the long recording; says where each utterance's sound stands."""
    chance, noise = random.Random(seed), np.random.default_rng(seed)
    placed: list[Placed] = []
    position = 0
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
        while position < seconds * SAMPLE_RATE:
            for pair in chance.sample(pairs, len(pairs)):
                pause = np.round(NOISE * noise.standard_normal(int(chance.uniform(0.5, 3) * SAMPLE_RATE)))
                samples = read_sound(pair.source)
                file.writeframes(pause.astype("<i2").tobytes() + samples.astype("<i2").tobytes())
                start, position = position + len(pause), position + len(pause) + len(samples)
                placed.append(Placed(pair.target, start / SAMPLE_RATE, position / SAMPLE_RATE))
                if position >= seconds * SAMPLE_RATE:
                    break
    return placed


def transcribe(model: Path, path: Path) -> tuple[dict[str, Any], float, float]:
    """What the verb says, how long it takes, and the most memory that it holds."""
    began = time.monotonic()
    command = [sys.executable, "-m", "interlingua", "transcribe", str(model), str(path), "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return json.loads(done.stdout), time.monotonic() - began, most


def wer(outputs: list[str], targets: list[str]) -> float:
    """The word error rate."""
    pairs = [Pair("", target) for target in targets]
    (score,) = evaluate(outputs, pairs, metrics=[word_error()], repeated="cases", n_bootstrap=0)
    return score.score


def near(segments: list[dict[str, Any]], placed: list[Placed]) -> tuple[float, float]:
    """The shares of sounds at whose beginning a segment begins, and at whose end one ends."""
    begins, ends = ([segment[key] for segment in segments] for key in ("start", "end"))
    right = [
        (min(abs(time - sound.start_s) for time in begins) <= NEAR_S,
         min(abs(time - sound.end_s) for time in ends) <= NEAR_S)
        for sound in placed
    ]  # fmt: skip
    return tuple(np.mean(right, axis=0).tolist())


if __name__ == "__main__":
    main()
