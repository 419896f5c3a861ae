"""Terms on their way through a translation: found in the source, wanted by the search, found in the text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from interlingua.terms.automaton import Wanted
from interlingua.terms.glossary import Glossary, Term, kept
from interlingua.terms.phrases import Phrase, Phrasing
from interlingua.text.tokenizer import TokenizerPair

__all__ = ["Glossaries", "Terminology", "UsedTerm"]

Glossaries = Mapping[str, str] | Sequence[Mapping[str, str]]
"""{source term: target term}: one for all texts, or one for each."""

_LEAST = 0.2  # of its attention, that a word must give a term to be taken for its translation
_MOST = 50  # terms of a part that are looked after; what comes of others is left to the model


class UsedTerm(NamedTuple):
    """A term of the glossary that occurs in the source."""

    source: str
    target: str
    satisfied: bool
    """Whether it came out."""


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

    def wanted(self, text: str, terms: Sequence[Term], room: int) -> Wanted | None:
        """What the search is to write: the terms that can be written, as far as there is room.

        Args:
            text: a source.
            terms: that it holds.
            room: the most tokens of all terms together.
        """
        if not terms:
            return None
        source = self.tokenizers.source
        if self._phrasing is None:
            self._phrasing = Phrasing(self.tokenizers.target)
        chosen: list[tuple[Phrase, ...]] = []
        spans = []
        for at, term in Glossary(dict(terms), source.normalise).locate(text)[:_MOST]:
            ways = self._phrasing.phrases(term.target)
            room -= max((len(way.ids) for way in ways), default=0)
            if ways and room >= 0:
                chosen.append(ways)
                before = source.normalise(text)[:at].rstrip(" ")
                upto = source.normalise(text)[: at + len(term.source)]
                spans.append((len(source.encode(before)), len(source.encode(upto))))
        return Wanted(chosen, self._phrasing, spans) if chosen else None

    def guide(self, wanted: Wanted, draft: Sequence[int], cross: Float[Tensor, "target source"]) -> None:
        """Finds with which words the model itself would translate the terms.

        Args:
            wanted: the terms of a source; is told.
            draft: a translation without them.
            cross: how much each of its tokens was chosen by each of the source.
        """
        assert self._phrasing is not None
        for i, (first, end) in enumerate(wanted.spans):
            shares = cross[: len(draft), first:end].sum(dim=1)
            if not len(shares) or float(shares.max()) < _LEAST:
                continue
            at = int(shares.argmax())
            while at and self._phrasing.tight_after[draft[at - 1]] and self._phrasing.joins_before[draft[at]]:
                at -= 1
            wanted.own[i] = draft[at]

    def used(self, terms: Sequence[Term], text: str) -> tuple[UsedTerm, ...]:
        """Which terms came out in a translation."""
        targets = [self.tokenizers.target.normalise(term.target) for term in terms]
        return tuple(UsedTerm(*term, came) for term, came in zip(terms, kept(targets, text), strict=True))
