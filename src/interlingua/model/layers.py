"""The encoder's and the decoder's layer (Vaswani et al. 2017, 3.1 and 3.3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from interlingua.model.attention import MultiHeadAttention
from interlingua.model.convolution import ConvolutionModule
from interlingua.model.dropout import Dropout
from interlingua.model.linear import Linear
from interlingua.model.positions import RotaryPositions
from interlingua.model.protocol import select
from interlingua.model.settings import ModelSettings, Rate, Size

__all__ = ["DecoderLayer", "EncoderLayer", "LayerCache", "LayerSettings", "build_norm"]


class LayerSettings(ModelSettings):
    """Sizes and options of a Transformer's layers."""

    dim: Size = 256
    """Width of the model; even."""
    heads: Size = 4
    """Attention heads; divides dim."""
    feed_forward: Size = 1024
    """Inner width of the feed-forward layers."""
    norm: Literal["pre", "post"] = "pre"
    """Where the normalisation stands: before each sublayer (Xiong et al. 2020) or after it (the paper)."""
    normalisation: Literal["layer", "rms"] = "layer"
    """Which normalisation: layer norm (Ba et al. 2016; the paper), or RMSNorm, which does not centre (Zhang &
    Sennrich 2019)."""
    activation: Literal["relu", "gelu", "swish", "swiglu"] = "relu"
    """Of the feed-forward layers: ReLU (the paper), GELU (Hendrycks & Gimpel 2016), swish (Ramachandran et
    al. 2017) or SwiGLU (Shazeer 2020), which has three matrices: two thirds of the width make as many
    parameters."""
    positions: Literal["sinusoidal", "learned", "rotary"] = "sinusoidal"
    """Position codes: sinusoids (the paper), a vector each (Gehring et al. 2017) or rotations of queries and
    keys (Su et al. 2021)."""
    convolution: Annotated[int, Field(ge=0, le=255)] = 0
    """Of the encoder's layers, between attention and feed-forward: how many neighbours a convolution module
    sees, an odd number (Gulati et al. 2020; 15 suits sound); 0: there is none."""
    decoder_feed_forward: Size | None = None
    """Inner width of the decoder's feed-forward layers, where it is another one."""
    norm_epsilon: Annotated[float, Field(gt=0, lt=1)] | None = None
    """What norms add to the variance; when not given 1e-5 (layer) or 1e-6 (rms)."""
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
        if self.convolution and self.convolution % 2 == 0:
            raise ValueError(
                f"a convolution of {self.convolution} has no middle; it must be odd, or 0 for none"
            )
        return self


def build_norm(settings: LayerSettings) -> nn.Module:
    """The norm of the settings, over the width of the model."""
    if settings.normalisation == "rms":
        return nn.RMSNorm(settings.dim, eps=settings.norm_epsilon or 1e-6)
    return LayerNorm(settings.dim, eps=settings.norm_epsilon or 1e-5)


class LayerNorm(nn.LayerNorm):
    """Layer norm, in bf16 on CPUs by way of single precision.

    PyTorch's own adds the gradients of its weight and bias up in bf16 there: 4,096 ones make 512.
    """

    def forward(self, x: Float[Tensor, "*shape dim"]) -> Float[Tensor, "*shape dim"]:
        """Returns x with mean 0 and variance 1 along the width, times the weight, plus the bias."""
        if x.dtype == torch.float32 or x.is_cuda:
            return super().forward(x)
        weight, bias = self.weight.float(), self.bias.float()
        return F.layer_norm(x.float(), self.normalized_shape, weight, bias, self.eps).to(x.dtype)


def self_attention(settings: LayerSettings) -> MultiHeadAttention:
    """Attention of a sequence to itself: the place where rotary positions act."""
    rotary = RotaryPositions(settings.dim // settings.heads) if settings.positions == "rotary" else None
    return MultiHeadAttention(settings.dim, settings.heads, settings.attention_dropout, rotary)


ACTIVATIONS = {"relu": torch.relu, "gelu": F.gelu, "swish": F.silu, "swiglu": F.silu}


class Sublayer(nn.Module):
    """What stands around attention or feed-forward: the residual connection, its dropout and its norm.

    Post-norm: norm(x + dropout(f(x))) (3.1, 5.4); pre-norm: x + dropout(f(norm(x))). With f between them:

        y = f(sublayer.before(x))
        x = sublayer.after(x, y)
    """

    def __init__(self, settings: LayerSettings) -> None:
        super().__init__()
        self.norm = build_norm(settings)
        self.dropout = Dropout(settings.dropout)
        self.pre = settings.norm == "pre"

    def before(self, x: Float[Tensor, "batch length dim"]) -> Float[Tensor, "batch length dim"]:
        """What the sublayer's function gets."""
        return self.norm(x) if self.pre else x

    def after(
        self, x: Float[Tensor, "batch length dim"], y: Float[Tensor, "batch length dim"]
    ) -> Float[Tensor, "batch length dim"]:
        """Adds what the function returned."""
        x = self.dropout.add(x, y)
        return x if self.pre else self.norm(x)


class FeedForward(nn.Module):
    """max(0, x W1 + b1) W2 + b2, the same at every position (3.3, Eq. 2).

    GELU or swish takes the place of max(0, .); SwiGLU is (silu(x W1 + b1) * (x V + c)) W2 + b2, with biases
    here.

    Args:
        settings: of the layers.
        width: the inner one.
    """

    def __init__(self, settings: LayerSettings, width: int) -> None:
        super().__init__()
        self.inner = Linear(settings.dim, width)
        self.outer = Linear(width, settings.dim)
        swiglu = settings.activation == "swiglu"
        # V, the value that the bent inner is the gate of; saved weights know it by this name.
        self.gated = Linear(settings.dim, width) if swiglu else None
        self.activation: Callable[[Tensor], Tensor] = ACTIVATIONS[settings.activation]
        self.dropout = Dropout(settings.activation_dropout)

    def forward(self, x: Float[Tensor, "batch length dim"]) -> Float[Tensor, "batch length dim"]:
        """Widens, bends, narrows."""
        bent = self.activation(self.inner(x))
        if self.gated is not None:
            bent = bent * self.gated(x)
        return self.outer(self.dropout(bent))


class EncoderLayer(nn.Module):
    """Self-attention, then a convolution module if the settings ask for one, then feed-forward."""

    def __init__(self, settings: LayerSettings) -> None:
        super().__init__()
        self.attention = self_attention(settings)
        self.attention_sublayer = Sublayer(settings)
        self.convolution: ConvolutionModule | None = None
        if settings.convolution:
            self.convolution = ConvolutionModule(settings.dim, settings.convolution, build_norm(settings))
            self.convolution_sublayer = Sublayer(settings)
        self.feed_forward = FeedForward(settings, settings.feed_forward)
        self.feed_forward_sublayer = Sublayer(settings)

    def forward(
        self,
        x: Float[Tensor, "batch source dim"],
        bias: Float[Tensor, "batch_heads 1 source"],
        mask: Bool[Tensor, "batch source"],
    ) -> tuple[Float[Tensor, "batch source dim"], Float[Tensor, "batch_heads source source"]]:
        """Every position looks at every position that `bias` allows, which are those of `mask`.

        Returns:
            x after the layer, and the attention weights.
        """
        y = self.attention_sublayer.before(x)
        y, weights = self.attention(y, *self.attention.keys_values(y), bias)
        x = self.attention_sublayer.after(x, y)
        if self.convolution is not None:
            y = self.convolution(self.convolution_sublayer.before(x), mask)
            x = self.convolution_sublayer.after(x, y)
        y = self.feed_forward(self.feed_forward_sublayer.before(x))
        return self.feed_forward_sublayer.after(x, y), weights


class LayerCache(NamedTuple):
    """What a decoder layer remembers of the tokens before, and of the source."""

    keys: Float[Tensor, "rows heads past head_dim"]
    values: Float[Tensor, "rows heads past head_dim"]
    memory_keys: Float[Tensor, "sentences heads source head_dim"]
    """Of the source; held once for all rows of a sentence, as the values are."""
    memory_values: Float[Tensor, "sentences heads source head_dim"]

    def reorder(self, rows: Int[Tensor, " rows"], kept: Int[Tensor, " kept"] | None) -> LayerCache:
        """The given rows, and the sentences kept (None: all)."""
        return LayerCache(
            self.keys.index_select(0, rows),
            self.values.index_select(0, rows),
            select(self.memory_keys, kept),
            select(self.memory_values, kept),
        )


class DecoderLayer(nn.Module):
    """Self-attention over what was written, cross-attention to the source, then feed-forward."""

    def __init__(self, settings: LayerSettings) -> None:
        super().__init__()
        self.attention = self_attention(settings)
        self.attention_sublayer = Sublayer(settings)
        self.cross = MultiHeadAttention(settings.dim, settings.heads, settings.attention_dropout)
        self.cross_sublayer = Sublayer(settings)
        self.feed_forward = FeedForward(settings, settings.decoder_feed_forward or settings.feed_forward)
        self.feed_forward_sublayer = Sublayer(settings)

    def start(self, memory: Float[Tensor, "sentences source dim"]) -> LayerCache:
        """The cache before the first token: keys and values of the source, none of the target."""
        memory_keys, memory_values = self.cross.keys_values(memory)
        empty = memory_keys[:, :, :0]
        return LayerCache(empty, empty, memory_keys, memory_values)

    def forward(
        self,
        x: Float[Tensor, "rows new dim"],
        cache: LayerCache,
        bias: Float[Tensor, "rows_heads new new"] | None,
        memory_bias: Float[Tensor, "sentences_heads 1 source"],
    ) -> tuple[Float[Tensor, "rows new dim"], LayerCache, tuple[Tensor, Tensor]]:
        """Takes in new tokens: all of a target at once after an empty cache, or one after those before.

        Args:
            x: the new positions.
            cache: of the positions before.
            bias: hides the future from several new positions; None: all may be seen.
            memory_bias: hides the padding of the source.

        Returns:
            x after the layer, the cache with the new positions, and the weights of self-attention
            (rows * heads, new, past + new) and of cross-attention (sentences * heads, rows of the sentence *
            new, source).
        """
        past = cache.keys.shape[2]
        y = self.attention_sublayer.before(x)
        keys, values = self.attention.keys_values(y, past)
        if past:
            keys, values = torch.cat([cache.keys, keys], dim=2), torch.cat([cache.values, values], dim=2)
        y, weights = self.attention(y, keys, values, bias, past)
        x = self.attention_sublayer.after(x, y)

        # The rows of one sentence are so many queries to its one set of keys: nothing is copied per beam.
        y = self.cross_sublayer.before(x).view(len(cache.memory_keys), -1, x.shape[2])
        y, cross_weights = self.cross(y, cache.memory_keys, cache.memory_values, memory_bias)
        x = self.cross_sublayer.after(x, y.view(x.shape))

        y = self.feed_forward(self.feed_forward_sublayer.before(x))
        x = self.feed_forward_sublayer.after(x, y)
        return x, cache._replace(keys=keys, values=values), (weights, cross_weights)
