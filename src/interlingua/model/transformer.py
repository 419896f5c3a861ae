"""The Transformer (Vaswani et al. 2017): encoder and decoder of attention and feed-forward layers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Literal, NamedTuple, cast

import torch
from jaxtyping import Float, Int
from pydantic import Field, model_validator
from torch import Tensor, nn

from interlingua.kinds import Source
from interlingua.model.attention import attention_bias, causal_mask
from interlingua.model.dropout import Dropout
from interlingua.model.embedding import TargetEmbedding, embed_with, tables_of
from interlingua.model.frontends import Frontend
from interlingua.model.layers import DecoderLayer, EncoderLayer, LayerCache, LayerSettings, build_norm
from interlingua.model.positions import GridPositions, LearnedPositions, SinusoidalPositions, Sinusoids
from interlingua.model.projection import build_ctc_projection, build_projection, ctc_log_probs
from interlingua.model.protocol import Attention, Explanation, Memory, kept_sentences, select
from interlingua.model.settings import Depth, Size

__all__ = ["Transformer", "TransformerSettings", "TransformerState"]


class TransformerSettings(LayerSettings):
    """Sizes and options of a Transformer."""

    architecture: Literal["transformer"] = "transformer"
    """Which model this section describes."""
    encoder_layers: Depth = 3
    """Layers of the encoder."""
    decoder_layers: Depth = 3
    """Layers of the decoder; unlike the encoder's, each costs time for every token written (Kasai et al.
    2021)."""
    embeddings: Literal["tied", "separate"] = "tied"
    """tied: one table for the target's input and output, and for the source if the vocabulary is joint
    (the paper, 3.4; Press & Wolf 2017); separate: a table for each."""
    output_bias: bool = False
    """Whether each token of the target has a bias in the projection to logits."""
    scale_embeddings: bool = True
    """Whether embeddings are multiplied by sqrt(dim) (the paper, 3.4)."""
    sinusoids: Sinusoids = "paper"
    """Sinusoidal positions: paper: sine and cosine take turns; halves: all sines, then all cosines, as in
    Hugging Face's Marian models; tensor2tensor: the same, turning a little slower, as in Marian."""
    final_norm: bool | None = None
    """Whether one more norm follows the last layer of each stack; when not given, where norm is pre."""
    max_positions: Size = 1024
    """Learned positions: how many have a vector; those beyond have none."""
    target_grid: Annotated[int, Field(ge=0, le=256)] = 0
    """Of targets that are pictures: tokens in a row, and rows; tokens get codes of both. 0: no grid."""

    @model_validator(mode="after")
    def _sinusoids_fit(self) -> TransformerSettings:
        if self.sinusoids == "tensor2tensor" and self.dim < 4:
            raise ValueError(f"sinusoids = tensor2tensor needs a width of 4 at least, not {self.dim}")
        return self

    @property
    def tied(self) -> bool:
        """Whether the projection is the target embedding, and the source's too with a joint vocabulary."""
        return self.embeddings == "tied"

    @property
    def embedding_scale(self) -> float:
        """What embeddings are multiplied by."""
        return math.sqrt(self.dim) if self.scale_embeddings else 1.0

    def describe(self) -> str:
        """The sizes, for people."""
        return f"{self.encoder_layers}+{self.decoder_layers} layers, width {self.dim}, {self.heads} heads"


class TransformerState(NamedTuple):
    """What the decoder remembers between two tokens."""

    layers: tuple[LayerCache, ...]
    memory_bias: Float[Tensor, "sentences heads 1 source"]
    """Hides the padding of the source."""
    position: int
    """Tokens consumed so far."""

    def reorder(self, rows: Int[Tensor, "sentences beams"]) -> TransformerState:
        """The state whose rows are the given old rows."""
        kept = kept_sentences(rows, len(self.layers[0].keys), len(self.memory_bias))
        layers = tuple(layer.reorder(rows.flatten(), kept) for layer in self.layers)
        return TransformerState(layers, select(self.memory_bias, kept), self.position)


class Transformer(nn.Module):
    """The encoder-decoder Transformer, as a Seq2Seq.

    Embeddings are scaled by sqrt(dim) and shared with the output projection (3.4; Press & Wolf 2017). With
    norm = "post" it is the paper's model exactly; with "pre" each stack ends with one more layer norm.

    Args:
        settings: sizes and options.
        frontend: turns the values of a source into vectors.
        target_embedding: of the target vocabulary.
    """

    def __init__(
        self, settings: TransformerSettings, frontend: Frontend, target_embedding: TargetEmbedding
    ) -> None:
        super().__init__()
        self.settings = settings
        self.target_embedding = target_embedding
        self.frontend = frontend
        self.positions = _positions(settings)
        self.grid = GridPositions(settings.dim, settings.target_grid) if settings.target_grid else None
        self.dropout = Dropout(settings.dropout)
        encoder = nn.ModuleList(EncoderLayer(settings) for _ in range(settings.encoder_layers))
        decoder = nn.ModuleList(DecoderLayer(settings) for _ in range(settings.decoder_layers))
        self.encoder = cast(Sequence[EncoderLayer], encoder)  # torch types every element as Module
        self.decoder = cast(Sequence[DecoderLayer], decoder)
        final = settings.norm == "pre" if settings.final_norm is None else settings.final_norm
        self.encoder_norm = build_norm(settings) if final else nn.Identity()
        self.decoder_norm = build_norm(settings) if final else nn.Identity()
        self.projection = build_projection(target_embedding, tied=settings.tied, bias=settings.output_bias)
        self.ctc_projection = build_ctc_projection(settings, target_embedding.num_embeddings)
        self._initialise()

    def _initialise(self) -> None:
        for name, parameter in self.named_parameters():
            if name == "positions.table" or "grid." in name or name == "projection.gates":
                continue  # they start in their own way
            if "embedding" in name:
                nn.init.normal_(parameter, std=self.settings.dim**-0.5)
            elif name.endswith("key_value.weight"):  # two matrices in one: initialise each as its own
                for half in parameter.chunk(2):
                    nn.init.xavier_uniform_(half)
            elif parameter.dim() == 2:
                nn.init.xavier_uniform_(parameter)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)

    def encode(self, source: Source) -> Memory:
        """Every source position after all layers of the encoder (3.1)."""
        vectors, mask = self.frontend(source)
        x = self._add_positions(vectors, 0)
        bias = attention_bias(mask.unsqueeze(1), self.settings.heads, x.dtype)
        for layer in self.encoder:
            x, _ = layer(x, bias, mask)
        return Memory(self.encoder_norm(x), mask)

    def decode(
        self, memory: Memory, target_in: Int[Tensor, "batch target"]
    ) -> Float[Tensor, "batch target dim"]:
        """Hidden states of all target positions in parallel (shifted targets, hidden future: 3.1, 3.2.3)."""
        x, bias, memory_bias = self._embed_targets(memory, target_in)
        for layer in self.decoder:
            x, _, _ = layer(x, layer.start(memory.states), bias, memory_bias)
        return self.decoder_norm(x)

    def project(self, hidden: Float[Tensor, "*rows dim"]) -> Float[Tensor, "*rows vocabulary"]:
        """Logits by the transposed embedding (3.4), unless it is separate."""
        return self.projection(hidden)

    def ctc(self, memory: Memory) -> Float[Tensor, "batch source vocabulary"] | None:
        """CTC's log-probabilities, PAD being the blank; None without that head."""
        return ctc_log_probs(self.ctc_projection, memory.states)

    def start(self, memory: Memory) -> TransformerState:
        """Computes every decoder layer's keys and values of the source once."""
        bias = attention_bias(memory.mask.unsqueeze(1), self.settings.heads, memory.states.dtype)
        by_sentence = bias.view(len(memory.mask), self.settings.heads, 1, -1)
        return TransformerState(tuple(layer.start(memory.states) for layer in self.decoder), by_sentence, 0)

    def step(
        self, tokens: Int[Tensor, " rows"], state: TransformerState
    ) -> tuple[Float[Tensor, "rows vocabulary"], TransformerState]:
        """One token a row, with the keys and values of all earlier ones from the state."""
        x = self._embed_at(tokens.unsqueeze(1), state.position)
        bias = state.memory_bias.flatten(0, 1)
        caches = []
        for layer, cache in zip(self.decoder, state.layers, strict=True):
            x, cache, _ = layer(x, cache, None, bias)
            caches.append(cache)
        logits = self.project(self.decoder_norm(x).squeeze(1))
        return logits, TransformerState(tuple(caches), state.memory_bias, state.position + 1)

    def attend(self, source: Source, target_in: Int[Tensor, "batch target"]) -> Attention:
        """The weights that `encode` and `decode` compute with."""
        encoder, decoder, cross = [], [], []
        vectors, mask = self.frontend(source)
        x = self._add_positions(vectors, 0)
        bias = attention_bias(mask.unsqueeze(1), self.settings.heads, x.dtype)
        for encoder_layer in self.encoder:
            x, weights = encoder_layer(x, bias, mask)
            encoder.append(weights)
        memory = Memory(self.encoder_norm(x), mask)
        x, bias, memory_bias = self._embed_targets(memory, target_in)
        for layer in self.decoder:
            x, _, (weights, cross_weights) = layer(x, layer.start(memory.states), bias, memory_bias)
            decoder.append(weights)
            cross.append(cross_weights)
        by_head = (len(mask), self.settings.heads)
        return Attention(
            *(
                torch.stack([weights.unflatten(0, by_head) for weights in layers], dim=1)
                for layers in (encoder, decoder, cross)
            )
        )

    def explain(self, length: int) -> Explanation:
        """How the model computes attention, and its code of so many positions."""
        kind, dim, head_dim = (
            self.settings.positions,
            self.settings.dim,
            self.settings.dim // self.settings.heads,
        )
        width = head_dim if kind == "rotary" else dim
        positions = SinusoidalPositions(width) if self.positions is None else self.positions
        device = tables_of(self.target_embedding)[0].device
        code = positions(torch.zeros(1, length, width, device=device))[0]
        return Explanation("scaled dot", head_dim, kind, code)

    @property
    def target_size(self) -> int:
        """How many ids targets are made of."""
        return self.target_embedding.num_embeddings

    def tables(self) -> list[Tensor]:
        """Embeddings, learned positions and the projections."""
        learned = [self.positions.table] if isinstance(self.positions, LearnedPositions) else []
        ctc = [] if self.ctc_projection is None else [self.ctc_projection.weight]
        embeddings = [*tables_of(self.target_embedding), *self.frontend.tables()]
        grid = [] if self.grid is None else self.grid.tables()
        return [*embeddings, *learned, *grid, *tables_of(self.projection), *ctc]

    def _embed_targets(
        self, memory: Memory, target_in: Int[Tensor, "batch target"]
    ) -> tuple[Float[Tensor, "batch target dim"], Tensor, Tensor]:
        """The embedded targets, and the biases that hide their future and the source's padding."""
        heads = self.settings.heads
        memory_bias = attention_bias(memory.mask.unsqueeze(1), heads, memory.states.dtype)
        x = self._embed_at(target_in, 0)
        causal = causal_mask(target_in.shape[1], x.device).expand(len(x), -1, -1)
        return x, attention_bias(causal, heads, x.dtype), memory_bias

    def _embed_at(self, ids: Int[Tensor, "batch length"], first: int) -> Float[Tensor, "batch length dim"]:
        """Target tokens from a position on, in a grid with the place of what comes after each."""
        x = embed_with(self.target_embedding, ids) * self.settings.embedding_scale
        return self._add_positions(x if self.grid is None else self.grid(x, first), first)

    def _add_positions(
        self, x: Float[Tensor, "batch length dim"], first: int
    ) -> Float[Tensor, "batch length dim"]:
        """Tells vectors their positions, where that is not attention's business, and drops some out (5.4)."""
        return self.dropout(self.positions(x, first) if self.positions is not None else x)


def _positions(settings: TransformerSettings) -> SinusoidalPositions | LearnedPositions | None:
    if settings.positions == "learned":
        return LearnedPositions(settings.dim, settings.max_positions)
    if settings.positions == "sinusoidal":
        return SinusoidalPositions(settings.dim, settings.sinusoids)
    return None
