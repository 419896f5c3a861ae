"""Terms on their way through a translation: from the source text to the search, and from the output back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from interlingua.terms.automaton import SentenceTerms
from interlingua.terms.glossary import Occurrence, check_terms
from interlingua.terms.tokenization import TermTokenizer, Tokenization
from interlingua.text.tokenizer import TokenizerPair

__all__ = ["CheckedTerm", "TermEncoder"]

_MAX_TERMS = 50
"""Terms of a sentence that constrain the search; what comes of others is left to the model."""


class CheckedTerm(NamedTuple):
    """A term of the glossary that occurs in the source."""

    source: str
    target: str
    satisfied: bool
    """Whether it came out."""


class TermEncoder:
    """What terms are in the tokens of a pair of tokenizers.

    Args:
        tokenizers: of the source and the target.
    """

    def __init__(self, tokenizers: TokenizerPair) -> None:
        self.tokenizers = tokenizers
        self._term_tokenizer: TermTokenizer | None = None

    def encode(self, text: str, occurrences: Sequence[Occurrence], max_tokens: int) -> SentenceTerms | None:
        """The terms of a sentence in tokens, without those that cannot be written or would be too long.

        Args:
            text: a source.
            occurrences: of terms in it.
            max_tokens: of all terms together.
        """
        if not occurrences:
            return None
        if self._term_tokenizer is None:
            # Slow for a large vocabulary, so only on first use. A harmless race: threads make equal ones.
            self._term_tokenizer = TermTokenizer(self.tokenizers.target)
        normalised = self.tokenizers.source.normalise(text)
        encoded: list[tuple[Tokenization, ...]] = []
        spans = []
        for occurrence in occurrences:
            tokenizations = self._term_tokenizer.tokenize(occurrence.term.target)
            num_tokens = max((len(each.ids) for each in tokenizations), default=0)
            if num_tokens and num_tokens <= max_tokens and len(encoded) < _MAX_TERMS:
                max_tokens -= num_tokens
                encoded.append(tokenizations)
                spans.append(self._span(normalised, occurrence))
        return SentenceTerms(encoded, self._term_tokenizer, spans) if encoded else None

    def _span(self, normalised: str, occurrence: Occurrence) -> tuple[int, int]:
        """Where a term stands in the source: its first token, and that after its last."""
        # Approximate: a prefix alone may be segmented otherwise; attention is summed over the span, so one
        # token more or less does no harm.
        source, start = self.tokenizers.source, occurrence.start
        before = normalised[:start].rstrip(" ")
        through = normalised[: start + len(occurrence.term.source)]
        return len(source.encode(before)), len(source.encode(through))

    def check(self, occurrences: Sequence[Occurrence], text: str) -> tuple[CheckedTerm, ...]:
        """Which terms came out in a translation."""
        terms = [occurrence.term for occurrence in occurrences]
        targets = [self.tokenizers.target.normalise(term.target) for term in terms]
        satisfied = check_terms(targets, text)
        return tuple(CheckedTerm(*term, came_out) for term, came_out in zip(terms, satisfied, strict=True))
