"""Recurrent encoder and decoder, with and without attention: what the Transformer replaced."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal, cast

import torch
from jaxtyping import Bool, Float, Int
from pydantic import model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from interlingua.errors import ConfigurationError
from interlingua.model.attention import attention_bias
from interlingua.model.dropout import Dropout
from interlingua.model.layers import Rate, Size
from interlingua.model.recurrence import (
    AdditiveAttention,
    BidirectionalLayer,
    MultiplicativeAttention,
    Recurrence,
)
from interlingua.model.seq2seq import Attention, State
from interlingua.settings import Settings

__all__ = ["Recurrent", "RecurrentSettings"]

ATTENTIONS: Mapping[str, type[AdditiveAttention | MultiplicativeAttention]] = {
    "additive": AdditiveAttention,
    "multiplicative": MultiplicativeAttention,
}


class RecurrentSettings(Settings):
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
    encoder_layers: Size = 2
    """Bidirectional layers of the encoder."""
    decoder_layers: Size = 2
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


class Recurrent(nn.Module):
    """A bidirectional encoder and a decoder that starts from where it ended, as a Seq2Seq.

    Deviations from the papers: all states of the decoder start as functions of the encoder's last outputs,
    layer by layer; the readout is tanh(W [state; context]) for both kinds of attention (Luong et al. 2015,
    Eq. 5; Bahdanau et al. 2015 have a maxout layer); embeddings are scaled and shared with the projection as
    in the Transformer (Press & Wolf 2017).

    Args:
        settings: sizes and options.
        source_size: source vocabulary.
        target_size: target vocabulary.
        shared: one embedding table for source and target (a joint vocabulary; sizes must be equal).
    """

    def __init__(
        self, settings: RecurrentSettings, source_size: int, target_size: int, *, shared: bool
    ) -> None:
        super().__init__()
        assert not shared or source_size == target_size
        self.settings = settings
        dim, cell, layers = settings.dim, settings.cell, settings.decoder_layers
        self.target_embedding = nn.Embedding(target_size, dim)
        self.source_embedding = self.target_embedding if shared else nn.Embedding(source_size, dim)
        self.dropout = Dropout(settings.dropout)
        widths = [2 * dim if settings.stepwise else dim] + [dim] * (layers - 1)
        encoder = nn.ModuleList(BidirectionalLayer(cell, dim) for _ in range(settings.encoder_layers))
        decoder = nn.ModuleList(Recurrence(cell, width, dim) for width in widths)
        self.encoder = cast(Sequence[BidirectionalLayer], encoder)  # torch types every element as Module
        self.decoder = cast(Sequence[Recurrence], decoder)
        self.bridges = nn.ModuleList(nn.Linear(dim, self.decoder[0].parts * dim) for _ in widths)
        attends = settings.attention != "none"
        self.attention: AdditiveAttention | MultiplicativeAttention | None = None
        if attends:
            self.attention = ATTENTIONS[settings.attention](dim)
        self.readout = nn.Linear(2 * dim if attends else dim, dim)
        self.projection: nn.Module | None = None  # set when the weights are prepared for use
        for table in (self.source_embedding, self.target_embedding):
            nn.init.normal_(table.weight, std=dim**-0.5)
        for linear in (self.readout, *self.bridges):
            nn.init.xavier_uniform_(linear.weight)
            nn.init.zeros_(linear.bias)

    def forward(
        self,
        source: Int[Tensor, "batch source"],
        source_mask: Bool[Tensor, "batch source"],
        target_in: Int[Tensor, "batch target"],
    ) -> Float[Tensor, "batch target dim"]:
        """Hidden states of all target positions; in one fused pass unless `stepwise`."""
        return self._teach(source, source_mask, target_in)[0]

    def project(self, hidden: Float[Tensor, "*rows dim"]) -> Float[Tensor, "*rows vocabulary"]:
        """Logits by the transposed embedding."""
        if self.projection is not None:
            return self.projection(hidden)
        return F.linear(hidden, self.target_embedding.weight)

    def start(self, source: Int[Tensor, "batch source"], source_mask: Bool[Tensor, "batch source"]) -> State:
        """Encodes; each decoder layer starts from the encoder layer beside it, upper ones from the last."""
        x = self._embed(self.source_embedding, source)
        lengths = source_mask.sum(dim=1)
        ends = []
        for i, layer in enumerate(self.encoder):
            x, end = layer(self.dropout(x) if i else x, lengths)
            ends.append(end)
        rows = [self._bridge(bridge, ends[min(i, len(ends) - 1)]) for i, bridge in enumerate(self.bridges)]
        if self.settings.input_feeding:
            rows.append(torch.zeros_like(ends[0]))
        if self.attention is None:
            return State((source_mask,), tuple(rows), 0)
        bias = attention_bias(source_mask.unsqueeze(1), 1, x.dtype)
        return State((self.attention.key(x), x, bias), tuple(rows), 0)

    def step(
        self, tokens: Int[Tensor, " rows"], state: State
    ) -> tuple[Float[Tensor, "rows vocabulary"], State]:
        """One token a row."""
        x = self._embed(self.target_embedding, tokens.unsqueeze(1))
        hidden, state, _ = self._advance(x, state)
        return self.project(hidden.squeeze(1)), state

    def attend(
        self,
        source: Int[Tensor, "batch source"],
        source_mask: Bool[Tensor, "batch source"],
        target_in: Int[Tensor, "batch target"],
    ) -> Attention:
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
        _, weights = self._teach(source, source_mask, target_in)
        batch, target, length = weights.shape
        return Attention(
            weights.new_zeros(batch, 0, 1, length, length),
            weights.new_zeros(batch, 0, 1, target, target),
            weights.view(batch, 1, 1, target, length),
        )

    def _teach(
        self, source: Tensor, source_mask: Tensor, target_in: Tensor
    ) -> tuple[Float[Tensor, "batch target dim"], Float[Tensor, "batch target source"]]:
        """Hidden states and attention weights of all target positions."""
        state = self.start(source, source_mask)
        x = self._embed(self.target_embedding, target_in)
        hidden, weights = [], []
        for piece in x.split(1 if self.settings.stepwise else x.shape[1], dim=1):
            outputs, state, looked = self._advance(piece, state)
            hidden.append(outputs)
            weights.append(looked)
        return torch.cat(hidden, dim=1), torch.cat(weights, dim=1)

    def _advance(
        self, x: Float[Tensor, "rows length dim"], state: State
    ) -> tuple[Float[Tensor, "rows length dim"], State, Float[Tensor, "sentences queries source"]]:
        """Takes so many more embedded tokens in; `stepwise` models take one at a time."""
        layers = len(self.decoder)
        before, fed = state.rows[:layers], state.rows[layers:]
        context, weights = x[:, :, :0], x[:, :, :0]
        if self.settings.attention == "additive":
            context, weights = self._look(before[-1][:, :1], state)  # from the top layer's hidden state
            x = torch.cat([x, context], dim=2)
        elif fed:
            x = torch.cat([x, fed[0].unsqueeze(1)], dim=2)
        after = []
        for i, (layer, past) in enumerate(zip(self.decoder, before, strict=True)):
            x, now = layer(self.dropout(x) if i else x, past)
            after.append(now)
        if self.settings.attention == "multiplicative":
            context, weights = self._look(x, state)
        hidden = torch.tanh(self.readout(torch.cat([x, context], dim=2)))
        if fed:
            after.append(hidden[:, -1])
        state = State(state.sentences, tuple(after), state.position + x.shape[1])
        return self.dropout(hidden), state, weights

    def _look(
        self, queries: Float[Tensor, "rows length dim"], state: State
    ) -> tuple[Float[Tensor, "rows length dim"], Float[Tensor, "sentences queries source"]]:
        """Attention of all the rows of each sentence to its one memory."""
        assert self.attention is not None
        keys, memory, bias = state.sentences
        by_sentence = queries.reshape(len(keys), -1, queries.shape[2])
        context, weights = self.attention(by_sentence, keys, memory, bias)
        return context.view(queries.shape), weights

    def _bridge(self, bridge: nn.Module, end: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch parts dim"]:
        hidden, *cell = bridge(end).view(len(end), -1, end.shape[1]).split(1, dim=1)
        return torch.cat([torch.tanh(hidden), *cell], dim=1)

    def _embed(
        self, table: nn.Embedding, ids: Int[Tensor, "batch length"]
    ) -> Float[Tensor, "batch length dim"]:
        return self.dropout(table(ids) * math.sqrt(self.settings.dim))
