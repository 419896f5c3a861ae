"""What of the texts a tokenizer does not know: counted, with examples."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from interlingua.kinds import UNK
from interlingua.text.column_tokenizer import ColumnTokenizer
from interlingua.text.piece_tokenizer import PieceTokenizer
from interlingua.text.subwords import SubwordTokenizer
from interlingua.text.symbols import SymbolTokenizer
from interlingua.text.tokenizer import Tokenizer

__all__ = ["UnknownSymbols", "describe_unknown", "is_hardly_known"]

MAX_COUNTED_TYPES = 100_000
EXAMPLES = 5
BYTE_PIECE = re.compile("<0x[0-9A-F]{2}>")
WARN_FROM_SYMBOLS, WARN_FROM_TEXTS = 0.01, 0.05
"""Shares from which unknown symbols are worth a warning."""
MAX_UNKNOWN_TO_TRAIN, MAX_UNKNOWN_TO_VALIDATE = 0.5, 0.75
"""Shares from which it is surely a mistake. Few pairs may well lack most symbols of those to validate on; in
another alphabet, spaces and punctuation are known."""


class UnknownSymbols:
    """Counts the symbols of one side's texts that have no id of their own.

    Words and characters out of a closed vocabulary become UNK and are lost to the model; characters without
    a piece of their own are spelled in bytes by subword tokenizers, which is long-winded but loses nothing.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._columns = tokenizer if isinstance(tokenizer, ColumnTokenizer) else None
        parts = tokenizer.columns if isinstance(tokenizer, ColumnTokenizer) else (tokenizer,)
        known = [_Known(part) for part in parts]
        self.spelled = all(each.spells for each in known)
        # where something can be lost, what is spelled is nothing to speak of
        self._known = [each if self.spelled or each.loses else None for each in known]
        pieces = tokenizer.pieces(range(len(tokenizer))) if self.spelled else []
        self._words = tokenizer.kind == "words"
        self._signs = np.zeros(len(tokenizer), bool)
        self._signs[[UNK, *(i for i, piece in enumerate(pieces) if BYTE_PIECE.fullmatch(piece))]] = True
        self.symbols = self.unknown = self.texts = 0
        self._counts: Counter[str] = Counter()

    def add(self, ids: npt.NDArray[Any], lengths: npt.NDArray[np.int64], texts: Sequence[str]) -> None:
        """Takes texts and their ids, those of all texts one after another."""
        if self._columns is None:
            self.symbols += len(ids) if self._words else sum(map(len, texts))
        else:
            self.symbols += sum(len(symbols) for text in texts for _, symbols in self._split(text))
        signs = self._signs[ids]
        if not signs.any():
            return
        rows = np.searchsorted(np.cumsum(lengths), np.flatnonzero(signs), side="right")
        for row in np.unique(rows):
            unknown = [
                symbol for known, symbols in self._split(texts[row]) if known is not None
                for symbol in symbols if symbol not in known.symbols
            ]  # fmt: skip
            self.unknown += len(unknown)
            self.texts += bool(unknown)
            if len(self._counts) < MAX_COUNTED_TYPES:
                self._counts.update(unknown)

    def as_dict(self) -> dict[str, Any]:
        """Returns plain values for JSON: symbols (all), unknown, texts (with one), spelled, examples."""
        examples = dict(self._counts.most_common(EXAMPLES))
        return {
            "symbols": self.symbols, "unknown": self.unknown, "texts": self.texts, "spelled": self.spelled,
            "examples": examples,
        }  # fmt: skip

    def _split(self, text: str) -> Iterator[tuple[_Known | None, Sequence[str]]]:
        """The symbols of each column, and what of them is known."""
        parts = self._columns.split(text) if self._columns else [text]
        for known, part in zip(self._known, parts, strict=True):
            yield known, part if known is None else known.split(part)


class _Known:
    """What a tokenizer of one text has ids for, and whether the rest is spelled in bytes or lost."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        pieces = tokenizer.pieces(range(len(tokenizer))) if isinstance(tokenizer, SubwordTokenizer) else []
        self.spells = any(map(BYTE_PIECE.fullmatch, pieces))
        self.loses = not self.spells and tokenizer.kind != "bytes"
        self.symbols: Container[str] = {" ", *(piece for piece in pieces if len(piece) == 1)}
        self._between = " " if tokenizer.kind == "words" else ""
        if isinstance(tokenizer, SymbolTokenizer):
            self.symbols, self._between = tokenizer.vocabulary, tokenizer.between
        elif isinstance(tokenizer, PieceTokenizer):
            self.symbols = {" ", *"".join(tokenizer.vocabulary.symbols)}

    def split(self, text: str) -> Sequence[str]:
        return text.split(self._between) if self._between else text


def is_hardly_known(side: dict[str, Any], to_train: bool) -> bool:
    """Whether so many symbols of `UnknownSymbols.as_dict` are lost that this can only be a mistake.

    Args:
        side: the counts.
        to_train: whether the texts are to be trained on, or only to validate with.
    """
    limit = MAX_UNKNOWN_TO_TRAIN if to_train else MAX_UNKNOWN_TO_VALIDATE
    return not side["spelled"] and side["unknown"] > limit * side["symbols"]


def describe_unknown(side: dict[str, Any], name: str, pairs: int, learnt_from: bool) -> str | None:
    """Returns a line on the unknown symbols of `UnknownSymbols.as_dict`, or None when it is not worth one.

    Args:
        side: the counts.
        name: of the side, such as "the validation sources".
        pairs: how many pairs there are.
        learnt_from: whether the vocabulary was learnt from this very data; rare characters are then spelled
            in bytes on purpose.
    """
    unknown, symbols = side["unknown"], max(1, side["symbols"])
    many = unknown > WARN_FROM_SYMBOLS * symbols or side["texts"] > WARN_FROM_TEXTS * pairs
    if not unknown or (side["spelled"] and learnt_from and not many):
        return None
    examples = ", ".join(f"{symbol!r} ({count:,} times)" for symbol, count in side["examples"].items())
    fate = "spelled in bytes" if side["spelled"] else "unknown to the vocabulary and lost"
    return (
        f"{'warning: ' if many else ''}{name}: {unknown:,} symbols ({unknown / symbols:.2%}), "
        f"in {side['texts']:,} of {pairs:,} pairs, are {fate}: {examples}"
    )
