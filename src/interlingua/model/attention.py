"""Scaled dot-product attention with several heads (Vaswani et al. 2017, 3.2)."""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from interlingua.model.dropout import drop
from interlingua.model.linear import Linear
from interlingua.model.positions import RotaryPositions

__all__ = ["MultiHeadAttention", "attention_bias", "causal_mask"]


class MultiHeadAttention(nn.Module):
    """Attention of some queries to some keys, in `heads` subspaces at once (3.2.2).

    The same class serves self-attention and cross-attention: the caller says where keys and values come
    from, computes them once with `keys_values`, and may keep them (the cache of step-by-step decoding).

    Args:
        dim: width of the model.
        heads: number of heads; divides dim.
        dropout: share of the attention weights dropped in training.
        rotary: turns queries and keys by their positions; None where positions are told otherwise.
    """

    def __init__(self, dim: int, heads: int, dropout: float, rotary: RotaryPositions | None = None) -> None:
        super().__init__()
        assert dim % heads == 0, "LayerSettings refuses such sizes"
        self.heads = heads
        self.dropout = dropout
        self.rotary = rotary
        self.scale = 1 / math.sqrt(dim // heads)
        self.query = Linear(dim, dim)
        self.key_value = Linear(dim, 2 * dim)
        self.output = Linear(dim, dim)

    def keys_values(
        self, memory: Float[Tensor, "batch key dim"], first: int = 0
    ) -> tuple[Float[Tensor, "batch heads key head_dim"], Float[Tensor, "batch heads key head_dim"]]:
        """Projects what is attended to; every head gets its own keys and values.

        Args:
            memory: what is attended to.
            first: the position of its first vector.
        """
        batch, length, _ = memory.shape
        both = self.key_value(memory).view(batch, length, 2, self.heads, -1)
        keys, values = both.permute(2, 0, 3, 1, 4).contiguous().unbind(0)  # (batch, heads, key, head_dim)
        return keys if self.rotary is None else self.rotary(keys, first), values

    def forward(
        self,
        queries: Float[Tensor, "batch query dim"],
        keys: Float[Tensor, "batch heads key head_dim"],
        values: Float[Tensor, "batch heads key head_dim"],
        bias: Float[Tensor, "batch_heads #query key"] | None,
        first: int = 0,
    ) -> tuple[Float[Tensor, "batch query dim"], Float[Tensor, "batch_heads query key"]]:
        """Eq. 1: softmax(Q K^T / sqrt(head_dim)) V, then the output projection.

        Args:
            queries: the sequence that looks.
            keys: from `keys_values`.
            values: from `keys_values`.
            bias: 0 where a query may attend, -inf where not, from `attention_bias`; None = everywhere.
            first: the position of the first query.

        Returns:
            What each query saw, and how much it attended to each key, head by head; rows sum to 1.
        """
        batch, heads, length, head_dim = keys.shape
        weights = self._weights(queries, keys, bias, first)  # (batch * heads, query, key)
        kept = weights
        if self.training and self.dropout:
            kept = drop(weights, self.dropout)
        context = torch.bmm(kept, values.view(batch * heads, length, head_dim))
        context = context.view(batch, heads, -1, head_dim).transpose(1, 2)  # (batch, query, heads, head_dim)
        return self.output(context.reshape(queries.shape)), weights

    def _weights(
        self,
        queries: Float[Tensor, "batch query dim"],
        keys: Float[Tensor, "batch heads key head_dim"],
        bias: Float[Tensor, "batch_heads #query key"] | None,
        first: int,
    ) -> Float[Tensor, "batch_heads query key"]:
        batch, heads, length, head_dim = keys.shape
        projected = self.query(queries).view(batch, -1, heads, head_dim).transpose(1, 2).contiguous()
        if self.rotary is not None:
            projected = self.rotary(projected, first)
        projected = projected.view(batch * heads, -1, head_dim)
        transposed = keys.view(batch * heads, length, head_dim).transpose(1, 2)
        if bias is None:
            scores = torch.bmm(projected, transposed) * self.scale
        else:
            scores = torch.baddbmm(bias, projected, transposed, alpha=self.scale)
        return torch.softmax(scores, dim=-1)


def attention_bias(
    mask: Bool[Tensor, "batch #query key"], heads: int, dtype: torch.dtype
) -> Float[Tensor, "batch_heads #query key"]:
    """Turns a mask (True = may attend) into what is added to the scores of every head."""
    bias = torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill_(~mask, -math.inf)
    return bias.repeat_interleave(heads, dim=0)


def causal_mask(length: int, device: torch.device) -> Bool[Tensor, "1 query key"]:
    """Position t may attend to positions 0 .. t: the future is hidden (3.2.3)."""
    return torch.ones(1, length, length, dtype=torch.bool, device=device).tril_()
