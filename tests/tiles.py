"""A task of pictures small enough to train on within a test: coloured tiles, and their colours' names."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
from PIL import Image

COLOURS = {"red": (220, 40, 40), "green": (30, 150, 60), "blue": (40, 80, 220), "black": (20, 20, 20)}
SIZE = 32


def tiles(names: list[str]) -> np.ndarray:
    """Four tiles: upper left, upper right, lower left, lower right."""
    colours = np.array([COLOURS[name] for name in names], np.uint8).reshape(2, 2, 3)
    return colours.repeat(SIZE // 2, axis=0).repeat(SIZE // 2, axis=1)


def read_tiles(pixels: np.ndarray) -> list[str]:
    """The names of the colours that the tiles are nearest to."""
    table = np.array([*COLOURS.values()], float)
    half = SIZE // 2
    means = [pixels[y : y + half, x : x + half].reshape(-1, 3).mean(0) for y in (0, half) for x in (0, half)]
    return [[*COLOURS][int(np.square(table - mean).sum(1).argmin())] for mean in means]


def write_tiles(directory: Path, count: int, *, seed: int = 0) -> Path:
    """Writes pictures, and a file of pairs that names them beside what they show."""
    pictures = directory / "pictures"
    pictures.mkdir(parents=True, exist_ok=True)
    chance, lines = random.Random(seed), []
    for number in range(count):
        names = chance.choices([*COLOURS], k=4)
        Image.fromarray(tiles(names)).save(pictures / f"{seed}-{number}.png")
        lines.append(f"pictures/{seed}-{number}.png\t{' '.join(names)}\n")
    pairs = directory / f"pairs-{seed}.tsv"
    pairs.write_text("".join(lines), encoding="utf-8")
    return pairs
