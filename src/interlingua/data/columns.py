"""Which columns of a table are source and target: by their numbers, or by the names in its first line."""

from __future__ import annotations

from collections.abc import Sequence

from interlingua.errors import DataError, nearest

__all__ = ["Columns", "find_columns", "has_names"]

Columns = tuple[Sequence[int | str], int | str]
"""The source's, of which there may be several, and the target's: numbers from 1, or names."""


def has_names(columns: Columns | None) -> bool:
    """Whether a column is named, so that the first line holds names."""
    return columns is not None and any(isinstance(column, str) for column in (*columns[0], columns[1]))


def find_columns(columns: Columns, names: Sequence[str], where: object) -> tuple[list[int], int]:
    """Returns the columns as numbers from 0.

    Args:
        columns: those chosen.
        names: those that there are; nothing where no column is named.
        where: of the names, for messages.

    Raises:
        DataError: there is no such column, or several.
    """
    found = [_find(column, names, where) for column in (*columns[0], columns[1])]
    return found[:-1], found[-1]


def _find(column: int | str, names: Sequence[str], where: object) -> int:
    if isinstance(column, int):
        return column - 1
    stripped = [name.strip() for name in names]
    same = [i for i, name in enumerate(stripped) if name == column]
    same = same or [i for i, name in enumerate(stripped) if name.casefold() == column.casefold()]
    if len(same) == 1:
        return same[0]
    if same:
        places = " and ".join(str(i + 1) for i in same)
        raise DataError(
            f"the column {column!r} is there several times", where=where, found=f"columns {places}",
            accepted="Give one of them another name.",
        )  # fmt: skip
    raise DataError(
        f"the column {column!r} is not there", where=where,
        accepted=f"{nearest(column, stripped)} A file whose first line holds no names is read by numbers: "
        "--columns 1,2",
    )  # fmt: skip
