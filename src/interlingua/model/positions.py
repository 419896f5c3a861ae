"""Where a token stands: sinusoidal, learned or rotary position codes; of a grid, by row and column."""

from __future__ import annotations

import math
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

__all__ = [
    "GridPositions", "LearnedPositions", "RotaryPositions", "SinusoidalPositions", "Sinusoids", "angles"
]  # fmt: skip


def angles(length: int, dim: int, slowest: int | None = None) -> Float[Tensor, "length half"]:
    """The angles of sinusoids and of rotations: position / 10000^(2i / dim), for i = 0 .. dim / 2 - 1.

    Args:
        length: of the longest sequence.
        dim: twice the number of angles.
        slowest: the 2i whose angle is position / 10000; dim when not given.
    """
    rates = torch.exp(torch.arange(0, dim, 2) * (-math.log(10000.0) / (slowest or dim)))
    return torch.arange(length).unsqueeze(1) * rates


Sinusoids = Literal["paper", "halves", "tensor2tensor"]
"""How sines and cosines are laid out, and how fast the slowest of them turns."""


class SinusoidalPositions(nn.Module):
    """PE(pos, 2i) = sin(pos / 10000^(2i/dim)), PE(pos, 2i+1) = cos(same) (Vaswani et al. 2017, 3.5).

    Any position has a code, those beyond the longest seen in training too.

    Args:
        dim: width of the model.
        layout: "halves": all sines come before all cosines; "tensor2tensor": so they do, and the slowest
            angle is pos / 10000, as in the code that the paper was written with.
    """

    table: Tensor

    def __init__(self, dim: int, layout: Sinusoids = "paper") -> None:
        super().__init__()
        self.dim, self.layout = dim, layout
        self.register_buffer("table", torch.empty(0, dim), persistent=False)

    def forward(
        self, x: Float[Tensor, "batch length dim"], first: int = 0
    ) -> Float[Tensor, "batch length dim"]:
        """Adds to x the codes of positions first, first + 1, and so on."""
        end = first + x.shape[1]
        table = self.table  # read once: batches side by side may replace it
        if end > len(table) or table.dtype != x.dtype:
            self.table = table = self._codes(_roomy(end)).to(x)
        return x + table[first:end]

    def _codes(self, length: int) -> Float[Tensor, "length dim"]:
        turned = angles(length, self.dim, self.dim - 2 if self.layout == "tensor2tensor" else None)
        if self.layout == "paper":
            return torch.stack([turned.sin(), turned.cos()], dim=-1).flatten(1)
        return torch.cat([turned.sin(), turned.cos()], dim=1)


class LearnedPositions(nn.Module):
    """A trained vector for each position (Gehring et al. 2017, 3.1).

    A vector starts as zero and stays so until training reaches its position: those that no training pair
    reached, and all from `length` on (which share the last vector), have no code.

    Args:
        dim: width of the model.
        length: how many positions have a vector.
    """

    def __init__(self, dim: int, length: int) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.zeros(length, dim))

    def forward(
        self, x: Float[Tensor, "batch length dim"], first: int = 0
    ) -> Float[Tensor, "batch length dim"]:
        """Adds to x the vectors of positions first, first + 1, and so on."""
        wanted = torch.arange(first, first + x.shape[1], device=x.device)
        return x + self.table[wanted.clamp(max=len(self.table) - 1)]


SPREAD = 0.5
"""Standard deviation of the numbers of rows' and columns' vectors at the start."""


class GridPositions(nn.Module):
    """A trained vector for each row and one for each column of a square grid that is read row by row
    (Parmar et al. 2018, 3.1, learn theirs alike). Both start at random, about as large as sinusoids: what
    starts as zero is noticed late. Neighbours start alike, so that what is left of what, or above it, is
    learnt from a few pictures (benchmarks/results/pictures.md).

    Args:
        dim: width of the model.
        edge: rows, and columns, of the grid.
    """

    def __init__(self, dim: int, edge: int) -> None:
        super().__init__()
        self.edge = edge
        self.rows, self.columns = (nn.Parameter(_smooth(edge, dim)) for _ in range(2))

    def forward(
        self, x: Float[Tensor, "batch length dim"], first: int = 0
    ) -> Float[Tensor, "batch length dim"]:
        """Adds to x the vectors of places first, first + 1, ...; behind the grid, those of its last row."""
        places = torch.arange(first, first + x.shape[1], device=x.device)
        rows = places.div(self.edge, rounding_mode="floor").clamp(max=self.edge - 1)
        return x + self.rows[rows] + self.columns[places % self.edge]

    def tables(self) -> list[Tensor]:
        """The vectors of rows, and those of columns."""
        return [self.rows, self.columns]


def _smooth(edge: int, dim: int) -> Float[Tensor, "edge dim"]:
    """Random vectors of the places on an edge: sums of cosines, the shorter the smaller."""
    waves = torch.arange(1, edge)
    cosines = torch.cos(math.pi / edge * waves * (torch.arange(edge).unsqueeze(1) + 0.5)) / waves
    scale = SPREAD / cosines.square().mean(dim=0).sum().sqrt()
    return scale * cosines @ torch.randn(edge - 1, dim)


class RotaryPositions(nn.Module):
    """Turns queries and keys by angles of their position, so that scores depend on distances
    (Su et al. 2021, 3.2; pairs are (i, i + head_dim / 2), as in most implementations).

    Any position has its angles, those beyond the longest seen in training too. Values are not turned.

    Args:
        head_dim: width of one head; even.
    """

    table: Tensor

    def __init__(self, head_dim: int) -> None:
        super().__init__()
        self.head_dim = head_dim
        self.register_buffer("table", torch.empty(2, 0, head_dim), persistent=False)

    def forward(
        self, x: Float[Tensor, "batch heads length head_dim"], first: int = 0
    ) -> Float[Tensor, "batch heads length head_dim"]:
        """Queries or keys of positions first, first + 1, and so on, turned."""
        end = first + x.shape[2]
        table = self.table  # read once: batches side by side may replace it
        if end > table.shape[1] or table.dtype != x.dtype:
            # Validation runs in inference mode; what grows there must serve the next training step, too. A
            # product keeps its factors for the gradient, which a tensor of inference mode cannot be; the sum
            # that sinusoids are added by keeps nothing.
            with torch.inference_mode(False):
                turned = angles(_roomy(end), self.head_dim)
                cosines, sines = turned.cos().repeat(1, 2), torch.cat([-turned.sin(), turned.sin()], dim=1)
                table = torch.stack([cosines, sines]).to(x.device, x.dtype)
            self.table = table
        cosines, sines = table[:, first:end]
        return torch.addcmul(x * cosines, x.roll(self.head_dim // 2, dims=-1), sines)


def _roomy(length: int) -> int:
    """A table's length that is not outgrown with every token."""
    return max(256, 1 << (length - 1).bit_length())
