"""Terms on their way through a translation: found in the source, wanted by the search, found in the text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from interlingua.search.terms import Wanted
from interlingua.text.glossary import Glossary, Term, kept
from interlingua.text.phrases import Phrase, Phrasing
from interlingua.text.tokenizer import TokenizerPair
from interlingua.translation import UsedTerm

__all__ = ["Glossaries", "Terminology"]

Glossaries = Mapping[str, str] | Sequence[Mapping[str, str]]
"""{source term: target term}: one for all texts, or one for each."""

_MOST = 50  # terms of a part that are looked after; what comes of others is left to the model


class Terminology:
    """What glossaries mean for a pair of tokenizers.

    Args:
        tokenizers: of the source and the target.
    """

    def __init__(self, tokenizers: TokenizerPair) -> None:
        self.tokenizers = tokenizers
        self._phrasing: Phrasing | None = None

    def glossaries(self, given: Glossaries | None, count: int) -> list[Glossary]:
        """The glossary of each of so many texts."""
        normalise = self.tokenizers.source.normalise
        if given is None or isinstance(given, Mapping):
            return [Glossary(given or {}, normalise)] * count
        return [Glossary(each, normalise) for each in given]

    def wanted(self, terms: Sequence[Term], room: int) -> Wanted | None:
        """What the search is to write: the terms that can be written, as far as there is room.

        Args:
            terms: of one source.
            room: the most tokens of all terms together.
        """
        if not terms:
            return None
        if self._phrasing is None:
            self._phrasing = Phrasing(self.tokenizers.target)
        chosen: list[tuple[Phrase, ...]] = []
        for term in terms[:_MOST]:
            ways = self._phrasing.phrases(term.target)
            room -= max((len(way.ids) for way in ways), default=0)
            if ways and room >= 0:
                chosen.append(ways)
        return Wanted(chosen, self._phrasing) if chosen else None

    def used(self, terms: Sequence[Term], text: str) -> tuple[UsedTerm, ...]:
        """Which terms came out in a translation."""
        targets = [self.tokenizers.target.normalise(term.target) for term in terms]
        return tuple(UsedTerm(*term, came) for term, came in zip(terms, kept(targets, text), strict=True))
