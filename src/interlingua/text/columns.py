"""Sources of several columns: a word and its tags, a sentence and its domain, two sentences.

A text of several columns has a tab between them, as it had in its file.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from interlingua.errors import DataError
from interlingua.kinds import SPECIALS, Symbols
from interlingua.text.lengths import length_limit
from interlingua.text.normalise import Normalisation, normalise

if TYPE_CHECKING:
    from interlingua.text.tokenizer import Tokenizer

__all__ = ["COLUMN_END", "ColumnTokenizer", "count_columns", "normalise_columns"]

COLUMN_END = "\t"
"""What stands between the columns of a text."""


def count_columns(texts: Iterable[str]) -> int:
    """How many columns all the texts have; 1 when they differ."""
    counts = {text.count(COLUMN_END) for text in texts}
    return 1 + counts.pop() if len(counts) == 1 else 1


def normalise_columns(text: str, rule: Normalisation) -> str:
    """Normalises each column for itself, since the rule would make spaces of tabs."""
    return COLUMN_END.join(normalise(column, rule) for column in text.split(COLUMN_END))


class ColumnTokenizer:
    """A tokenizer for each column of a source.

    Every column has ids of its own; one id more stands between two columns.

    Args:
        columns: the tokenizers, two or more.
    """

    kind = "columns"
    compared_by: Symbols | None = None
    length_limit = staticmethod(length_limit)

    def __init__(self, columns: Sequence[Tokenizer]) -> None:
        self.columns = tuple(columns)
        self.vocabulary: object = self.columns
        self.normalisation = columns[0].normalisation
        self._between = len(SPECIALS)
        self._offsets = [1]
        """What is added to the ids of a column that are none of the special ones."""
        for column in columns[:-1]:
            self._offsets.append(self._offsets[-1] + len(column) - len(SPECIALS))

    def __len__(self) -> int:
        return self._offsets[-1] + len(self.columns[-1])

    def with_normalisation(self, rule: Normalisation) -> ColumnTokenizer:
        """Returns the same with another rule of normalisation."""
        return ColumnTokenizer([column.with_normalisation(rule) for column in self.columns])

    def split(self, text: str) -> list[str]:
        """Returns the columns of a text.

        Raises:
            DataError: it has another number of them.
        """
        parts = text.split(COLUMN_END)
        if len(parts) != len(self.columns):
            has = "1 column" if len(parts) == 1 else f"{len(parts)} columns"
            raise DataError(
                f"the text has {has}, and the model reads {len(self.columns)}", found=text,
                accepted="The columns of the training, in their order, with tabs between them.",
            )  # fmt: skip
        return parts

    def unknown(self, text: str) -> list[str]:
        """Returns the distinct symbols of a text that no id stands for, in order."""
        parts = zip(self.columns, self.split(text), strict=True)
        return list(dict.fromkeys(symbol for column, part in parts for symbol in column.unknown(part)))

    def normalise(self, text: str) -> str:
        """Returns the text as it is seen by `encode`."""
        parts = zip(self.columns, self.split(text), strict=True)
        return COLUMN_END.join(column.normalise(part) for column, part in parts)

    def encode(self, text: str) -> list[int]:
        """Returns the ids of all columns, one after the other."""
        ids: list[int] = []
        for column, part, offset in zip(self.columns, self.split(text), self._offsets, strict=True):
            if column is not self.columns[0]:
                ids.append(self._between)
            ids += [i if i < len(SPECIALS) else i + offset for i in column.encode(part)]
        return ids

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """Encodes several texts."""
        return [self.encode(text) for text in texts]

    def decode(self, ids: Sequence[int]) -> str:
        """Returns the text of the ids; special ids are skipped."""
        columns: list[list[int]] = [[]]
        for i in ids:
            if i == self._between:
                columns.append([])
            elif i >= len(SPECIALS):
                columns[-1].append(i - self._offsets[self._column_of(i)])
        return COLUMN_END.join(column.decode(own) for column, own in zip(self.columns, columns, strict=False))

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """Returns one string to show for each id."""
        return [self._piece(i) for i in ids]

    def _piece(self, i: int) -> str:
        if i == self._between:
            return "│"
        column = self._column_of(i) if i >= len(SPECIALS) else 0
        own = i - self._offsets[column] if i >= len(SPECIALS) else i
        return self.columns[column].pieces([own])[0]

    def _column_of(self, i: int) -> int:
        return max(number for number, offset in enumerate(self._offsets) if i >= offset + len(SPECIALS))
