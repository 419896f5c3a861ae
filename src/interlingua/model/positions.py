"""Where a token stands: the sinusoidal position code (Vaswani et al. 2017, 3.5)."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["SinusoidalPositions"]


class SinusoidalPositions(nn.Module):
    """PE(pos, 2i) = sin(pos / 10000^(2i/dim)), PE(pos, 2i+1) = cos(same); any position has a code.

    Args:
        dim: width of the model.
    """

    table: Tensor

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim
        self.register_buffer("table", torch.empty(0, dim), persistent=False)

    def forward(
        self, x: Float[Tensor, "batch length dim"], first: int = 0
    ) -> Float[Tensor, "batch length dim"]:
        """Adds to x the codes of positions first, first + 1, and so on."""
        end = first + x.shape[1]
        if end > len(self.table) or self.table.dtype != x.dtype:
            self.table = self._codes(max(256, 1 << (end - 1).bit_length())).to(x)
        return x + self.table[first:end]

    def _codes(self, length: int) -> Float[Tensor, "length dim"]:
        rates = torch.exp(torch.arange(0, self.dim, 2) * (-math.log(10000.0) / self.dim))
        angles = torch.arange(length).unsqueeze(1) * rates  # (length, dim / 2)
        return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)[:, : self.dim]
