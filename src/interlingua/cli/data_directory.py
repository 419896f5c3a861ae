"""Directories of data that a quickstart makes: whole, or not there."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from interlingua.errors import OutputError
from interlingua.files import write_error

__all__ = ["make_data_directory"]


def make_data_directory(directory: Path, kind: str, write: Callable[[Path], None]) -> None:
    """Makes a directory of files of pairs, with a directory in it of the files that these name.

    One that is there already stays as it is: it is only ever whole.

    Args:
        directory: to be made.
        kind: what the named files are, such as "sounds"; their directory is called so.
        write: fills both.

    Raises:
        OutputError: it cannot be written, or is something else.
    """
    if (directory / "test.tsv").exists() and (directory / kind).is_dir():
        return
    if directory.exists():
        raise OutputError(
            "there is something else already", where=directory,
            accepted=f"The {kind} would go there: choose another --out.",
        )  # fmt: skip
    aside = directory.with_name(f".{directory.name}.part")
    try:
        shutil.rmtree(aside, ignore_errors=True)  # of one that was killed
        (aside / kind).mkdir(parents=True)
        write(aside)
        aside.rename(directory)
    except OSError as error:
        raise write_error(error, directory) from None
    finally:
        shutil.rmtree(aside, ignore_errors=True)
