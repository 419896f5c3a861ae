"""Embeddings: a vector for each id, or for each of an id's factors; gradients round nothing away."""

from __future__ import annotations

from typing import Any, Protocol, cast, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from interlingua.kinds import SPECIALS

__all__ = ["FactoredEmbedding", "TargetEmbedding", "embed", "embed_with", "tables_of"]


@runtime_checkable
class HasTables(Protocol):
    """Is made of matrices with a row for each factor of ids."""

    def tables(self) -> list[Tensor]:
        """These matrices."""
        ...


class FactoredEmbedding(nn.Module):
    """A vector for each special id, and for each other id the sum of those of its two factors.

    So an id whose factors are known from others is known as well. The ids after the special ones are
    second x (how many first ones) + first.

    Args:
        factors: how many first and second ones there are.
        dim: width of the vectors.
    """

    def __init__(self, factors: tuple[int, int], dim: int) -> None:
        super().__init__()
        self.factors = factors
        self.num_embeddings = len(SPECIALS) + factors[0] * factors[1]
        self.special, self.first, self.second = (
            nn.Parameter(torch.empty(rows, dim)) for rows in (len(SPECIALS), *factors)
        )

    def forward(self, ids: Int[Tensor, "*shape"]) -> Float[Tensor, "*shape dim"]:
        """The vectors of ids."""
        codes = (ids - len(SPECIALS)).clamp(min=0)
        first, second = codes % len(self.first), codes.div(len(self.first), rounding_mode="floor")
        vectors = embed(first, self.first) + embed(second, self.second)
        special = embed(ids.clamp(max=len(SPECIALS) - 1), self.special)
        return torch.where((ids < len(SPECIALS)).unsqueeze(-1), special, vectors)

    def tables(self) -> list[Tensor]:
        """What is learnt."""
        return [self.first, self.second, self.special]


TargetEmbedding = nn.Embedding | FactoredEmbedding


def embed_with(embedding: TargetEmbedding, ids: Int[Tensor, "*shape"]) -> Float[Tensor, "*shape dim"]:
    """The vectors of ids."""
    vectors = embedding(ids) if isinstance(embedding, FactoredEmbedding) else embed(ids, embedding.weight)
    return cast(Tensor, vectors)


def tables_of(module: HasTables | nn.Embedding | nn.Linear) -> list[Tensor]:
    """The matrices with a row for each id or factor, of an embedding or a projection."""
    return [module.weight] if isinstance(module, nn.Embedding | nn.Linear) else module.tables()


def embed(ids: Int[Tensor, "*shape"], table: Float[Tensor, "vocabulary dim"]) -> Float[Tensor, "*shape dim"]:
    """The rows of the table.

    In bf16 the gradients of a frequent token's many occurrences are summed up in single precision: 256 + 1 is
    256 in bf16.
    """
    if table.dtype == torch.float32:
        return F.embedding(ids, table)
    rows: Tensor = _Lookup.apply(ids, table)  # type: ignore[no-untyped-call]
    return rows


class _Lookup(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, ids: Tensor, table: Tensor) -> Tensor:
        ctx.save_for_backward(ids)
        ctx.size = len(table)
        return F.embedding(ids, table)

    @staticmethod
    def backward(ctx: Any, *gradient: Tensor) -> tuple[None, Tensor]:
        (ids,) = ctx.saved_tensors
        total = torch.ops.aten.embedding_dense_backward(gradient[0].float(), ids, ctx.size, -1, False)
        return None, total.to(gradient[0].dtype)
