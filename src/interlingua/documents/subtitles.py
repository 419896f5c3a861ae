"""Subtitles, as SubRip files (.srt): numbers, times and line ends stay as they came in.

The lines of a subtitle are one sentence, which is broken anew; with dashes, each is what one speaker says.
No library does this: pysubs2 and srt write the file anew, with other times, line ends, numbers or places.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape, unescape
from typing import NamedTuple

from interlingua.documents.document import Format

__all__ = ["Subtitles"]

_TIMES = re.compile(r"\s*\d+:\d\d:\d\d[,.]\d+\s*-->\s*\d+:\d\d:\d\d[,.]\d+")
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")  # U+2028 and the like stand inside a line
_TAG = re.compile(r"<[^<>]+>|\{\\[^{}]*\}")
_HTML_TAG = re.compile(r"(</?[A-Za-z][^<>]*>)")
_DASHES = ("-", "–", "—")


class _Cue(NamedTuple):
    """What is said in one subtitle."""

    first: int
    """The number of its first line in the file."""
    num_lines: int
    sentences: list[tuple[Format, str]]


class Subtitles:
    """The content of a file of subtitles.

    Args:
        content: any text; what is not a subtitle stays as it is.
    """

    def __init__(self, content: str) -> None:
        self._lines = _LINE.findall(content)
        self._cues = [_read_cue(self._lines, number) for number in _find_cues(self._lines)]
        sentences = dict.fromkeys(sentence for cue in self._cues for sentence in cue.sentences)
        self.texts: dict[Format, list[str]] = {}
        """What is said, each sentence once; those with tags as HTML."""
        for format, text in sorted(sentences, key=lambda sentence: sentence[0] == "html"):
            self.texts.setdefault(format, []).append(text)

    def fill(self, translations: Mapping[Format, Sequence[str]]) -> str:
        """The content with the translations of its texts, in as many lines each as before."""
        translated = {
            (format, text): unescape(translation) if format == "html" else translation
            for format, texts in self.texts.items()
            for text, translation in zip(texts, translations[format], strict=True)
        }
        lines = list(self._lines)
        for cue in self._cues:
            said = [translated[sentence] for sentence in cue.sentences]
            rows = said if len(said) > 1 else _wrap(said[0], cue.num_lines)
            last = cue.first + cue.num_lines - 1
            separator = _line_end(lines[cue.first]) or "\n"
            lines[cue.first] = separator.join(rows) + _line_end(lines[last])
            lines[cue.first + 1 : last + 1] = [""] * (cue.num_lines - 1)
        return "".join(lines)


def _find_cues(lines: Sequence[str]) -> list[range]:
    """The line numbers of the text of each subtitle: from its times to an empty line."""
    cues: list[range] = []
    first = None
    for i, line in enumerate([*lines, ""]):
        if _TIMES.match(line) or not line.strip():
            if first is not None and first < i:
                cues.append(range(first, i))
            first = i + 1 if line.strip() else None
    return cues


def _read_cue(lines: Sequence[str], numbers: range) -> _Cue:
    said = [lines[i].strip() for i in numbers]
    by_speaker = all(_TAG.sub("", line).lstrip().startswith(_DASHES) for line in said)
    sentences = said if by_speaker else [" ".join(said)]
    return _Cue(numbers.start, len(numbers), [_as_text(sentence) for sentence in sentences])


def _as_text(sentence: str) -> tuple[Format, str]:
    """A sentence with tags becomes HTML; in subtitles & and a lone < mean themselves."""
    if not _TAG.search(sentence):
        return "text", sentence
    pieces = _HTML_TAG.split(sentence)
    return "html", "".join(piece if i % 2 else escape(piece, quote=False) for i, piece in enumerate(pieces))


def _line_end(line: str) -> str:
    return line[len(line.rstrip("\r\n")) :]


def _wrap(text: str, num_lines: int) -> list[str]:
    """The text in so many lines of about equal length, if it has as many words."""
    if num_lines == 1:
        return [text]
    lines: list[str] = []
    words = text.split()
    for left in range(num_lines, 0, -1):
        width = sum(len(word) + 1 for word in words) / left
        line = words[:1]
        while len(line) < len(words) and (
            left == 1 or sum(len(word) + 1 for word in line) + len(words[len(line)]) / 2 < width
        ):
            line.append(words[len(line)])
        lines.append(" ".join(line))
        words = words[len(line) :]
    return [line for line in lines if line]
