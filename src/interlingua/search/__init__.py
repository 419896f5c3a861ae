"""Finding a good target sequence: greedy, beam and sampling, on any Seq2Seq's start and step."""

from __future__ import annotations

from interlingua.model.seq2seq import Seq2Seq
from interlingua.search.beam import Choice, beam_search
from interlingua.search.forced import rescored
from interlingua.search.greedy import greedy_search
from interlingua.search.hypothesis import Hypothesis, SearchSettings, Sources, Watch, length_limit
from interlingua.search.sample import sample

__all__ = [
    "Choice", "Hypothesis", "SearchSettings", "Sources", "Watch", "length_limit", "search"
]  # fmt: skip


def search(
    model: Seq2Seq, sources: Sources, settings: SearchSettings, watch: Watch | None = None,
    constraints: Choice | None = None,
) -> list[list[Hypothesis]]:  # fmt: skip
    """Finds `n_best` hypotheses for each source, best first, in the way that the settings ask for.

    Args:
        model: any Seq2Seq, in evaluation mode.
        sources: the batch.
        settings: all are used.
        watch: told of every step, unless several draws a source are wanted.
        constraints: terms that must come out, if any; they are not for sampling.
    """
    if settings.sample:
        return sample(model, sources, settings, watch)
    if settings.beam == 1 and constraints is None:
        return greedy_search(model, sources, settings, watch)
    # The best continuation comes first.
    observe = None if watch is None else lambda step: watch(step.numbers, step.ids[:, 0])
    found = beam_search(model, sources, settings, observe, constraints)
    if constraints is not None and constraints.guided:
        return rescored(model, sources, found, settings.length_penalty)
    return found
