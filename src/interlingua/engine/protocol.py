"""Who searches: the protocol between what is done with texts and what computes."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interlingua.kinds import Source
from interlingua.model.protocol import Attention
from interlingua.search.beam import Constraint
from interlingua.search.hypothesis import Hypothesis, SearchInput, StepObserver
from interlingua.search.settings import SearchSettings

__all__ = ["Capacity", "Engine"]


class Capacity(NamedTuple):
    """How much work suits an engine at a time."""

    rows: int
    """Hypotheses of a batch."""
    tokens: int
    """Tokens of a batch that memory is taken for, so that long sequences go in smaller batches."""
    workers: int
    """Batches side by side, each by a thread."""


class Engine(Protocol):
    """Finds targets for sources of ids, and tells how probable given ones are."""

    device: torch.device
    """Where the tensors are that it takes and gives."""
    capacity: Capacity
    threads: int | None
    """The CPU threads of a call; None: as many as torch.set_num_threads says."""

    @property
    def has_attention(self) -> bool:
        """Whether `attend` has something to show."""
        ...

    def search(
        self, batch: SearchInput, settings: SearchSettings, observe: StepObserver | None = None,
        constraint: Constraint | None = None,
    ) -> list[list[Hypothesis]]:  # fmt: skip
        """Finds `n_best` hypotheses for each source, best first (see search.search)."""
        ...

    def log_probs(
        self, source: Source, target_in: Int[Tensor, "batch target"], target_out: Int[Tensor, "batch target"]
    ) -> Float[Tensor, "batch target"]:
        """The log-probability of each token of target_out given those before it; 0 at padding."""
        ...

    def ctc(
        self, source: Source
    ) -> tuple[Float[Tensor, "batch positions vocabulary"], Bool[Tensor, "batch positions"]] | None:
        """CTC's log-probabilities at each position of the memory, and which positions are real.

        None: the model has no head for it.
        """
        ...

    def attend(self, source: Source, target_in: Int[Tensor, "batch target"]) -> Attention:
        """Every layer's and head's attention weights of a teacher-forced pass.

        Raises:
            ConfigurationError: the model has no attention.
        """
        ...
