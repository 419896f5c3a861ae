"""The Transformer (Vaswani et al. 2017): encoder and decoder of attention and feed-forward layers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Literal, cast

import torch
from jaxtyping import Bool, Float, Int
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from interlingua.model.attention import MultiHeadAttention, attention_bias, causal_mask
from interlingua.model.dropout import Dropout
from interlingua.model.layers import DecoderLayer, EncoderLayer, LayerSizes
from interlingua.model.positions import SinusoidalPositions
from interlingua.model.seq2seq import Attention, State
from interlingua.settings import Settings

__all__ = ["Transformer", "TransformerSettings"]

Size = Annotated[int, Field(ge=1, le=65536)]
Rate = Annotated[float, Field(ge=0, lt=1)]


class TransformerSettings(Settings):
    """Sizes and options of a Transformer."""

    architecture: Literal["transformer"] = "transformer"
    """Which model this section describes."""
    dim: Size = 256
    """Width of the model; even."""
    heads: Size = 4
    """Attention heads; divides dim."""
    feed_forward: Size = 1024
    """Inner width of the feed-forward layers."""
    encoder_layers: Size = 3
    """Layers of the encoder."""
    decoder_layers: Size = 3
    """Layers of the decoder."""
    norm: Literal["pre", "post"] = "pre"
    """Layer norm before each sublayer (Xiong et al. 2020) or after it (the paper)."""
    dropout: Rate = 0.1
    """On embeddings and on each sublayer's output (the paper's places, 5.4)."""
    attention_dropout: Rate = 0.0
    """On attention weights; not in the paper, but in its released code."""
    activation_dropout: Rate = 0.0
    """Inside the feed-forward layers; not in the paper, but in its released code."""

    @model_validator(mode="after")
    def _sizes_fit(self) -> TransformerSettings:
        dim, heads = self.dim, self.heads
        if dim % 2:
            raise ValueError(f"a width of {dim} is odd; the position code needs pairs")
        if dim % heads:
            would = ", ".join(str(n) for n in range(1, 65) if dim % n == 0)
            raise ValueError(f"{heads} heads do not divide a width of {dim}; {would} would")
        return self


class Transformer(nn.Module):
    """The encoder-decoder Transformer, as a Seq2Seq.

    Embeddings are scaled by sqrt(dim) and shared with the output projection (3.4; Press & Wolf 2017). With
    norm = "post" it is the paper's model exactly; with "pre" each stack ends with one more layer norm.

    Args:
        settings: sizes and options.
        source_size: source vocabulary.
        target_size: target vocabulary.
        shared: one embedding table for source and target (a joint vocabulary; sizes must be equal).
    """

    def __init__(
        self, settings: TransformerSettings, source_size: int, target_size: int, *, shared: bool
    ) -> None:
        super().__init__()
        assert not shared or source_size == target_size
        self.settings = settings
        dim = settings.dim
        sizes = LayerSizes(
            dim, settings.heads, settings.feed_forward, settings.dropout,
            settings.attention_dropout, settings.activation_dropout, settings.norm,
        )  # fmt: skip
        self.target_embedding = nn.Embedding(target_size, dim)
        self.source_embedding = self.target_embedding if shared else nn.Embedding(source_size, dim)
        self.positions = SinusoidalPositions(dim)
        self.dropout = Dropout(settings.dropout)
        encoder = nn.ModuleList(EncoderLayer(sizes) for _ in range(settings.encoder_layers))
        decoder = nn.ModuleList(DecoderLayer(sizes) for _ in range(settings.decoder_layers))
        self.encoder = cast(Sequence[EncoderLayer], encoder)  # torch types every element as Module
        self.decoder = cast(Sequence[DecoderLayer], decoder)
        final_norm = nn.LayerNorm if settings.norm == "pre" else nn.Identity
        self.encoder_norm = final_norm(dim)
        self.decoder_norm = final_norm(dim)
        self.projection: nn.Module | None = None  # set when the weights are prepared for use
        self._initialise()

    def _initialise(self) -> None:
        for name, parameter in self.named_parameters():
            if "embedding" in name:
                nn.init.normal_(parameter, std=self.settings.dim**-0.5)
            elif name.endswith("key_value.weight"):  # two matrices in one: initialise each as its own
                for half in parameter.chunk(2):
                    nn.init.xavier_uniform_(half)
            elif parameter.dim() == 2:
                nn.init.xavier_uniform_(parameter)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)

    def forward(
        self,
        source: Int[Tensor, "batch source"],
        source_mask: Bool[Tensor, "batch source"],
        target_in: Int[Tensor, "batch target"],
    ) -> Float[Tensor, "batch target dim"]:
        """Hidden states of all target positions in parallel (shifted targets, hidden future: 3.1, 3.2.3)."""
        memory, memory_bias = self.encode(source, source_mask)
        x = self._embed(self.target_embedding, target_in, 0)
        bias = attention_bias(
            causal_mask(target_in.shape[1], x.device).expand(len(x), -1, -1), self.settings.heads, x.dtype
        )
        for layer in self.decoder:
            x = layer(x, bias, *layer.cross.keys_values(memory), memory_bias)
        return self.decoder_norm(x)

    def encode(
        self, source: Int[Tensor, "batch source"], source_mask: Bool[Tensor, "batch source"]
    ) -> tuple[Float[Tensor, "batch source dim"], Float[Tensor, "batch_heads 1 source"]]:
        """The source in the encoder's language, and the bias that hides its padding."""
        x = self._embed(self.source_embedding, source, 0)
        bias = attention_bias(source_mask.unsqueeze(1), self.settings.heads, x.dtype)
        for layer in self.encoder:
            x = layer(x, bias)
        return self.encoder_norm(x), bias

    def project(self, hidden: Float[Tensor, "*rows dim"]) -> Float[Tensor, "*rows vocabulary"]:
        """Logits by the transposed embedding (3.4)."""
        if self.projection is not None:
            return self.projection(hidden)
        return F.linear(hidden, self.target_embedding.weight)

    def start(self, source: Int[Tensor, "batch source"], source_mask: Bool[Tensor, "batch source"]) -> State:
        """Encodes, and computes every decoder layer's keys and values of the source once."""
        memory, bias = self.encode(source, source_mask)
        batch, heads = len(source), self.settings.heads
        crossed = [part for layer in self.decoder for part in layer.cross.keys_values(memory)]
        empty = memory.new_zeros(batch, heads, 0, self.settings.dim // heads)
        bias = bias.view(batch, heads, 1, -1)
        return State((*crossed, bias), (empty,) * (2 * len(self.decoder)), 0)

    def step(
        self, tokens: Int[Tensor, " rows"], state: State
    ) -> tuple[Float[Tensor, "rows vocabulary"], State]:
        """One token a row, with the keys and values of all earlier ones from the state."""
        x = self._embed(self.target_embedding, tokens.unsqueeze(1), state.position)
        *crossed, bias = state.sentences
        bias = bias.flatten(0, 1)
        grown: list[Tensor] = []
        for i, layer in enumerate(self.decoder):
            pair = slice(2 * i, 2 * i + 2)
            (keys, values), (memory_keys, memory_values) = state.rows[pair], crossed[pair]
            x, keys, values = layer.step(x, keys, values, memory_keys, memory_values, bias)
            grown += [keys, values]
        logits = self.project(self.decoder_norm(x).squeeze(1))
        return logits, State(state.sentences, tuple(grown), state.position + 1)

    def attend(
        self,
        source: Int[Tensor, "batch source"],
        source_mask: Bool[Tensor, "batch source"],
        target_in: Int[Tensor, "batch target"],
    ) -> Attention:
        """The weights that a teacher-forced pass uses, recomputed beside it layer by layer."""
        heads, batch = self.settings.heads, len(source)
        kept: dict[str, list[Tensor]] = {"encoder": [], "decoder": [], "cross": []}

        def watch(kind: str, block: MultiHeadAttention) -> torch.utils.hooks.RemovableHandle:
            def keep(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
                queries, keys, _, bias = inputs
                weights = block.weights(queries, keys, bias)
                kept[kind].append(weights.view(batch, heads, *weights.shape[1:]))

            return block.register_forward_pre_hook(keep)

        handles = [watch("encoder", layer.attention) for layer in self.encoder]
        handles += [watch("decoder", layer.attention) for layer in self.decoder]
        handles += [watch("cross", layer.cross) for layer in self.decoder]
        try:
            self.forward(source, source_mask, target_in)
        finally:
            for handle in handles:
                handle.remove()
        return Attention(*(torch.stack(kept[kind], dim=1) for kind in Attention._fields))

    def _embed(
        self, table: nn.Embedding, ids: Int[Tensor, "batch length"], first: int
    ) -> Float[Tensor, "batch length dim"]:
        scaled = table(ids) * math.sqrt(self.settings.dim)
        return self.dropout(self.positions(scaled, first))
