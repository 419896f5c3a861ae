"""The plain data of a text and its translation: what `interlingua look` shows."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from interlingua.views.search_tree import Node

__all__ = [
    "AttentionKind", "AttentionMaps", "Look", "Output", "PositionCode", "Row", "Scoring", "TokenPrediction",
]  # fmt: skip

AttentionKind = Literal["cross", "encoder", "decoder"]
Scoring = Literal["scaled dot", "additive", "multiplicative"]
Row = list[float]


@dataclass(frozen=True)
class AttentionMaps:
    """Every attention map of one kind."""

    weights: list[list[list[Row]]]
    """(layers, heads, queries, keys), to 3 decimals; each row sums to 1."""
    entropy: list[list[float]]
    """(layers, heads): bits, the mean over the queries; 0 when each looks at one key only."""


@dataclass(frozen=True)
class TokenPrediction:
    """The probabilities at one position of the output."""

    probability: float
    """Of the token that was taken."""
    rank: int
    """Of the token that was taken, from 0."""
    best: list[tuple[str, float]]
    """The most probable tokens, and how probable each is."""


@dataclass(frozen=True)
class Output:
    """One of the n best."""

    text: str
    score: float
    """The log-probability over the length penalty."""
    log_prob: float
    limited: bool
    """Whether the length limit cut it off."""


@dataclass(frozen=True)
class PositionCode:
    """How the model knows where a token stands."""

    kind: Literal["sinusoidal", "learned", "rotary"]
    values: list[Row]
    """(positions, dim): what is added to embeddings; of rotary positions (positions, head_dim) the sines and
    cosines of the angles by which queries and keys are turned, taking turns like the paper's."""


@dataclass(frozen=True)
class Look:
    """All that a page shows of a text and its translation.

    Row t of a map belongs to the token target_out[t]: its query stands where target_in[t] was read.
    """

    model: str
    text: str
    """What was translated: the whole text, or a part of one that is too long for the model."""
    part: int
    """Which part of the text, from 1."""
    parts: int
    source: list[str]
    """Tokens, the end sign with them; the keys of cross-attention."""
    target_in: list[str]
    """What the decoder reads; the keys of its self-attention."""
    target_out: list[str]
    """What the decoder writes."""
    beam: int
    outputs: list[Output]
    """The n best, the translation first."""
    positions: list[TokenPrediction]
    """For each token of target_out."""
    tree: tuple[Node, ...]
    attention: dict[AttentionKind, AttentionMaps]
    """Only of the kinds that the model has."""
    no_attention: str | None
    """Why there is none."""
    alignment: list[tuple[int, int]]
    """(Its most attended source token, target token), without the end signs."""
    scoring: Scoring | None
    """How a query's score of a key is computed; None when there is no attention."""
    head_dim: int | None
    """d_k, where attention is by scaled dot products."""
    position_code: PositionCode | None
    """None when the model is recurrent, and so knows the order."""
    mask: list[list[int]] | None
    """(queries, keys) of the decoder's self-attention: 1 = may attend; None when it has none."""

    def as_data(self) -> dict[str, Any]:
        """The same as dicts, lists, texts and numbers."""
        return asdict(self)
