"""The tokenizer of sources that have several columns."""

from __future__ import annotations

from collections.abc import Sequence

from interlingua.errors import DataError
from interlingua.kinds import SPECIALS, Symbols
from interlingua.text.columns import COLUMN_END, OtherColumns, list_tags
from interlingua.text.lengths import length_limit
from interlingua.text.normalise import Normalisation
from interlingua.text.piece_tokenizer import PieceTokenizer
from interlingua.text.protocol import Tokenizer
from interlingua.text.subwords import SubwordTokenizer
from interlingua.text.symbols import SymbolTokenizer

__all__ = ["ColumnTokenizer", "TextColumn"]


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

    @property
    def tags(self) -> list[str]:
        """What the first column may be, where that is a closed list."""
        first = self.columns[0]
        if not isinstance(first, SymbolTokenizer) or first.between not in (COLUMN_END, " "):
            return []  # such as V;PST, which combines several
        return [word for word in first.vocabulary.symbols if word]

    @property
    def _begins_with_tag(self) -> bool:
        """Whether the first column says nothing by itself; of several closed lists it may be the text."""
        first = self.columns[0]
        known = isinstance(first, SymbolTokenizer) and first.between == COLUMN_END
        return known or (bool(self.tags) and any(column.kind != "words" for column in self.columns[1:]))

    def with_normalisation(self, rule: Normalisation) -> ColumnTokenizer:
        """Returns the same with another rule of normalisation."""
        return ColumnTokenizer([column.with_normalisation(rule) for column in self.columns])

    def split(self, text: str) -> list[str]:
        """Returns the columns of a text; a blank one has blank ones.

        Raises:
            DataError: it has another number of them.
        """
        if not text.strip():
            return [""] * len(self.columns)
        parts = text.split(COLUMN_END)
        if len(parts) != len(self.columns):
            has = "1 column" if len(parts) == 1 else f"{len(parts)} columns"
            first = f" The first one is a tag: {list_tags(self.tags)}." if self.tags else ""
            if first and len(parts) == len(self.columns) - 1:
                first += " On the command line: --tag TAG"
            raise DataError(
                f"the text has {has}, and the model reads {len(self.columns)}", found=text,
                accepted=f"The columns of the training, in their order, with tabs between them.{first}",
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

    def span(self, ids: Sequence[int], column: int) -> slice:
        """Returns where the ids of a column stand among those of a text."""
        between = [number for number, i in enumerate(ids) if i == self._between]
        ends = [-1, *between, len(ids)]
        return slice(ends[column] + 1, ends[column + 1]) if column <= len(between) else slice(0, 0)

    def encode(self, text: str) -> list[int]:
        """Returns the ids of all columns, one after the other; none of a blank text, tag or not."""
        return self.encode_batch([text])[0]

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """Encodes several texts."""
        return self._encode(texts)

    def encode_sampled(self, texts: Sequence[str], alpha: float, seed: int) -> list[list[int]]:
        """Encodes normalised texts, subwords at random: see `SubwordTokenizer.encode_sampled`."""
        return self._encode(texts, (alpha, seed))

    def _encode(self, texts: Sequence[str], sampling: tuple[float, int] | None = None) -> list[list[int]]:
        split, columns = [self.split(text) for text in texts], []
        for number, column in enumerate(self.columns):
            of_column = [parts[number] for parts in split]
            if sampling and isinstance(column, SubwordTokenizer):
                columns.append(column.encode_sampled(of_column, *sampling))
            else:
                columns.append(column.encode_batch(of_column))
        return [self._join(parts, ids) for parts, *ids in zip(split, *columns, strict=True)]

    def _join(self, parts: Sequence[str], columns: Sequence[Sequence[int]]) -> list[int]:
        ids: list[int] = []
        if not any(map(str.strip, parts[1:])) and (not parts[0].strip() or self._begins_with_tag):
            return ids
        for number, (of_column, offset) in enumerate(zip(columns, self._offsets, strict=True)):
            if number:
                ids.append(self._between)
            ids += [i if i < len(SPECIALS) else i + offset for i in of_column]
        return ids

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


class TextColumn:
    """Which part of sources is the text: one of their columns, what follows the code of a target language,
    or, where they have neither, all of it.

    Args:
        source: the tokenizer of sources.
        column: the text, where sources have columns; when not given, the first that is not of words.
    """

    def __init__(self, source: Tokenizer, column: int | None) -> None:
        self.source = source
        self.tokenizer = source
        """Of the text alone."""
        if isinstance(source, ColumnTokenizer):
            free = [number for number, each in enumerate(source.columns) if each.kind != "words"]
            self.column = [*free, 1 if source.tags else 0][0] if column is None else column
            self.tokenizer = source.columns[self.column]

    def take_out(self, text: str) -> tuple[str, OtherColumns]:
        """Returns the text of a source, and its other columns.

        Raises:
            DataError: it has another number of columns.
        """
        if isinstance(self.source, PieceTokenizer):
            code, text = self.source.split(text)
            return text, OtherColumns(code)
        if not isinstance(self.source, ColumnTokenizer):
            return text, OtherColumns()
        columns = self.source.split(text)
        before, after = columns[: self.column], columns[self.column + 1 :]
        others = OtherColumns("".join(each + COLUMN_END for each in before),
                              "".join(COLUMN_END + each for each in after))  # fmt: skip
        return columns[self.column], others

    def span(self, ids: Sequence[int]) -> slice:
        """Returns where the text's ids stand among those of a source."""
        if isinstance(self.source, ColumnTokenizer):
            return self.source.span(ids, self.column)
        if isinstance(self.source, PieceTokenizer):
            return self.source.span(ids)
        return slice(0, len(ids))
