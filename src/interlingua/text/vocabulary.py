"""Symbols and their ids; the four special ids are the same in every vocabulary."""

from __future__ import annotations

from collections.abc import Iterable

from interlingua.kinds import SPECIALS, UNK

__all__ = ["Vocabulary"]


class Vocabulary:
    """An ordered set of symbols; the first has the id 4, right after the special ids.

    Args:
        symbols: distinct strings, in the order of their ids.
    """

    def __init__(self, symbols: Iterable[str]) -> None:
        self.symbols = tuple(symbols)
        self._ids = {symbol: i for i, symbol in enumerate(self.symbols, start=len(SPECIALS))}
        if len(self._ids) != len(self.symbols):
            raise ValueError("the symbols of a vocabulary must be distinct")

    def __len__(self) -> int:
        """The number of ids, the special ones included."""
        return len(SPECIALS) + len(self.symbols)

    def __contains__(self, symbol: object) -> bool:
        return symbol in self._ids

    def id(self, symbol: str) -> int:
        """Returns the symbol's id, UNK when it is unknown."""
        return self._ids.get(symbol, UNK)

    def symbol(self, id: int) -> str:
        """Returns the symbol of an id; a special id gives its name in SPECIALS."""
        return SPECIALS[id] if id < len(SPECIALS) else self.symbols[id - len(SPECIALS)]
