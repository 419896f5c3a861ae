"""What a program hands in: texts and pairs of texts, and nothing that only looks like them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar, cast

from interlingua.errors import ConfigurationError, DataError

__all__ = ["check_chunk", "read_pairs", "read_texts"]

T = TypeVar("T")


def read_texts(texts: object, name: str) -> Iterator[str]:
    """Gives the texts of anything that holds them in an order; of an open file the lines, without their ends.

    Args:
        texts: a list, a generator, an array, a column of a table, a text file and so on.
        name: what to call it in messages.

    Raises:
        DataError: it is no such thing (at once), or one of them is not a text (when its turn comes).
    """
    _refuse_other(texts, name, "A list of texts; of one text: [text].", dimensions=[1])
    if hasattr(texts, "readline"):
        return map(_without_end, _each(texts, name, _text))
    return _each(texts, name, _text)


def read_pairs(pairs: object, name: str) -> Iterator[tuple[str, str]]:
    """Gives the (source, target) of anything that holds such pairs in an order.

    Raises:
        DataError: it is no such thing (at once), or one of them is not two texts (when its turn comes).
    """
    _refuse_other(
        pairs, name, "A list of (source, target), such as zip(sources, targets).", dimensions=[1, 2]
    )
    return _each(pairs, name, _pair)


def check_chunk(chunk: object) -> None:
    """Raises ConfigurationError when so many cannot be read at a time."""
    if not isinstance(chunk, int) or isinstance(chunk, bool) or chunk < 1:
        raise ConfigurationError(
            "that many lines cannot be read at a time", where="chunk", found=chunk, accepted="1 or more."
        )


def _refuse_other(values: object, name: str, accepted: str, dimensions: Sequence[int]) -> None:
    kind = type(values).__name__
    try:
        iter(cast(Iterable[Any], values))
        unordered = isinstance(values, str | bytes | bytearray | Mapping | set | frozenset)
    except TypeError:
        unordered = True
    if unordered:
        raise DataError(
            f"this takes a list or the like, not {kind}", where=name, found=values, accepted=accepted
        )
    if hasattr(values, "columns") or getattr(values, "ndim", 1) not in dimensions:
        raise DataError(
            f"this is a whole {kind}", where=name, accepted=accepted
        )  # one gives its columns' names


def _each(values: object, name: str, read: Callable[[object, str], T]) -> Iterator[T]:
    for number, value in enumerate(cast(Iterable[Any], values)):
        yield read(value, f"{name}[{number}]")


def _text(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise DataError(
            f"this is of type {type(value).__name__}, not a text", where=where, found=value,
            accepted="Decode it first." if isinstance(value, bytes | bytearray) else None,
        )  # fmt: skip
    try:
        value.encode()
    except UnicodeEncodeError:
        what = "the text holds a lone surrogate, which is no character"
        raise DataError(what, where=where, found=value) from None
    return str(value)  # NumPy's texts are of a class of their own


def _pair(value: object, where: str) -> tuple[str, str]:
    if isinstance(value, str | bytes | Mapping | set | frozenset) or not hasattr(value, "__iter__"):
        what = f"this is of type {type(value).__name__}, not a pair"
    else:
        both = list(cast(Iterable[Any], value))
        if len(both) == 2:
            return _text(both[0], f"{where}[0]"), _text(both[1], f"{where}[1]")
        what = f"these are {len(both)}, not two texts"
    raise DataError(what, where=where, found=value, accepted="(source, target)")


def _without_end(line: str) -> str:
    return line.removesuffix("\n").removesuffix("\r")
