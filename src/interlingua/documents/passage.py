"""A text split into the parts that a model translates and what stands between them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from interlingua.text.sentences import split_long
from interlingua.text.tokenizer import Tokenizer

__all__ = ["Passage", "split_passage"]

_LINE_END = re.compile("([\r\n\v\f\x1c-\x1e\x85\u2028\u2029]+)")


class Passage(NamedTuple):
    """A text as parts to translate with line breaks and space around them."""

    parts: list[str]
    offsets: list[int]
    """Where each begins in the text."""
    num_tokens: list[int]
    """How long each is."""
    gaps: list[str]
    """What stands before, between and after the parts; one more than parts."""
    has_long_line: bool
    """Whether some line was too long for the model and goes in several parts."""

    def fill(self, translations: Sequence[str]) -> str:
        """The text with the first parts translated, up to the last of the translations."""
        text = self.gaps[0]
        for translation, gap in zip(translations, self.gaps[1:], strict=False):
            text += translation + gap
        return text


def split_passage(text: str, tokenizer: Tokenizer, max_tokens: int) -> Passage:
    """Splits a text at line breaks, and lines that are too long for the model as `translate` does.

    Args:
        text: any text.
        tokenizer: of the source side.
        max_tokens: the most tokens of a part.
    """
    parts: list[str] = []
    offsets: list[int] = []
    num_tokens: dict[str, int] = {}

    def measure(part: str) -> int:
        num_tokens[part] = len(tokenizer.encode(part))
        return num_tokens[part]

    gaps = [""]
    at, has_long_line = 0, False
    for number, line in enumerate(_LINE_END.split(text)):
        content = "" if number % 2 else line.strip()
        if not content:
            gaps[-1] += line
            at += len(line)
            continue
        indent = len(line) - len(line.lstrip())
        gaps[-1] += line[:indent]
        at += indent
        pieces = split_long(content, measure, max_tokens)
        has_long_line |= len(pieces) > 1
        for part, gap in pieces:
            if part:
                parts.append(part)
                offsets.append(at)
                gaps.append(" " if gap else "")
            at += len(part) + len(gap)
        rest = line[indent + len(content) :]
        gaps[-1] += rest
        at += len(rest)
    return Passage(parts, offsets, [num_tokens.get(part, 1) for part in parts], gaps, has_long_line)
