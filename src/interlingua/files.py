"""Files that are either whole or not there: written aside, synced, renamed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from safetensors import SafetensorError

from interlingua.errors import OutputError

__all__ = ["write_text", "write_whole"]


def write_whole(path: Path, write: Callable[[Path], None]) -> None:
    """Has `write` fill a file aside, syncs it and gives it its name; whatever happens, `path` stays whole.

    Raises:
        OutputError: the disk is full or cannot be written.
    """
    aside = path.with_name(f".{path.name}.part")
    try:
        write(aside)
        with aside.open("rb+") as file:
            os.fsync(file.fileno())
        aside.replace(path)
        _sync_directory(path.parent)
    except (OSError, SafetensorError) as error:
        aside.unlink(missing_ok=True)
        raise OutputError(
            "the file cannot be written",
            where=path,
            found=getattr(error, "strerror", None) or str(error),
            accepted="What was there before is untouched. Is the disk full?",
        ) from None


def write_text(path: Path, text: str) -> None:
    """Writes a text file whole."""

    def write(aside: Path) -> None:
        aside.write_text(text, encoding="utf-8", newline="\n")

    write_whole(path, write)


def _sync_directory(directory: Path) -> None:
    if os.name != "posix":
        return  # elsewhere a directory cannot be opened
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
