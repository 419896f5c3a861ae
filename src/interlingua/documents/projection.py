"""Which words of a translation come from a given stretch of the source, by the model's attention."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property
from itertools import accumulate, pairwise
from typing import NamedTuple

from interlingua.text.columns import NO_OTHERS, OtherColumns

__all__ = ["Projection", "Span", "TranslatedPart", "project"]

_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]|\w+|[^\w\s]")
_SPACE = "\u2581"  # SentencePiece's sign for a space
_MAX_COMPARED = 100_000  # pairs of words of two translations; beyond, tags keep their share of the way
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


@dataclass(frozen=True)
class Projection:
    """A translation and where its words come from."""

    text: str
    words: list[Span]
    """Where each word, ideograph or punctuation mark stands in the text."""
    source_offsets: list[int | None]
    """For each word a character of the source that it comes from; None when that is not known."""

    @cached_property
    def _by_source(self) -> list[tuple[int, int]]:
        """(offset in the source, word), sorted, so that no question has to look at all words."""
        return sorted((offset, word) for word, offset in enumerate(self.source_offsets) if offset is not None)

    def find_words(self, start: int, end: int) -> tuple[int, int] | None:
        """The run of words (first, after the last) that mostly comes from source[start:end]."""
        among = self._by_source[bisect_left(self._by_source, (start,)) : bisect_left(self._by_source, (end,))]
        found = sorted(word for _, word in among)
        if not found:
            return None
        runs = [[found[0]]]
        for i in found[1:]:
            if i - runs[-1][-1] > 2:  # one foreign word inside a run is likely a slip of the attention
                runs.append([])
            runs[-1].append(i)
        longest = max(runs, key=len)
        return longest[0], longest[-1] + 1

    def find_places(self, source_offsets: Sequence[int], first: int, last: int) -> list[int]:
        """For each offset of the source the word among [first, last) before which it belongs."""
        if not source_offsets:
            return []
        furthest = list(accumulate((-1 if at is None else at for at in self.source_offsets[first:last]), max))
        return [first + bisect_left(furthest, offset) for offset in source_offsets]

    def replace_words(self, replacements: Sequence[tuple[int, int, str]]) -> Projection:
        """The same with runs of words (first, after the last, text) replaced by one word each.

        Args:
            replacements: in order; of those that overlap only the first counts.
        """
        text, words, source_offsets = list[str](), list[Span](), list[int | None]()
        at = shift = done = 0
        for first, last, replacement in [*replacements, (len(self.words), len(self.words), "")]:
            if first < done:
                continue
            words += [(a + shift, b + shift) for a, b in self.words[done:first]]
            source_offsets += self.source_offsets[done:first]
            if first == last:
                break
            start, end = self.words[first][0], self.words[last - 1][1]
            text += [self.text[at:start], replacement]
            words.append((start + shift, start + shift + len(replacement)))
            source_offsets.append(self.source_offsets[first])
            shift += len(replacement) - (end - start)
            at, done = end, last
        return Projection("".join(text) + self.text[at:], words, source_offsets)

    def split_words(self, source: str, source_offsets: Sequence[int]) -> Projection:
        """The same with words in pieces that came through unchanged and hold one of the offsets: H|2|O."""
        at = sorted({0, *source_offsets})
        cuts: dict[int, list[int]] = {}
        cuts_from: dict[int, int] = {}
        for start, end in _find_words(source):
            inside = [offset - start for offset in at[bisect_right(at, start) : bisect_left(at, end)]]
            if inside and (found := self.find_words(start, end)):
                for word in range(*found):
                    if self.text[slice(*self.words[word])] == source[start:end]:
                        cuts[word], cuts_from[word] = [0, *inside, end - start], start
        words, offsets = list[Span](), list[int | None]()
        for word, ((start, end), offset) in enumerate(zip(self.words, self.source_offsets, strict=True)):
            for first, last in pairwise(cuts.get(word, (0, end - start))):
                words.append((start + first, start + last))
                offsets.append(offset if offset is None or word not in cuts else cuts_from[word] + first)
        return Projection(self.text, words, offsets)

    def shift(self, in_text: int, in_source: int) -> Projection:
        """The same as part of something longer: offsets of the text and of the source added."""
        return Projection(
            self.text,
            [(start + in_text, end + in_text) for start, end in self.words],
            [None if offset is None else offset + in_source for offset in self.source_offsets],
        )

    def carry_over(self, text: str) -> Projection:
        """Another translation of the same source: words that both have come from the same place."""
        words = _find_words(text)
        source_offsets: list[int | None] = [None] * len(words)
        if len(words) * len(self.words) > _MAX_COMPARED:
            return Projection(text, words, source_offsets)
        known = [self.text[start:end] for start, end in self.words]
        matcher = SequenceMatcher(None, known, [text[start:end] for start, end in words], autojunk=False)
        for _, first, last, other, after in matcher.get_opcodes():
            count = min(last - first, after - other)  # a word in place of another comes from where that did
            source_offsets[other : other + count] = self.source_offsets[first : first + count]
        return Projection(text, words, source_offsets)


def project(source: str, translation: TranslatedPart, others: OtherColumns = NO_OTHERS) -> Projection:
    """Reads where the words of a translation come from in its alignment.

    Args:
        source: what was translated.
        translation: with the tokens of the source, and of its other columns.
        others: these columns, from which no word comes.
    """
    text = translation.text
    words = _find_words(text)
    if not translation.alignment:
        return Projection(text, words, [None] * len(words))
    start = len(others.before)
    found = _find_tokens(translation.source_tokens, others.complete(source))
    source_spans = [(first - start, last - start) for first, last in found]
    spans = list(_find_tokens(translation.tokens, text))
    sources: dict[Span, Span] = {}  # of tokens that stand in the same place the last source counts
    for source_token, token in translation.alignment:
        if token >= len(spans) or source_token >= len(source_spans):
            continue
        if 0 <= source_spans[source_token][0] <= len(source):
            sources[spans[token]] = max(source_spans[source_token], sources.get(spans[token], (-1, -1)))
    return Projection(text, words, _find_source_offsets(words, sources))


def _find_words(text: str) -> list[Span]:
    return [match.span() for match in _WORD.finditer(text)]


def _find_source_offsets(words: Sequence[Span], sources: Mapping[Span, Span]) -> list[int | None]:
    """For each word the character of the source that it comes from, in one walk along words and tokens."""
    tokens = sorted(sources)
    found: list[int | None] = []
    passed = 0
    for start, end in words:
        while passed < len(tokens) and tokens[passed][1] <= start:
            passed += 1
        after = passed
        while after < len(tokens) and tokens[after][0] < end:
            after += 1
        over = [(token, sources[token]) for token in tokens[passed:after]]
        found.append(_source_offset((start, end), over))
    return found


def _source_offset(word: Span, pairs: Sequence[tuple[Span, Span]]) -> int | None:
    """The character of the source that a word comes from: by the token that covers most of it.

    Where a token holds several words, such as a word with its full stop, the place within the token counts.
    """
    start, end = word
    shares = [(min(end, b) - max(start, a), -a, source, (a, b)) for (a, b), source in pairs if a < b]
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
