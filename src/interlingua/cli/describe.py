"""`interlingua translate` of models whose sources are pictures: names of files in, texts out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from interlingua.cli.lines import STANDARD_INPUT, line_chunks, place_of
from interlingua.errors import ConfigurationError, DataError

if TYPE_CHECKING:
    from interlingua.inference.captioner import Captioner
    from interlingua.inference.translation import Translation

__all__ = ["check_pictures", "describe", "name_chunks"]

BEGINNINGS = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"II*\0", b"MM\0*", b"BM")
"""Of picture files."""


def check_pictures(model: Path, names: Sequence[str] | None, input: Path | None) -> None:
    """Refuses what is no picture, or no file of their names, before PyTorch, which takes seconds, is loaded.

    Raises:
        ConfigurationError: a picture stands where a file of names should.
        DataError: a picture cannot be read.
    """
    from interlingua.pictures.reading import measure_picture

    for name in names or []:
        if not name:
            raise DataError("the name of the picture is empty", where="translate",
                            accepted="The name of a picture file.")  # fmt: skip
        measure_picture(name)
    if input is not None:
        with suppress(DataError):
            measure_picture(input)
            raise ConfigurationError("this is a picture, not a file with names of pictures", where=input,
                                     accepted=f"To say what it shows: translate {model} {input}")  # fmt: skip


def name_chunks(input: Path | None, size: int) -> Iterator[list[str]]:
    """The names in a file or in standard input, as `line_chunks` gives them.

    Raises:
        DataError: as `line_chunks`; what is a picture itself is called one.
    """
    try:
        yield from line_chunks(input, size)
    except DataError as error:
        if isinstance(error.found, bytes) and error.found.startswith(BEGINNINGS):
            raise DataError(
                "this is a picture, not names of pictures", where=input or STANDARD_INPUT,
                accepted="A picture is named, not piped in: interlingua translate MODEL cat.png",
            ) from error  # fmt: skip
        raise


def describe(
    model: Captioner, names: Sequence[str], listed_in: str | Path | None, line: int, options: dict[str, Any]
) -> tuple[list[Translation], DataError | None]:
    """What the pictures show, up to one that cannot be read; and why not.

    Args:
        model: describes.
        names: of files, as they stand there; an empty line has no picture and gets no text.
        listed_in: what holds the names, a line each; None where they were given as arguments.
        line: of the first name.
        options: of the search.
    """
    from interlingua.inference.translation import EMPTY
    from interlingua.pictures.reading import read_picture

    pixels, fault = list[Any](), None
    for number, name in enumerate(names, start=line):
        try:
            if listed_in is None:
                pixels.append(read_picture(name, model.size))
            else:
                file, where = name.strip(), f"{listed_in}:{number}"
                pixels.append(read_picture(place_of(file, listed_in), model.size, where) if file else None)
        except DataError as error:  # what is before it is written
            fault = error
            break
    found = iter(model.translate((each for each in pixels if each is not None), **options))
    return [EMPTY if each is None else next(found) for each in pixels], fault
