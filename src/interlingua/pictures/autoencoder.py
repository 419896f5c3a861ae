"""An autoencoder of pictures: patches to codes, codes to patches, each seeing its neighbours."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from interlingua.pictures.quantisation import FiniteScalarQuantiser

__all__ = ["Autoencoder"]


class Autoencoder(nn.Module):
    """A grid of patches to as many codes and back, by residual 3 x 3 convolutions over the grid.

    All work is done at the resolution of the codes, where it is cheap: patches go in and out by one linear
    layer each.

    Args:
        numbers: of a patch.
        grid: patches, and codes, on an edge.
        levels: of the codes, see `FiniteScalarQuantiser`.
        width: of the layers between.
        blocks: of each of the two halves.
    """

    def __init__(self, numbers: int, grid: int, levels: Sequence[int], width: int, blocks: int) -> None:
        super().__init__()
        self.grid = grid
        self.quantiser = FiniteScalarQuantiser(levels)
        self.encoder = nn.Sequential(
            nn.Linear(numbers, width), *(_Block(width, grid) for _ in range(blocks)), nn.LayerNorm(width),
            nn.Linear(width, len(levels)),
        )  # fmt: skip
        self.decoder = nn.Sequential(
            nn.Linear(len(levels), width), *(_Block(width, grid) for _ in range(blocks)), nn.LayerNorm(width),
            nn.Linear(width, numbers),
        )  # fmt: skip

    def forward(
        self, patches: Float[Tensor, "batch patches numbers"]
    ) -> Float[Tensor, "batch patches numbers"]:
        """The patches as they come back from their codes."""
        return self._decode(self.quantiser(self.encoder(patches)))

    def encode(self, patches: Float[Tensor, "batch patches numbers"]) -> Int[Tensor, "batch patches"]:
        """The code of each patch."""
        return self.quantiser.codes(self.encoder(patches))

    def decode(self, codes: Int[Tensor, "batch patches"]) -> Float[Tensor, "batch patches numbers"]:
        """The patches of codes."""
        return self._decode(self.quantiser.vectors(codes))

    def tables(self) -> list[Tensor]:
        """None: no matrix has a row for each code."""
        return []

    def _decode(self, vectors: Tensor) -> Tensor:
        patches: Tensor = self.decoder(vectors)
        return patches


class _Block(nn.Module):
    """x + two layers, of which the first sees the eight neighbours, too.

    It sees a ninth of the channels of each (as Wu et al. 2018 shift them): that costs a ninth of what seeing
    all of them does.
    """

    def __init__(self, width: int, grid: int) -> None:
        super().__init__()
        self.grid = grid
        self.norm = nn.LayerNorm(width)
        self.inner = nn.Linear(width, 2 * width)
        self.outer = nn.Linear(2 * width, width)
        nn.init.zeros_(self.outer.weight)
        nn.init.zeros_(self.outer.bias)

    def forward(self, x: Float[Tensor, "batch patches width"]) -> Float[Tensor, "batch patches width"]:
        """As many vectors; beyond the edge of the picture there are zeros."""
        squares = F.pad(self.norm(x).unflatten(1, (self.grid, self.grid)), (0, 0, 1, 1, 1, 1))
        shifted = [
            part[:, place // 3 : place // 3 + self.grid, place % 3 : place % 3 + self.grid]
            for place, part in enumerate(squares.tensor_split(9, dim=3))
        ]
        added: Tensor = self.outer(F.gelu(self.inner(torch.cat(shifted, dim=3)))).flatten(1, 2)
        return x + added
