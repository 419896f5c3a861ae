"""Files to pairs of lines: tab-separated, JSON lines or two parallel files; plain, gzip or xz.

A line ends at "\\n" and nowhere else, a "\\r" before it is dropped, and there are no quoting rules.
Every error names the file and the line.
"""

from __future__ import annotations

import gzip
import json
import lzma
import zlib
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import IO, Any, cast

from interlingua.errors import DataError

__all__ = ["read_jsonl", "read_lines", "read_parallel", "read_tsv"]


def read_lines(path: Path) -> Iterator[str]:
    """Yields the lines of a UTF-8 file without their ends; a byte order mark is dropped.

    Raises:
        DataError: the file cannot be read, is damaged, or a line is not UTF-8.
    """
    number = 0
    try:
        with _open(path) as file:
            for number, raw in enumerate(file, start=1):
                line = raw.decode()
                if number == 1:
                    line = line.removeprefix("\ufeff")
                yield line.removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as error:
        raise DataError(
            "the line is not UTF-8",
            where=f"{path}:{number}",
            found=error.object[max(0, error.start - 20) : error.end + 20],
            accepted=f"Convert it first, for example: iconv -f latin1 -t utf-8 {path.name}",
        ) from None
    except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
        raise DataError("the compressed file is damaged", where=path, found=str(error)) from None
    except OSError as error:
        raise DataError("the file cannot be read", where=path, found=error.strerror or str(error)) from None


def read_tsv(path: Path, columns: tuple[int, int] | None) -> Iterator[tuple[str, str]]:
    """Yields the two texts of each line; a blank line gives two empty ones.

    Args:
        path: the file.
        columns: the source's and the target's column, counted from 1; None when there are just two.

    Raises:
        DataError: a line has too few columns, or a third one when no columns are chosen.
    """
    source, target = (columns[0] - 1, columns[1] - 1) if columns else (0, 1)
    least = max(source, target) + 1
    for number, line in enumerate(read_lines(path), start=1):
        fields = line.split("\t")
        if len(fields) >= least if columns else len(fields) == 2:
            yield fields[source], fields[target]
        elif not line:
            yield "", ""
        else:
            raise _wrong_columns(f"{path}:{number}", line, fields, columns)


def read_jsonl(path: Path, keys: tuple[str, str]) -> Iterator[tuple[str, str]]:
    """Yields the two texts of each line's JSON object; a blank line gives two empty ones.

    Args:
        path: the file.
        keys: the source's and the target's key; others are ignored.

    Raises:
        DataError: a line is no JSON object, or a key is missing or no text.
    """
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip():
            yield "", ""
            continue
        where = f"{path}:{number}"
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            raise DataError("the line is not JSON", where=where, found=line) from None
        if not isinstance(record, dict):
            raise DataError("the line is not a JSON object", where=where, found=line)
        yield _text(record, keys[0], where), _text(record, keys[1], where)


def read_parallel(source: Path, target: Path) -> Iterator[tuple[str, str]]:
    """Yields line n of one file with line n of the other.

    Raises:
        DataError: the files have unequal numbers of lines.
    """
    lines = [0, 0]
    for pair in zip_longest(read_lines(source), read_lines(target)):
        lines = [count + (text is not None) for count, text in zip(lines, pair, strict=True)]
        if lines[0] == lines[1]:
            yield cast(tuple[str, str], pair)
    if lines[0] != lines[1]:
        shorter = source if lines[0] < lines[1] else target
        raise DataError(
            "the two files have unequal numbers of lines",
            where=f"{shorter}:{min(lines)}",
            found=f"{lines[0]:,} lines in {source}, {lines[1]:,} in {target}",
            accepted="Line n of one file must belong to line n of the other.",
        )


def _open(path: Path) -> IO[bytes]:
    if path.suffix == ".gz":
        return cast(IO[bytes], gzip.open(path, "rb"))
    if path.suffix == ".xz":
        return cast(IO[bytes], lzma.open(path, "rb"))
    return path.open("rb", buffering=1 << 20)


def _text(record: dict[str, Any], key: str, where: str) -> str:
    if key not in record:
        found = ", ".join(record) or "no keys"
        raise DataError(
            f"the key {key!r} is missing",
            where=where,
            found=found,
            accepted="Say which: --keys SOURCE,TARGET",
        )
    text = record[key]
    if not isinstance(text, str):
        raise DataError(f"the value of {key!r} is not a text", where=where, found=text)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise DataError(
            f"the value of {key!r} holds a lone surrogate, which is no character", where=where, found=text
        ) from None
    return text


def _wrong_columns(where: str, line: str, fields: list[str], columns: tuple[int, int] | None) -> DataError:
    if columns:
        requested = f"Columns {columns[0]} and {columns[1]} were asked for."
        return DataError(f"the line has {len(fields)} columns", where=where, found=line, accepted=requested)
    if len(fields) == 1:
        what, accepted = "the line has no tab", "Each line is: source, a tab, target."
    else:
        what, accepted = f"the line has {len(fields)} columns", "Say which two to use: --columns 1,2"
    return DataError(what, where=where, found=line, accepted=accepted)
