"""The Transformer as three graphs without state, whose positions follow from the lengths of their inputs."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from interlingua.model.attention import MultiHeadAttention
from interlingua.model.convolution import ConvolutionModule
from interlingua.model.frontends import TokenFrontend
from interlingua.model.layers import FeedForward, Sublayer
from interlingua.model.linear import Linear
from interlingua.model.positions import LearnedPositions
from interlingua.model.transformer import Transformer

__all__ = ["Decoder", "DecoderWithPast", "Encoder", "past_names"]


def past_names(layers: int) -> list[str]:
    """What the keys and values are called that a decoder goes on from."""
    sides = [f"{side}.{part}" for side in ("decoder", "encoder") for part in ("key", "value")]
    return [f"{number}.{name}" for number in range(layers) for name in sides]


class Graph(nn.Module):
    """What the graphs have in common.

    Args:
        model: of text to text; its weights are shared.
    """

    def __init__(self, model: Transformer) -> None:
        super().__init__()
        self.model = model
        self.heads, self.dim = model.settings.heads, model.settings.dim

    def embed(self, table: Tensor, ids: Tensor, past: int) -> Tensor:
        """Embeddings with their positions, which begin after those of the past."""
        assert isinstance(self.model.frontend, TokenFrontend)
        x = F.embedding(ids, table) * self.model.frontend.scale
        where = torch.arange(ids.shape[1]) + past
        if isinstance(self.model.positions, LearnedPositions):
            learned = self.model.positions.table
            return x + learned[where.clamp(max=len(learned) - 1)]
        if self.model.positions is None:
            return x
        layout = getattr(self.model.positions, "layout", "paper")
        turned = _angles(where, self.dim, self.dim - 2 if layout == "tensor2tensor" else self.dim)
        if layout == "paper":
            return x + torch.stack([turned.sin(), turned.cos()], dim=-1).flatten(1)
        return x + torch.cat([turned.sin(), turned.cos()], dim=1)

    def keys_values(self, attention: MultiHeadAttention, x: Tensor, past: int) -> tuple[Tensor, Tensor]:
        """Keys and values, each (batch, heads, length, head_dim)."""
        keys, values = _linear(attention.key_value, x).chunk(2, dim=2)
        return self.turn(attention, self.by_head(keys), past), self.by_head(values)

    def attend(
        self, attention: MultiHeadAttention, x: Tensor, keys: Tensor, values: Tensor, bias: Tensor, past: int
    ) -> Tensor:
        """Attention of x to keys and values; `bias` is added to the scores."""
        queries = self.turn(attention, self.by_head(_linear(attention.query, x)), past)
        weights = torch.softmax(queries @ keys.transpose(2, 3) * attention.scale + bias, dim=-1)
        return _linear(attention.output, (weights @ values).transpose(1, 2).flatten(2))

    def by_head(self, x: Tensor) -> Tensor:
        """(batch, heads, length, head_dim) of (batch, length, dim)."""
        split: Tensor = x.unflatten(2, (self.heads, self.dim // self.heads))
        return split.transpose(1, 2)

    def turn(self, attention: MultiHeadAttention, x: Tensor, past: int) -> Tensor:
        """Queries or keys turned by their positions, where the model does that."""
        if attention.rotary is None:
            return x
        width = self.dim // self.heads
        turned = _angles(torch.arange(x.shape[2]) + past, width, width)
        cosines, sines = turned.cos().repeat(1, 2), torch.cat([-turned.sin(), turned.sin()], dim=1)
        halves = torch.cat([x[..., width // 2 :], x[..., : width // 2]], dim=3)
        return x * cosines + halves * sines


class Encoder(Graph):
    """Ids of sources and their mask (1: a token) to what the encoder makes of them."""

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """(batch, source, dim)."""
        model = self.model
        assert isinstance(model.frontend, TokenFrontend)
        x = self.embed(model.frontend.embedding.weight, input_ids, 0)
        bias = _bias(attention_mask == 0).unsqueeze(1).unsqueeze(1)
        for layer in model.encoder:
            y = _before(layer.attention_sublayer, x)
            y = self.attend(layer.attention, y, *self.keys_values(layer.attention, y, 0), bias, 0)
            x = _after(layer.attention_sublayer, x, y)
            if layer.convolution is not None:
                y = _before(layer.convolution_sublayer, x)
                x = _after(
                    layer.convolution_sublayer, x, _convolve(layer.convolution, y, attention_mask == 0)
                )
            y = _feed(layer.feed_forward, _before(layer.feed_forward_sublayer, x))
            x = _after(layer.feed_forward_sublayer, x, y)
        return _norm(model.encoder_norm, x)


class DecoderWithPast(Graph):
    """The next target tokens, after keys and values of those before and of the source, to logits."""

    def forward(
        self, input_ids: Tensor, encoder_attention_mask: Tensor, past_key_values: list[Tensor]
    ) -> tuple[Tensor, ...]:
        """Logits (batch, target, vocabulary), then each layer's keys and values of all targets so far."""
        logits, present = self.go_on(input_ids, encoder_attention_mask, past_key_values)
        return logits, *(tensor for layer in present for tensor in layer[:2])

    def go_on(
        self, input_ids: Tensor, encoder_attention_mask: Tensor, past: Sequence[Tensor]
    ) -> tuple[Tensor, list[tuple[Tensor, Tensor, Tensor, Tensor]]]:
        """Logits, and of each layer the keys and values of targets and of sources."""
        model = self.model
        present: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []
        length = past[0].shape[2]
        assert isinstance(model.target_embedding, nn.Embedding)
        x = self.embed(model.target_embedding.weight, input_ids, length)
        new = torch.arange(input_ids.shape[1]).unsqueeze(1) + length
        future = torch.arange(input_ids.shape[1] + length).unsqueeze(0) > new
        bias, memory_bias = _bias(future), _bias(encoder_attention_mask == 0).unsqueeze(1).unsqueeze(1)
        for number, layer in enumerate(model.decoder):
            old_keys, old_values, memory_keys, memory_values = past[4 * number : 4 * number + 4]
            y = _before(layer.attention_sublayer, x)
            keys, values = self.keys_values(layer.attention, y, length)
            keys, values = torch.cat([old_keys, keys], dim=2), torch.cat([old_values, values], dim=2)
            y = self.attend(layer.attention, y, keys, values, bias, length)
            x = _after(layer.attention_sublayer, x, y)
            y = _before(layer.cross_sublayer, x)
            y = self.attend(layer.cross, y, memory_keys, memory_values, memory_bias, 0)
            x = _after(layer.cross_sublayer, x, y)
            y = _feed(layer.feed_forward, _before(layer.feed_forward_sublayer, x))
            x = _after(layer.feed_forward_sublayer, x, y)
            present.append((keys, values, memory_keys, memory_values))
        assert isinstance(model.projection, Linear)
        return _linear(model.projection, _norm(model.decoder_norm, x)), present


class Decoder(DecoderWithPast):
    """The first target tokens, from what the encoder made of the source, to logits."""

    def forward(  # type: ignore[override]
        self, input_ids: Tensor, encoder_hidden_states: Tensor, encoder_attention_mask: Tensor
    ) -> tuple[Tensor, ...]:
        """Logits (batch, target, vocabulary), then each layer's keys and values of targets and source."""
        past = []
        for layer in self.model.decoder:
            memory = self.keys_values(layer.cross, encoder_hidden_states, 0)
            past += [memory[0][:, :, :0], memory[0][:, :, :0], *memory]
        logits, present = self.go_on(input_ids, encoder_attention_mask, past)
        return logits, *(tensor for layer in present for tensor in layer)


def _angles(positions: Tensor, dim: int, slowest: int) -> Tensor:
    """What positions are turned by, (length, dim / 2), as model.positions.angles."""
    rates = torch.exp(torch.arange(0, dim, 2) * (-math.log(10000.0) / slowest))
    return positions.unsqueeze(1) * rates


def _bias(hidden: Tensor) -> Tensor:
    """What is added to the scores of keys; True = hidden."""
    return torch.zeros(hidden.shape).masked_fill(hidden, -math.inf)


def _before(sublayer: Sublayer, x: Tensor) -> Tensor:
    return _norm(sublayer.norm, x) if sublayer.pre else x


def _after(sublayer: Sublayer, x: Tensor, y: Tensor) -> Tensor:
    return x + y if sublayer.pre else _norm(sublayer.norm, x + y)


def _norm(norm: nn.Module, x: Tensor) -> Tensor:
    if isinstance(norm, nn.RMSNorm):
        return F.rms_norm(x, list(norm.normalized_shape), norm.weight, norm.eps)
    if isinstance(norm, nn.LayerNorm):
        return F.layer_norm(x, list(norm.normalized_shape), norm.weight, norm.bias, norm.eps)
    assert isinstance(norm, nn.Identity)
    return x


def _linear(layer: nn.Linear, x: Tensor) -> Tensor:
    return F.linear(x, layer.weight, layer.bias)


def _feed(layer: FeedForward, x: Tensor) -> Tensor:
    bent = layer.activation(_linear(layer.inner, x))
    if layer.gated is not None:
        bent = bent * _linear(layer.gated, x)
    return _linear(layer.outer, bent)


def _convolve(module: ConvolutionModule, x: Tensor, hidden: Tensor) -> Tensor:
    x = F.glu(_linear(module.gated, x), dim=2).masked_fill(hidden.unsqueeze(2), 0)
    kernels = module.depthwise.kernels
    x = F.conv1d(x.transpose(1, 2), kernels, padding=kernels.shape[2] // 2, groups=len(kernels)).transpose(
        1, 2
    )
    return _linear(module.output, F.silu(_norm(module.norm, x + module.depthwise.bias)))
