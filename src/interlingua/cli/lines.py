"""Lines in and out of the translate verb: UTF-8, ended by "\\n" alone, as a stream."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TextIO

from interlingua.errors import DataError, OutputError

__all__ = ["count_lines", "input_lines", "open_output"]


def input_lines(path: Path | None) -> Iterator[str]:
    """Yields the lines of a file (as data.reading does), or of standard input.

    Raises:
        DataError: the file cannot be read, or a line is not UTF-8.
    """
    if path is not None:
        from interlingua.data.reading import read_lines

        yield from read_lines(path)
        return
    for number, raw in enumerate(sys.stdin.buffer, start=1):
        try:
            line = raw.decode()
        except UnicodeDecodeError as error:
            raise DataError(
                "the line is not UTF-8", where=f"standard input:{number}",
                found=raw[max(0, error.start - 20) : error.end + 20],
                accepted="Convert it first, for example: iconv -f latin1 -t utf-8",
            ) from None  # fmt: skip
        if number == 1:
            line = line.removeprefix("\ufeff")
        yield line.removesuffix("\n").removesuffix("\r")


def count_lines(path: Path | None) -> int | None:
    """The number of lines to come, when it can be known without reading a stream."""
    if path is not None:
        if path.suffix in (".gz", ".xz") or not path.is_file():
            return None
        with path.open("rb") as file:
            return _count_newlines(file)
    if not stat.S_ISREG(os.fstat(sys.stdin.fileno()).st_mode):
        return None
    position = sys.stdin.buffer.tell()
    total = _count_newlines(sys.stdin.buffer)
    sys.stdin.buffer.seek(position)
    return total


@contextmanager
def open_output(path: Path | None) -> Iterator[TextIO]:
    """Opens the output: a file, or standard output, with "\\n" for line ends everywhere.

    Raises:
        OutputError: the file cannot be written.
    """
    if path is None:
        if hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(encoding="utf-8", newline="\n")
        yield sys.stdout
        sys.stdout.flush()
        return
    try:
        file = path.open("w", encoding="utf-8", newline="\n")
    except OSError as error:
        raise OutputError("the output cannot be written", where=path, found=error.strerror) from None
    with file:
        yield file


def _count_newlines(file: BinaryIO) -> int:
    total, last = 0, b"\n"
    while block := file.read(1 << 20):
        total, last = total + block.count(b"\n"), block[-1:]
    return total + (last != b"\n")
