"""What pictures and the texts that go with them are like, for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

__all__ = ["PictureDescription", "describe_pictures"]


class PictureDescription(NamedTuple):
    """Of a sample of training pairs."""

    size: int
    """The edge of the pictures, in pixels."""
    text_words: float
    """Between spaces; the mean of a text."""
    distinct_words: int
    repeated_texts: float
    """The share of pairs whose text occurred before."""

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON, rounded."""
        return {name: round(value, 3) for name, value in self._asdict().items()}

    def __str__(self) -> str:
        pictures = f"pictures of {self.size} x {self.size}"
        return f"{pictures}, {self.text_words:.1f} words a text, {self.distinct_words:,} different ones"


def describe_pictures(size: int, texts: Sequence[str]) -> PictureDescription:
    """Describes pictures with texts.

    Args:
        size: of the pictures.
        texts: a sample.
    """
    words = [text.split() for text in texts]
    return PictureDescription(
        size=size,
        text_words=sum(map(len, words)) / max(1, len(words)),
        distinct_words=len({word for line in words for word in line}),
        repeated_texts=1 - len(set(texts)) / max(1, len(texts)),
    )
