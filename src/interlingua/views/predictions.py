"""What the pages of all kinds of models show of tokens: the probability of each, and its runners-up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from interlingua.kinds import BOS, SPECIALS, Codec, Source
from interlingua.model.protocol import Seq2Seq
from interlingua.views.look_data import TokenPrediction

__all__ = ["predict", "rounded", "show_ids"]

RUNNERS_UP = 5


def predict(codec: Codec, model: Seq2Seq, source: Source, written: list[int]) -> list[TokenPrediction]:
    """One teacher-forced pass: the probability of every token at each position of the output.

    Args:
        codec: of the target.
        model: in evaluation mode.
        source: one.
        written: the output's ids, with EOS if it has one.
    """
    device = source.values.device
    target_in = torch.tensor([[BOS, *written[:-1]]], device=device)
    hidden = model.decode(model.encode(source), target_in)
    probabilities = model.project(hidden)[0].float().softmax(-1)  # (target, vocabulary)
    taken = probabilities.gather(1, torch.tensor(written, device=device).unsqueeze(1))
    ranks = (probabilities > taken).sum(1).tolist()
    values, ids = probabilities.topk(min(RUNNERS_UP, probabilities.shape[1]))
    return [
        TokenPrediction(
            round(probability, 4), rank, list(zip(show_ids(codec, row), map(_short, best), strict=True))
        )
        for probability, rank, row, best in zip(
            taken.squeeze(1).tolist(), ranks, ids.tolist(), values.tolist(), strict=True
        )
    ]


def show_ids(codec: Codec, ids: Sequence[int]) -> list[str]:
    """What to call each id, special ones included."""
    return [SPECIALS[id] if id < len(SPECIALS) else codec.pieces([id])[0] for id in ids]


def rounded(values: Tensor, decimals: int) -> Any:
    """The numbers of a tensor as nested lists."""
    return values.cpu().double().round(decimals=decimals).tolist()


def _short(probability: float) -> float:
    return round(probability, 4)
