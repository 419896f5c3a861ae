"""A task of sound small enough to train on within a test: melodies, and the names of their notes."""

from __future__ import annotations

import random
import wave
from pathlib import Path

import numpy as np

RATE = 16_000
NOTES = {"la": 440.0, "do": 1046.0, "mi": 2637.0, "so": 4000.0}


def melody(names: list[str], seed: int = 0, note_s: float = 0.12, gap_s: float = 0.06) -> np.ndarray:
    """The samples of some notes with gaps between, and a little noise."""
    noise = np.random.default_rng(seed)
    time = np.arange(int(note_s * RATE)) / RATE
    gap = np.zeros(int(gap_s * RATE))
    fade = np.minimum(1.0, np.minimum(time, time[::-1]) / 0.01)
    parts = [gap]
    for name in names:
        parts += [0.5 * fade * np.sin(2 * np.pi * NOTES[name] * time), gap]
    sound = np.concatenate(parts)
    sound += 0.002 * noise.standard_normal(len(sound))
    return np.round(32767 * np.clip(sound, -1, 1)).astype(np.int16)


def write_wav(path: Path, samples: np.ndarray, rate: int = RATE) -> Path:
    """Writes 16-bit samples of one channel."""
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes(samples.astype("<i2").tobytes())
    return path


def write_melodies(directory: Path, count: int, *, seed: int = 0, most: int = 4) -> Path:
    """Writes sounds, and a file of pairs that names them beside what they say."""
    sounds = directory / "sounds"
    sounds.mkdir(parents=True, exist_ok=True)
    chance, lines = random.Random(seed), []
    for number in range(count):
        names = chance.choices([*NOTES], k=chance.randint(1, most))
        write_wav(sounds / f"{seed}-{number}.wav", melody(names, seed=seed * 10_000 + number))
        lines.append(f"sounds/{seed}-{number}.wav\t{' '.join(names)}\n")
    pairs = directory / f"pairs-{seed}.tsv"
    pairs.write_text("".join(lines), encoding="utf-8")
    return pairs
