"""The one protocol that every architecture implements; search, training and views know nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor, nn

from interlingua.kinds import Source

__all__ = ["Attention", "Explanation", "Memory", "Model", "Seq2Seq", "State", "kept_sentences", "select"]


class Memory(NamedTuple):
    """What the encoder makes of the sources: the common language of all sources and targets."""

    states: Float[Tensor, "batch source dim"]
    mask: Bool[Tensor, "batch source"]
    """True = may be attended to; a frontend may have made the sequence shorter."""
    ends: tuple[Float[Tensor, "batch dim"], ...] = ()
    """What each layer of a recurrent encoder came to at its end; no others have it."""

    def repeat(self, times: int) -> Memory:
        """Every sentence so many times: copies of one lie side by side (torch.repeat_interleave)."""
        repeated = [part.repeat_interleave(times, dim=0) for part in (self.states, self.mask, *self.ends)]
        return Memory(repeated[0], repeated[1], tuple(repeated[2:]))

    def rows(self, rows: list[int]) -> Memory:
        """Of some of the sentences."""
        return Memory(self.states[rows], self.mask[rows], tuple(end[rows] for end in self.ends))


@runtime_checkable
class State(Protocol):
    """What a decoder remembers between two tokens; handed in and handed back, never kept on a module.

    Rows (hypotheses) lie sentence by sentence: with k rows a sentence, row r belongs to sentence r // k. What
    belongs to a sentence is held once, for all its rows.
    """

    def reorder(self, rows: Int[Tensor, "sentences beams"]) -> State:
        """The state whose rows are the given old rows.

        Growing to k rows a sentence, exchanging rows within a sentence and dropping finished sentences are
        all this call: which sentences stay follows from the rows.

        Args:
            rows: for each sentence to keep, the old rows (all of that sentence) that its new rows continue.
        """
        ...


class Attention(NamedTuple):
    """The attention weights of one teacher-forced pass; each row over the keys sums to 1."""

    encoder: Float[Tensor, "batch layers heads source source"]
    decoder: Float[Tensor, "batch layers heads target target"]
    cross: Float[Tensor, "batch layers heads target source"]


class Explanation(NamedTuple):
    """How a model computes what `attend` returns, and how it tells positions apart."""

    scoring: Literal["scaled dot", "additive", "multiplicative"] | None
    """How a query's score of a key is computed; None without attention."""
    head_dim: int | None
    """d_k, where attention is by scaled dot products."""
    positions: Literal["sinusoidal", "learned", "rotary"] | None
    """None where the order follows from recurrence."""
    position_code: Float[Tensor, "length dim"] | None
    """What is added to the embeddings; of rotary positions (length, head_dim) the sines and cosines of the
    angles by which queries and keys are turned, taking turns like the paper's."""


@runtime_checkable
class Seq2Seq(Protocol):
    """A model of a target sequence given a source sequence.

    Sources of ids end with EOS; target_in begins with BOS. In every mask True = may attend (a real token).
    """

    def encode(self, source: Source) -> Memory:
        """Brings the sources into the common language: a frontend, then the encoder; once a source."""
        ...

    def decode(
        self, memory: Memory, target_in: Int[Tensor, "batch target"]
    ) -> Float[Tensor, "batch target dim"]:
        """Teacher forcing: the hidden states that predict each next token, all positions in parallel."""
        ...

    def project(self, hidden: Float[Tensor, "*rows dim"]) -> Float[Tensor, "*rows vocabulary"]:
        """Hidden states to logits; apart from `decode`, so that the loss can do it in chunks."""
        ...

    def ctc(self, memory: Memory) -> Float[Tensor, "batch source vocabulary"] | None:
        """Log-probabilities of the target ids at each vector of the memory (Graves et al. 2006, 3.1).

        PAD, which is no id of a target, is the blank; what stands at padding means nothing. None: the model
        has no such head.
        """
        ...

    def start(self, memory: Memory) -> State:
        """The state before the first token, with one row a sentence."""
        ...

    def step(
        self, tokens: Int[Tensor, " rows"], state: Any
    ) -> tuple[Float[Tensor, "rows vocabulary"], State]:
        """Consumes one token a row (BOS first); the logits of the token after it."""
        ...

    def attend(self, source: Source, target_in: Int[Tensor, "batch target"]) -> Attention:
        """Every layer's and head's attention weights of a teacher-forced pass.

        Raises:
            ConfigurationError: the model has no attention.
        """
        ...

    def explain(self, length: int) -> Explanation:
        """How the model computes attention, and its code of so many positions."""
        ...

    def eval(self) -> Any:
        """Switches dropout off, as in torch.nn.Module."""
        ...


@runtime_checkable
class Model(Seq2Seq, Protocol):
    """A Seq2Seq that is a torch.nn.Module: it can be trained, saved and moved."""

    training: bool

    @property
    def target_size(self) -> int:
        """How many ids targets are made of."""
        ...

    def tables(self) -> list[Tensor]:
        """The matrices with a row for each token, each factor of tokens, or each position.

        Optimizers treat them unlike hidden layers.
        """
        ...

    def parameters(self) -> Iterator[nn.Parameter]:
        """As in torch.nn.Module, as all that follows."""
        ...

    def named_parameters(self) -> Iterator[tuple[str, nn.Parameter]]: ...  # noqa: D102

    def state_dict(self) -> dict[str, Tensor]: ...  # noqa: D102

    def load_state_dict(self, state_dict: dict[str, Tensor]) -> Any: ...  # noqa: D102

    def to(self, device: torch.device | str) -> Any: ...  # noqa: D102

    def train(self, mode: bool = True) -> Any: ...  # noqa: D102


def kept_sentences(
    rows: Int[Tensor, "sentences beams"], old_rows: int, old_sentences: int
) -> Int[Tensor, " sentences"] | None:
    """Which sentences a reordering keeps; None when it keeps all, whose order never changes."""
    if len(rows) == old_sentences:
        return None
    return rows[:, 0].div(old_rows // old_sentences, rounding_mode="floor")


def select(part: Shaped[Tensor, "sentences *rest"], kept: Int[Tensor, " kept"] | None) -> Tensor:
    """The entries of the sentences kept."""
    return part if kept is None else part.index_select(0, kept)
