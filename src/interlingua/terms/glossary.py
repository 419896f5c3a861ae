"""Glossaries: how given terms are to be translated, where they occur in a text, and whether it came out.

A term occurs where it stands as whole words; in scripts that put no spaces between words, wherever it is
written. It is found as it is spelt, and one that begins with a word in lower case also with a capital at the
start of a sentence. Of terms that overlap the first counts, of those starting at the same place the longest.
Each occurrence in the source asks for one in the target.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from interlingua.errors import DataError

__all__ = ["Glossary", "Term", "capitalised", "check_terms", "joins_words"]

# Written without spaces, or with endings that are words of their own: Thai, Lao, Tibetan, Burmese, Khmer,
# Hangul, kana, ideographs.
_UNSPACED = re.compile(
    "[\u0e00-\u0fff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3040-\u31ff\u3400-\u9fff\uac00-\ud7ff\uf900-\ufaff"
    "\U00020000-\U0003ffff]"
)
_SENTENCE_START = re.compile(r"""(?:^|[.!?\u2026]["'”’»)\]]*\s+)\W*""")


class Term(NamedTuple):
    """A word or a few, and how they are to be translated."""

    source: str
    target: str


def joins_words(character: str) -> bool:
    """Whether a character is part of the word that it stands beside.

    Letters, digits, combining marks and the underscore are, except in scripts without spaces between words.
    """
    if _UNSPACED.match(character):
        return False
    return character.isalnum() or character == "_" or unicodedata.category(character).startswith("M")


class Glossary:
    """Terms that can be found in texts.

    Args:
        terms: how each is to be translated.
        normalise: makes one spelling of all that a character may be written as.

    Raises:
        DataError: a term is empty.
    """

    def __init__(self, terms: Mapping[str, str], normalise: Callable[[str], str] = str) -> None:
        self._normalise = normalise
        self.terms = {
            normalise(_collapse_spaces(source)): _collapse_spaces(target) for source, target in terms.items()
        }
        if not (all(self.terms) and all(self.terms.values())):
            raise DataError("a term of the glossary is empty", found=dict(terms))
        self._lengths = _lengths(self.terms)

    def overridden_by(self, terms: Mapping[str, str]) -> Glossary:
        """The same with further terms, whose translations override its own."""
        merged = Glossary(terms, self._normalise)
        merged.terms = {**self.terms, **merged.terms}
        merged._lengths = _lengths(merged.terms)
        return merged

    def find(self, text: str) -> list[Term]:
        """The terms that occur in a text, in order; one for each occurrence."""
        return [term for _, term in self.locate(text)]

    def locate(self, text: str) -> list[tuple[int, Term]]:
        """The same, each with the position where it begins in the normalised text."""
        if not self.terms:
            return []
        text = self._normalise(text)
        sentence_starts = {match.end() for match in _SENTENCE_START.finditer(text)}
        found, start = [], 0
        while start < len(text):
            source = self._longest_at(text, start, start in sentence_starts)
            if source:
                found.append((start, Term(source, self.terms[source])))
            start += len(source) or 1
        return found

    def _longest_at(self, text: str, start: int, starts_sentence: bool) -> str:
        """The longest term that begins at a position, as the glossary spells it; "" if there is none."""
        character = text[start]
        for first in dict.fromkeys((character, character.lower() if starts_sentence else character)):
            for length in self._lengths.get(first, ()):
                written = text[start : start + length]
                source = first + written[1:]
                same = written in (source, capitalised(source))
                if source in self.terms and same and _are_whole_words(text, start, start + length):
                    return source
        return ""


def _lengths(terms: Iterable[str]) -> dict[str, list[int]]:
    """For each first character how long the terms are that begin with it, longest first."""
    lengths: dict[str, set[int]] = defaultdict(set)
    for term in terms:
        lengths[term[0]].add(len(term))
    return {first: sorted(each, reverse=True) for first, each in lengths.items()}


def check_terms(targets: Sequence[str], text: str) -> list[bool]:
    """Says of each term whether it came out in a translation, without overlap with another.

    Longer ones come first. At the beginning of the text a term may have a capital.
    """
    taken = [False] * len(text)
    satisfied = [False] * len(targets)
    for i in sorted(range(len(targets)), key=lambda i: -len(targets[i])):
        for start, end in _occurrences(targets[i], text):
            if not any(taken[start:end]):
                taken[start:end] = [True] * (end - start)
                satisfied[i] = True
                break
    return satisfied


def capitalised(term: str) -> str:
    """How a term begins a sentence if its first word is in lower case; any other as it is."""
    word, *_ = term.split(" ", 1)
    return term[:1].upper() + term[1:] if word == word.lower() else term


def _collapse_spaces(term: str) -> str:
    return " ".join(term.split())


def _occurrences(term: str, text: str) -> Iterator[tuple[int, int]]:
    """Where a term stands as whole words: start and end."""
    anywhere = (match.start() for match in re.finditer(f"(?={re.escape(term)})", text))
    for written, starts in ((term, anywhere), (capitalised(term), [0])):
        for start in starts:
            end = start + len(written)
            if text.startswith(written, start) and _are_whole_words(text, start, end):
                yield start, end


def _are_whole_words(text: str, start: int, end: int) -> bool:
    """Whether whole words stand at text[start:end]."""
    before = start > 0 and joins_words(text[start - 1]) and joins_words(text[start])
    after = end < len(text) and joins_words(text[end - 1]) and joins_words(text[end])
    return end <= len(text) and not before and not after
