"""What a translation may be flagged with: one table for everything that shows flags."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

__all__ = ["FLAGS", "Flag"]

Flag = Literal[
    "empty", "split", "limit", "short", "uncovered", "repeated", "control", "unknown", "unmet", "pivot"
]

FLAGS: Mapping[Flag, str] = MappingProxyType(
    {
        "empty": "there was nothing to translate",
        "split": "a line or sentence was too long for the model and went in parts",
        "limit": "cut off at the length limit",
        "short": "much shorter than translations of such a length usually are: something may be missing",
        "uncovered": "the model hardly looked at a word of the source: its translation may be missing",
        "repeated": "the model went in circles: a part is likely wrong",
        "control": "control characters in the output became spaces",
        "unknown": "something in the source is not in the model's vocabulary and got lost",
        "unmet": "a term of the glossary is missing",
        "pivot": "no model translates between these languages directly: it went through a third one",
    }
)
"""Each flag in words."""
