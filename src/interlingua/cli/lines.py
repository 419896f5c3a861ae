"""Lines in and out of the translate verb: UTF-8, ended by "\\n" alone, as a stream."""

from __future__ import annotations

import gzip
import lzma
import os
import select
import stat
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO, cast

from interlingua.cli.streams import discard_output, require_input, require_output
from interlingua.data.formats.parquet import is_dataset
from interlingua.data.opening import COMPRESSIONS
from interlingua.data.reading import read_lines
from interlingua.data.recognition import wide_encoding
from interlingua.errors import ConfigurationError, DataError, OutputError
from interlingua.files import write_error

__all__ = [
    "STANDARD_INPUT",
    "check_input",
    "check_output",
    "count_lines",
    "line_chunks",
    "open_output",
    "place_of",
    "refuse_same_file",
]

STANDARD_INPUT, STANDARD_OUTPUT = "standard input", "standard output"
COMPRESSED = COMPRESSIONS
BLOCK_BYTES = 1 << 16
WRITTEN: dict[str, Any] = {"encoding": "utf-8", "errors": "backslashreplace", "newline": "\n"}
"""How texts are written. A name of a file may hold what is not UTF-8: in JSON the escape is read as the same
name again."""

# A pause in the input is answered. The more lines have come, the longer they take, and the less it is noticed
# that more are waited for.
PAUSE_S, PAUSE_PER_LINE_S, LONGEST_WAIT_S = 0.005, 0.0002, 0.5


def line_chunks(path: Path | None, size: int) -> Iterator[list[str]]:
    """Yields the lines of a file or of standard input: `size` at a time, or as many as came before a pause.

    Raises:
        DataError: the input cannot be read, or a line is not UTF-8; the lines before it were yielded.
    """
    from interlingua.engine.workload import chunks

    if path is None:
        require_input()
        yield from _decoded(_arriving(sys.stdin, STANDARD_INPUT, size), STANDARD_INPUT)
    elif path.suffix in COMPRESSED or not path.is_fifo():
        yield from chunks(read_lines(path), size)
    else:
        with path.open("rb", buffering=0) as file:
            yield from _decoded(_arriving(file, str(path), size), str(path))


def count_lines(path: Path | None) -> int | None:
    """The number of lines to come, when it can be known without reading a stream."""
    if path is not None and path.suffix in COMPRESSED:
        return None
    try:
        number = sys.stdin.fileno() if path is None else os.open(path, os.O_RDONLY)
        if not stat.S_ISREG(os.fstat(number).st_mode):
            return None
        position = os.lseek(number, 0, os.SEEK_CUR)
        total, last = 0, b"\n"
        while block := os.read(number, 1 << 20):
            total, last = total + block.count(b"\n"), block[-1:]
        os.lseek(number, position, os.SEEK_SET)
    except OSError:
        return None  # a bar does without
    return total + (last != b"\n")


@contextmanager
def open_output(path: Path | None) -> Iterator[Callable[[str], None]]:
    """Opens the output, a file (.gz and .xz are compressed) or standard output, and gives what writes to it.

    What was written is there at once, and stays when the rest fails or is interrupted.

    Raises:
        OutputError: it cannot be written.
    """
    name = path or STANDARD_OUTPUT
    try:
        file = _standard_output() if path is None else _open_file(path)
    except OSError as error:
        raise write_error(error, name) from None

    def write(text: str) -> None:
        try:
            file.write(text)
            file.flush()
        except BrokenPipeError:
            raise  # whoever reads has had enough
        except OSError as error:
            discard_output()
            raise write_error(error, name) from None

    if path is None:
        yield write
        return
    try:
        yield write
    except BaseException:
        with suppress(OSError):  # what failed first is told
            file.close()
        raise
    try:
        file.close()
    except OSError as error:
        raise write_error(error, name) from None


def place_of(name: str, listed_in: str | Path | None) -> str:
    """Where a named file is: beside the file of that line if it is there, as in files of pairs."""
    with suppress(OSError, ValueError):
        if isinstance(listed_in, Path) and (beside := listed_in.parent / name).exists():
            return str(beside)
    return name


def check_input(path: Path | None) -> None:
    """Raises DataError when the input can clearly not be read, before work is done for it."""
    if path is None:
        require_input()
    elif is_dataset(path):
        return
    elif path.is_dir() or not os.access(path, os.R_OK):
        next(read_lines(path))


def check_output(path: Path | None) -> None:
    """Raises OutputError when the output can clearly not be written, before work is done for it."""
    if path is None:
        require_output()
        return
    directory = path.parent
    if path.is_dir():
        found = "it is a directory"
    elif not directory.is_dir():
        found = f"there is no directory {directory}"
    elif not os.access(path if path.exists() else directory, os.W_OK):
        found = "Permission denied"
    else:
        return
    raise OutputError("the file cannot be written", where=path, found=found)


def refuse_same_file(inputs: Sequence[Path | None], output: Path | None, option: str = "--output") -> None:
    """Refuses an output that is one of the inputs, by whatever name; None is a standard stream.

    Raises:
        ConfigurationError: it is.
    """
    written = _identify(output, sys.stdout)
    for path in inputs:
        read = _identify(path, sys.stdin)
        if read is None or written is None or not os.path.samestat(read, written):
            continue
        accepted = "Write to another file, and give that the name when it is done."
        if output is None and not read.st_size:
            accepted = f"The shell has emptied it already, for `>` comes first. {accepted}"
        raise ConfigurationError(
            "input and output are the same file", where=option if output else STANDARD_OUTPUT,
            found=str(output or path or STANDARD_INPUT), accepted=accepted,
        )  # fmt: skip


def _identify(path: Path | None, stream: TextIO) -> os.stat_result | None:
    """The file of that name, or else behind the stream; None for what is no regular file."""
    try:
        found = os.fstat(stream.fileno()) if path is None else path.stat()
    except (OSError, ValueError):
        return None
    return found if stat.S_ISREG(found.st_mode) else None


def _standard_output() -> TextIO:
    require_output()
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(**WRITTEN)
    return sys.stdout


def _open_file(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return cast(TextIO, gzip.open(path, "wt", **WRITTEN))
    if path.suffix == ".xz":
        return cast(TextIO, lzma.open(path, "wt", **WRITTEN))
    return cast(TextIO, path.open("w", **WRITTEN))


def _decoded(arriving: Iterator[list[bytes]], name: str) -> Iterator[list[str]]:
    number = 0
    for raw_lines in arriving:
        lines: list[str] = []
        for raw in raw_lines:
            number += 1
            if number == 1 and (encoding := wide_encoding(raw)):
                raise DataError(f"this is text in {encoding}, not UTF-8", where=name,
                                accepted=f"Convert it first: iconv -f {encoding} -t UTF-8")  # fmt: skip
            try:
                line = raw.decode()
            except UnicodeDecodeError as error:
                if lines:
                    yield lines
                raise DataError(
                    "the line is not UTF-8", where=f"{name}:{number}",
                    found=raw[max(0, error.start - 20) : error.end + 20],
                    accepted="Convert it first, for example: iconv -f latin1 -t utf-8",
                ) from None  # fmt: skip
            lines.append((line.removeprefix("\ufeff") if number == 1 else line).removesuffix("\r"))
        yield lines


def _arriving(stream: Any, name: str, size: int) -> Iterator[list[bytes]]:
    """Lines as they come; read past Python's buffers, which do not tell whether a line is in them."""
    try:
        file: int | None = stream.fileno()
    except (OSError, ValueError):
        file = None  # not a stream of the system, but for example of a test
    lines: list[bytes] = []
    beginning, since = bytearray(), 0.0
    while True:
        if lines and (len(lines) >= size or not _more_comes(file, len(lines), since)):
            yield lines[:size]
            del lines[:size]
            continue
        try:
            if not lines:
                _more_comes(file, 0, since)
                since = time.monotonic()
            block = stream.buffer.read1(BLOCK_BYTES) if file is None else os.read(file, BLOCK_BYTES)
        except OSError as error:
            raise DataError("it cannot be read", where=name, found=error.strerror) from None
        if not block:
            break
        end, *others = block.split(b"\n")
        beginning += end
        if others:
            lines += [bytes(beginning), *others[:-1]]
            beginning = bytearray(others[-1])
    if beginning:
        lines.append(bytes(beginning))
    yield from (lines[first : first + size] for first in range(0, len(lines), size))


def _more_comes(file: int | None, count: int, since: float) -> bool:
    """Waits for more after `count` lines, the first of which came at `since`; without lines for ever."""
    if file is None or os.name != "posix":  # elsewhere a pipe cannot be waited for
        return file is None or not count
    wait_s = min(PAUSE_S + PAUSE_PER_LINE_S * count, LONGEST_WAIT_S - (time.monotonic() - since))
    ready, _, _ = select.select([file], [], [], max(0.0, wait_s) if count else None)
    return bool(ready)
