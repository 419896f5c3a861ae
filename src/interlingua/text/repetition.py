"""Texts that go in circles."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["repeats"]


def repeats(tokens: Sequence[str], times: int = 4, longest: int = 8) -> bool:
    """Whether some run of up to `longest` tokens comes `times` times in a row."""
    for size in range(1, longest + 1):
        same = 0
        for i in range(size, len(tokens)):
            same = same + 1 if tokens[i] == tokens[i - size] else 0
            if same >= (times - 1) * size:
                return True
    return False
