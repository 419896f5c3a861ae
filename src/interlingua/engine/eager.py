"""The engine that runs a model of this package as it is, operation by operation, with PyTorch."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interlingua.engine.protocol import Capacity
from interlingua.kinds import Source
from interlingua.model.protocol import Attention, Seq2Seq
from interlingua.search.beam import Constraint
from interlingua.search.forced import forced_log_probs
from interlingua.search.hypothesis import Hypothesis, SearchInput, StepObserver
from interlingua.search.search import search
from interlingua.search.settings import SearchSettings

__all__ = ["EagerEngine"]


class EagerEngine:
    """A model, searched by this package's own search.

    Args:
        model: any Seq2Seq, in evaluation mode.
        device: where it is.
        threads: the CPU threads of a call; when not given, as many as torch.set_num_threads says.
    """

    # Found on CPUs: wider batches leave the processor's cache and are slower; more workers would wait for the
    # interpreter's lock. A GPU would take more rows.
    capacity = Capacity(rows=192, tokens=16_384, workers=8)

    def __init__(
        self, model: Seq2Seq, device: torch.device | str = "cpu", threads: int | None = None
    ) -> None:
        self.model, self.device, self.threads = model, torch.device(device), threads

    @property
    def has_attention(self) -> bool:
        """Whether `attend` has something to show."""
        return self.model.explain(1).scoring is not None

    def search(
        self, batch: SearchInput, settings: SearchSettings, observe: StepObserver | None = None,
        constraint: Constraint | None = None,
    ) -> list[list[Hypothesis]]:  # fmt: skip
        """Finds `n_best` hypotheses for each source, best first (see search.search)."""
        return search(self.model, batch, settings, observe, constraint)

    def log_probs(
        self, source: Source, target_in: Int[Tensor, "batch target"], target_out: Int[Tensor, "batch target"]
    ) -> Float[Tensor, "batch target"]:
        """The log-probability of each token of target_out given those before it; 0 at padding."""
        return forced_log_probs(self.model, source, target_in, target_out)

    @torch.inference_mode()
    def ctc(
        self, source: Source
    ) -> tuple[Float[Tensor, "batch positions vocabulary"], Bool[Tensor, "batch positions"]] | None:
        """CTC's log-probabilities at each position of the memory, and which positions are real.

        None: the model has no head for it.
        """
        memory = self.model.encode(source)
        log_probs = self.model.ctc(memory)
        return None if log_probs is None else (log_probs, memory.mask)

    @torch.inference_mode()
    def attend(self, source: Source, target_in: Int[Tensor, "batch target"]) -> Attention:
        """Every layer's and head's attention weights of a teacher-forced pass.

        Raises:
            ConfigurationError: the model has no attention.
        """
        return self.model.attend(source, target_in)
