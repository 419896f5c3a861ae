"""Finding a good target sequence: greedy, beam and sampling, on any Seq2Seq's start and step."""

from __future__ import annotations

from interlingua.model.seq2seq import Seq2Seq
from interlingua.search.beam import beam_search
from interlingua.search.greedy import greedy_search
from interlingua.search.hypothesis import Hypothesis, SearchSettings, Sources, length_limit
from interlingua.search.sample import sample

__all__ = ["Hypothesis", "SearchSettings", "Sources", "length_limit", "search"]


def search(model: Seq2Seq, sources: Sources, settings: SearchSettings) -> list[list[Hypothesis]]:
    """Finds `n_best` hypotheses for each source, best first, in the way that the settings ask for."""
    if settings.sample:
        return sample(model, sources, settings)
    if settings.beam == 1:
        return greedy_search(model, sources, settings)
    return beam_search(model, sources, settings)
