"""The way of terms through a translation: from the source text to the search, and from the output back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from interlingua.terms.automaton import SentenceTerms
from interlingua.terms.glossary import Glossary, Term, check_terms
from interlingua.terms.tokenization import TermTokenizer, Tokenization
from interlingua.text.tokenizer import TokenizerPair

__all__ = ["GlossaryInput", "Terminology", "UsedTerm"]

GlossaryInput = Mapping[str, str] | Sequence[Mapping[str, str]]
"""{source term: target term}: one for all texts, or one for each."""

_MAX_TERMS = 50
"""Terms of a sentence that constrain the search; what comes of others is left to the model."""


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
        self._term_tokenizer: TermTokenizer | None = None

    def glossaries(self, given: GlossaryInput | None, count: int) -> list[Glossary]:
        """The glossary of each of so many texts."""
        normalise = self.tokenizers.source.normalise
        if given is None or isinstance(given, Mapping):
            return [Glossary(given or {}, normalise)] * count
        return [Glossary(each, normalise) for each in given]

    def encode(self, text: str, terms: Sequence[Term], max_tokens: int) -> SentenceTerms | None:
        """The terms of a sentence in tokens, without those that cannot be written or would be too long.

        Args:
            text: a source.
            terms: that occur in it.
            max_tokens: of all terms together.
        """
        if not terms:
            return None
        if self._term_tokenizer is None:
            # Slow for a large vocabulary, so only on first use. A harmless race: threads make equal ones.
            self._term_tokenizer = TermTokenizer(self.tokenizers.target)
        source = self.tokenizers.source
        normalised = source.normalise(text)
        encoded: list[tuple[Tokenization, ...]] = []
        spans = []
        for start, term in Glossary(dict(terms), source.normalise).locate(text)[:_MAX_TERMS]:
            tokenizations = self._term_tokenizer.tokenize(term.target)
            max_tokens -= max((len(each.ids) for each in tokenizations), default=0)
            if tokenizations and max_tokens >= 0:
                encoded.append(tokenizations)
                before = normalised[:start].rstrip(" ")
                through = normalised[: start + len(term.source)]
                spans.append((len(source.encode(before)), len(source.encode(through))))
        return SentenceTerms(encoded, self._term_tokenizer, spans) if encoded else None

    def check(self, terms: Sequence[Term], text: str) -> tuple[UsedTerm, ...]:
        """Which terms came out in a translation."""
        targets = [self.tokenizers.target.normalise(term.target) for term in terms]
        satisfied = check_terms(targets, text)
        return tuple(UsedTerm(*term, came_out) for term, came_out in zip(terms, satisfied, strict=True))
