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

__all__ = ["Glossary", "Term", "capitalised", "joins", "kept"]

# Written without spaces, or with endings that are words of their own: Thai, Lao, Tibetan, Burmese, Khmer,
# Hangul, kana, ideographs.
_UNSPACED = re.compile(
    "[\u0e00-\u0fff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3040-\u31ff\u3400-\u9fff\uac00-\ud7ff\uf900-\ufaff"
    "\U00020000-\U0003ffff]"
)
_START = re.compile(r"""(?:^|[.!?\u2026]["'”’»)\]]*\s+)\W*""")


class Term(NamedTuple):
    """A word or a few, and how they are to be translated."""

    source: str
    target: str


def joins(character: str) -> bool:
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
        self.terms = {normalise(_tidy(source)): _tidy(target) for source, target in terms.items()}
        if not (all(self.terms) and all(self.terms.values())):
            raise DataError("a term of the glossary is empty", found=dict(terms))
        self._lengths = _lengths(self.terms)

    def under(self, terms: Mapping[str, str]) -> Glossary:
        """The same with other terms, whose translations come first."""
        both = Glossary(terms, self._normalise)
        both.terms = {**self.terms, **both.terms}
        both._lengths = _lengths(both.terms)
        return both

    def find(self, text: str) -> list[Term]:
        """The terms that occur in a text, in order; one for each occurrence."""
        return [term for _, term in self.locate(text)]

    def locate(self, text: str) -> list[tuple[int, Term]]:
        """The same, with the places where they stand in the normalised text."""
        if not self.terms:
            return []
        text = self._normalise(text)
        starts = {match.end() for match in _START.finditer(text)}
        found, at = [], 0
        while at < len(text):
            source = self._at(text, at, at in starts)
            if source:
                found.append((at, Term(source, self.terms[source])))
            at += len(source) or 1
        return found

    def _at(self, text: str, at: int, begins: bool) -> str:
        """The longest term that stands at a place; none is the empty text."""
        for first in dict.fromkeys((text[at], text[at].lower() if begins else text[at])):
            for length in self._lengths.get(first, ()):
                written = text[at : at + length]
                source = first + written[1:]
                same = written in (source, capitalised(source))
                if source in self.terms and same and _alone(text, at, at + length):
                    return source
        return ""


def _lengths(terms: Iterable[str]) -> dict[str, list[int]]:
    """For each first character how long the terms are that begin with it, longest first."""
    lengths: dict[str, set[int]] = defaultdict(set)
    for term in terms:
        lengths[term[0]].add(len(term))
    return {first: sorted(each, reverse=True) for first, each in lengths.items()}


def kept(targets: Sequence[str], text: str) -> list[bool]:
    """Which terms have come out in a translation, each at a place of its own.

    Longer ones choose their places first. The text may begin with a term's capital.
    """
    taken = [False] * len(text)
    found = [False] * len(targets)
    for i in sorted(range(len(targets)), key=lambda i: -len(targets[i])):
        for start, end in _places(targets[i], text):
            if not any(taken[start:end]):
                taken[start:end] = [True] * (end - start)
                found[i] = True
                break
    return found


def capitalised(term: str) -> str:
    """How a term begins a sentence if its first word is in lower case; any other as it is."""
    word, *_ = term.split(" ", 1)
    return term[:1].upper() + term[1:] if word == word.lower() else term


def _tidy(term: str) -> str:
    return " ".join(term.split())


def _places(term: str, text: str) -> Iterator[tuple[int, int]]:
    for each, places in ((term, _all(term, text)), (capitalised(term), [0])):
        for at in places:
            if text.startswith(each, at) and _alone(text, at, at + len(each)):
                yield at, at + len(each)


def _all(term: str, text: str) -> Iterable[int]:
    return (match.start() for match in re.finditer(f"(?={re.escape(term)})", text))


def _alone(text: str, start: int, end: int) -> bool:
    """Whether whole words stand at text[start:end]."""
    before = start > 0 and joins(text[start - 1]) and joins(text[start])
    after = end < len(text) and joins(text[end - 1]) and joins(text[end])
    return end <= len(text) and not before and not after
