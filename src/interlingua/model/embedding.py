"""Embeddings: a vector for each id, with a gradient that rounds nothing away."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

__all__ = ["embed"]


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
