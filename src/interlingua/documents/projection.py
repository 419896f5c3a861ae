"""Which words of a translation come from a given stretch of the source, by the model's attention."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

__all__ = ["Projection", "Span", "TranslatedPart", "project"]

_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]|\w+|[^\w\s]")
_SPACE = "\u2581"  # SentencePiece's sign for a space
_MAX_GAP = 40  # characters that tokens which cannot be found may stand for

Span = tuple[int, int]
"""Offsets of the first character and of the one after the last."""


class TranslatedPart(NamedTuple):
    """What a model made of a text."""

    text: str
    alternatives: Sequence[str] = ()
    """Other translations, best first."""
    flags: Sequence[str] = ()
    alignment: Sequence[tuple[int, int]] = ()
    """(source token, token); without it nothing is known of where the words come from."""
    tokens: Sequence[str] = ()
    """As shown to people."""
    source_tokens: Sequence[str] = ()


class Projection(NamedTuple):
    """A translation and where its words come from."""

    text: str
    words: list[Span]
    """Where each word, ideograph or punctuation mark stands in the text."""
    source_offsets: list[int | None]
    """For each word a character of the source that it comes from; None when that is not known."""

    def find_words(self, start: int, end: int) -> tuple[int, int] | None:
        """The run of words (first, after the last) that mostly comes from source[start:end]."""
        found = [
            i for i, offset in enumerate(self.source_offsets) if offset is not None and start <= offset < end
        ]
        if not found:
            return None
        runs = [[found[0]]]
        for i in found[1:]:
            if i - runs[-1][-1] > 2:  # one foreign word inside a run is likely a slip of the attention
                runs.append([])
            runs[-1].append(i)
        longest = max(runs, key=len)
        return longest[0], longest[-1] + 1

    def find_place(self, source_offset: int, first: int, last: int) -> int:
        """The word among [first, last) before which belongs what stands at an offset of the source."""
        for i in range(first, last):
            offset = self.source_offsets[i]
            if offset is not None and offset >= source_offset:
                return i
        return last

    def replace_words(self, first: int, last: int, text: str) -> Projection:
        """The same with the words [first, last) replaced by one."""
        start, end = self.words[first][0], self.words[last - 1][1]
        shift = len(text) - (end - start)
        after = [(a + shift, b + shift) for a, b in self.words[last:]]
        return Projection(
            self.text[:start] + text + self.text[end:],
            [*self.words[:first], (start, start + len(text)), *after],
            [*self.source_offsets[:first], self.source_offsets[first], *self.source_offsets[last:]],
        )

    def shift(self, in_text: int, in_source: int) -> Projection:
        """The same as part of something longer: offsets of the text and of the source added."""
        return Projection(
            self.text,
            [(start + in_text, end + in_text) for start, end in self.words],
            [None if offset is None else offset + in_source for offset in self.source_offsets],
        )


def project(source: str, translation: TranslatedPart) -> Projection:
    """Reads where the words of a translation come from in its alignment."""
    text = translation.text
    words = [match.span() for match in _WORD.finditer(text)]
    if not translation.alignment:
        return Projection(text, words, [None] * len(words))
    source_spans = list(_find_tokens(translation.source_tokens, source))
    spans = list(_find_tokens(translation.tokens, text))
    pairs = [
        (spans[token], source_spans[source_token])
        for source_token, token in translation.alignment
        if token < len(spans) and source_token < len(source_spans)
    ]
    return Projection(text, words, [_source_offset(word, pairs) for word in words])


def _source_offset(word: Span, pairs: Sequence[tuple[Span, Span]]) -> int | None:
    """The character of the source that a word comes from: by the token that covers most of it.

    Where a token holds several words, such as a word with its full stop, the place within the token counts.
    """
    start, end = word
    shares = [
        (min(end, b) - max(start, a), -a, source, (a, b)) for (a, b), source in pairs if a < end and start < b
    ]
    if not shares:
        return None
    _, _, (first, last), (a, b) = max(shares)
    middle = (max(start, a) + min(end, b)) / 2
    return first + int((middle - a) / (b - a) * max(0, last - first))


def _find_tokens(tokens: Sequence[str], text: str) -> Iterator[Span]:
    """Where each token stands in the text; those that cannot be found share the gap that they leave."""
    at = 0
    lost = 0
    for token in tokens:
        shown = token.replace(_SPACE, " ").strip()
        start = text.find(shown, at, at + _MAX_GAP + len(shown)) if shown else -1
        if start < 0:
            lost += 1
            continue
        for _ in range(lost):
            yield at, start
        lost = 0
        at = start + len(shown)
        yield start, at
    for _ in range(lost):
        yield at, len(text)
