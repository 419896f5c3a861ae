"""Finite scalar quantisation: vectors to codes of a fixed grid, with nothing that could collapse.

Mentzer et al. 2023: each number of a short vector is squashed and rounded to one of a few levels; the code is
the combination of levels. Every combination is a code, and there is no codebook to learn.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

__all__ = ["FiniteScalarQuantiser"]

_MARGIN = 1e-3
"""How far beyond the outermost levels numbers can get, so that rounding reaches them."""


class FiniteScalarQuantiser(nn.Module):
    """Rounds each number of a vector to one of its levels (Mentzer et al. 2023, 3).

    Args:
        levels: of each number; 2 or more.
    """

    levels: Tensor
    weights: Tensor

    def __init__(self, levels: Sequence[int]) -> None:
        super().__init__()
        self.size = math.prod(levels)
        """How many codes there are."""
        weights = [math.prod(levels[:i]) for i in range(len(levels))]
        self.register_buffer("levels", torch.tensor(levels), persistent=False)
        self.register_buffer("weights", torch.tensor(weights), persistent=False)

    def forward(self, x: Float[Tensor, "*rows numbers"]) -> Float[Tensor, "*rows numbers"]:
        """The rounded vectors, from -1 to 1; the gradient passes as if nothing had been rounded."""
        bounded = self._bound(x.float())
        rounded = (bounded + (bounded.round() - bounded).detach()) / (self.levels // 2)
        return rounded.to(x.dtype)

    def codes(self, x: Float[Tensor, "*rows numbers"]) -> Int[Tensor, "*rows"]:
        """The code of each vector, from 0 to `size` - 1."""
        places = self._bound(x.float()).round().long() + self.levels // 2
        return (places * self.weights).sum(dim=-1)

    def vectors(self, codes: Int[Tensor, "*rows"]) -> Float[Tensor, "*rows numbers"]:
        """What `forward` makes of vectors with these codes."""
        places = codes.unsqueeze(-1).div(self.weights, rounding_mode="floor") % self.levels
        return (places - self.levels // 2) / (self.levels // 2)

    def _bound(self, x: Tensor) -> Tensor:
        """Numbers that round to the levels: of L levels from -(L // 2) to (L - 1) // 2."""
        half = (self.levels - 1) * (1 + _MARGIN) / 2
        offset = (1 - self.levels % 2) / 2  # an even number of levels has none in the middle
        return torch.tanh(x + torch.atanh(offset / half)) * half - offset
