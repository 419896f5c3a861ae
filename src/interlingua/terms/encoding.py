"""Terms on their way through a translation: from the source text to the search, and from the output back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from interlingua.terms.automaton import SentenceTerms
from interlingua.terms.glossary import Occurrence, check_terms
from interlingua.terms.tokenization import TermTokenizer, Tokenization
from interlingua.text.column_tokenizer import TextColumn
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
        text_column: the text of sources, in which terms are looked for; when not given, all of it.
    """

    def __init__(self, tokenizers: TokenizerPair, text_column: TextColumn | None = None) -> None:
        self.tokenizers = tokenizers
        self._source = (text_column or TextColumn(tokenizers.source, None)).tokenizer
        self._term_tokenizer: TermTokenizer | None = None

    def encode(
        self, text: str, occurrences: Sequence[Occurrence], max_tokens: int, offset: int = 0
    ) -> SentenceTerms | None:
        """The terms of a sentence in tokens, without those that cannot be written or would be too long.

        Args:
            text: of a source.
            occurrences: of terms in it.
            max_tokens: of all terms together.
            offset: the source's tokens before those of the text.
        """
        if not occurrences:
            return None
        if self._term_tokenizer is None:
            # Slow for a large vocabulary, so only on first use. A harmless race: threads make equal ones.
            self._term_tokenizer = TermTokenizer(self.tokenizers.target)
        normalised = self._source.normalise(text)
        encoded: list[tuple[Tokenization, ...]] = []
        spans = []
        for occurrence in occurrences:
            tokenizations = self._term_tokenizer.tokenize(occurrence.term.target)
            num_tokens = max((len(each.ids) for each in tokenizations), default=0)
            if num_tokens and num_tokens <= max_tokens and len(encoded) < _MAX_TERMS:
                max_tokens -= num_tokens
                encoded.append(tokenizations)
                start, end = self._span(normalised, occurrence)
                spans.append((offset + start, offset + end))
        return SentenceTerms(encoded, self._term_tokenizer, spans) if encoded else None

    def _span(self, normalised: str, occurrence: Occurrence) -> tuple[int, int]:
        """Where a term stands in the text: its first token, and that after its last."""
        # Approximate: a prefix alone may be segmented otherwise; attention is summed over the span, so one
        # token more or less does no harm.
        start = occurrence.start
        before = normalised[:start].rstrip(" ")
        through = normalised[: start + len(occurrence.term.source)]
        return len(self._source.encode(before)), len(self._source.encode(through))

    def check(self, occurrences: Sequence[Occurrence], text: str) -> tuple[CheckedTerm, ...]:
        """Which terms came out in a translation."""
        terms = [occurrence.term for occurrence in occurrences]
        targets = [self.tokenizers.target.normalise(term.target) for term in terms]
        satisfied = check_terms(targets, text)
        return tuple(CheckedTerm(*term, came_out) for term, came_out in zip(terms, satisfied, strict=True))
