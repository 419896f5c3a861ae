"""Many numbers in few bytes: what the pages of sounds and of pictures hold of spectrograms and attention."""

from __future__ import annotations

import base64
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from interlingua.views.predictions import rounded

__all__ = ["AttentionLevels", "Levels", "entropy_bits"]


@dataclass(frozen=True)
class Levels:
    """Numbers from 0 to 1 in 256 levels, a byte each: a list of numbers would be five times as large."""

    shape: tuple[int, ...]
    bytes: str
    """In base64, the last dimension first to change."""

    @classmethod
    def of(cls, values: Tensor) -> Levels:
        """Rounds the values to the nearest level."""
        levels = (values.detach().float().cpu().clamp(0, 1) * 255).round().byte()
        return cls(tuple(levels.shape), base64.b64encode(levels.numpy().tobytes()).decode())


@dataclass(frozen=True)
class AttentionLevels:
    """Where the decoder looked: every layer's and head's weights."""

    roots: Levels
    """(layers, heads, queries, keys): square roots of the weights, since most weights are small."""
    entropy: list[list[float]]
    """(layers, heads): bits, the mean over the queries."""

    @classmethod
    def of(cls, weights: Float[Tensor, "layers heads queries keys"]) -> AttentionLevels:
        """Of weights of which each row over the keys sums to 1."""
        return cls(Levels.of(weights.float().sqrt()), entropy_bits(weights))


def entropy_bits(weights: Float[Tensor, "layers heads queries keys"]) -> list[list[float]]:
    """How evenly each head looks: bits, the mean over the queries; 0 when each looks at one key only."""
    weights = weights.float().cpu()
    bits = -(weights * weights.clamp_min(1e-12).log2()).sum(-1).mean(-1)  # (layers, heads)
    entropy: list[list[float]] = rounded(bits.abs(), 2)
    return entropy
