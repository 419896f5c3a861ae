"""Recurrent encoder and decoder, with and without attention: what the Transformer replaced."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, cast

import torch
from jaxtyping import Float, Int
from pydantic import model_validator
from torch import Tensor, nn

from interlingua.errors import ConfigurationError
from interlingua.kinds import Source
from interlingua.model.attention import attention_bias
from interlingua.model.dropout import Dropout
from interlingua.model.embedding import TargetEmbedding, embed_with, tables_of
from interlingua.model.frontends import Frontend
from interlingua.model.linear import Linear
from interlingua.model.projection import (
    FactoredProjection,
    build_ctc_projection,
    build_projection,
    ctc_log_probs,
)
from interlingua.model.protocol import Attention, Explanation, Memory, kept_sentences, select
from interlingua.model.recurrence import (
    AdditiveAttention,
    BidirectionalLayer,
    MultiplicativeAttention,
    Recurrence,
)
from interlingua.model.settings import Depth, ModelSettings, Rate, Size

__all__ = ["Recurrent", "RecurrentSettings", "RecurrentState"]

ATTENTIONS: Mapping[str, type[AdditiveAttention | MultiplicativeAttention]] = {
    "additive": AdditiveAttention,
    "multiplicative": MultiplicativeAttention,
}


class RecurrentSettings(ModelSettings):
    """Sizes and options of a recurrent model."""

    architecture: Literal["recurrent"] = "recurrent"
    """Which model this section describes."""
    cell: Literal["rnn", "gru", "lstm"] = "lstm"
    """A tanh layer (Elman 1990), a gated recurrent unit (Cho et al. 2014) or long short-term memory
    (Hochreiter & Schmidhuber 1997)."""
    attention: Literal["none", "additive", "multiplicative"] = "multiplicative"
    """none: the decoder gets the encoder's last state only (Sutskever et al. 2014); additive: it looks before
    each step, whose input is what it saw (Bahdanau et al. 2015, 3.1); multiplicative: it looks after each
    step (Luong et al. 2015, 3.1)."""
    input_feeding: bool = False
    """With multiplicative attention: a step's input is also what the step before came to (Luong et al. 2015,
    3.3). Training then goes token by token, as it always does with additive attention."""
    dim: Size = 256
    """Width of embeddings, memory and decoder; even: each direction of the encoder has half of it."""
    encoder_layers: Depth = 2
    """Bidirectional layers of the encoder."""
    decoder_layers: Depth = 2
    """Layers of the decoder."""
    dropout: Rate = 0.2
    """On embeddings, between layers and before the projection (Zaremba et al. 2014)."""

    @model_validator(mode="after")
    def _fits(self) -> RecurrentSettings:
        if self.dim % 2:
            raise ValueError(f"a width of {self.dim} is odd; each direction of the encoder needs half of it")
        if self.input_feeding and self.attention != "multiplicative":
            raise ValueError("input feeding goes with attention = multiplicative only")
        return self

    @property
    def stepwise(self) -> bool:
        """Whether a step of the decoder needs what the attention saw before: no fused pass over a target."""
        return self.attention == "additive" or self.input_feeding

    def describe(self) -> str:
        """The sizes, for people."""
        looking = {"none": "no"}.get(self.attention, self.attention)
        layers = f"{self.cell}, {self.encoder_layers}+{self.decoder_layers} layers, width {self.dim}"
        return f"{layers}, {looking} attention{', input feeding' if self.input_feeding else ''}"


class RecurrentState(NamedTuple):
    """What the decoder remembers between two tokens."""

    layers: tuple[Float[Tensor, "rows parts dim"], ...]
    """Of each layer the hidden state and, of an LSTM, the cell state."""
    fed: Float[Tensor, "rows dim"] | None
    """What the step before came to, if that is an input of the next one."""
    memory: Memory
    keys: Float[Tensor, "sentences source dim"] | None
    """Of the source; None without attention."""
    bias: Float[Tensor, "sentences 1 source"]
    """Hides the padding of the source."""

    def reorder(self, rows: Int[Tensor, "sentences beams"]) -> RecurrentState:
        """The state whose rows are the given old rows."""
        flat, kept = rows.flatten(), kept_sentences(rows, len(self.layers[0]), len(self.bias))
        return RecurrentState(
            tuple(layer.index_select(0, flat) for layer in self.layers),
            None if self.fed is None else self.fed.index_select(0, flat),
            Memory(select(self.memory.states, kept), select(self.memory.mask, kept)),
            None if self.keys is None else select(self.keys, kept),
            select(self.bias, kept),
        )


class Recurrent(nn.Module):
    """A bidirectional encoder and a decoder that starts from where it ended, as a Seq2Seq.

    Deviations from the papers: all states of the decoder start as functions of the encoder's last outputs,
    layer by layer; the readout is tanh(W [state; context]) for both kinds of attention (Luong et al. 2015,
    Eq. 5; Bahdanau et al. 2015 have a maxout layer); embeddings are scaled and shared with the projection as
    in the Transformer (Press & Wolf 2017).

    Args:
        settings: sizes and options.
        frontend: turns the values of a source into vectors.
        target_embedding: of the target vocabulary.
    """

    def __init__(
        self, settings: RecurrentSettings, frontend: Frontend, target_embedding: TargetEmbedding
    ) -> None:
        super().__init__()
        self.settings = settings
        dim, cell, layers = settings.dim, settings.cell, settings.decoder_layers
        self.target_embedding = target_embedding
        self.frontend = frontend
        self.dropout = Dropout(settings.dropout)
        widths = [2 * dim if settings.stepwise else dim] + [dim] * (layers - 1)
        encoder = nn.ModuleList(BidirectionalLayer(cell, dim) for _ in range(settings.encoder_layers))
        decoder = nn.ModuleList(Recurrence(cell, width, dim) for width in widths)
        self.encoder = cast(Sequence[BidirectionalLayer], encoder)  # torch types every element as Module
        self.decoder = cast(Sequence[Recurrence], decoder)
        self.bridges = nn.ModuleList(Linear(dim, self.decoder[0].parts * dim) for _ in widths)
        attends = settings.attention != "none"
        self.attention: AdditiveAttention | MultiplicativeAttention | None = None
        if attends:
            self.attention = ATTENTIONS[settings.attention](dim)
        self.readout = Linear(2 * dim if attends else dim, dim)
        self.projection = build_projection(target_embedding, tied=True)
        self.ctc_projection = build_ctc_projection(settings, target_embedding.num_embeddings)
        for table in (*frontend.tables(), *tables_of(target_embedding)):
            nn.init.normal_(table, std=dim**-0.5)
        for linear in (self.readout, *self.bridges):
            nn.init.xavier_uniform_(linear.weight)
            nn.init.zeros_(linear.bias)

    def encode(self, source: Source) -> Memory:
        """Every source position after all layers of the encoder, and where each layer ended."""
        vectors, mask = self.frontend(source)
        x, lengths = self.dropout(vectors), mask.sum(dim=1)
        ends = []
        for i, layer in enumerate(self.encoder):
            x, end = layer(self.dropout(x) if i else x, lengths)
            ends.append(end)
        return Memory(x, mask, tuple(ends))

    def decode(
        self, memory: Memory, target_in: Int[Tensor, "batch target"]
    ) -> Float[Tensor, "batch target dim"]:
        """Hidden states of all target positions; in one fused pass unless `stepwise`."""
        return self._teach(memory, target_in)[0]

    def project(self, hidden: Float[Tensor, "*rows dim"]) -> Float[Tensor, "*rows vocabulary"]:
        """Logits by the transposed embedding."""
        return self.projection(hidden)

    def ctc(self, memory: Memory) -> Float[Tensor, "batch source vocabulary"] | None:
        """CTC's log-probabilities, PAD being the blank; None without that head."""
        return ctc_log_probs(self.ctc_projection, memory.states)

    def start(self, memory: Memory) -> RecurrentState:
        """Each decoder layer starts from the encoder layer beside it, upper ones from the last."""
        ends = memory.ends
        layers = tuple(
            self._bridge(bridge, ends[min(i, len(ends) - 1)]) for i, bridge in enumerate(self.bridges)
        )
        fed = torch.zeros_like(ends[0]) if self.settings.input_feeding else None
        keys = None if self.attention is None else self.attention.key(memory.states)
        bias = attention_bias(memory.mask.unsqueeze(1), 1, memory.states.dtype)
        return RecurrentState(layers, fed, memory._replace(ends=()), keys, bias)

    def step(
        self, tokens: Int[Tensor, " rows"], state: RecurrentState
    ) -> tuple[Float[Tensor, "rows vocabulary"], RecurrentState]:
        """One token a row."""
        hidden, state, _ = self._advance(self._embed(tokens.unsqueeze(1)), state)
        return self.project(hidden.squeeze(1)), state

    def attend(self, source: Source, target_in: Int[Tensor, "batch target"]) -> Attention:
        """Where the decoder looks: one layer of one head; there is no self-attention.

        Raises:
            ConfigurationError: the model was trained without attention.
        """
        if self.attention is None:
            raise ConfigurationError(
                "this model has no attention to show",
                where="model.attention",
                found=self.settings.attention,
                accepted="It was trained without. To train with: --set model.attention=multiplicative",
            )
        _, weights = self._teach(self.encode(source), target_in)
        batch, target, length = weights.shape
        return Attention(
            weights.new_zeros(batch, 0, 1, length, length),
            weights.new_zeros(batch, 0, 1, target, target),
            weights.view(batch, 1, 1, target, length),
        )

    def explain(self, length: int) -> Explanation:
        """How the model computes attention; positions need no code."""
        attention = self.settings.attention
        return Explanation(None if attention == "none" else attention, None, None, None)

    @property
    def target_size(self) -> int:
        """How many ids targets are made of."""
        return self.target_embedding.num_embeddings

    def tables(self) -> list[Tensor]:
        """The embeddings and the projections."""
        ctc = [] if self.ctc_projection is None else [self.ctc_projection.weight]
        projection = tables_of(self.projection) if isinstance(self.projection, FactoredProjection) else []
        return [*tables_of(self.target_embedding), *self.frontend.tables(), *projection, *ctc]

    def _teach(
        self, memory: Memory, target_in: Int[Tensor, "batch target"]
    ) -> tuple[Float[Tensor, "batch target dim"], Float[Tensor, "batch target source"]]:
        """Hidden states and attention weights of all target positions."""
        state = self.start(memory)
        x = self._embed(target_in)
        hidden, weights = [], []
        for piece in x.split(1 if self.settings.stepwise else x.shape[1], dim=1):
            outputs, state, seen = self._advance(piece, state)
            hidden.append(outputs)
            weights.append(seen)
        return torch.cat(hidden, dim=1), torch.cat(weights, dim=1)

    def _advance(
        self, x: Float[Tensor, "rows length dim"], state: RecurrentState
    ) -> tuple[Float[Tensor, "rows length dim"], RecurrentState, Float[Tensor, "sentences queries source"]]:
        """Takes so many more embedded tokens in; `stepwise` models take one at a time."""
        context, weights = x[:, :, :0], x[:, :, :0]
        if self.settings.attention == "additive":
            context, weights = self._look(state.layers[-1][:, :1], state)  # from the top layer's hidden state
            x = torch.cat([x, context], dim=2)
        elif state.fed is not None:
            x = torch.cat([x, state.fed.unsqueeze(1)], dim=2)
        layers = []
        for i, (layer, before) in enumerate(zip(self.decoder, state.layers, strict=True)):
            x, after = layer(self.dropout(x) if i else x, before)
            layers.append(after)
        if self.settings.attention == "multiplicative":
            context, weights = self._look(x, state)
        hidden = torch.tanh(self.readout(torch.cat([x, context], dim=2)))
        fed = None if state.fed is None else hidden[:, -1]
        return self.dropout(hidden), state._replace(layers=tuple(layers), fed=fed), weights

    def _look(
        self, queries: Float[Tensor, "rows length dim"], state: RecurrentState
    ) -> tuple[Float[Tensor, "rows length dim"], Float[Tensor, "sentences queries source"]]:
        """Attention of all the rows of each sentence to its one memory."""
        assert self.attention is not None
        assert state.keys is not None
        by_sentence = queries.reshape(len(state.keys), -1, queries.shape[2])
        context, weights = self.attention(by_sentence, state.keys, state.memory.states, state.bias)
        return context.view(queries.shape), weights

    def _bridge(self, bridge: nn.Module, end: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch parts dim"]:
        hidden, *cell = bridge(end).view(len(end), -1, end.shape[1]).split(1, dim=1)
        return torch.cat([torch.tanh(hidden), *cell], dim=1)

    def _embed(self, ids: Int[Tensor, "batch length"]) -> Float[Tensor, "batch length dim"]:
        return self.dropout(embed_with(self.target_embedding, ids) * math.sqrt(self.settings.dim))
