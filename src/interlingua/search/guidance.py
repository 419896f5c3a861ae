"""Classifier-free guidance: what the source changes about a prediction is made stronger."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from interlingua.kinds import EOS, Source
from interlingua.model.protocol import Memory, Seq2Seq, State

__all__ = ["Guided"]


class GuidedState(NamedTuple):
    """The state of a model whose second half of rows knows no source."""

    both: State
    rows: int
    """Of the first half; the second has as many."""

    def reorder(self, rows: Int[Tensor, "sentences beams"]) -> GuidedState:
        """The state whose rows are the given old rows."""
        both = self.both.reorder(torch.cat([rows, rows + self.rows]))
        return GuidedState(both, rows.numel())


class Guided:
    """A model that is searched with guidance (Ho and Salimans 2021, Eq. 6; of tokens Gafni et al. 2022, 3.4).

    Every row has a twin that writes the same tokens after an empty source; logits are
    twin + scale * (row - twin).

    Args:
        model: learnt what targets are like without a source, too (caption dropout).
        scale: 1 changes nothing; above, the source counts for more.
    """

    def __init__(self, model: Seq2Seq, scale: float) -> None:
        self.model, self.scale = model, scale

    def encode(self, source: Source) -> Memory:
        """As the model."""
        return self.model.encode(source)

    def decode(
        self, memory: Memory, target_in: Int[Tensor, "batch target"]
    ) -> Float[Tensor, "batch target both"]:
        """Teacher forcing: the hidden states of rows and, beside them, of their twins."""
        hidden = self.model.decode(self._with_twins(memory), target_in.repeat(2, 1))
        return torch.cat(hidden.chunk(2), dim=-1)

    def project(self, hidden: Float[Tensor, "*rows both"]) -> Float[Tensor, "*rows vocabulary"]:
        """What `decode` gave to guided logits."""
        told, untold = (self.model.project(half) for half in hidden.chunk(2, dim=-1))
        return self._guide(told, untold)

    def start(self, memory: Memory) -> GuidedState:
        """The state before the first token of rows and twins."""
        return GuidedState(self.model.start(self._with_twins(memory)), len(memory.mask))

    def step(
        self, tokens: Int[Tensor, " rows"], state: GuidedState
    ) -> tuple[Float[Tensor, "rows vocabulary"], GuidedState]:
        """Consumes one token a row; the guided logits of the token after it."""
        logits, both = self.model.step(tokens.repeat(2), state.both)
        return self._guide(*logits.chunk(2)), GuidedState(both, state.rows)

    def _guide(self, told: Tensor, untold: Tensor) -> Tensor:
        return untold + self.scale * (told - untold)

    def _with_twins(self, memory: Memory) -> Memory:
        """The rows of a memory, then as many of an empty source."""
        ids = torch.full((1, 1), EOS, device=memory.mask.device)
        empty = self.model.encode(Source(ids, torch.ones_like(ids, dtype=torch.bool)))
        states = torch.zeros_like(memory.states)
        states[:, :1] = empty.states
        mask = torch.zeros_like(memory.mask)
        mask[:, :1] = True
        return Memory(
            torch.cat([memory.states, states]), torch.cat([memory.mask, mask]), _both_ends(memory, empty)
        )

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)


def _both_ends(memory: Memory, empty: Memory) -> tuple[Tensor, ...]:
    """Of recurrent encoders."""
    pairs = zip(memory.ends, empty.ends, strict=True)
    return tuple(torch.cat([told, untold.expand_as(told)]) for told, untold in pairs)
