"""What every search is told and what it gives back: settings, the limit of lengths, hypotheses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal, NamedTuple

import torch
from jaxtyping import Int
from pydantic import Field, model_validator
from torch import Tensor

from interlingua.kinds import BOS, PAD, UNK, Source
from interlingua.settings import Settings

__all__ = [
    "Hypothesis",
    "Observer",
    "SearchSettings",
    "Sources",
    "forbidden_ids",
    "length_penalty",
]


class SearchSettings(Settings):
    """How the target sequence is looked for."""

    beam: Annotated[int, Field(ge=1, le=1000)] = 5
    """Hypotheses kept a sentence; 1 is greedy search."""
    length_penalty: Annotated[float, Field(ge=0, le=10)] = 1.0
    """Alpha of Wu et al. 2016, Eq. 14: 0 prefers short outputs, 1 about divides by the length. The paper's is
    0.6; 1 was a little better on captions and on pronunciations."""
    stop: Literal["exact", "all"] = "exact"
    """exact: a sentence is done as soon as no live hypothesis can enter its n best any more; all: only when
    every place of the beam has finished. Both give the same n best; exact takes fewer steps."""
    n_best: Annotated[int, Field(ge=1, le=1000)] = 1
    """Hypotheses returned a sentence; at most `beam` unless sampling."""
    unknown: bool = False
    """Whether the unknown symbol may be generated."""
    sample: bool = False
    """Draw each token at random instead of searching; `n_best` independent draws a sentence."""
    temperature: Annotated[float, Field(gt=0, le=100)] = 1.0
    """Sampling: logits are divided by it; below 1 is more careful, above 1 more daring."""
    top_k: Annotated[int, Field(ge=0)] = 0
    """Sampling: only from the so many most probable tokens (Fan et al. 2018); 0 = all."""
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Sampling: only from the fewest tokens that hold this share of probability (Holtzman et al. 2020)."""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    """Sampling: with the source, decides the draw; the other sentences of a batch do not matter."""

    @model_validator(mode="after")
    def _n_best_fits(self) -> SearchSettings:
        if not self.sample and self.n_best > self.beam:
            raise ValueError(f"n_best = {self.n_best} needs a beam at least as wide, not {self.beam}")
        return self


class Sources(NamedTuple):
    """A batch of source sequences to find targets for."""

    source: Source
    limits: Int[Tensor, " batch"]
    """The most target tokens of each, EOS counted."""


class Hypothesis(NamedTuple):
    """One target sequence that a search came up with."""

    ids: list[int]
    """Without BOS and EOS."""
    log_probs: list[float]
    """The model's natural log-probability of each id, then of EOS unless `limited`."""
    score: float
    """The sum of log_probs over the length penalty: what hypotheses are ranked by."""
    limited: bool
    """Whether the length limit cut it off before EOS."""


Observer = Callable[[Int[Tensor, " sentences"], Int[Tensor, "sentences length"]], object]
"""Told after every step which sentences are still searched and what leads in each, which may end in EOS;
it may raise to give the search up."""


def length_penalty(length: Tensor | int, alpha: float) -> Tensor:
    """((5 + length) / 6) ** alpha (Wu et al. 2016, Eq. 14); EOS counts as a token of the length."""
    return ((5.0 + torch.as_tensor(length)) / 6.0) ** alpha


def forbidden_ids(settings: SearchSettings) -> list[int]:
    """The ids that are never generated.

    Log-probabilities stay those of the whole vocabulary, so that they equal a forced pass over the output.
    """
    return [PAD, BOS] if settings.unknown else [PAD, UNK, BOS]
