"""Codes of languages: what an experiment, a bundle and a service may call them."""

from __future__ import annotations

import re

__all__ = ["check_language"]

_CODE = re.compile(r"[^\W_]+([-_@.][^\W_]+)*")
_MAX_LENGTH = 40
_RESERVED = "auto"  # asks a service to detect the language


def check_language(code: str) -> str:
    """Returns a code that is one: it becomes part of addresses and of file names.

    Raises:
        ValueError: it is not.
    """
    if len(code) > _MAX_LENGTH or not _CODE.fullmatch(code):
        raise ValueError(
            "a language is a code such as en, pt-BR or zh_Hans: letters and digits, joined by - _ @ or ."
        )
    if code.lower() == _RESERVED:
        raise ValueError(f"{_RESERVED} cannot be a language: a service would detect the language")
    return code
