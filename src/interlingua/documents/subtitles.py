"""Files: which text of them is translated."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from html import escape, unescape

__all__ = ["FORMATS", "translate_document"]

FORMATS = (".txt", ".srt", ".html", ".htm")

Translate = Callable[[list[str], bool], Awaitable[list[str]]]
"""Translates texts, HTML or not."""

_TIMES = re.compile(r"\s*\d+:\d\d:\d\d[,.]\d+\s*-->\s*\d+:\d\d:\d\d[,.]\d+")
_TAG = re.compile(r"<[^<>]+>|\{\\[^{}]*\}")


async def translate_document(suffix: str, text: str, translate: Translate) -> str:
    """The translation of a file's content.

    Args:
        suffix: one of FORMATS.
        text: the content.
        translate: does the work.
    """
    if suffix == ".srt":
        return await _subtitles(text, translate)
    return (await translate([text], suffix != ".txt"))[0]


async def _subtitles(text: str, translate: Translate) -> str:
    """Numbers and times stay; the lines of a subtitle are one sentence, and are broken anew."""
    lines = text.splitlines(keepends=True)
    cues = _cues(lines)
    spoken = [_spoken([lines[i].strip() for i in cue]) for cue in cues]
    done: dict[str, str] = {}
    for html in (False, True):
        each = (source for sources in spoken for source in sources if bool(_TAG.search(source)) == html)
        if some := list(dict.fromkeys(each)):
            given = [_escaped(source) for source in some] if html else some
            found = await translate(given, html)
            done |= zip(some, map(unescape, found) if html else found, strict=True)
    for cue, sources in zip(cues, spoken, strict=True):
        end = lines[cue[0]][len(lines[cue[0]].rstrip("\r\n")) :]
        said = [done[source] for source in sources]
        rows = said if len(said) > 1 else _rows(said[0], len(cue))
        last = lines[cue[-1]]
        lines[cue[0]] = (end or "\n").join(rows) + last[len(last.rstrip("\r\n")) :]
        for i in cue[1:]:
            lines[i] = ""
    return "".join(lines)


def _cues(lines: list[str]) -> list[list[int]]:
    """The line numbers of each subtitle's text."""
    cues: list[list[int]] = []
    inside = False
    for i, line in enumerate(lines):
        if _TIMES.match(line):
            inside = True
            cues.append([])
        elif not line.strip():
            inside = False
        elif inside:
            cues[-1].append(i)
    return [cue for cue in cues if cue]


def _spoken(lines: list[str]) -> list[str]:
    """What is said: one sentence broken into lines, or, with dashes, a line for each speaker."""
    by_speaker = all(_TAG.sub("", line).lstrip().startswith(("-", "–", "—")) for line in lines)
    return lines if by_speaker else [" ".join(lines)]


def _escaped(text: str) -> str:
    """Subtitles have tags, but no character references: & and a lone < mean themselves."""
    pieces = re.split(r"(</?[A-Za-z][^<>]*>)", text)
    return "".join(piece if i % 2 else escape(piece, quote=False) for i, piece in enumerate(pieces))


def _rows(text: str, count: int) -> list[str]:
    """The text in so many lines of about equal length, if it has as many words."""
    if count == 1:
        return [text]
    rows: list[str] = []
    words = text.split()
    for left in range(count, 0, -1):
        width = sum(len(word) + 1 for word in words) / left
        row = words[:1]
        while len(row) < len(words) and (
            left == 1 or sum(len(word) + 1 for word in row) + len(words[len(row)]) / 2 < width
        ):
            row.append(words[len(row)])
        rows.append(" ".join(row))
        words = words[len(row) :]
    return [row for row in rows if row]
