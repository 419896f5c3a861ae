"""What every search is given and what it gives back."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor

from interlingua.kinds import Source

__all__ = ["Hypothesis", "SearchInput", "StepObserver", "length_penalty"]


class SearchInput(NamedTuple):
    """A batch of source sequences to find targets for."""

    source: Source
    limits: Int[Tensor, " batch"]
    """The most target tokens of each, EOS counted."""
    seeds: tuple[int, ...] = ()
    """Sampling: of each, in place of the settings' seed."""
    fixed: bool = False
    """Whether targets have exactly so many tokens as the limits say, and no end; not for beams."""
    log_probs: bool = True
    """Whether the log-probability of each token is wanted; an engine for which that is more work may leave
    them out else, and its scores may be of fewer tokens than the whole vocabulary's."""


class Hypothesis(NamedTuple):
    """One target sequence that a search came up with."""

    ids: list[int]
    """Without BOS and EOS."""
    log_probs: list[float]
    """The model's natural log-probability of each id, then of EOS unless `limited`."""
    score: float
    """The sum of log_probs over the length penalty: what hypotheses are ranked by, unless they had to be
    rescored (see search/search.py)."""
    limited: bool
    """Whether the length limit cut it off before EOS."""
    engine: str = "interlingua"
    """Whose search it is of."""


StepObserver = Callable[[Int[Tensor, " sentences"], Int[Tensor, "sentences length"]], object]
"""Told after every step which sentences are still searched and what leads in each, which may end in EOS;
it may raise to give the search up, or lower the batch's limits to cut sentences off."""


def length_penalty(length: Tensor | int, alpha: float) -> Tensor:
    """((5 + length) / 6) ** alpha (Wu et al. 2016, Eq. 14); EOS counts as a token of the length."""
    return ((5.0 + torch.as_tensor(length)) / 6.0) ** alpha
