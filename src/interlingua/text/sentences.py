"""Splitting a text that is too long for a model: at sentence ends, else at spaces, else anywhere."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

__all__ = ["split_long"]

_SENTENCE_END = re.compile(
    r"""
    (?<![.!?\u2026])[.!?\u2026]++ ["'”’»)\]]*+ \s+   # a full stop and the like, closing marks, space
    | [。！？]+ [”’」』）]* \s*         # East Asian ones need no space after them
    """,
    re.VERBOSE,
)
_SPACE = re.compile(r"\s+")


def split_long(text: str, length: Callable[[str], int], limit: int) -> list[tuple[str, str]]:
    """Splits a text into parts within a limit: sentences, halves of sentences that are too long, and so on.

    Args:
        text: what to split.
        length: measures a part, such as its number of tokens.
        limit: the most that a part may measure; a single character is never split.

    Returns:
        (part, what stood between it and the next part), so that joining all gives the text back.
    """
    if length(text) <= limit:
        return [(text, "")]
    parts: list[tuple[str, str]] = []
    for sentence in _sentences(text):
        parts += _split_in_halves(sentence, length, limit)
    return parts


def _sentences(text: str) -> Iterator[str]:
    start = 0
    for match in _SENTENCE_END.finditer(text):
        yield text[start : match.end()]
        start = match.end()
    if start < len(text):
        yield text[start:]


def _split_in_halves(text: str, length: Callable[[str], int], limit: int) -> list[tuple[str, str]]:
    part = text.rstrip()
    if len(part) <= 1 or length(part) <= limit:
        return [(part, text[len(part) :])]
    middle = len(part) // 2
    gaps = [match.span() for match in _SPACE.finditer(part) if match.start() > 0]
    # After the gap that is nearest to the middle; without any, right in the middle.
    split = min((end for _, end in gaps), key=lambda end: abs(end - middle), default=middle)
    return _split_in_halves(text[:split], length, limit) + _split_in_halves(text[split:], length, limit)
