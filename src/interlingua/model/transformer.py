"""The Transformer (Vaswani et al. 2017): encoder and decoder of attention and feed-forward layers."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from typing import Any, Literal, cast

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from interlingua.model.attention import MultiHeadAttention, attention_bias, causal_mask
from interlingua.model.dropout import Dropout
from interlingua.model.layers import DecoderLayer, EncoderLayer, LayerSettings, Size, build_norm
from interlingua.model.positions import LearnedPositions, SinusoidalPositions
from interlingua.model.seq2seq import Attention, State

__all__ = ["Transformer", "TransformerSettings"]


class TransformerSettings(LayerSettings):
    """Sizes and options of a Transformer."""

    architecture: Literal["transformer"] = "transformer"
    """Which model this section describes."""
    encoder_layers: Size = 3
    """Layers of the encoder."""
    decoder_layers: Size = 3
    """Layers of the decoder; unlike the encoder's, each costs time for every token written (Kasai et al.
    2021)."""
    embeddings: Literal["tied", "separate"] = "tied"
    """tied: one table for the target's input and output, and for the source if the vocabulary is joint
    (the paper, 3.4; Press & Wolf 2017); separate: a table for each."""
    max_positions: Size = 1024
    """Learned positions: how many have a vector; those beyond have none."""

    def describe(self) -> str:
        """The sizes, for people."""
        return f"{self.encoder_layers}+{self.decoder_layers} layers, width {self.dim}, {self.heads} heads"


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
        tied = settings.embeddings == "tied"
        self.target_embedding = nn.Embedding(target_size, dim)
        self.source_embedding = self.target_embedding if shared and tied else nn.Embedding(source_size, dim)
        self.positions = _positions(settings)
        self.dropout = Dropout(settings.dropout)
        encoder = nn.ModuleList(EncoderLayer(settings) for _ in range(settings.encoder_layers))
        decoder = nn.ModuleList(DecoderLayer(settings) for _ in range(settings.decoder_layers))
        self.encoder = cast(Sequence[EncoderLayer], encoder)  # torch types every element as Module
        self.decoder = cast(Sequence[DecoderLayer], decoder)
        final = settings.norm == "pre"
        self.encoder_norm = build_norm(settings) if final else nn.Identity()
        self.decoder_norm = build_norm(settings) if final else nn.Identity()
        self.projection: nn.Module | None = None  # tied: the target's embedding, until prepared for use
        if not tied:
            self.projection = nn.Linear(dim, target_size, bias=False)
        self._initialise()

    def _initialise(self) -> None:
        for name, parameter in self.named_parameters():
            if name == "positions.table":  # learnt from zero
                continue
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
        """Logits by the transposed embedding (3.4), unless it is separate."""
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
        own = threading.get_ident()  # other batches may pass through the same layers beside this one

        def watch(kind: str, block: MultiHeadAttention) -> torch.utils.hooks.RemovableHandle:
            def keep(module: nn.Module, inputs: tuple[Any, ...]) -> None:
                if threading.get_ident() != own:
                    return
                queries, keys, _, bias, *first = inputs
                weights = block.weights(queries, keys, bias, *first)
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
        return self.dropout(self.positions(scaled, first) if self.positions is not None else scaled)


def _positions(settings: TransformerSettings) -> SinusoidalPositions | LearnedPositions | None:
    if settings.positions == "learned":
        return LearnedPositions(settings.dim, settings.max_positions)
    return SinusoidalPositions(settings.dim) if settings.positions == "sinusoidal" else None
