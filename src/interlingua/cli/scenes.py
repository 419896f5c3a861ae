"""The world of `quickstart pictures`: coloured shapes, with captions that can be checked from the pixels.

A picture is a grid of cells on white, and a shape fills at most one cell: what is drawn can be read again.
Whether a picture shows what its caption says is thereby a matter of fact, and needs no other picture.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = [
    "Scene", "Thing", "combination", "draw_scene", "is_true", "name_things", "read_scene", "render_scene",
    "write_caption",
]  # fmt: skip

CELLS, CELL = 4, 8
"""Cells on an edge of a picture, pixels on an edge of a cell."""
BIG = """
square    triangle  cross     diamond   ring      moon
########  ...##...  ##....##  ...##...  ..####..  ...####.
########  ...##...  ###..###  ..####..  .######.  ..###...
########  ..####..  .######.  .######.  ##....##  .###....
########  ..####..  ..####..  ########  ##....##  .##.....
########  .######.  ..####..  ########  ##....##  .##.....
########  .######.  .######.  .######.  ##....##  .###....
########  ########  ###..###  ..####..  .######.  ..###...
########  ########  ##....##  ...##...  ..####..  ...####.
"""
SMALL = """
square    triangle  cross     diamond   ring      moon
........  ........  ........  ........  ........  ........
.######.  ...##...  .##..##.  ...##...  ..####..  ...####.
.######.  ...##...  .######.  ..####..  .######.  ..###...
.######.  ..####..  ..####..  .######.  .##..##.  .###....
.######.  ..####..  ..####..  .######.  .##..##.  .###....
.######.  .######.  .######.  ..####..  .######.  ..###...
.######.  .######.  .##..##.  ...##...  ..####..  ...####.
........  ........  ........  ........  ........  ........
"""
"""Lines are two pixels wide, which a codec learns sooner; any two drawings differ in eight pixels or more."""
COLOURS = {
    "red": (225, 30, 30), "green": (20, 150, 50), "blue": (30, 60, 230), "yellow": (245, 220, 20),
    "pink": (240, 60, 200), "turquoise": (0, 205, 205), "orange": (250, 130, 0), "black": (0, 0, 0),
}  # fmt: skip
"""As far apart as they can be, so that none that comes out a little pale or dark is taken for another."""
PALETTE = np.array([(255, 255, 255), *COLOURS.values()], np.uint8)
"""Colours by number; 0 is the white between things."""
PLURALS = {
    "square": "squares", "triangle": "triangles", "cross": "crosses", "diamond": "diamonds",
    "ring": "rings", "moon": "moons",
}  # fmt: skip
NUMBERS = {"a": 1, "an": 1, "two": 2, "three": 3}
RELATIONS = ("left of", "right of", "above", "below")
EQUAL_THINGS, SIZE_IS_SAID = 0.4, 0.7
"""How often a scene is of equal things, and a size stands in a caption."""


class Thing(NamedTuple):
    """A shape in a cell."""

    shape: str
    colour: str
    size: str
    row: int
    column: int


Scene = tuple[Thing, ...]
"""All things of a picture, row by row."""


def _read_drawings(size: str, text: str) -> dict[tuple[str, str], npt.NDArray[np.bool_]]:
    """Drawings side by side, below their names, as masks of a cell's pixels."""
    names, *rows = (line.split() for line in text.strip().split("\n"))
    return {
        (name, size): np.array([[pixel == "#" for pixel in row[number]] for row in rows])
        for number, name in enumerate(names)
    }


MASKS = {**_read_drawings("big", BIG), **_read_drawings("small", SMALL)}
"""By shape and size."""
KINDS = [(shape, colour, size) for shape, size in MASKS for colour in COLOURS]
CELLS_OF_KINDS = np.array(
    [np.zeros((CELL, CELL), int)]
    + [MASKS[shape, size] * (1 + [*COLOURS].index(colour)) for shape, colour, size in KINDS]
).reshape(1 + len(KINDS), -1)
"""The colours' numbers in an empty cell, and in one with a thing of each kind."""


def draw_scene(draw: np.random.Generator) -> Scene:
    """One to three equal things, or two that differ in shape or colour, each in a cell by chance."""
    kind = KINDS[draw.integers(len(KINDS))]
    if draw.random() < EQUAL_THINGS:
        kinds = [kind] * int(draw.integers(1, 4))
    else:
        others = [other for other in KINDS if other[:2] != kind[:2]]
        kinds = [kind, others[draw.integers(len(others))]]
    cells = draw.choice(CELLS * CELLS, size=len(kinds), replace=False).tolist()
    by_cell = sorted(zip(cells, kinds, strict=True))
    return tuple(_in_cell(kind, cell) for cell, kind in by_cell)


def render_scene(scene: Scene) -> npt.NDArray[np.uint8]:
    """The picture of a scene, (32, 32, 3)."""
    cells = np.zeros((CELLS, CELLS, CELL * CELL), int)
    for thing in scene:
        cells[thing.row, thing.column] = CELLS_OF_KINDS[1 + KINDS.index(thing[:3])]
    numbers = cells.reshape(CELLS, CELLS, CELL, CELL).swapaxes(1, 2).reshape(CELLS * CELL, CELLS * CELL)
    return PALETTE[numbers]


def read_scene(pixels: npt.NDArray[np.uint8], tolerance: float = 0.0) -> Scene | None:
    """The scene that a picture shows; None where a cell is nothing that is ever drawn.

    Args:
        pixels: (32, 32, 3), each of which counts as the nearest of the colours.
        tolerance: the share of a cell's pixels that may be of a wrong colour.
    """
    distances = np.square(pixels[:, :, np.newaxis].astype(int) - PALETTE).sum(axis=3)
    squares = distances.argmin(axis=2).reshape(CELLS, CELL, CELLS, CELL).swapaxes(1, 2)
    cells = squares.reshape(CELLS * CELLS, 1, CELL * CELL)
    wrong = (cells != CELLS_OF_KINDS).mean(axis=2)
    if wrong.min(axis=1).max() > tolerance:
        return None
    nearest: list[int] = wrong.argmin(axis=1).tolist()
    return tuple(_in_cell(KINDS[kind - 1], cell) for cell, kind in enumerate(nearest) if kind > 0)


def write_caption(scene: Scene, draw: np.random.Generator) -> str:
    """Says what a scene shows, in one of several ways: "two red rings", "a red ring above a pink moon"."""
    if len({thing[:3] for thing in scene}) == 1:
        return _phrase(scene[0], len(scene), draw.random() < SIZE_IS_SAID)
    first, second = scene if draw.random() < 0.5 else scene[::-1]
    holding = [relation for relation in RELATIONS if _holds(relation, first, second)]
    relation = holding[draw.integers(len(holding))]
    phrases = [_phrase(thing, 1, draw.random() < SIZE_IS_SAID) for thing in (first, second)]
    return f"{phrases[0]} {relation} {phrases[1]}"


def is_true(caption: str, scene: Scene | None) -> bool:
    """Whether a scene shows what a caption says, and nothing else.

    Args:
        caption: of this world.
        scene: None is a picture that shows no scene.
    """
    if scene is None:
        return False
    first, *rest = re.split(f" ({'|'.join(RELATIONS)}) ", caption)
    if not rest:
        return len(scene) == NUMBERS[first.split()[0]] and all(_fits(thing, first) for thing in scene)
    relation, second = rest
    return len(scene) == 2 and any(
        _fits(one, first) and _fits(other, second) and _holds(relation, one, other)
        for one, other in (scene, scene[::-1])
    )


def combination(scene: Scene) -> tuple[str, ...]:
    """What a scene shows, wherever and however large: its colours and shapes, in alphabetical order."""
    return tuple(sorted(f"{thing.colour} {thing.shape}" for thing in scene))


def name_things(scene: Scene) -> str:
    """All that a scene shows, row by row: "a big red ring, a small pink moon"."""
    return ", ".join(_phrase(thing, 1, True) for thing in scene) or "nothing"


def _in_cell(kind: tuple[str, str, str], cell: int) -> Thing:
    return Thing(*kind, *divmod(cell, CELLS))


def _phrase(thing: Thing, count: int, with_size: bool) -> str:
    words = [thing.size] if with_size else []
    words += [thing.colour, thing.shape if count == 1 else PLURALS[thing.shape]]
    article = "an" if words[0][0] in "aeiou" else "a"
    return " ".join([{1: article, 2: "two", 3: "three"}[count], *words])


def _fits(thing: Thing, phrase: str) -> bool:
    _, *words = phrase.split()
    return {thing.shape, PLURALS[thing.shape], thing.colour, thing.size}.issuperset(words)


def _holds(relation: str, one: Thing, other: Thing) -> bool:
    return {
        "left of": one.column < other.column,
        "right of": one.column > other.column,
        "above": one.row < other.row,
        "below": one.row > other.row,
    }[relation]
