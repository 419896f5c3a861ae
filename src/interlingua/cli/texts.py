"""Texts as arguments."""

from __future__ import annotations

from pathlib import Path

from interlingua.errors import ConfigurationError, DataError

__all__ = ["lines_of"]


def lines_of(texts: list[str] | None) -> list[str]:
    """Returns the lines of the texts.

    Raises:
        ConfigurationError: a text is the name of a file.
        DataError: a text is not UTF-8.
    """
    for text in texts or []:
        if _is_file(text):
            raise ConfigurationError(
                "this is a file, not a text", where="translate", found=text,
                accepted=f"To translate what is in it: --input {text}",
            )  # fmt: skip
        if text != text.encode(errors="replace").decode():
            raise DataError("the text is not UTF-8", where="translate", found=text)
    return [line for text in texts or [] for line in text.split("\n")]


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except OSError:  # a text that is too long for a name
        return False
