"""What the pages of sounds and of pictures show of a search: what was written, and what else was met."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from interlingua.engine.eager import EagerEngine
from interlingua.inference.alignment import attention_of
from interlingua.kinds import EOS, Codec, Source
from interlingua.search.beam import BeamStep
from interlingua.search.hypothesis import Hypothesis, SearchInput
from interlingua.search.search import search_with_beam
from interlingua.search.settings import SearchSettings
from interlingua.views.levels import AttentionLevels
from interlingua.views.look_data import Output, TokenPrediction
from interlingua.views.predictions import predict, show_ids
from interlingua.views.search_tree import Node, build_tree

__all__ = ["Exploration", "explore", "widen_search"]


@dataclass(frozen=True)
class Exploration:
    """A search for the text of one source, with all that can be seen of it."""

    best: Hypothesis
    written: list[int]
    """Its ids, with EOS unless the length limit cut it off."""
    target_out: list[str]
    """The same by their names."""
    outputs: list[Output]
    """The n best, best first."""
    predictions: list[TokenPrediction]
    """For each token written."""
    tree: tuple[Node, ...]
    attention: AttentionLevels | None
    """Of the tokens written; None when the model has none."""


def widen_search(settings: SearchSettings, beam: int | None) -> SearchSettings:
    """The settings of a search that gives all that its beam found.

    Args:
        settings: of the model.
        beam: hypotheses kept; by default as the settings say.

    Raises:
        ConfigurationError: the beam is not acceptable.
    """
    width = settings.beam if beam is None else beam
    changes = {"beam": width, "n_best": width, "sample": False}
    return SearchSettings.parse({**settings.model_dump(), **changes}, where="search")


def explore(
    engine: EagerEngine, codec: Codec, source: Source, limit: int, settings: SearchSettings
) -> Exploration:
    """Searches for the text of a source, and keeps what can be seen.

    Args:
        engine: of the model.
        codec: of its targets.
        source: one, on the engine's device.
        limit: the most tokens.
        settings: of the search, see `widen_search`.
    """
    steps: list[BeamStep] = []
    limits = torch.tensor([limit], device=engine.device)
    (found,) = search_with_beam(engine.model, SearchInput(source, limits), settings, steps.append)
    best = found[0]
    written = [*best.ids, *([] if best.limited else [EOS])]
    return Exploration(
        best,
        written,
        show_ids(codec, written),
        [
            Output(codec.decode(each.ids).strip(), round(each.score, 4), round(sum(each.log_probs), 4),
                   each.limited)
            for each in found
        ],
        predict(codec, engine.model, source, written),
        build_tree(steps, found, EOS, lambda id: show_ids(codec, [id])[0]),
        _attention(engine, source, best, len(written)) if engine.has_attention else None,
    )  # fmt: skip


def _attention(engine: EagerEngine, source: Source, best: Hypothesis, queries: int) -> AttentionLevels:
    """Of the tokens written; the query after a text that was cut off chose nothing."""
    (attention,) = attention_of(engine, source, [best.ids])
    return AttentionLevels.of(attention.cross[:, :, :queries])
