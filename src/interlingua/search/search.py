"""Finding good target sequences in the way that the settings ask for."""

from __future__ import annotations

from typing import cast

import torch

from interlingua.errors import ConfigurationError
from interlingua.model.protocol import Memory, Seq2Seq
from interlingua.search.beam import BeamObserver, Constraint, beam_search
from interlingua.search.ctc import CTCPrefixScorer
from interlingua.search.forced import rescore
from interlingua.search.greedy import greedy_search
from interlingua.search.guidance import Guided
from interlingua.search.hypothesis import Hypothesis, SearchInput, StepObserver
from interlingua.search.sample import sample
from interlingua.search.settings import SearchSettings

__all__ = ["search", "search_with_beam"]


def search(
    model: Seq2Seq, batch: SearchInput, settings: SearchSettings, observe: StepObserver | None = None,
    constraint: Constraint | None = None,
) -> list[list[Hypothesis]]:  # fmt: skip
    """Finds `n_best` hypotheses for each source, best first.

    Under a constraint that needs rescoring they stay in the constraint's own order, in which a term counts as
    much as the word that it replaces; their scores are the model's, and may be in another order. So are those
    of hypotheses that CTC ranks along with the decoder, which it does where there is no other constraint.

    Args:
        model: any Seq2Seq, in evaluation mode.
        batch: of sources.
        settings: all are used.
        observe: told of every step, unless several draws a source are wanted.
        constraint: on what must come out, if anything; not for sampling.
    """
    if settings.guidance != 1:
        if not batch.fixed:
            raise ConfigurationError("guidance is for models that paint", where="search.guidance",
                                     found=settings.guidance, accepted="1, or leave it out.")  # fmt: skip
        model = cast(Seq2Seq, Guided(model, settings.guidance))
    if settings.sample:
        return sample(model, batch, settings, observe)
    if settings.beam == 1 and constraint is None and not settings.ctc_weight:
        return greedy_search(model, batch, settings, observe)
    # The best continuation comes first.
    observe_best = None if observe is None else lambda step: observe(step.numbers, step.ids[:, 0])
    return search_with_beam(model, batch, settings, observe_best, constraint)


def search_with_beam(
    model: Seq2Seq, batch: SearchInput, settings: SearchSettings, observe: BeamObserver | None = None,
    constraint: Constraint | None = None,
) -> list[list[Hypothesis]]:  # fmt: skip
    """What `search` does without sampling; a beam of 1 is greedy search, slowly.

    Args:
        model: any Seq2Seq, in evaluation mode.
        batch: sources with their length limits.
        settings: beam, n_best and so on.
        observe: told of every step, to show what the search did.
        constraint: of the beam.
    """
    memory: Memory | None = None
    if settings.ctc_weight and constraint is None:
        memory, constraint = _encode_for_ctc(model, batch, settings)
    found = beam_search(model, batch, settings, observe, constraint, memory)
    if constraint is not None and constraint.needs_rescoring:
        return rescore(model, batch, found, settings.length_penalty, memory)
    return found


@torch.inference_mode()
def _encode_for_ctc(
    model: Seq2Seq, batch: SearchInput, settings: SearchSettings
) -> tuple[Memory, CTCPrefixScorer | None]:
    """The memory, and what scores by it if the model has the head."""
    memory = model.encode(batch.source)
    log_probs = model.ctc(memory)
    if log_probs is None:
        return memory, None
    return memory, CTCPrefixScorer(log_probs, memory.mask, settings.beam, settings.ctc_weight)
