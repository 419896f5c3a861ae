"""Glossaries: how given terms are to be translated, where they occur in a text, and whether it came out.

A term occurs where it stands as whole words; in scripts that put no spaces between words, wherever it is
written. It is found as it is spelt (no-break spaces are spaces), one that begins with a word in lower case
also with a capital at the start of a sentence. Of terms that overlap the first counts, of those starting at
the same place the longest. Each occurrence in the source asks for one in the target.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from interlingua.errors import DataError

__all__ = [
    "Glossary", "GlossaryInput", "Occurrence", "Term", "capitalised", "check_terms", "glossary_for_each",
    "is_unspaced", "joins_words", "trim_spaces",
]  # fmt: skip

# Written without spaces, or with endings that are words of their own: Thai, Lao, Tibetan, Burmese, Khmer,
# Hangul, kana, ideographs.
_UNSPACED = re.compile(
    "[\u0e00-\u0fff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3040-\u31ff\u3400-\u9fff\uac00-\ud7ff\uf900-\ufaff"
    "\U00020000-\U0003ffff]"
)
_NO_BREAK_SPACES = str.maketrans("\u00a0\u2007\u202f", "   ")
_SENTENCE_START = re.compile(r"""(?:^|[.!?\u2026]["'”’»)\]]*\s+)\W*""")


class Term(NamedTuple):
    """A word or a few, and how they are to be translated."""

    source: str
    target: str


class Occurrence(NamedTuple):
    """Where a term stands in a source."""

    start: int
    """The position of its first character in the normalised text."""
    term: Term


def is_unspaced(character: str) -> bool:
    """Whether a character is of a script that puts no spaces between words."""
    return bool(_UNSPACED.match(character))


def joins_words(character: str) -> bool:
    """Whether a character is part of the word that it stands beside.

    Letters, digits, combining marks and the underscore are, except in scripts without spaces between words.
    """
    if is_unspaced(character):
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
        self.terms = {trim_spaces(normalise(source)): trim_spaces(target) for source, target in terms.items()}
        if not all(_is_visible(text) for term in self.terms.items() for text in term):
            raise DataError("a term of the glossary is empty", found=dict(terms))
        self._index_terms()

    def _index_terms(self) -> None:
        self._by_spelling = {
            source.translate(_NO_BREAK_SPACES): Term(source, target) for source, target in self.terms.items()
        }
        self._lengths = _lengths(self._by_spelling)

    def overridden_by(self, terms: Mapping[str, str]) -> Glossary:
        """The same with further terms, whose translations override its own."""
        merged = Glossary(terms, self._normalise)
        merged.terms = {
            **{term.source: term.target for spelling, term in self._by_spelling.items()
               if spelling not in merged._by_spelling},
            **merged.terms,
        }  # fmt: skip
        merged._index_terms()
        return merged

    def find(self, text: str) -> list[Occurrence]:
        """Where terms occur in a text, in order."""
        if not self.terms:
            return []
        text = self._normalise(text).translate(_NO_BREAK_SPACES)
        sentence_starts = {match.end() for match in _SENTENCE_START.finditer(text)}
        found, start = [], 0
        while start < len(text):
            term = self._longest_at(text, start, start in sentence_starts)
            if term:
                found.append(Occurrence(start, term))
            start += len(term.source) if term else 1
        return found

    def _longest_at(self, text: str, start: int, starts_sentence: bool) -> Term | None:
        """The longest term that begins at a position; of two as long the one that is spelt just so."""
        firsts = dict.fromkeys((text[start], text[start].lower() if starts_sentence else text[start]))
        lengths = {length for first in firsts for length in self._lengths.get(first, ())}
        for length in sorted(lengths, reverse=True):
            written = text[start : start + length]
            for first in firsts:
                spelling = first + written[1:]
                term = self._by_spelling.get(spelling)
                same = written in (spelling, capitalised(spelling))
                if term and same and _are_whole_words(text, start, start + length):
                    return term
        return None


GlossaryInput = Glossary | Mapping[str, str] | Sequence[Mapping[str, str]]
"""{source term: target term}: one for all texts, or one for each."""


def glossary_for_each(
    given: GlossaryInput | None, count: int, normalise: Callable[[str], str]
) -> list[Glossary]:
    """The glossary of each of so many texts.

    Raises:
        DataError: it is none, there is not one for each text, or a term is empty.
    """
    if isinstance(given, Glossary):
        return [given] * count
    if given is None or isinstance(given, Mapping):
        return [Glossary(given or {}, normalise)] * count
    accepted = "One {source term: target term} for all texts, or a list of them, one for each text."
    if not isinstance(given, Sequence) or not all(isinstance(each, Mapping) for each in given):
        raise DataError("that is no glossary", where="glossary", found=given, accepted=accepted)
    if len(given) != count:
        what = f"there are {count} texts, but {len(given)} glossaries"
        raise DataError(what, where="glossary", accepted=accepted)
    return [Glossary(each, normalise) for each in given]


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


def _is_visible(text: str) -> bool:
    return any(unicodedata.category(character) not in ("Cc", "Cf", "Zs", "Zl", "Zp") for character in text)


def capitalised(term: str) -> str:
    """How a term begins a sentence if its first word is in lower case; any other as it is."""
    words = term.split(maxsplit=1)
    return term[:1].upper() + term[1:] if words and words[0] == words[0].lower() else term


def trim_spaces(term: str) -> str:
    """A term with single spaces and none around it; others, such as no-break spaces, are meant and stay."""
    return re.sub("[ \t\n\v\f\r]+", " ", term).strip(" ")


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
