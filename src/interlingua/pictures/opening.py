"""Picture files by their names; where there is none, what was probably meant."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO
from unicodedata import normalize

from interlingua.errors import DataError

__all__ = ["SUFFIXES", "open_picture"]

SUFFIXES = {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm",
            ".pgm", ".svg", ".heic", ".avif"}  # fmt: skip
"""Ends of names of picture files, of those that cannot be read as well: the reason is said."""


def open_picture(path: str | Path, place: str) -> BinaryIO:
    """The file, at its beginning.

    Args:
        path: of the file.
        place: what names it, for messages.

    Raises:
        DataError: there is no such file, or it cannot be read.
    """
    if not str(path):
        raise DataError("the name of the picture is empty", where=place or None,
                        accepted="The name of a picture file.")  # fmt: skip
    try:
        mode = Path(path).stat().st_mode
        if stat.S_ISDIR(mode):
            raise DataError("this is a directory, not a picture file", where=place)
        if not stat.S_ISREG(mode):
            raise DataError("this is not a regular file", where=place)
        return Path(path).open("rb")
    except (FileNotFoundError, NotADirectoryError):
        raise DataError("there is no such file", where=place, accepted=_advice(str(path))) from None
    except (OSError, ValueError) as error:  # a path with a NUL is a ValueError
        found = getattr(error, "strerror", None) or str(error)
        raise DataError("the file cannot be read", where=place, found=found) from error


def _advice(name: str) -> str | None:
    if re.search(r"\b(https?|s3|gs|ftp):/", name):  # a path has one slash left of two
        return "Pictures are not fetched: download them first, and give the names of the files."
    if "\t" in name:
        return "There is a tab in it: the name of a file is needed, and nothing else."
    for spelling in _other_spellings(name):
        try:
            if spelling != name and Path(spelling).is_file():
                return _compare(name, spelling)
        except (OSError, ValueError):
            continue
    return None


def _other_spellings(name: str) -> Iterator[str]:
    """How people and programs write the same name otherwise."""
    yield normalize("NFC", name)
    yield normalize("NFD", name)
    yield name.replace("\\", "/")
    yield re.sub(r"""(^|/)["'](.*)["']$""", r"\1\2", name)
    yield re.sub(r"^.*file:/+", "/", name)
    if home := re.search(r"(^|/)(~/.*)", name):
        yield str(Path(home[2]).expanduser())
    stem, dot, suffix = name.rpartition(".")
    known = dot and f".{suffix}".lower() in SUFFIXES
    for end in sorted(SUFFIXES):
        yield (stem if known else name) + end
        yield (stem if known else name) + end.upper()


def _compare(name: str, spelling: str) -> str:
    if normalize("NFC", name) == normalize("NFC", spelling):
        form = "composed (NFC)" if normalize("NFC", name) == name else "decomposed (NFD)"
        return f"There is one whose name differs in Unicode alone; here its letters are {form}: {spelling}"
    return f"There is: {spelling}"
