"""Where sentences end, and splitting what is too long for a model even so."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import sentencex

__all__ = ["find_sentences", "split_long"]

MAX_LOOKED_AT = 10_000
"""Characters that are looked at together: sentencex takes time with the square of the quotation marks."""

MAX_END = 20
"""Characters that tell whether a sentence ends after them."""

_SPACE = re.compile(r"\s+")
# sentencex takes some of these for one byte.
_PLAIN_SPACES = dict.fromkeys(
    [*range(0x20), *range(0x2000, 0x200B), 0x7F, 0x85, 0xA0, 0x1680, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000],
    " ",
)
# It misses an end that a bracket or an ellipsis follows, here before a capital.
_MISSED_END = re.compile(
    r"""(?: \u2026 | [.!?\u2026][)\]] ) ["'”’»)\]]* \s+ (?=["'“„«(\[]*(\w))""", re.VERBOSE
)
_NUMBERED = re.compile(r"\W*(?:\d{1,3}|[^\W\d_]|[IVXLC]+)[.)]\s*")
"""The whole of what would be a sentence, but is the number of the next: "1. ", "a) "."""
_INITIAL = re.compile(r"""(?:^|[\s("“„«])(?!I\b)[^\W\d_]\.\s+$""")
"""At an end: "J. ", the French "M. "."""
_NEEDS_SPACE = re.compile(r"""[.!?:;\u2026]["'”’»)\]]*$""")
"""East Asian and Indian full stops need no space after them; these do, for there are "foo.bar" and "1:0"."""
_GAP = re.compile(r"[\u200b\u200e\u200f\u202c\u2060\u2069\ufeff]*\s+")
"""With marks of direction and the like, which sentencex takes for the beginning of the next sentence."""


def find_sentences(text: str, language: str = "en") -> list[str]:
    """Splits a line into sentences, each with the space after it, so that joining gives the line back.

    What has neither letters nor digits is no sentence: it belongs to the one before.

    Args:
        text: a line.
        language: its code, for the abbreviations that end no sentence; en for one that is not known.
    """
    sentences: list[list[str]] = []
    ended = True
    for piece in _gaps_after(_find_more(_find_ends(text, re.split("[-_]", language)[0].lower()))):
        if sentences and (not ended or not any(map(str.isalnum, piece))):
            sentences[-1].append(piece)
        else:
            sentences.append([piece])
            ended = False
        ended = ended or _ends_sentence(piece)
    return ["".join(pieces) for pieces in sentences]


def _gaps_after(pieces: Iterator[str]) -> Iterator[str]:
    """The same with what stands between two of them at the end of the first."""
    before = next(pieces, "")
    for piece in pieces:
        gap = _GAP.match(piece)
        end = gap.end() if gap else 0
        yield before + piece[:end]
        before = piece[end:]
    yield before


def _ends_sentence(piece: str) -> bool:
    end = piece[-MAX_END:]
    if _INITIAL.search(end) or (len(piece) <= MAX_END and _NUMBERED.fullmatch(piece)):
        return False
    return end[-1:].isspace() or not _NEEDS_SPACE.search(end)


def _find_ends(text: str, language: str) -> Iterator[str]:
    start = 0
    while start < len(text):
        looked_at = text[start : start + MAX_LOOKED_AT].translate(_PLAIN_SPACES)
        found = sentencex.segment(language, looked_at)
        if len(found) > 1 and start + MAX_LOOKED_AT < len(text):
            found.pop()  # it may go on
        for sentence in found:
            yield text[start : start + len(sentence)]
            start += len(sentence)


def _find_more(sentences: Iterator[str]) -> Iterator[str]:
    for sentence in sentences:
        start = 0
        for match in _MISSED_END.finditer(sentence):
            if match[1].isupper():
                yield sentence[start : match.end()]
                start = match.end()
        yield sentence[start:]


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
    for sentence in find_sentences(text):
        parts += _split_in_halves(sentence, length, limit)
    return parts


def _split_in_halves(text: str, length: Callable[[str], int], limit: int) -> list[tuple[str, str]]:
    part = text.rstrip()
    if len(part) <= 1 or length(part) <= limit:
        return [(part, text[len(part) :])]
    middle = len(part) // 2
    gaps = [match.span() for match in _SPACE.finditer(part) if match.start() > 0]
    # After the gap that is nearest to the middle; without any, right in the middle.
    split = min((end for _, end in gaps), key=lambda end: abs(end - middle), default=middle)
    return _split_in_halves(text[:split], length, limit) + _split_in_halves(text[split:], length, limit)
