"""Frontends: what a source is made of, turned into the vectors that an encoder reads."""

from __future__ import annotations

import math
from typing import Protocol, runtime_checkable

from jaxtyping import Bool, Float
from torch import Tensor, nn

from interlingua.kinds import Source
from interlingua.model.embedding import embed

__all__ = ["Frontend", "TokenFrontend"]


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
    """Ids to embeddings, scaled by sqrt(dim) (Vaswani et al. 2017, 3.4).

    Args:
        embedding: of the source vocabulary; it may be the target's as well.
    """

    def __init__(self, embedding: nn.Embedding) -> None:
        super().__init__()
        self.embedding = embedding
        self.scale = math.sqrt(embedding.embedding_dim)

    def forward(
        self, source: Source
    ) -> tuple[Float[Tensor, "batch length dim"], Bool[Tensor, "batch length"]]:
        """A vector for each id."""
        return embed(source.values, self.embedding.weight) * self.scale, source.mask

    def tables(self) -> list[Tensor]:
        """The embedding."""
        return [self.embedding.weight]
