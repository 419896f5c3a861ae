"""The terms of a sentence and how far a hypothesis has come with them: an automaton over its tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from interlingua.terms.phrases import Phrase, Phrasing

__all__ = ["Progress", "Wanted"]


class Progress(NamedTuple):
    """What a hypothesis has written of its sentence's terms."""

    met: tuple[tuple[int, int, int], ...] = ()
    """Terms that are written: which, and the positions of its first token and after its last; in order."""
    open: tuple[tuple[int, int, int], ...] = ()
    """Terms that its last tokens may be the beginning of: which, which way to write it, how many tokens."""
    length: int = 0
    """Tokens so far."""
    tight: bool = False
    """Whether a letter right after it would belong to what is there."""
    spaced: bool = False
    """Whether it ends in a space."""

    @property
    def ended(self) -> bool:
        """Whether a term has just been written."""
        return bool(self.met) and self.met[-1][2] == self.length

    @property
    def fresh(self) -> bool:
        """Whether a term has just been written, which a letter would undo."""
        return self.tight and self.ended


class Wanted:
    """The terms of one sentence.

    Args:
        terms: for each the ways to write it; a term that is there twice must come out twice.
        phrasing: of the target side.
        spans: where each stands in the source: its first token, and that after its last.
    """

    def __init__(
        self, terms: Sequence[Sequence[Phrase]], phrasing: Phrasing, spans: Sequence[tuple[int, int]] = ()
    ) -> None:
        self.terms, self.phrasing, self.spans = terms, phrasing, spans
        self.own: list[int | None] = [None] * len(terms)
        """For each the token with which the model's own word for it begins, as far as that is known."""
        self.sizes = [max(len(way.ids) for way in ways) for ways in terms]
        self.tokens = sum(self.sizes)
        self.begins: dict[int, list[tuple[int, int]]] = {}
        """For each token which terms begin with it, and in which way."""
        for term, ways in enumerate(terms):
            for way, phrase in enumerate(ways):
                self.begins.setdefault(phrase.ids[0], []).append((term, way))
        self.after = lru_cache(maxsize=4096)(self._after)
        self.onward = lru_cache(maxsize=4096)(self._onward)

    def _after(self, progress: Progress, token: int) -> Progress:
        """The progress with one more token."""
        glued = progress.tight and self.phrasing.joins_before[token]
        met = progress.met[:-1] if glued and progress.fresh else progress.met
        done = {term for term, _, _ in met}
        length = progress.length + 1
        open = [
            (term, way, count + 1)
            for term, way, count in progress.open
            if term not in done and self.terms[term][way].ids[count] == token
        ]
        open += [(term, way, 1) for term, way in self._startable(progress, token, glued) if term not in done]
        whole = [each for each in open if each[2] == len(self.terms[each[0]][each[1]].ids)]
        if whole:
            # The longest counts, and takes the place of shorter ones inside it.
            term, _, count = max(whole, key=lambda each: (each[2], -each[0]))
            start = length - count
            met = (*(each for each in met if each[2] <= start), (term, start, length))
            done = {term for term, _, _ in met}
            # What begins inside a term cannot become one of its own.
            open = [each for each in open if each[0] not in done and length - each[2] <= start]
            open = [each for each in open if each not in whole]
        tight, spaced = self.phrasing.tight_after[token], self.phrasing.space_after[token]
        return Progress(met, tuple(open), length, tight, spaced)

    def _startable(self, progress: Progress, token: int, glued: bool) -> Iterator[tuple[int, int]]:
        twice = progress.spaced and self.phrasing.space_before[token]
        if glued or twice or token not in self.begins:
            return
        for term, way in self.begins[token]:
            phrase = self.terms[term][way]
            if phrase.later if progress.length else phrase.first:
                yield term, way

    def level(self, progress: Progress) -> int:
        """How many tokens of the terms are written; those of a term that is begun count, too."""
        written = sum(self.sizes[term] for term, _, _ in progress.met)
        begun = 0
        for term, way, count in progress.open:
            start = progress.length - count
            inside = sum(self.sizes[each] for each, first, _ in progress.met if first >= start)
            left = len(self.terms[term][way].ids) - count
            begun = max(begun, self.sizes[term] - left - inside)
        return written + begun

    def standing(self, progress: Progress) -> tuple[int, int]:
        """The level after a token that belongs to no term, and after one that undoes the last."""
        written = sum(self.sizes[term] for term, _, _ in progress.met)
        return written, written - self.sizes[progress.met[-1][0]] if progress.fresh else written

    def led(self, progress: Progress) -> list[tuple[int, int]]:
        """The terms that the last token belongs to, each with its tokens so far."""
        led = [(term, count) for term, _, count in progress.open]
        if progress.ended:
            term, first, end = progress.met[-1]
            led.append((term, end - first))
        return led

    def just_replaced(self, progress: Progress) -> int | None:
        """The token that would say the term just written once more, in the model's own word."""
        if progress.ended:
            own = self.own[progress.met[-1][0]]
            return None if own in self.onward(progress) else own
        return None

    def complete(self, progress: Progress) -> bool:
        """Whether all terms are written."""
        return len(progress.met) == len(self.terms)

    def _onward(self, progress: Progress) -> frozenset[int]:
        """The tokens that lead on in a term that is begun, or begin one."""
        done = {term for term, _, _ in progress.met}
        tokens = {self.terms[term][way].ids[count] for term, way, count in progress.open if term not in done}
        for token in self.begins:
            glued = progress.tight and self.phrasing.joins_before[token]
            if any(term not in done for term, _ in self._startable(progress, token, glued)):
                tokens.add(token)
        return frozenset(tokens)
