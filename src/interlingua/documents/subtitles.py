"""Subtitles: SubRip (.srt), WebVTT (.vtt) and SubStation (.ass, .ssa); all but what is said stays as it is.

The rows of a subtitle are one sentence, which is broken anew; with dashes, each is what one speaker says.
No library does this: pysubs2 and srt write the file anew, with other times, line ends, numbers or places.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from interlingua.documents.document import Format
from interlingua.documents.subtitle_codes import Markup, Sentence, has_words, read_sentence, starts_speech

__all__ = ["Subtitles"]

_LINE_END = re.compile(r"(\r\n|\n|\r)")
_TIMES = re.compile(r"\s*(?:\d+:)?\d+:\d\d[,.]\d+\s*-->\s*(?:\d+:)?\d+:\d\d[,.]\d+")
_NUMBER = re.compile(r"\s*\d+\s*\Z")
_NO_CUE = re.compile(r"(?:WEBVTT|NOTE|STYLE|REGION)(?:\s|\Z)")
_SENTENCE_END = re.compile(
    r"[.!?\u2026\u3002\uff01\uff1f][\"'\u2019\u201d\u00bb)\]]*\s*(?:<[^<>]*>|\{[^{}]*\})*\s*\Z"
)
_TAG = re.compile(r"<[^<>]*>")

_ASS_BREAK = re.compile(r"(\\[Nn])")
_ASS_FIELDS = ["layer", "start", "end", "style", "name", "marginl", "marginr", "marginv", "effect", "text"]
_ASS_SPACE, _NO_BREAK_SPACE = r"\h", "\u00a0"
_ASS_DRAWING = re.compile(r"\{[^{}]*\\p[1-9]")


class _Cue(NamedTuple):
    """What is said in one subtitle."""

    sentences: list[tuple[Sentence, int]]
    """Each with its number of rows."""
    breaks: list[str]
    """What stands between the rows."""


class Subtitles:
    """The content of a file of subtitles.

    Args:
        content: any text; what is not a subtitle stays as it is.
        markup: the kind of the file.
    """

    def __init__(self, content: str, markup: Markup = "srt") -> None:
        self.markup = markup
        lines = [line for line in re.split(r"(?<=\n)|(?<=\r)(?!\n)", content) if line]
        self._pieces = list(_read_events(lines) if markup == "ass" else _read_cues(lines, markup))
        sentences = dict.fromkeys(
            (sentence.format, sentence.text)
            for piece in self._pieces
            if not isinstance(piece, str)
            for sentence, _ in piece.sentences
            if sentence.text
        )
        self.texts: dict[Format, list[str]] = {}
        """What is said, each sentence once; those with codes inside as HTML."""
        for format, text in sorted(sentences, key=lambda sentence: sentence[0] == "html"):
            self.texts.setdefault(format, []).append(text)

    def fill(self, translations: Mapping[Format, Sequence[str]]) -> str:
        """The content with the translations of its texts, in as many rows each as before."""
        translated = {
            (format, text): translation
            for format, texts in self.texts.items()
            for text, translation in zip(texts, translations[format], strict=True)
        }
        return "".join(
            piece if isinstance(piece, str) else self._fill_cue(piece, translated) for piece in self._pieces
        )

    def _fill_cue(self, cue: _Cue, translated: Mapping[tuple[Format, str], str]) -> str:
        rows: list[str] = []
        for sentence, num_rows in cue.sentences:
            text = translated.get((sentence.format, sentence.text), "")
            wrapped = _wrap(text, num_rows)
            if sentence.format == "html":
                wrapped = [sentence.restore_codes(row, escaped=self.markup == "vtt") for row in wrapped]
            wrapped[0] = sentence.leading + wrapped[0]
            wrapped[-1] += sentence.trailing
            rows += wrapped
        if self.markup == "ass":
            rows = [row.replace(_NO_BREAK_SPACE, _ASS_SPACE) for row in rows]
        filled = rows[0]
        for row_break, row in zip(cue.breaks, rows[1:], strict=False):
            filled += row_break + row
        return filled


def _read_cues(lines: Sequence[str], markup: Markup) -> Iterator[str | _Cue]:
    """A file as cues and what stands around them."""
    done = 0
    for cue in _find_cues(lines, markup):
        yield "".join(lines[done : cue.start])
        text = "".join(lines[i] for i in cue)
        content = text.rstrip("\r\n")
        yield _read_cue(_LINE_END.split(content), markup)
        yield text[len(content) :]
        done = cue.stop
    yield "".join(lines[done:])


def _find_cues(lines: Sequence[str], markup: Markup) -> Iterator[range]:
    """The line numbers of the text of each subtitle: from its times to an empty line, or to the next one."""
    first: int | None = None
    numbered = False  # whether a number stands before the times
    begun = False
    after_blank = True
    skipped = False  # inside of a comment or the like
    for i, line in enumerate([*lines, ""]):
        blank = not line.strip()
        if _TIMES.match(line) and not skipped:
            has_number = i > 0 and bool(_NUMBER.match(lines[i - 1]))
            end = i - 1 if has_number and numbered else i
            if first is not None and first < end:
                yield range(first, end)
            first, numbered, begun = i + 1, has_number, True
        elif blank:
            if first is not None and first < i:
                yield range(first, i)
            first, skipped = None, False
        elif after_blank and markup == "vtt" and _NO_CUE.match(line.removeprefix("\ufeff")):
            skipped = True
        elif first is None and begun and markup == "srt" and not _begins_cue(lines, i):
            first = i  # an empty line inside of a subtitle
        after_blank = blank


def _begins_cue(lines: Sequence[str], i: int) -> bool:
    return bool(_NUMBER.match(lines[i])) and i + 1 < len(lines) and bool(_TIMES.match(lines[i + 1]))


def _read_events(lines: Sequence[str]) -> Iterator[str | _Cue]:
    """A SubStation file as what its Dialogue lines say, and what stands around that."""
    fields, in_events = _ASS_FIELDS, False
    for line in lines:
        name, colon, rest = line.partition(":")
        if line.strip().startswith("["):
            in_events = line.strip().lower() == "[events]"
        elif in_events and name.strip().lower() == "format":
            fields = [field.strip().lower() for field in rest.split(",")]
        elif in_events and name.strip().lower() == "dialogue" and "text" in fields:
            place = fields.index("text")
            values = rest.split(",", len(fields) - 1)
            if len(values) == len(fields) and not _ASS_DRAWING.search(values[place]):
                content = values[place].rstrip("\r\n").replace(_ASS_SPACE, _NO_BREAK_SPACE)
                yield name + colon + "".join(f"{value}," for value in values[:place])
                yield _read_cue(_ASS_BREAK.split(content), "ass")
                yield values[place][len(values[place].rstrip("\r\n")) :]
                yield "".join(f",{value}" for value in values[place + 1 :])
                continue
        yield line


def _read_cue(rows_and_breaks: Sequence[str], markup: Markup) -> _Cue:
    """A subtitle, from its rows with their breaks between them."""
    rows, breaks = rows_and_breaks[::2], rows_and_breaks[1::2]
    groups = [[rows[0]]]
    for before, row in pairwise(rows):
        ended = starts_speech(rows[0], markup) or _SENTENCE_END.search(before)
        wordless = not has_words(row, markup) or not has_words(before, markup)
        if wordless or (ended and starts_speech(row, markup)):
            groups.append([])
        groups[-1].append(row)
    sentences = [(read_sentence(_join_rows(group), markup), len(group)) for group in groups]
    return _Cue(sentences, list(breaks))


def _join_rows(rows: Sequence[str]) -> str:
    """Rows of one sentence on one line, with the space before and after as it was."""
    if len(rows) == 1:
        return rows[0]
    return " ".join([rows[0].rstrip(), *(row.strip() for row in rows[1:-1]), rows[-1].lstrip()])


def _wrap(text: str, num_rows: int) -> list[str]:
    """The text in so many rows of about equal length, if it has as many words; tags have no length."""
    if num_rows == 1:
        return [text]
    rows: list[str] = []
    words = text.split()
    for left in range(num_rows, 0, -1):
        width = sum(_length(word) + 1 for word in words) / left
        row = words[:1]
        while len(row) < len(words) and (
            left == 1 or sum(_length(word) + 1 for word in row) + _length(words[len(row)]) / 2 < width
        ):
            row.append(words[len(row)])
        rows.append(" ".join(row))
        words = words[len(row) :]
    return [row for row in rows if row] or [""]


def _length(word: str) -> int:
    return len(_TAG.sub("", word))
