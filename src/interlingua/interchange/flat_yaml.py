"""The YAML of Marian's packages: one mapping, of texts to texts or to lists of texts.

A YAML library would make a number of the token 1, a truth value of no, and one of two entries that are alike;
here every entry stays what is written, and in its place.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

__all__ = ["read_flat_yaml"]

_ENTRY = re.compile(r"(?P<key>\"(?:[^\"\\]|\\.)*\"|'(?:[^']|'')*'|.*?):(?:[ \t]+(?P<value>.*))?")
_LAST_COLON = re.compile(r"(?P<key>.+):[ \t]+(?P<value>\d+)")
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)", re.DOTALL)
_ESCAPES = {
    "0": "\0", "a": "\a", "b": "\b", "t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r", "e": "\x1b",
    "N": "\x85", "_": "\xa0", "L": "\u2028", "P": "\u2029",
}  # fmt: skip

Value = str | list[str]


def read_flat_yaml(text: str) -> list[tuple[str, Value]]:
    """Returns all entries in order, those that are written twice included.

    A JSON object is read as well.

    Raises:
        ValueError: a line is no entry; the message says which.
    """
    if text.lstrip().startswith("{"):
        return _read_json(text)
    return list(_entries(text.split("\n")))


def _read_json(text: str) -> list[tuple[str, Value]]:
    pairs = json.loads(text, object_pairs_hook=list)
    return [
        (key, [str(each) for each in value] if isinstance(value, list) else str(value))
        for key, value in pairs
    ]


def _entries(lines: list[str]) -> Iterator[tuple[str, Value]]:
    number = 0
    while number < len(lines):
        line = lines[number].rstrip("\r")
        number += 1
        if not line.strip() or line.strip() in ("---", "...") or line.startswith(("#", "%YAML ")):
            continue
        if line.startswith("? "):  # a long key, whose value is the next line's
            value_line = lines[number].rstrip("\r") if number < len(lines) else ""
            if not value_line.startswith(": "):
                raise ValueError(f"line {number}: the key has no value: {line[:40]!r}")
            number += 1
            yield _scalar(line[2:]), _scalar(value_line[2:])
            continue
        key, value = _split(line, number)
        if value:
            yield key, _value(value)
            continue
        if number < len(lines) and lines[number].startswith((" ", "\t")) and "[" in lines[number][:20]:
            value, number = lines[number].strip(), number + 1  # yaml-cpp's way to write an empty list
            yield key, _value(value)
            continue
        listed = []
        while number < len(lines) and (item := re.fullmatch(r"\s*-\s+(.*?)\s*", lines[number])):
            listed.append(_scalar(item[1]))
            number += 1
        yield key, listed or ""


def _split(line: str, number: int) -> tuple[str, str]:
    """The key and the value of a line."""
    plain = not line.startswith(('"', "'"))
    # What stands unquoted as a token may hold colons itself; its id is what stands after the last.
    match = (_LAST_COLON.fullmatch(line.rstrip()) if plain else None) or _ENTRY.fullmatch(line)
    if match is None:
        raise ValueError(f"line {number} is no entry: {line[:40]!r}")
    return _scalar(match["key"]), (match["value"] or "").strip()


def _value(value: str) -> Value:
    if value.startswith("[") and value.endswith("]"):
        inner = value[1:-1].strip()
        return [_scalar(part) for part in inner.split(",")] if inner else []
    return _scalar(value)


def _scalar(written: str) -> str:
    """What is written plain, in single or in double quotes."""
    written = written.strip(" \t")
    if len(written) > 1 and written[0] == written[-1] == '"':
        return _ESCAPE.sub(lambda match: _unescape(match[1]), written[1:-1])
    if len(written) > 1 and written[0] == written[-1] == "'":
        return written[1:-1].replace("''", "'")
    return written


def _unescape(escape: str) -> str:
    if len(escape) > 1:
        return chr(int(escape[1:], 16))
    return _ESCAPES.get(escape, escape)
