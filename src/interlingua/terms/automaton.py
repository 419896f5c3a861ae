"""The terms of a sentence, and an automaton that follows a hypothesis through them token by token.

Its state, `Progress`, follows from the tokens alone: a term counts, however it came to be there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from interlingua.terms.glossary import joins_words
from interlingua.terms.tokenization import TermTokenizer, Tokenization, needs_space_after

__all__ = ["CompletedTerm", "PartialTerm", "Progress", "SentenceTerms"]


class CompletedTerm(NamedTuple):
    """A term that a hypothesis has written."""

    term_index: int
    """Its index among the terms of the sentence."""
    start: int
    """The position of its first token."""
    end: int
    """The position after its last."""


class PartialTerm(NamedTuple):
    """A term that the last tokens of a hypothesis may be the beginning of."""

    term_index: int
    """Its index among the terms of the sentence."""
    tokenization: int
    """The index of one of its tokenizations."""
    length: int
    """How many tokens of that are written."""


class Progress(NamedTuple):
    """What a hypothesis has written of its sentence's terms."""

    completed: tuple[CompletedTerm, ...] = ()
    """In the order of their positions."""
    partial: tuple[PartialTerm, ...] = ()
    length: int = 0
    """Tokens so far."""
    last_character: str = ""
    """What its text ends with (see `TermTokenizer.last_character`)."""

    @property
    def just_completed(self) -> bool:
        """Whether the last token completed a term."""
        return bool(self.completed) and self.completed[-1].end == self.length

    @property
    def breakable(self) -> bool:
        """Whether the last token completed a term, which a letter would join to another word."""
        return self.just_completed and bool(self.last_character) and joins_words(self.last_character[-1])


class SentenceTerms:
    """The terms that the translation of one sentence must hold.

    Args:
        tokenizations: of each term; a term that is there twice must come out twice.
        tokenizer: made them.
        spans: where each term stands in the source: its first token, and that after its last.
    """

    def __init__(
        self,
        tokenizations: Sequence[Sequence[Tokenization]],
        tokenizer: TermTokenizer,
        spans: Sequence[tuple[int, int]] = (),
    ) -> None:
        self.tokenizations, self.tokenizer, self.spans = tokenizations, tokenizer, spans
        self.replaced_tokens: list[int | None] = [None] * len(tokenizations)
        """For each term the id of the first token of the word with which the model would translate it, if
        known."""
        self.lengths = [max(len(way.ids) for way in each) for each in tokenizations]
        """The tokens of each term, in the longest of its tokenizations."""
        self.num_tokens = sum(self.lengths)
        """The tokens of all terms, and so the highest bank."""
        self._by_first_token: dict[int, list[tuple[int, int]]] = {}
        """The indices of the terms, and their tokenizations, that begin with a token."""
        for index, each in enumerate(tokenizations):
            for i, tokenization in enumerate(each):
                self._by_first_token.setdefault(tokenization.ids[0], []).append((index, i))
        self.advance = lru_cache(maxsize=4096)(self._advance)
        self.next_tokens = lru_cache(maxsize=4096)(self._next_tokens)

    def bank(self, progress: Progress) -> int:
        """How many tokens of the terms are written; those of a term that is begun count, too.

        A term counts as its longest tokenization, so that all ways of writing it end in the same bank; a
        begun one as that less its missing tokens. Completed terms inside the begun one aren't counted twice.
        """
        begun = 0
        for index, tokenization, length in progress.partial:
            start = progress.length - length
            counted_already = sum(
                self.lengths[each.term_index] for each in progress.completed if each.start >= start
            )
            missing = len(self.tokenizations[index][tokenization].ids) - length
            begun = max(begun, self.lengths[index] - missing - counted_already)
        return self.completed_bank(progress) + begun

    def completed_bank(self, progress: Progress) -> int:
        """How many tokens of the terms are written without those of a term that is begun."""
        return sum(self.lengths[each.term_index] for each in progress.completed)

    def finished(self, progress: Progress) -> bool:
        """Whether all terms are completed."""
        return len(progress.completed) == len(self.tokenizations)

    def breaks(self, progress: Progress, token: int) -> bool:
        """Whether a token would join the term just completed to another word, so that it no longer counts."""
        return progress.breakable and self.tokenizer.starts_in_word[token]

    def current_terms(self, progress: Progress) -> list[tuple[int, int]]:
        """The terms that the last token belongs to: index, and how many tokens are written."""
        current = [(index, length) for index, _, length in progress.partial]
        if progress.just_completed:
            index, start, end = progress.completed[-1]
            current.append((index, end - start))
        return current

    def repeated_token(self, progress: Progress) -> int | None:
        """The token that would translate the term just completed once more, with the word it replaced."""
        if not progress.just_completed:
            return None
        replaced = self.replaced_tokens[progress.completed[-1].term_index]
        return None if replaced in self.next_tokens(progress) else replaced

    def _advance(self, progress: Progress, token: int) -> Progress:
        """The progress with one more token."""
        length = progress.length + 1
        completed = progress.completed[:-1] if self.breaks(progress, token) else progress.completed
        partial = self._partial_terms(progress, completed, token)
        whole = [each for each in partial if each.length == len(self._ids(each))]
        if whole:
            # The longest counts, and takes the place of shorter ones inside it.
            longest = max(whole, key=lambda each: (each.length, -each.term_index))
            start = length - longest.length
            before = [each for each in completed if each.end <= start]
            completed = (*before, CompletedTerm(longest.term_index, start, length))
            done = {each.term_index for each in completed}
            # What begins inside a term cannot become one of its own.
            partial = [
                each for each in partial
                if each not in whole and each.term_index not in done and each.length >= longest.length
            ]  # fmt: skip
        last_character = self.tokenizer.last_character(progress.last_character, token)
        return Progress(completed, tuple(partial), length, last_character)

    def _partial_terms(
        self, progress: Progress, completed: Sequence[CompletedTerm], token: int
    ) -> list[PartialTerm]:
        """The terms that a token goes on with or begins, those that it makes whole among them."""
        done = {each.term_index for each in completed}
        continued = [
            PartialTerm(each.term_index, each.tokenization, each.length + 1)
            for each in progress.partial
            if each.term_index not in done and self._ids(each)[each.length] == token
        ]
        begun = [
            PartialTerm(index, i, 1) for index, i in self._startable(progress, token) if index not in done
        ]
        return continued + begun

    def _next_tokens(self, progress: Progress) -> frozenset[int]:
        """The tokens that go on with a term or begin one."""
        done = {each.term_index for each in progress.completed}
        tokens = {self._ids(each)[each.length] for each in progress.partial if each.term_index not in done}
        for token in self._by_first_token:
            if any(index not in done for index, _ in self._startable(progress, token)):
                tokens.add(token)
        return frozenset(tokens)

    def _startable(self, progress: Progress, token: int) -> Iterator[tuple[int, int]]:
        """The terms and tokenizations that may begin here with a token."""
        last = progress.last_character
        joined = bool(last) and self.tokenizer.starts_in_word[token] and needs_space_after(last)
        two_spaces = last == " " and self.tokenizer.starts_with_space[token]
        if joined or two_spaces:
            return
        for index, i in self._by_first_token.get(token, ()):
            tokenization = self.tokenizations[index][i]
            if tokenization.may_stand_later if progress.length else tokenization.may_begin_target:
                yield index, i

    def _ids(self, partial: PartialTerm) -> tuple[int, ...]:
        return self.tokenizations[partial.term_index][partial.tokenization].ids
