"""Translations that users put right, saved as pairs that a model can learn from.

One file for each model, such as en-de.tsv, ready for `interlingua train --from runs/en-de --train en-de.tsv`.
Lines are only ever added, each written and synced as a whole before the user is told that it is saved. One
that a crash cut short is put aside at the next start.
"""

from __future__ import annotations

import asyncio
import errno
import os
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from interlingua.errors import OutputError

__all__ = ["Corrections", "to_pairs"]

_LINE_END = re.compile("[\r\n\v\f\x1c-\x1e\x85\u2028\u2029]+")
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_SEPARATOR = re.compile(r"[/\\:\x00]")  # what could lead out of a directory
_BLOCK = 1 << 16

Pair = tuple[str, str]


class Corrections:
    """The files that corrections are saved in.

    Args:
        directory: made if it is not there.
        names: of the models.

    Raises:
        OutputError: the directory cannot be written, or another service saves into it.
    """

    def __init__(self, directory: Path, names: Iterable[str]) -> None:
        self.directory = directory
        self._writing = asyncio.Lock()
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._lock = FileLock(directory / ".lock", timeout=0)
            self._lock.acquire()
            for name in names:
                _repair(self._file(name))
        except Timeout:
            raise OutputError("another service saves corrections here", where=directory) from None
        except OSError as error:
            raise OutputError(
                "corrections cannot be saved here", where=directory, found=error.strerror
            ) from None

    def close(self) -> None:
        """Lets other services save here."""
        self._lock.release()

    async def save(self, name: str, pairs: Sequence[Pair]) -> None:
        """Adds pairs to the file of a model; they are on the disk when this returns.

        Raises:
            OSError: they could not be written, and none of them was.
        """
        lines = "".join(f"{source}\t{target}\n" for source, target in pairs)
        async with self._writing:
            # Not to be given up halfway when the client goes away; nobody else may write before it is done.
            writing = asyncio.ensure_future(asyncio.to_thread(_append, self._file(name), lines.encode()))
            try:
                await asyncio.shield(writing)
            except asyncio.CancelledError:
                await asyncio.wait({writing})
                raise

    def _file(self, name: str) -> Path:
        return self.directory / f"{_SEPARATOR.sub('_', name)}.tsv"


def _append(path: Path, lines: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        before = os.fstat(handle).st_size
        try:
            if os.write(handle, lines) < len(lines):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(handle)
        except OSError:
            with suppress(OSError):
                os.ftruncate(handle, before)
            raise
    finally:
        os.close(handle)


def _repair(path: Path) -> None:
    """Moves a last line without an end to a file beside."""
    if not path.exists():
        return
    with path.open("rb+") as file:
        end = at = file.seek(0, os.SEEK_END)
        torn = b""
        while at and b"\n" not in torn:
            at = max(0, at - _BLOCK)
            file.seek(at)
            torn = file.read(end - at)
        torn = torn[torn.rfind(b"\n") + 1 :]
        if torn:
            _append(path.with_suffix(".torn"), torn + b"\n")
            file.truncate(end - len(torn))
            os.fsync(file.fileno())


def to_pairs(text: str, translation: str) -> list[Pair]:
    """Line by line if both have as many lines, else as one pair; on one line each, without tabs."""
    sides = [[_clean(line) for line in _LINE_END.split(side.strip())] for side in (text, translation)]
    if len(sides[0]) != len(sides[1]):
        sides = [[" ".join(filter(None, side))] for side in sides]
    return [(source, target) for source, target in zip(*sides, strict=True) if source and target]


def _clean(text: str) -> str:
    return _UNSAFE.sub(" ", text).strip()
