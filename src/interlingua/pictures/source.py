"""Names of picture files to pixels: what a tokenizer is to text."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal, Self, TypeVar

import numpy as np
import numpy.typing as npt

from interlingua.errors import DataError
from interlingua.pictures.patches import patch_edge
from interlingua.pictures.reading import PictureReport, inspect_picture, read_picture

__all__ = ["FlatPixels", "PictureSource", "inspect_pictures"]

T = TypeVar("T")

FlatPixels = npt.NDArray[np.uint8]
"""(row, column, channel), one after another."""
READERS = 4
"""Files read side by side, where they are large: unpacking those leaves the interpreter to others."""
TRIED, LARGE_S = 4, 0.002
"""So many files tell how long one takes; below so many seconds threads would only wait for each other."""


class PictureSource:
    """The source side of a model of pictures; it has no symbols that could be unknown.

    Args:
        size: of the edge of its pictures, in pixels.
    """

    kind: Literal["picture"] = "picture"
    normalisation: Any = "none"
    compared_by = None
    dtype = "uint8"

    def __init__(self, size: int) -> None:
        self.size = size
        self.unit = 3 * patch_edge(size) ** 2
        self.vocabulary = f"{size} x {size} pixels"

    def __len__(self) -> int:
        """The numbers of a patch."""
        return self.unit

    def with_normalisation(self, rule: Any) -> Self:
        """Returns itself: names of files are taken as they are."""
        return self

    def unknown(self, text: str) -> list[str]:
        """Returns nothing."""
        return []

    def normalise(self, text: str) -> str:
        """Returns the name as it is."""
        return text

    def encode(self, text: str) -> Any:
        """Returns the pixels of a file.

        Raises:
            DataError: it cannot be read.
        """
        return read_picture(text, self.size).reshape(-1)

    def encode_batch(self, targets: Sequence[str]) -> list[Any]:
        """Reads several files, faster than one by one."""
        return _read_each(self.encode, targets)

    def inspect_batch(self, names: Sequence[str]) -> list[tuple[FlatPixels, PictureReport] | DataError]:
        """The pixels of each file and what they are like, or why it cannot be used."""
        return inspect_pictures(names, self.size)

    def decode(self, ids: Sequence[int]) -> str:
        """A picture that is read is no target."""
        raise NotImplementedError

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """Returns nothing: patches have no names."""
        return []

    def length_limit(self, source_length: int, max_ratio: float, extra_tokens: float = 0.0) -> int:
        """A picture that is read is no target."""
        raise NotImplementedError


def inspect_pictures(names: Sequence[str], size: int) -> list[tuple[FlatPixels, PictureReport] | DataError]:
    """The pixels of each file and what they are like, or why it cannot be used."""

    def inspect(name: str) -> tuple[FlatPixels, PictureReport] | DataError:
        try:
            pixels, report = inspect_picture(name, size)
        except DataError as error:
            return error
        return pixels.reshape(-1), report

    return _read_each(inspect, names)


def _read_each(read: Callable[[str], T], names: Sequence[str]) -> list[T]:
    began_s = time.perf_counter()
    found = [read(name) for name in names[:TRIED]]
    if time.perf_counter() - began_s < LARGE_S * len(found):
        return found + [read(name) for name in names[TRIED:]]
    with ThreadPoolExecutor(READERS) as pool:
        return found + list(pool.map(read, names[TRIED:]))
