"""Terms as a tokenizer writes them: which ids make one up, and which ids would glue it to another word."""

from __future__ import annotations

import unicodedata
from typing import NamedTuple

from interlingua.kinds import SPECIALS, UNK
from interlingua.terms.glossary import capitalised, joins
from interlingua.text.subwords import SubwordTokenizer
from interlingua.text.tokenizer import Tokenizer

__all__ = ["Phrase", "Phrasing"]

_BYTES = [f"<0x{byte:02X}>" for byte in range(256)]


class Phrase(NamedTuple):
    """One way to write a term."""

    ids: tuple[int, ...]
    first: bool
    """Whether it may begin the target."""
    later: bool
    """Whether it may stand anywhere else."""


class Phrasing:
    """How a tokenizer writes terms.

    Args:
        tokenizer: of the target side.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        shown = [_text(tokenizer, i) for i in range(len(tokenizer))]
        self.joins_before = tuple(bool(text) and joins(text[0]) for text in shown)
        """For each id whether it goes on with a word that stands right before it."""
        self.tight_after = tuple(bool(text) and not _opens(text[-1]) for text in shown)
        """For each id whether a word right after it, without a space, would belong to it."""
        self.space_before = tuple(text.startswith(" ") for text in shown)
        self.space_after = tuple(text.endswith(" ") for text in shown)

    def phrases(self, term: str) -> tuple[Phrase, ...]:
        """The ways to write a term, which is not empty; none when its symbols are not all known."""
        term = self.tokenizer.normalise(term).strip()
        spaced = isinstance(self.tokenizer, SubwordTokenizer)  # puts a space before every text
        ways = [
            Phrase(self._ids(term), first=True, later=spaced or self.tokenizer.kind == "words"),
            Phrase(self._ids(capitalised(term)), first=True, later=False),
            Phrase(self._inside(term), first=False, later=True),
            Phrase(() if spaced else self._ids(" " + term), first=False, later=True),
        ]
        known: dict[tuple[int, ...], Phrase] = {}
        for ids, first, later in ways:
            if ids and UNK not in ids:
                _, before, after = known.get(ids, Phrase(ids, first=False, later=False))
                known[ids] = Phrase(ids, first=first or before, later=later or after)
        return tuple(known.values())

    def _ids(self, text: str) -> tuple[int, ...]:
        return tuple(self.tokenizer.encode(text))

    def _inside(self, text: str) -> tuple[int, ...]:
        """The ids of a text right after something that is no part of a word."""
        if not isinstance(self.tokenizer, SubwordTokenizer):
            return self._ids(text)
        # No subword goes across a line break, and what follows one has no space before it.
        ids = self._ids("\n" + text)
        shown = self.tokenizer.pieces(ids)
        return ids[shown.index("<0x0A>") + 1 :] if "<0x0A>" in shown else ()


def _text(tokenizer: Tokenizer, id: int) -> str:
    """What an id adds to a text, as far as the ends matter."""
    if id < len(SPECIALS) or tokenizer.kind == "words":
        return ""  # words stand alone
    (shown,) = tokenizer.pieces([id])
    if tokenizer.kind == "bytes":
        return _byte(id - len(SPECIALS))
    if isinstance(tokenizer, SubwordTokenizer):
        return _byte(_BYTES.index(shown)) if shown in _BYTES else shown.replace("\u2581", " ")
    return shown


def _opens(character: str) -> bool:
    """Whether a word may follow without a space: opening marks, dashes and space itself."""
    return character in " \"'„/" or unicodedata.category(character) in ("Ps", "Pi", "Pd")


def _byte(byte: int) -> str:
    """A character like those that the byte is a part of.

    From 0xE2 on, these are mostly punctuation, ideographs and symbols, which join nothing.
    """
    if byte < 0x80:
        return chr(byte)
    return "é" if byte < 0xE2 else "\u4e00"
