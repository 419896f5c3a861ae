"""The token sequences that write a term, and the tokens that would join it to another word."""

from __future__ import annotations

import unicodedata
from typing import NamedTuple

from interlingua.kinds import SPECIALS, UNK
from interlingua.terms.glossary import capitalised, is_unspaced, joins_words
from interlingua.text.piece_tokenizer import SPACE, PieceTokenizer
from interlingua.text.subwords import SubwordTokenizer
from interlingua.text.tokenizer import Tokenizer

__all__ = ["TermTokenizer", "Tokenization", "needs_space_after"]

_BYTES = [f"<0x{byte:02X}>" for byte in range(256)]


class Tokenization(NamedTuple):
    """A sequence of tokens that writes a term."""

    ids: tuple[int, ...]
    may_begin_target: bool
    may_stand_later: bool
    """Whether it may stand anywhere but at the beginning."""


class TermTokenizer:
    """Writes terms with a tokenizer, in every way in which they can stand in a text.

    Args:
        tokenizer: of the target side.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self._shown = [_shown(tokenizer, i) for i in range(len(tokenizer))]
        shown = [text if isinstance(text, str) else _character_like(text) for text in self._shown]
        self.starts_in_word = tuple(bool(text) and joins_words(text[0]) for text in shown)
        """For each id whether it goes on with a word that stands right before it."""
        self.ends_in_word = tuple(bool(text) and joins_words(text[-1]) for text in shown)
        """For each id whether a word right after it, without a space, goes on with its own."""
        self.starts_with_space = tuple(text.startswith(" ") for text in shown)

    def last_character(self, before: str, id: int) -> str:
        """The character that a text ends with after an id; if some of its bytes are missing, those it has.

        Args:
            before: what this was before the id.
            id: of a token.
        """
        added = self._shown[id]
        if isinstance(added, str):
            return added[-1:]
        so_far = before.encode(errors="surrogateescape") if _is_unfinished(before) else b""
        text = (so_far + bytes([added])).decode(errors="surrogateescape")
        return text[-3:] if _is_unfinished(text[-1:]) else text[-1:]

    def tokenize(self, target: str) -> tuple[Tokenization, ...]:
        """The tokenizations of a target term, which is not empty; none when its symbols are not all known."""
        target = self.tokenizer.normalise(target).strip(" ")
        adds_space = isinstance(self.tokenizer, SubwordTokenizer | PieceTokenizer)  # before every text
        anywhere = adds_space or self.tokenizer.kind == "words"
        ways = (  # ids, may_begin_target, may_stand_later
            (self._ids(target), True, anywhere),
            (self._ids(capitalised(target)), True, False),
            (self._ids_without_space(target), False, True),
            (() if adds_space else self._ids(" " + target), False, True),
        )
        merged: dict[tuple[int, ...], Tokenization] = {}
        for ids, begins, later in ways:
            if ids and UNK not in ids:
                same = merged.get(ids, Tokenization(ids, may_begin_target=False, may_stand_later=False))
                merged[ids] = Tokenization(
                    ids, begins or same.may_begin_target, later or same.may_stand_later
                )
        return tuple(merged.values())

    def _ids(self, text: str) -> tuple[int, ...]:
        return tuple(self.tokenizer.encode(text))

    def _ids_without_space(self, text: str) -> tuple[int, ...]:
        """The ids of a text right after something that is no part of a word, such as a bracket."""
        if isinstance(self.tokenizer, PieceTokenizer):
            return self._ids_after_bracket(text)
        if not isinstance(self.tokenizer, SubwordTokenizer):
            return self._ids(text)
        # No subword goes across a line break, and what follows one has no space before it.
        ids = self._ids("\n" + text)
        shown = self.tokenizer.pieces(ids)
        return ids[shown.index("<0x0A>") + 1 :] if "<0x0A>" in shown else ()

    def _ids_after_bracket(self, text: str) -> tuple[int, ...]:
        """The ids of a text right after a bracket, where that is a piece of its own."""
        ids = self._ids("(" + text)
        shown = self.tokenizer.pieces(ids)
        for length in (1, 2):
            if "".join(shown[:length]) == SPACE + "(":
                return ids[length:]
        return ()


def needs_space_after(character: str) -> bool:
    """Whether a word needs a space after a character: after a letter, and a comma, too.

    It needs none after space itself, opening marks and dashes, nor after what is written without spaces.
    """
    if _is_unfinished(character) or joins_words(character):
        return True
    if character in "\"'„/" or character.isspace() or unicodedata.category(character) in ("Ps", "Pi", "Pd"):
        return False
    # Wide, full and half width: the marks of scripts without spaces.
    return not is_unspaced(character) and unicodedata.east_asian_width(character) not in ("W", "F", "H")


def _shown(tokenizer: Tokenizer, id: int) -> str | int:
    """What an id adds to a text, as far as the ends matter; a byte as its number."""
    if id < len(SPECIALS) or tokenizer.kind == "words":
        return ""  # words stand alone
    if tokenizer.kind == "bytes":
        return id - len(SPECIALS)
    (piece,) = tokenizer.pieces([id])
    if isinstance(tokenizer, SubwordTokenizer | PieceTokenizer):
        return _BYTES.index(piece) if piece in _BYTES else piece.replace(SPACE, " ")
    return piece


def _is_unfinished(text: str) -> bool:
    """Whether a text is the first bytes of a character."""
    return "\udc80" <= text[:1] <= "\udcff"


def _character_like(byte: int) -> str:
    """A character like those that begin with a byte, or go on with it.

    Those of 0xE2 are mostly punctuation; from 0xE3 on they are mostly kana, ideographs and symbols. None of
    these joins words, while those before, such as é, mostly do.
    """
    if byte < 0x80:
        return chr(byte)
    return "é" if byte < 0xE2 else "\u4e00"
