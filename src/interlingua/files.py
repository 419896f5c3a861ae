"""Files that are either whole or not there: written aside, synced, renamed."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

from safetensors import SafetensorError

from interlingua.errors import OutputError

__all__ = ["write_error", "write_text", "write_whole"]


def write_whole(path: Path, write: Callable[[Path], None]) -> None:
    """Has `write` fill a file aside, syncs it and gives it its name; whatever happens, `path` stays whole.

    A device or a pipe has no name to give: it is written as it is.

    Raises:
        OutputError: the disk is full or the file cannot be written.
    """
    try:
        if path.exists() and not path.is_file():
            write(path)
            return
    except (OSError, SafetensorError) as error:
        raise write_error(error, path) from None
    aside = path.with_name(f".{path.name}.part")
    try:
        aside.touch()
        mode = aside.stat().st_mode
        write(aside)
        aside.chmod(mode)  # safetensors writes files that only their owner may read; the umask is to decide
        with aside.open("rb+") as file:
            os.fsync(file.fileno())
        aside.replace(path)
        _sync_directory(path.parent)
    except (OSError, SafetensorError) as error:
        _remove(aside)
        raise write_error(error, path, "What was there before is untouched.") from None


def write_text(path: Path, text: str) -> None:
    """Writes a text file whole."""

    def write(aside: Path) -> None:
        aside.write_text(text, encoding="utf-8", newline="\n")

    write_whole(path, write)


def write_error(error: Exception, where: object, hint: str | None = None) -> OutputError:
    """What the system said when something could not be written."""
    found = getattr(error, "strerror", None) or str(error)
    if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
        return OutputError("the disk is full", where=where, found=found, accepted=hint)
    return OutputError("the file cannot be written", where=where, found=found, accepted=hint)


def _remove(aside: Path) -> None:
    try:
        aside.unlink(missing_ok=True)
    except OSError:
        return  # where nothing can be written nothing can be removed; the first error tells more


def _sync_directory(directory: Path) -> None:
    if os.name != "posix":
        return  # elsewhere a directory cannot be opened
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
