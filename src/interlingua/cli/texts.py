"""Texts as arguments."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from interlingua.errors import ConfigurationError, DataError

__all__ = ["check_texts", "lines_of", "name_symbols"]

SHOWN_CHARACTERS = 40


def lines_of(texts: list[str] | None) -> list[str]:
    """Returns the lines of the texts.

    Raises:
        ConfigurationError: a text is the name of a file.
        DataError: a text is not UTF-8.
    """
    check_texts(texts)
    return [line for text in texts or [] for line in text.split("\n")]


def check_texts(texts: list[str] | None, verb: str = "translate", what: str = "text") -> None:
    """Refuses what is no text.

    Args:
        texts: as they were given.
        verb: what is to be done with them.
        what: each of them is.

    Raises:
        ConfigurationError: a text is the name of a file.
        DataError: a text is not UTF-8.
    """
    for text in texts or []:
        if _is_file(text):
            raise ConfigurationError(
                f"this is a file, not a {what}", where=verb, found=text,
                accepted=f"To {verb} what is in it: --input {text}",
            )  # fmt: skip
        if text != text.encode(errors="replace").decode():
            raise DataError(f"the {what} is not UTF-8", where=verb, found=text)


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except OSError:  # a text that is too long for a name
        return False


def name_symbols(symbols: Sequence[str], most: int) -> str:
    """Returns so many of the symbols for a message, long ones cut: of words they may be a whole line."""
    named = [
        symbol if len(symbol) <= SHOWN_CHARACTERS else f"{symbol[: SHOWN_CHARACTERS - 1]}…"
        for symbol in symbols[:most]
    ]
    return " ".join([*named, *(["…"] if len(symbols) > most else [])])
