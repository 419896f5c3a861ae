"""How long a text may become."""

from __future__ import annotations

import math

__all__ = ["length_limit"]


def length_limit(source_length: int, max_ratio: float, extra_tokens: float = 0.0) -> int:
    """The most target tokens looked for: half as many again as the training data's usual most, and ten.

    Args:
        source_length: source tokens, without EOS.
        max_ratio: the largest usual target length / source length of the training pairs, without EOS.
        extra_tokens: by how much targets of short sources exceed that.
    """
    return math.ceil(1.5 * (max_ratio * source_length + extra_tokens)) + 10
