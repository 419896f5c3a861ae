"""The data of `quickstart pictures`: scenes as PNG files, and files of pairs of these and captions."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from interlingua.cli.data_directory import make_data_directory
from interlingua.cli.scenes import Scene, combination, draw_scene, render_scene, write_caption
from interlingua.pictures.reading import require_pictures

__all__ = ["PARTS", "draw_captioned", "make_scenes"]

PARTS = {"train": 20_000, "valid": 500, "test": 200}
"""Scenes in each file of pairs."""
HELD_OUT = 10
"""One in so many combinations is seen in tests alone, and one more in validation."""


def make_scenes(directory: Path, seed: int = 1) -> None:
    """Writes train.tsv, valid.tsv and test.tsv, and the pictures that they name, into a new directory.

    A directory that is there already stays as it is: it is only ever whole.

    Raises:
        ConfigurationError: the extra `pictures` is not installed.
        OutputError: it cannot be written.
    """
    make_data_directory(directory, "pictures", lambda aside: _write_all(aside, seed))


def draw_captioned(part: str, seed: int) -> Iterator[tuple[Scene, str]]:
    """The scenes of a part, with a caption each.

    No part has a combination that another has, and no caption is tested twice.
    """
    draw = np.random.default_rng([seed, [*PARTS].index(part)])
    captions: set[str] = set()
    count = 0
    while count < PARTS[part]:
        scene = draw_scene(draw)
        if _part_of(scene) != part:
            continue
        caption = write_caption(scene, draw)
        if part == "test" and caption in captions:
            continue
        captions.add(caption)
        count += 1
        yield scene, caption


def _part_of(scene: Scene) -> str:
    """Which part a scene is in: the hash of its combination decides."""
    name = ", ".join(combination(scene)).encode()
    chance = int.from_bytes(hashlib.blake2b(name, digest_size=8).digest()) % HELD_OUT
    return {0: "test", 1: "valid"}.get(chance, "train")


def _write_all(directory: Path, seed: int) -> None:
    image = require_pictures()
    for part in PARTS:
        lines = []
        for number, (scene, caption) in enumerate(draw_captioned(part, seed)):
            name = f"pictures/{part}-{number:05}.png"
            image.fromarray(render_scene(scene)).save(directory / name)
            lines.append(f"{name}\t{caption}\n")
        (directory / f"{part}.tsv").write_text("".join(lines), encoding="utf-8", newline="\n")
