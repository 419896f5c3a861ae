"""The one protocol that every architecture implements; search, training and views know nothing else."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol, runtime_checkable

from jaxtyping import Bool, Float, Int
from torch import Tensor

__all__ = ["Attention", "Seq2Seq", "State", "reorder"]


class State(NamedTuple):
    """What a decoder remembers between two tokens; handed in and handed back, never kept on a module.

    Rows (hypotheses) lie sentence by sentence: with k rows a sentence, row r belongs to sentence r // k.
    """

    sentences: tuple[Tensor, ...]
    """Batch-first, one entry a sentence, shared by all its rows: the encoder's keys, values and bias."""
    rows: tuple[Tensor, ...]
    """Batch-first, one entry a row: self-attention's keys and values, or recurrent states."""
    position: int
    """Tokens consumed so far."""


class Attention(NamedTuple):
    """The attention weights of one teacher-forced pass; each row over the keys sums to 1."""

    encoder: Float[Tensor, "batch layers heads source source"]
    decoder: Float[Tensor, "batch layers heads target target"]
    cross: Float[Tensor, "batch layers heads target source"]


@runtime_checkable
class Seq2Seq(Protocol):
    """A model of a target sequence given a source sequence.

    Sources end with EOS; target_in begins with BOS. In every mask True = may attend (a real token).
    """

    def forward(
        self,
        source: Int[Tensor, "batch source"],
        source_mask: Bool[Tensor, "batch source"],
        target_in: Int[Tensor, "batch target"],
    ) -> Float[Tensor, "batch target dim"]:
        """Teacher forcing: the hidden states that predict each next token, all positions in parallel."""
        ...

    def project(self, hidden: Float[Tensor, "*rows dim"]) -> Float[Tensor, "*rows vocabulary"]:
        """Hidden states to logits; apart from `forward`, so that the loss can do it in chunks."""
        ...

    def start(self, source: Int[Tensor, "batch source"], source_mask: Bool[Tensor, "batch source"]) -> State:
        """Encodes the sources once; the state has one row a sentence."""
        ...

    def step(
        self, tokens: Int[Tensor, " rows"], state: State
    ) -> tuple[Float[Tensor, "rows vocabulary"], State]:
        """Consumes one token a row (BOS first); the logits of the token after it."""
        ...

    def attend(
        self,
        source: Int[Tensor, "batch source"],
        source_mask: Bool[Tensor, "batch source"],
        target_in: Int[Tensor, "batch target"],
    ) -> Attention:
        """Every layer's and head's attention weights; slower than `forward`, for looking only."""
        ...

    def eval(self) -> Any:
        """Switches dropout off, as in torch.nn.Module."""
        ...


def reorder(state: State, rows: Int[Tensor, "sentences beams"]) -> State:
    """The state whose rows are the given old rows.

    Growing to k rows a sentence, exchanging rows within a sentence and dropping finished sentences are all
    this call: which sentences stay follows from the rows.

    Args:
        state: any state.
        rows: for each sentence to keep, the old rows (all its own) that its new rows continue.
    """
    if not state.rows:
        return state
    old_beams = len(state.rows[0]) // len(state.sentences[0])
    kept = rows[:, 0].div(old_beams, rounding_mode="floor")
    sentences = state.sentences
    if len(kept) != len(sentences[0]):  # the order of sentences never changes, so equal count = same ones
        sentences = tuple(part.index_select(0, kept) for part in sentences)
    flat = rows.flatten()
    return State(sentences, tuple(part.index_select(0, flat) for part in state.rows), state.position)
