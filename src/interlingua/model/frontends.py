"""Frontends: what a source is made of, turned into the vectors that an encoder reads."""

from __future__ import annotations

import math
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from interlingua.kinds import Source
from interlingua.model.embedding import embed
from interlingua.model.linear import Linear
from interlingua.model.positions import GridPositions

__all__ = ["FrameFrontend", "Frontend", "PatchFrontend", "TokenFrontend"]


PATCHES_ON_EDGE = 8
"""Of a picture that is a source."""


@runtime_checkable
class Frontend(Protocol):
    """A module from the values of a source to vectors, perhaps fewer of them, and their mask."""

    def __call__(
        self, source: Source
    ) -> tuple[Float[Tensor, "batch length dim"], Bool[Tensor, "batch length"]]:
        """The vectors, and True for those that are of real elements."""
        ...

    def tables(self) -> list[Tensor]:
        """The matrices with a row for each token."""
        ...


class TokenFrontend(nn.Module):
    """Ids to embeddings, scaled (Vaswani et al. 2017, 3.4).

    Args:
        embedding: of the source vocabulary; it may be the target's as well.
        scale: sqrt(dim) when not given.
    """

    def __init__(self, embedding: nn.Embedding, scale: float | None = None) -> None:
        super().__init__()
        self.embedding = embedding
        self.scale = math.sqrt(embedding.embedding_dim) if scale is None else scale

    def forward(
        self, source: Source
    ) -> tuple[Float[Tensor, "batch length dim"], Bool[Tensor, "batch length"]]:
        """A vector for each id."""
        return embed(source.values, self.embedding.weight) * self.scale, source.mask

    def tables(self) -> list[Tensor]:
        """The embedding."""
        return [self.embedding.weight]


class FrameFrontend(nn.Module):
    """Frames of sound to a quarter as many vectors: two strided convolutions over time, then a projection.

    As in the Speech-Transformer (Dong et al. 2018), but the convolutions see all bands of a frame at
    once, as channels: two-dimensional ones take about three times as long on a CPU.

    Args:
        bands: numbers a frame, normalised to mean 0 and variance 1.
        dim: width of the vectors.
    """

    def __init__(self, bands: int, dim: int) -> None:
        super().__init__()
        self.first = StridedConvolution(bands, dim)
        self.second = StridedConvolution(dim, dim)
        self.projection = Linear(dim, dim)
        for linear in (self.first.linear, self.second.linear, self.projection):
            nn.init.xavier_uniform_(linear.weight)
            nn.init.zeros_(linear.bias)

    def forward(
        self, source: Source
    ) -> tuple[Float[Tensor, "batch length dim"], Bool[Tensor, "batch length"]]:
        """A vector for every four frames, the last of which may lack some: of n frames ceil(ceil(n / 2) / 2).

        Behind the end of a sequence the convolutions see zeros, whatever stands there, as they do before its
        first frame: neither padding nor the other sequences of a batch change anything.
        """
        mask = source.mask
        x = source.values.to(self.projection.bias.dtype)
        for convolution in (self.first, self.second):
            x = torch.relu(convolution(x.masked_fill(~mask.unsqueeze(2), 0)))
            mask = mask[:, ::2]
        return self.projection(x), mask

    def tables(self) -> list[Tensor]:
        """None: frames have no ids."""
        return []


class PatchFrontend(nn.Module):
    """Patches of a picture, row by row, to as many vectors that know their row and column.

    As in the Vision Transformer (Dosovitskiy et al. 2021, 3.1), with codes of rows and of columns.

    Args:
        numbers: of a patch, from -1 to 1.
        dim: width of the vectors.
    """

    def __init__(self, numbers: int, dim: int) -> None:
        super().__init__()
        self.projection = Linear(numbers, dim)
        self.grid = GridPositions(dim, PATCHES_ON_EDGE)
        nn.init.xavier_uniform_(self.projection.weight)
        nn.init.zeros_(self.projection.bias)

    def forward(
        self, source: Source
    ) -> tuple[Float[Tensor, "batch length dim"], Bool[Tensor, "batch length"]]:
        """A vector for each patch."""
        x = source.values.to(self.projection.bias.dtype)
        return self.grid(self.projection(x)), source.mask

    def tables(self) -> list[Tensor]:
        """The codes of rows and of columns."""
        return self.grid.tables()


class StridedConvolution(nn.Module):
    """A convolution over time of kernel 3 and stride 2, as one matrix product.

    Args:
        inputs: width of what comes in.
        outputs: width of what goes out.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear = Linear(3 * inputs, outputs)

    def forward(self, x: Float[Tensor, "batch length inputs"]) -> Float[Tensor, "batch half outputs"]:
        """Position i, of ceil(length / 2), sees 2i - 1, 2i and 2i + 1; zeros stand outside."""
        last = x.shape[1] + x.shape[1] % 2
        padded = F.pad(x, (0, 0, 1, 1))
        windows = [padded[:, 0:last:2], padded[:, 1 : last + 1 : 2], padded[:, 2 : last + 2 : 2]]
        return self.linear(torch.cat(windows, dim=2))
