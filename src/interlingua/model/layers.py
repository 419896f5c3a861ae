"""The encoder's and the decoder's layer (Vaswani et al. 2017, 3.1 and 3.3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

import torch
from jaxtyping import Float
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from interlingua.model.attention import MultiHeadAttention
from interlingua.model.dropout import Dropout
from interlingua.model.positions import RotaryPositions
from interlingua.settings import Settings

__all__ = ["DecoderLayer", "EncoderLayer", "LayerSettings", "Rate", "Size", "build_norm"]


Size = Annotated[int, Field(ge=1, le=65536)]
Rate = Annotated[float, Field(ge=0, lt=1)]


class LayerSettings(Settings):
    """Sizes and options of a Transformer's layers."""

    dim: Size = 256
    """Width of the model; even."""
    heads: Size = 4
    """Attention heads; divides dim."""
    feed_forward: Size = 1024
    """Inner width of the feed-forward layers."""
    norm: Literal["pre", "post"] = "pre"
    """Norm before each sublayer (Xiong et al. 2020) or after it (the paper)."""
    normalisation: Literal["layer", "rms"] = "layer"
    """Layer norm (Ba et al. 2016; the paper), or RMSNorm, which does not centre (Zhang & Sennrich 2019)."""
    activation: Literal["relu", "gelu", "swiglu"] = "relu"
    """Of the feed-forward layers: ReLU (the paper), GELU (Hendrycks & Gimpel 2016) or SwiGLU (Shazeer 2020),
    which has three matrices: two thirds of the width make as many parameters."""
    positions: Literal["sinusoidal", "learned", "rotary"] = "sinusoidal"
    """Position codes: sinusoids (the paper), a vector each (Gehring et al. 2017) or rotations of queries and
    keys (Su et al. 2021)."""
    dropout: Rate = 0.1
    """On embeddings and on each sublayer's output (the paper's places, 5.4)."""
    attention_dropout: Rate = 0.0
    """On attention weights; not in the paper, but in its released code."""
    activation_dropout: Rate = 0.0
    """Inside the feed-forward layers; not in the paper, but in its released code."""

    @model_validator(mode="after")
    def _sizes_fit(self) -> LayerSettings:
        dim, heads = self.dim, self.heads
        if dim % 2:
            raise ValueError(f"a width of {dim} is odd; the position code needs pairs")
        if dim % heads:
            would = ", ".join(str(n) for n in range(1, 65) if dim % n == 0)
            raise ValueError(f"{heads} heads do not divide a width of {dim}; {would} would")
        if self.positions == "rotary" and dim // heads % 2:
            raise ValueError(f"rotary positions turn pairs; a head's width of {dim // heads} is odd")
        return self


def build_norm(settings: LayerSettings) -> nn.Module:
    """The norm of the settings, over the width of the model."""
    if settings.normalisation == "rms":
        return nn.RMSNorm(settings.dim, eps=1e-6)
    return nn.LayerNorm(settings.dim)


def self_attention(settings: LayerSettings) -> MultiHeadAttention:
    """Attention of a sequence to itself: the place where rotary positions act."""
    rotary = RotaryPositions(settings.dim // settings.heads) if settings.positions == "rotary" else None
    return MultiHeadAttention(settings.dim, settings.heads, settings.attention_dropout, rotary)


ACTIVATIONS = {"relu": torch.relu, "gelu": F.gelu, "swiglu": F.silu}


class Sublayer(nn.Module):
    """The residual connection around attention or feed-forward, its dropout and its layer norm."""

    def __init__(self, settings: LayerSettings) -> None:
        super().__init__()
        self.norm = build_norm(settings)
        self.dropout = Dropout(settings.dropout)
        self.pre = settings.norm == "pre"

    def forward(
        self, x: Float[Tensor, "batch length dim"], function: Callable[[Tensor], Tensor]
    ) -> Float[Tensor, "batch length dim"]:
        """Post-norm: norm(x + dropout(f(x))) (3.1, 5.4); pre-norm: x + dropout(f(norm(x)))."""
        if self.pre:
            return self.dropout.add(x, function(self.norm(x)))
        normed: Tensor = self.norm(self.dropout.add(x, function(x)))
        return normed


class FeedForward(nn.Module):
    """max(0, x W1 + b1) W2 + b2, the same at every position (3.3, Eq. 2).

    GELU takes the place of max(0, .); SwiGLU is (silu(x W1 + b1) * (x V + c)) W2 + b2, with biases here.
    """

    def __init__(self, settings: LayerSettings) -> None:
        super().__init__()
        self.inner = nn.Linear(settings.dim, settings.feed_forward)
        self.outer = nn.Linear(settings.feed_forward, settings.dim)
        gated = settings.activation == "swiglu"
        self.gated = nn.Linear(settings.dim, settings.feed_forward) if gated else None
        self.activation: Callable[[Tensor], Tensor] = ACTIVATIONS[settings.activation]
        self.dropout = Dropout(settings.activation_dropout)

    def forward(self, x: Float[Tensor, "batch length dim"]) -> Float[Tensor, "batch length dim"]:
        """Widens, bends, narrows."""
        bent = self.activation(self.inner(x))
        if self.gated is not None:
            bent = bent * self.gated(x)
        return self.outer(self.dropout(bent))


class EncoderLayer(nn.Module):
    """Self-attention, then feed-forward."""

    def __init__(self, settings: LayerSettings) -> None:
        super().__init__()
        self.attention = self_attention(settings)
        self.attention_sublayer = Sublayer(settings)
        self.feed_forward = FeedForward(settings)
        self.feed_forward_sublayer = Sublayer(settings)

    def forward(
        self, x: Float[Tensor, "batch source dim"], bias: Float[Tensor, "batch_heads 1 source"]
    ) -> Float[Tensor, "batch source dim"]:
        """Every position looks at every position that `bias` allows."""
        attend = self.attention
        x = self.attention_sublayer(x, lambda y: attend(y, *attend.keys_values(y), bias))
        return self.feed_forward_sublayer(x, self.feed_forward)


class DecoderLayer(nn.Module):
    """Self-attention over what was written, cross-attention to the source, then feed-forward."""

    def __init__(self, settings: LayerSettings) -> None:
        super().__init__()
        self.attention = self_attention(settings)
        self.attention_sublayer = Sublayer(settings)
        self.cross = MultiHeadAttention(settings.dim, settings.heads, settings.attention_dropout)
        self.cross_sublayer = Sublayer(settings)
        self.feed_forward = FeedForward(settings)
        self.feed_forward_sublayer = Sublayer(settings)

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
            position = keys.shape[2]
            new_keys, new_values = self.attention.keys_values(y, position)
            grown[:] = torch.cat([keys, new_keys], dim=2), torch.cat([values, new_values], dim=2)
            return self.attention(y, *grown, None, position)

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
