"""The token sequences that write a term, and the tokens that would join it to another word."""

from __future__ import annotations

import unicodedata
from typing import NamedTuple

from interlingua.kinds import SPECIALS, UNK
from interlingua.terms.glossary import capitalised, joins_words
from interlingua.text.subwords import SubwordTokenizer
from interlingua.text.tokenizer import Tokenizer

__all__ = ["TermTokenizer", "Tokenization"]

_BYTES = [f"<0x{byte:02X}>" for byte in range(256)]


class Tokenization(NamedTuple):
    """A sequence of tokens that writes a term."""

    ids: tuple[int, ...]
    at_start: bool
    """Whether it may begin the target."""
    after_start: bool
    """Whether it may stand anywhere else."""


class TermTokenizer:
    """Writes terms with a tokenizer, in every way in which they can stand in a text.

    Args:
        tokenizer: of the target side.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        shown = [_shown(tokenizer, i) for i in range(len(tokenizer))]
        self.joins_left = tuple(bool(text) and joins_words(text[0]) for text in shown)
        """For each id whether it goes on with a word that stands right before it."""
        self.joins_right = tuple(bool(text) and not _separates(text[-1]) for text in shown)
        """For each id whether a word right after it, without a space, would be joined to it."""
        self.starts_with_space = tuple(text.startswith(" ") for text in shown)
        self.ends_with_space = tuple(text.endswith(" ") for text in shown)

    def tokenize(self, term: str) -> tuple[Tokenization, ...]:
        """The tokenizations of a term, which is not empty; none when its symbols are not all known."""
        term = self.tokenizer.normalise(term).strip()
        adds_space = isinstance(self.tokenizer, SubwordTokenizer)  # before every text
        as_it_is = Tokenization(
            self._ids(term), at_start=True, after_start=adds_space or self.tokenizer.kind == "words"
        )
        with_capital = Tokenization(self._ids(capitalised(term)), at_start=True, after_start=False)
        without_space = Tokenization(self._ids_without_space(term), at_start=False, after_start=True)
        with_space = Tokenization(
            () if adds_space else self._ids(" " + term), at_start=False, after_start=True
        )
        merged: dict[tuple[int, ...], Tokenization] = {}
        for ids, at_start, after_start in (as_it_is, with_capital, without_space, with_space):
            if ids and UNK not in ids:
                same = merged.get(ids, Tokenization(ids, at_start=False, after_start=False))
                merged[ids] = Tokenization(ids, at_start or same.at_start, after_start or same.after_start)
        return tuple(merged.values())

    def _ids(self, text: str) -> tuple[int, ...]:
        return tuple(self.tokenizer.encode(text))

    def _ids_without_space(self, text: str) -> tuple[int, ...]:
        """The ids of a text right after something that is no part of a word, such as a bracket."""
        if not isinstance(self.tokenizer, SubwordTokenizer):
            return self._ids(text)
        # No subword goes across a line break, and what follows one has no space before it.
        ids = self._ids("\n" + text)
        shown = self.tokenizer.pieces(ids)
        return ids[shown.index("<0x0A>") + 1 :] if "<0x0A>" in shown else ()


def _shown(tokenizer: Tokenizer, id: int) -> str:
    """What an id adds to a text, as far as the ends matter."""
    if id < len(SPECIALS) or tokenizer.kind == "words":
        return ""  # words stand alone
    (piece,) = tokenizer.pieces([id])
    if tokenizer.kind == "bytes":
        return _character_like(id - len(SPECIALS))
    if isinstance(tokenizer, SubwordTokenizer):
        return _character_like(_BYTES.index(piece)) if piece in _BYTES else piece.replace("\u2581", " ")
    return piece


def _separates(character: str) -> bool:
    """Whether a word may follow without a space: opening marks, dashes and space itself."""
    return character in " \"'„/" or unicodedata.category(character) in ("Ps", "Pi", "Pd")


def _character_like(byte: int) -> str:
    """A character like those that the byte is a part of.

    From 0xE2 on, these are mostly punctuation, ideographs and symbols, which join nothing.
    """
    if byte < 0x80:
        return chr(byte)
    return "é" if byte < 0xE2 else "\u4e00"
