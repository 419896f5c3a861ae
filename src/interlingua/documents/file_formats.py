"""Files: which of their texts are translated, and how the translations come back into them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from interlingua.documents.document import Format
from interlingua.documents.subtitle_codes import Markup
from interlingua.documents.subtitles import Subtitles

__all__ = ["SUFFIXES", "TranslatableFile", "read_file"]

SUFFIXES = (".txt", ".srt", ".vtt", ".ass", ".ssa", ".html", ".htm")

_SUBTITLES: dict[str, Markup] = {".srt": "srt", ".vtt": "vtt", ".ass": "ass", ".ssa": "ass"}


class TranslatableFile(Protocol):
    """The content of a file."""

    texts: dict[Format, list[str]]
    """What is to be translated."""

    def fill(self, translations: Mapping[Format, Sequence[str]]) -> str:
        """The content with the translations of its texts."""


def read_file(suffix: str, content: str) -> TranslatableFile:
    """Reads what is to be translated in a file.

    Args:
        suffix: one of SUFFIXES.
        content: any; a file is never refused.
    """
    if suffix in _SUBTITLES:
        return Subtitles(content, _SUBTITLES[suffix])
    return _SingleText(content, "text" if suffix == ".txt" else "html")


class _SingleText:
    """A file that is translated as a whole."""

    def __init__(self, content: str, format: Format) -> None:
        self.texts: dict[Format, list[str]] = {format: [content]}

    def fill(self, translations: Mapping[Format, Sequence[str]]) -> str:
        ((text,),) = translations.values()
        return text
