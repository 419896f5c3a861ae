"""A text split into the parts that a model translates and what stands between them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from interlingua.text.column_tokenizer import TextColumn
from interlingua.text.columns import NO_OTHERS, OtherColumns
from interlingua.text.facts import TextFacts
from interlingua.text.sentences import find_sentences, split_long
from interlingua.text.tokenizer import Tokenizer

__all__ = ["Passage", "split_passage"]

_LINE_END = re.compile("([\r\n\v\f\x1c-\x1e\x85\u2028\u2029]+)")
_SURE_LINE_END = re.compile("([\r\n\u2029]+)")
"""In natural language the others are white space like any other."""


class Passage(NamedTuple):
    """A text as parts to translate with what goes around them unchanged."""

    parts: list[str]
    offsets: list[int]
    """Where each begins in the text."""
    num_tokens: list[int]
    """How long each is."""
    gaps: list[str]
    """What stands before, between and after the parts: space, line breaks, and what is only copied;
    one more than parts. All in turn are the text."""
    has_long_line: bool
    """Whether something was too long for the model and goes in several parts."""
    others: OtherColumns = NO_OTHERS
    """What goes with every part, where sources have several columns."""

    def fill(self, translations: Sequence[str]) -> str:
        """The text with the first parts translated, up to the last of the translations."""
        text = self.gaps[0]
        for translation, gap in zip(translations, self.gaps[1:], strict=False):
            text += translation + gap
        return text


def split_passage(
    text: str, tokenizer: Tokenizer, max_tokens: int, facts: TextFacts | None = None,
    others: OtherColumns = NO_OTHERS,
) -> Passage:  # fmt: skip
    """Splits a text at line breaks, at sentence ends where a model knows single ones, and what is too long.

    Args:
        text: any text.
        tokenizer: of the source side.
        max_tokens: the most tokens of a part.
        facts: what kind of text the model is for; when not given, lines.
        others: the other columns of the source, where the text is one of several.
    """
    facts = facts or TextFacts()
    of_text = TextColumn(tokenizer, facts.column).tokenizer
    parts: list[str] = []
    gaps = [""]
    num_tokens: dict[str, int] = {}
    too_long = False

    def measure(part: str) -> int:
        num_tokens[part] = len(tokenizer.encode(others.complete(part)))
        return num_tokens[part]

    for unit in _find_units(text, facts):
        start, end = _find_words(unit, of_text, facts)
        gaps[-1] += unit[:start]
        pieces = split_long(unit[start:end], measure, max_tokens)
        too_long |= len(pieces) > 1
        for part, gap in pieces:
            if part:
                parts.append(part)
                gaps.append(gap)
            else:
                gaps[-1] += gap
        gaps[-1] += unit[end:]
    lengths = [length for gap, part in zip(gaps, parts, strict=False) for length in (len(gap), len(part))]
    offsets = list(accumulate(lengths))[::2]
    return Passage(parts, offsets, [num_tokens.get(part, 1) for part in parts], gaps, too_long, others)


def _find_units(text: str, facts: TextFacts) -> list[str]:
    """The sentences or lines of a text, and what stands between the lines."""
    if not facts.natural:
        return _LINE_END.split(text)
    lines = [text] if facts.line_breaks else _SURE_LINE_END.split(text)
    if facts.passages:
        return lines
    return [sentence for line in lines for sentence in find_sentences(line, facts.language)]


def _find_words(unit: str, tokenizer: Tokenizer, facts: TextFacts) -> tuple[int, int]:
    """Where a sentence or line begins and ends without what goes around its translation unchanged.

    That is space, and in natural language emoji, bullets and the like that the model does not know.
    """
    if not facts.has_words(unit):
        return len(unit), len(unit)
    start, end = len(unit) - len(unit.lstrip()), len(unit.rstrip())
    if facts.natural and not unit.isascii():
        while start < end and (unit[start].isspace() or is_foreign_sign(unit[start], tokenizer)):
            start += 1
        while start < end and (unit[end - 1].isspace() or is_foreign_sign(unit[end - 1], tokenizer)):
            end -= 1
    return start, end


def is_foreign_sign(character: str, tokenizer: Tokenizer) -> bool:
    """Whether a character is a sign that the model does not know, or part of one."""
    if character.isascii() or character.isalnum():
        return False
    # Of the marks only the variation selectors and the keycap belong to signs, the others to letters.
    is_mark = unicodedata.category(character)[0] == "M" and character not in "\ufe0e\ufe0f\u20e3"
    return not is_mark and bool(tokenizer.unknown(character))
