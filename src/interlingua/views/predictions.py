"""What the pages of all kinds of models show of tokens: the probability of each, and its runners-up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from interlingua.kinds import BOS, SPECIALS, Codec, Source
from interlingua.model.protocol import Seq2Seq
from interlingua.views.look_data import TokenPrediction

__all__ = ["Ranking", "name_rankings", "predict", "rank_tokens", "rounded", "show_ids"]

RUNNERS_UP = 5


class Ranking(NamedTuple):
    """The most probable tokens at one position of the output, and the one that was taken."""

    probability: float
    """Of the token that was taken."""
    rank: int
    """Of the token that was taken, from 0."""
    ids: list[int]
    """The most probable, best first."""
    probabilities: list[float]
    """Of each of them."""


def predict(codec: Codec, model: Seq2Seq, source: Source, written: list[int]) -> list[TokenPrediction]:
    """The probability of every token at each position of the output, with the runners-up by their names.

    Args:
        codec: of the target.
        model: in evaluation mode.
        source: one.
        written: the output's ids, with EOS if it has one.
    """
    return name_rankings(codec, rank_tokens(model, source, written))


def rank_tokens(
    model: Seq2Seq, source: Source, written: Sequence[int], forbidden: Sequence[int] = ()
) -> list[Ranking]:
    """One teacher-forced pass: the most probable tokens at each position of the output.

    Args:
        model: in evaluation mode.
        source: one.
        written: the output's ids, with EOS if it has one.
        forbidden: ids that could not be taken; probabilities stay those among all ids.
    """
    device = source.values.device
    target_in = torch.tensor([[BOS, *written[:-1]]], device=device)
    hidden = model.decode(model.encode(source), target_in)
    probabilities = model.project(hidden)[0].float().softmax(-1)  # (target, vocabulary)
    taken = probabilities.gather(1, torch.tensor(written, device=device).unsqueeze(1))
    probabilities[:, list(forbidden)] = -1
    ranks = (probabilities > taken).sum(1).tolist()
    values, ids = probabilities.topk(min(RUNNERS_UP, probabilities.shape[1] - len(forbidden)))
    found = zip(taken.squeeze(1).tolist(), ranks, ids.tolist(), values.tolist(), strict=True)
    return [Ranking(*each) for each in found]


def name_rankings(codec: Codec, rankings: Sequence[Ranking]) -> list[TokenPrediction]:
    """The same as plain data, rounded."""
    return [
        TokenPrediction(
            round(each.probability, 4), each.rank,
            list(zip(show_ids(codec, each.ids), map(_short, each.probabilities), strict=True)),
        )
        for each in rankings
    ]  # fmt: skip


def show_ids(codec: Codec, ids: Sequence[int]) -> list[str]:
    """What to call each id, special ones included."""
    return [SPECIALS[id] if id < len(SPECIALS) else codec.pieces([id])[0] for id in ids]


def rounded(values: Tensor, decimals: int) -> Any:
    """The numbers of a tensor as nested lists."""
    return values.cpu().double().round(decimals=decimals).tolist()


def _short(probability: float) -> float:
    return round(probability, 4)
