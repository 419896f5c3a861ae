"""Which language a text is in."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Annotated

import langcodes
from py3langid.langid import MODEL_FILE, LanguageIdentifier
from pydantic import BaseModel, Field

__all__ = ["DetectedLanguage", "LanguageDetector", "base_of"]

_MAX_CHARACTERS = 2000  # of a text that decide
_FOREIGN = 0.9  # probability from which a text is taken to be in a language that is not served
_SAME = 1  # by langcodes.tag_distance
_NEAR = 20  # nearer ones are taken for each other, such as Danish and Norwegian

Shares = Mapping[str, float]
"""Of the detector's languages: how probable each is for a text."""


class DetectedLanguage(BaseModel):
    """A language that a text may be in."""

    language: str
    confidence: Annotated[float, Field(ge=0, le=100, description="In percent.")]


class LanguageDetector:
    """Guesses which language a text is in, among all that it knows, not only those that are served.

    Args:
        codes: of the languages that are served; one that the detector does not know is never guessed.
    """

    def __init__(self, codes: Sequence[str]) -> None:
        self.codes = codes
        self._identifier = _load_identifier()
        known = frozenset(map(str, self._identifier.nb_classes)) - {"zxx"}  # which is no language
        self._bases = {code: base for code in codes if (base := _known_base(code, known))}

    def detect(self, text: str) -> list[DetectedLanguage]:
        """The served languages that a text may be in, most likely first; before them any certain other."""
        shares = self.shares(text)
        foreign = self.foreign(shares, self.codes)
        return [*([foreign] if foreign else []), *self.rank(shares, self.codes)]

    def shares(self, text: str) -> Shares:
        """How probable each language is; nothing of a text without letters."""
        text = text[:_MAX_CHARACTERS]
        found: defaultdict[str, float] = defaultdict(float)  # some languages are there in two scripts
        if any(map(str.isalpha, text)):
            for base, share in self._identifier.rank(text):
                found[str(base)] += float(share)
        return found

    def rank(self, shares: Shares, among: Iterable[str]) -> list[DetectedLanguage]:
        """Some served languages, most likely first; never empty.

        They share 100% with the likeliest of all other languages.
        """
        codes = list(among)
        by_base = {base: code for code in reversed(codes) if (base := self._bases.get(code))}
        _, other = self._likeliest_other(shares, codes)
        total = sum(shares.get(base, 0.0) for base in by_base) + other
        if not by_base or not total:
            return [DetectedLanguage(language=codes[0], confidence=0.0)]
        found = [
            DetectedLanguage(language=code, confidence=round(100 * shares.get(base, 0.0) / total, 1))
            for base, code in by_base.items()
        ]
        return sorted(found, key=lambda each: -each.confidence)

    def foreign(self, shares: Shares, among: Sequence[str]) -> DetectedLanguage | None:
        """The language of a text if it is certainly none of these, which the detector must all know."""
        if any(code not in self._bases for code in among):
            return None
        base, share = self._likeliest_other(shares, among)
        if share < _FOREIGN:
            return None
        return DetectedLanguage(language=base, confidence=round(100 * min(1.0, share), 1))

    def _likeliest_other(self, shares: Shares, codes: Sequence[str]) -> tuple[str, float]:
        """The likeliest language that is none of these, nor near to one; with those that are near to it."""
        own = [self._bases.get(code, base_of(code)) for code in codes]
        others = {base: share for base, share in shares.items() if not any(_near(base, each) for each in own)}
        if not others:
            return "", 0.0
        likeliest = max(others, key=lambda base: others[base])
        return likeliest, sum(share for base, share in others.items() if _near(base, likeliest))


def base_of(code: str) -> str:
    """The language of a code without its region: en of en-US."""
    return code.replace("_", "-").split("-")[0].lower()


def _known_base(code: str, known: frozenset[str]) -> str | None:
    """The detector's code for a language: it has no for nb, tl for fil."""
    base = base_of(code)
    if base in known:
        return base
    with suppress(ValueError):
        nearest = min(sorted(known), key=lambda other: langcodes.tag_distance(base, other))
        return nearest if langcodes.tag_distance(base, nearest) <= _SAME else None
    return None


def _names(base: str) -> Iterator[str]:
    """A language's code, its newer one, and that of the language which it is a variety of."""
    yield base
    with suppress(ValueError):
        language = langcodes.Language.get(base)
        yield str(language.language)
        yield str(language.prefer_macrolanguage().language)


@functools.lru_cache(maxsize=10_000)
def _near(one: str, other: str) -> bool:
    with suppress(ValueError):
        return one == other or any(
            langcodes.tag_distance(a, b) <= _NEAR for a in _names(one) for b in _names(other)
        )
    return False


@functools.cache
def _load_identifier() -> LanguageIdentifier:
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
