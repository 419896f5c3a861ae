"""How wide a beam is made for terms."""

from __future__ import annotations

__all__ = ["beam_width"]

_MAX_WIDTH = 32
"""The widest that a beam is made for terms; with more tokens than slots some banks go without one."""


def beam_width(num_tokens: int, beam: int) -> int:
    """How many slots the beam of a sentence has: `beam` without terms, more for so many tokens of terms."""
    return min(beam + num_tokens, max(beam, _MAX_WIDTH))
