"""A text taken apart into what the model translates and what stays, and put together again."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from interlingua.text.sentences import split_long
from interlingua.text.tokenizer import Tokenizer

__all__ = ["Passage", "take_apart"]

_LINE_END = re.compile("([\r\n\v\f\x1c-\x1e\x85\u2028\u2029]+)")


class Passage(NamedTuple):
    """A text as parts to translate in a frame of line breaks and space."""

    parts: list[str]
    starts: list[int]
    """Where each begins in the text."""
    tokens: list[int]
    """How long each is."""
    frame: list[str]
    """What stands before, between and after the parts; one more than parts."""
    split: bool
    """Whether some line was too long for the model and goes in several parts."""

    def fill(self, translations: Sequence[str]) -> str:
        """The text with the first parts translated, up to the last of the translations."""
        text = self.frame[0]
        for translation, gap in zip(translations, self.frame[1:], strict=False):
            text += translation + gap
        return text


def take_apart(text: str, tokenizer: Tokenizer, limit: int) -> Passage:
    """Cuts a text at line breaks, and lines that are too long for the model as `translate` does.

    Args:
        text: any text.
        tokenizer: of the source side.
        limit: the most tokens of a part.
    """
    parts: list[str] = []
    starts: list[int] = []
    tokens: dict[str, int] = {}

    def measure(part: str) -> int:
        tokens[part] = len(tokenizer.encode(part))
        return tokens[part]

    frame = [""]
    at, split = 0, False
    for number, line in enumerate(_LINE_END.split(text)):
        core = "" if number % 2 else line.strip()
        if not core:
            frame[-1] += line
            at += len(line)
            continue
        before = len(line) - len(line.lstrip())
        frame[-1] += line[:before]
        at += before
        cut = split_long(core, measure, limit)
        split |= len(cut) > 1
        for part, gap in cut:
            if part:
                parts.append(part)
                starts.append(at)
                frame.append(" " if gap else "")
            at += len(part) + len(gap)
        rest = line[before + len(core) :]
        frame[-1] += rest
        at += len(rest)
    return Passage(parts, starts, [tokens.get(part, 1) for part in parts], frame, split)
