"""The data of `quickstart sound`: commands that a synthesizer speaks, as sounds and files of pairs."""

from __future__ import annotations

import wave
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from interlingua.cli import commands, espeak, room
from interlingua.cli.data_directory import make_data_directory
from interlingua.sound.conversion import SAMPLE_RATE

__all__ = ["PARTS", "make_parts"]


class Part(NamedTuple):
    """One file of pairs: how many, and espeak-ng's variants that speak them; no part hears another's."""

    size: int
    variants: tuple[str, ...]


PARTS = {
    "train": Part(
        2000,
        (
            "Alex", "Andrea", "Annie", "Denis", "Gene", "Hugo", "Jacky", "Lee", "Mario", "Michael", "Mike",
            "Nguyen", "Reed", "Storm", "adam", "anika", "announcer", "antonio", "aunty", "croak", "david",
            "ed", "edward", "f2", "f4", "f5", "grandma", "grandpa", "gustave", "iven3", "john", "klatt",
            "klatt4", "linda", "m2", "m5", "m6", "m7", "m8", "marcelo", "max", "miguel", "norbert", "pablo",
            "pedro", "quincy", "steph2", "victor",
        ),
    ),
    "valid": Part(200, ("belinda", "m3", "rob", "travis")),
    "test": Part(300, ("Andy", "boris", "f1", "f3", "m1", "shelby")),
}  # fmt: skip
"""Variants that sound almost alike, such as Gene and Gene2, are not both there."""
LANGUAGES = (
    "en", "en-029", "en-gb-scotland", "en-gb-x-gbclan", "en-gb-x-gbcwmd", "en-gb-x-rp", "en-us", "en-us-nyc",
)  # fmt: skip
RATE = (130, 230)
PITCH = (25, 75)
PITCH_RANGE = (25, 75)
"""From and to, both heard; see `espeak.Utterance`."""


def make_parts(directory: Path, seed: int = 1) -> None:
    """Writes train.tsv, valid.tsv and test.tsv, and the sounds that they name, into a new directory.

    A directory that is there already stays as it is: it is only ever whole.

    Raises:
        DataError: espeak-ng is not installed, or fails.
        OutputError: it cannot be written.
    """
    make_data_directory(directory, "sounds", lambda aside: _write_all(aside, seed))


def draw_utterances(part: str, seed: int) -> Iterator[espeak.Utterance]:
    """What a part says, and how."""
    size, variants = PARTS[part]
    draw = _generator(seed, part)
    for number in range(size):
        language = LANGUAGES[draw.integers(len(LANGUAGES))]
        yield espeak.Utterance(
            commands.draw_sentence(draw),
            f"{language}+{variants[number % len(variants)]}",
            *(int(draw.integers(low, high, endpoint=True)) for low, high in (RATE, PITCH, PITCH_RANGE)),
        )


def _write_all(directory: Path, seed: int) -> None:
    utterances = {part: list(draw_utterances(part, seed)) for part in PARTS}
    with closing(espeak.speak([utterance for part in PARTS for utterance in utterances[part]])) as sounds:
        for part in PARTS:
            lines = []
            for number, utterance in enumerate(utterances[part]):
                name = f"sounds/{part}-{number:04}.wav"
                samples = room.record(next(sounds), espeak.SAMPLE_RATE, _generator(seed, part, number))
                _write_sound(directory / name, samples)
                lines.append(f"{name}\t{utterance.text}\n")
            (directory / f"{part}.tsv").write_text("".join(lines), encoding="utf-8", newline="\n")


def _write_sound(path: Path, samples: npt.NDArray[np.int16]) -> None:
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
        file.writeframes(samples.astype("<i2").tobytes())


def _generator(seed: int, part: str, *number: int) -> np.random.Generator:
    return np.random.default_rng([seed, list(PARTS).index(part), *number])
