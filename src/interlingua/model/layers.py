"""The encoder's and the decoder's layer (Vaswani et al. 2017, 3.1 and 3.3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from interlingua.model.attention import MultiHeadAttention
from interlingua.model.dropout import Dropout

__all__ = ["DecoderLayer", "EncoderLayer", "FeedForward", "LayerSizes", "Sublayer"]


class LayerSizes(NamedTuple):
    """What a layer needs to know of the configuration."""

    dim: int
    heads: int
    feed_forward: int
    dropout: float
    attention_dropout: float
    activation_dropout: float
    norm: str  # "post": norm(x + f(x)), as the paper; "pre": x + f(norm(x)), Xiong et al. 2020


class Sublayer(nn.Module):
    """The residual connection around attention or feed-forward, its dropout and its layer norm."""

    def __init__(self, sizes: LayerSizes) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(sizes.dim)
        self.dropout = Dropout(sizes.dropout)
        self.pre = sizes.norm == "pre"

    def forward(
        self, x: Float[Tensor, "batch length dim"], function: Callable[[Tensor], Tensor]
    ) -> Float[Tensor, "batch length dim"]:
        """Post-norm: norm(x + dropout(f(x))) (3.1, 5.4); pre-norm: x + dropout(f(norm(x)))."""
        if self.pre:
            return self.dropout.add(x, function(self.norm(x)))
        normed: Tensor = self.norm(self.dropout.add(x, function(x)))
        return normed


class FeedForward(nn.Module):
    """max(0, x W1 + b1) W2 + b2, the same at every position (3.3, Eq. 2)."""

    def __init__(self, sizes: LayerSizes) -> None:
        super().__init__()
        self.inner = nn.Linear(sizes.dim, sizes.feed_forward)
        self.outer = nn.Linear(sizes.feed_forward, sizes.dim)
        self.dropout = Dropout(sizes.activation_dropout)

    def forward(self, x: Float[Tensor, "batch length dim"]) -> Float[Tensor, "batch length dim"]:
        """Widens, rectifies, narrows."""
        return self.outer(self.dropout(torch.relu(self.inner(x))))


class EncoderLayer(nn.Module):
    """Self-attention, then feed-forward."""

    def __init__(self, sizes: LayerSizes) -> None:
        super().__init__()
        self.attention = MultiHeadAttention(sizes.dim, sizes.heads, sizes.attention_dropout)
        self.attention_sublayer = Sublayer(sizes)
        self.feed_forward = FeedForward(sizes)
        self.feed_forward_sublayer = Sublayer(sizes)

    def forward(
        self, x: Float[Tensor, "batch source dim"], bias: Float[Tensor, "batch_heads 1 source"]
    ) -> Float[Tensor, "batch source dim"]:
        """Every position looks at every position that `bias` allows."""
        attend = self.attention
        x = self.attention_sublayer(x, lambda y: attend(y, *attend.keys_values(y), bias))
        return self.feed_forward_sublayer(x, self.feed_forward)


class DecoderLayer(nn.Module):
    """Self-attention over what was written, cross-attention to the source, then feed-forward."""

    def __init__(self, sizes: LayerSizes) -> None:
        super().__init__()
        self.attention = MultiHeadAttention(sizes.dim, sizes.heads, sizes.attention_dropout)
        self.attention_sublayer = Sublayer(sizes)
        self.cross = MultiHeadAttention(sizes.dim, sizes.heads, sizes.attention_dropout)
        self.cross_sublayer = Sublayer(sizes)
        self.feed_forward = FeedForward(sizes)
        self.feed_forward_sublayer = Sublayer(sizes)

    def forward(
        self,
        x: Float[Tensor, "batch target dim"],
        bias: Float[Tensor, "batch_heads target target"],
        memory_keys: Float[Tensor, "batch heads source head_dim"],
        memory_values: Float[Tensor, "batch heads source head_dim"],
        memory_bias: Float[Tensor, "batch_heads 1 source"],
    ) -> Float[Tensor, "batch target dim"]:
        """All target positions at once; `bias` hides the future."""
        attend = self.attention
        x = self.attention_sublayer(x, lambda y: attend(y, *attend.keys_values(y), bias))
        return self._rest(x, memory_keys, memory_values, memory_bias)

    def step(
        self,
        x: Float[Tensor, "rows 1 dim"],
        keys: Float[Tensor, "rows heads past head_dim"],
        values: Float[Tensor, "rows heads past head_dim"],
        memory_keys: Float[Tensor, "sentences heads source head_dim"],
        memory_values: Float[Tensor, "sentences heads source head_dim"],
        memory_bias: Float[Tensor, "sentences_heads 1 source"],
    ) -> tuple[Tensor, Tensor, Tensor]:
        """One more token a row; returns x (rows, 1, dim) and the keys and values, one position longer."""
        grown: list[Tensor] = []

        def attend(y: Tensor) -> Tensor:
            new_keys, new_values = self.attention.keys_values(y)
            grown[:] = torch.cat([keys, new_keys], dim=2), torch.cat([values, new_values], dim=2)
            return self.attention(y, *grown, None)

        x = self.attention_sublayer(x, attend)
        # The rows of one sentence are so many queries to its one set of keys: nothing is copied per beam.
        by_sentence = x.view(len(memory_keys), -1, x.shape[-1])  # (sentences, beams, dim)
        x = self._rest(by_sentence, memory_keys, memory_values, memory_bias).view(x.shape)
        return x, grown[0], grown[1]

    def _rest(
        self, x: Tensor, memory_keys: Tensor, memory_values: Tensor, memory_bias: Tensor
    ) -> Float[Tensor, "batch target dim"]:
        x = self.cross_sublayer(x, lambda y: self.cross(y, memory_keys, memory_values, memory_bias))
        return self.feed_forward_sublayer(x, self.feed_forward)
