"""Tokenizers whose tokens can be seen in the text: words, characters, bytes."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal

from interlingua.errors import DataError
from interlingua.kinds import SPECIALS, Symbols
from interlingua.text.lengths import length_limit
from interlingua.text.normalise import Normalisation, normalise
from interlingua.text.vocabulary import Vocabulary

__all__ = ["ByteTokenizer", "SymbolTokenizer"]

MAX_IDS = 65_536
"""So many fit 16 bits; rarer symbols become UNK."""


class SymbolTokenizer:
    """Words, split at every single space, or Unicode characters.

    A text made of known symbols comes back exactly from its ids. Splitting at *every* space makes this hold
    for words too: two spaces in a row enclose the empty word, which is always in the vocabulary.

    Args:
        kind: "words" or "characters".
        vocabulary: the known symbols.
        normalisation: applied before splitting.
        between: the character between two words; tags have others than spaces, such as V;PST.
    """

    length_limit = staticmethod(length_limit)

    def __init__(
        self, kind: Literal["words", "characters"], vocabulary: Vocabulary, normalisation: Normalisation,
        between: str = " ",
    ) -> None:  # fmt: skip
        self.kind: str = kind
        self.compared_by: Symbols | None = "words" if kind == "words" else None
        self.vocabulary = vocabulary
        self.normalisation = normalisation
        self.between = between if kind == "words" else ""

    @classmethod
    def train(
        cls,
        texts: Iterable[str],
        kind: Literal["words", "characters"],
        normalisation: Normalisation,
        size: int | None = None,
        between: str = " ",
    ) -> SymbolTokenizer:
        """Takes the most frequent symbols of the texts, ties in code point order.

        Args:
            texts: what to learn from.
            kind: "words" or "characters".
            normalisation: applied to the texts, now and later.
            size: the most ids to have, the special ones included.
            between: the character between two words.
        """
        counts: Counter[str] = Counter()
        for text in texts:
            text = normalise(text, normalisation)
            counts.update(text.split(between) if kind == "words" else text)
        always = [""] if kind == "words" else []
        counts.pop("", None)
        learnt = max(0, (MAX_IDS if size is None else size) - len(SPECIALS) - len(always))
        ranked = sorted(counts, key=lambda symbol: (-counts[symbol], symbol))
        return cls(kind, Vocabulary(always + ranked[:learnt]), normalisation, between)

    @classmethod
    def of_tags(cls, tags: Iterable[str], normalisation: Normalisation) -> SymbolTokenizer:
        """A word for each tag; a tab, which no tag holds, would be between two."""
        return cls("words", Vocabulary(["", *sorted(set(tags))]), normalisation, between="\t")

    def __len__(self) -> int:
        return len(self.vocabulary)

    def with_normalisation(self, rule: Normalisation) -> SymbolTokenizer:
        """Returns the same with another rule of normalisation."""
        other = copy.copy(self)
        other.normalisation = rule
        return other

    def unknown(self, text: str) -> list[str]:
        """Returns the distinct symbols of a text that are not in the vocabulary, in order."""
        return [symbol for symbol in dict.fromkeys(self._split(text)) if symbol not in self.vocabulary]

    def normalise(self, text: str) -> str:
        """Returns the text as it is seen by `encode`."""
        return normalise(text, self.normalisation)

    def encode(self, text: str) -> list[int]:
        """Returns the ids of the text's symbols, UNK for unknown ones; the empty text has none."""
        return [self.vocabulary.id(symbol) for symbol in self._split(text)]

    def _split(self, text: str) -> Iterable[str]:
        text = self.normalise(text)
        return text.split(self.between) if text and self.between else text

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """Encodes several texts."""
        return [self.encode(text) for text in texts]

    def decode(self, ids: Sequence[int]) -> str:
        """Returns the text of the ids; special ids are skipped."""
        symbol = self.vocabulary.symbol
        return self.between.join(symbol(i) for i in ids if i >= len(SPECIALS))

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """Returns one string to show for each id."""
        return [self.vocabulary.symbol(i) for i in ids]


class ByteTokenizer:
    """The bytes of the text in UTF-8: byte b has the id 4 + b; nothing to learn, nothing unknown."""

    kind = "bytes"
    compared_by: Symbols | None = None
    length_limit = staticmethod(length_limit)

    def __init__(self, normalisation: Normalisation) -> None:
        self.normalisation = normalisation
        self.vocabulary: object = range(256)

    def __len__(self) -> int:
        return len(SPECIALS) + 256

    def with_normalisation(self, rule: Normalisation) -> ByteTokenizer:
        """Returns the same with another rule of normalisation."""
        other = copy.copy(self)
        other.normalisation = rule
        return other

    def unknown(self, text: str) -> list[str]:
        """Returns nothing: every text has its bytes."""
        return []

    def normalise(self, text: str) -> str:
        """Returns the text as it is seen by `encode`."""
        return normalise(text, self.normalisation)

    def encode(self, text: str) -> list[int]:
        """Returns an id for each byte.

        Raises:
            DataError: the text holds a lone surrogate, which UTF-8 cannot express.
        """
        try:
            return [len(SPECIALS) + byte for byte in self.normalise(text).encode()]
        except UnicodeEncodeError:
            raise DataError("the text holds a lone surrogate, which is no character", found=text) from None

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """Encodes several texts."""
        return [self.encode(text) for text in texts]

    def decode(self, ids: Sequence[int]) -> str:
        """Returns the text of the ids; special ids are skipped, bytes that are no UTF-8 become U+FFFD."""
        return bytes(i - len(SPECIALS) for i in ids if i >= len(SPECIALS)).decode(errors="replace")

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """Returns one string to show for each id: a visible ASCII character or "<0x0A>"."""
        return [SPECIALS[i] if i < len(SPECIALS) else _show_byte(i - len(SPECIALS)) for i in ids]


def _show_byte(byte: int) -> str:
    return chr(byte) if 0x20 < byte < 0x7F else f"<0x{byte:02X}>"
