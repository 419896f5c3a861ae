"""How target sequences are searched: the [search] section of an experiment."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from interlingua.kinds import BOS, PAD, UNK
from interlingua.settings import Settings

__all__ = ["SearchSettings", "forbidden_ids"]


class SearchSettings(Settings):
    """How the target sequence is looked for."""

    beam: Annotated[int, Field(ge=1, le=1000)] = 5
    """Hypotheses kept a sentence; 1 is greedy search."""
    length_penalty: Annotated[float, Field(ge=0, le=10)] = 1.0
    """Alpha of Wu et al. 2016, Eq. 14: 0 prefers short outputs, 1 about divides by the length. The paper's is
    0.6; 1 was a little better on captions and on pronunciations."""
    stop: Literal["exact", "all"] = "exact"
    """exact: a sentence is done as soon as no live hypothesis can enter its n best any more; all: only when
    every slot of the beam has finished. Both give the same n best; exact takes fewer steps."""
    n_best: Annotated[int, Field(ge=1, le=1000)] = 1
    """Hypotheses returned a sentence; at most `beam` unless sampling."""
    ctc_weight: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Of models with model.ctc: hypotheses are ranked by so much of CTC's log-probability and 1 - so much of
    the decoder's (Watanabe et al. 2017, III-B); 0: by the decoder's alone. Not when sampling."""
    unknown: bool = False
    """Whether the unknown symbol may be generated."""
    guidance: Annotated[float, Field(ge=0, le=100)] = 1.0
    """Of models of pictures: how much more the source counts than it does by itself (classifier-free
    guidance, Ho and Salimans 2021). 1: as the model says; 0: whatever the source."""
    sample: bool = False
    """Draw each token at random instead of searching; `n_best` independent draws a sentence."""
    temperature: Annotated[float, Field(gt=0, le=100)] = 1.0
    """Sampling: logits are divided by it; below 1 is more careful, above 1 more daring."""
    top_k: Annotated[int, Field(ge=0, lt=2**31)] = 0
    """Sampling: only from the so many most probable tokens (Fan et al. 2018); 0 = all."""
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Sampling: only from the fewest tokens that hold this share of probability (Holtzman et al. 2020)."""
    min_p: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Sampling: only from tokens that are at least this share as probable as the most probable one (Nguyen
    et al. 2024), which leaves noise out and everything that may well be; 0 = all."""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    """Sampling: with the source, decides the draw; the other sentences of a batch do not matter."""

    @model_validator(mode="after")
    def _n_best_fits(self) -> SearchSettings:
        if not self.sample and self.n_best > self.beam:
            raise ValueError(f"n_best = {self.n_best} needs a beam at least as wide, not {self.beam}")
        return self


def forbidden_ids(settings: SearchSettings) -> list[int]:
    """The ids that are never generated.

    Log-probabilities stay those of the whole vocabulary, so that they equal a forced pass over the output.
    """
    return [PAD, BOS] if settings.unknown else [PAD, UNK, BOS]
