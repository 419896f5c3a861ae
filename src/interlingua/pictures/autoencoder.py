"""An autoencoder of pictures: patches to codes, codes to patches, each seeing its neighbours.

A code is a form in a colour. They are told by two encoders, of which that of colours sees no more than a
patch's mean: so a thing of a colour that it never had in training has codes that are known, its form's in its
colour.
"""

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
        levels: of the forms, see `FiniteScalarQuantiser`.
        colour_levels: of the colours; none where the forms tell these, too.
        width: of the layers between.
        blocks: of each of the two halves.
    """

    def __init__(
        self, numbers: int, grid: int, levels: Sequence[int], colour_levels: Sequence[int], width: int,
        blocks: int,
    ) -> None:  # fmt: skip
        super().__init__()
        self.grid = grid
        self.quantiser = FiniteScalarQuantiser([*levels, *colour_levels])
        self.encoder = nn.Sequential(
            nn.Linear(numbers, width), *(_Block(width, grid) for _ in range(blocks)), nn.LayerNorm(width),
            nn.Linear(width, len(levels)),
        )  # fmt: skip
        self.colours = _ColourEncoder(len(colour_levels)) if colour_levels else None
        self.decoder = nn.Sequential(
            nn.Linear(len(levels) + len(colour_levels), width), *(_Block(width, grid) for _ in range(blocks)),
            nn.LayerNorm(width), nn.Linear(width, numbers),
        )  # fmt: skip

    def forward(
        self,
        patches: Float[Tensor, "batch patches numbers"],
        coloured: Float[Tensor, "batch patches numbers"],
    ) -> Float[Tensor, "batch patches numbers"]:
        """The patches as they come back from their codes, which take the colours from other ones."""
        return self._decode(self.quantiser(self._encode(patches, coloured)))

    def encode(self, patches: Float[Tensor, "batch patches numbers"]) -> Int[Tensor, "batch patches"]:
        """The code of each patch: colour x forms + form."""
        return self.quantiser.codes(self._encode(patches, patches))

    def decode(self, codes: Int[Tensor, "batch patches"]) -> Float[Tensor, "batch patches numbers"]:
        """The patches of codes."""
        return self._decode(self.quantiser.vectors(codes))

    def tables(self) -> list[Tensor]:
        """None: no matrix has a row for each code."""
        return []

    def _encode(self, patches: Tensor, coloured: Tensor) -> Tensor:
        forms: Tensor = self.encoder(patches)
        return forms if self.colours is None else torch.cat([forms, self.colours(coloured)], dim=2)

    def _decode(self, vectors: Tensor) -> Tensor:
        patches: Tensor = self.decoder(vectors)
        return patches


class _ColourEncoder(nn.Module):
    """What tells colours: two layers over the mean colour of a patch, in which white counts little.

    So a patch that is partly white has the colour of what is on it.
    """

    def __init__(self, numbers: int, width: int = 64) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(3, width), nn.GELU(), nn.Linear(width, width), nn.GELU(), nn.Linear(width, numbers)
        )

    def forward(
        self, patches: Float[Tensor, "batch patches numbers"]
    ) -> Float[Tensor, "batch patches levels"]:
        """The numbers that are rounded."""
        pixels = patches.float().unflatten(2, (-1, 3))
        weights = (1 - pixels).amax(dim=3, keepdim=True) + 1e-3
        means = (pixels * weights).sum(dim=2) / weights.sum(dim=2)
        numbers: Tensor = self.layers(means.to(patches.dtype))
        return numbers


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
