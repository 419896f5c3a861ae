"""The output projection, which may share the embedding's weights."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from interlingua.model.linear import Linear
from interlingua.model.settings import ModelSettings

__all__ = ["build_ctc_projection", "build_projection", "ctc_log_probs"]


def build_projection(embedding: nn.Embedding, *, tied: bool, bias: bool = False) -> Linear:
    """Hidden states to logits: by a matrix of its own, or by the embedding's (Press & Wolf 2017)."""
    size, dim = embedding.weight.shape
    projection = Linear(dim, size, bias=False, device="meta" if tied else None)
    if tied:
        projection.weight = embedding.weight
    if bias:
        projection.bias = nn.Parameter(torch.zeros(size))
    return projection


def build_ctc_projection(settings: ModelSettings, size: int) -> Linear | None:
    """Memory to CTC's logits of so many target ids, if the settings ask for that head."""
    if not settings.ctc:
        return None
    projection = Linear(settings.dim, size)
    nn.init.xavier_uniform_(projection.weight)
    nn.init.zeros_(projection.bias)
    return projection


def ctc_log_probs(
    projection: nn.Module | None, states: Float[Tensor, "batch source dim"]
) -> Float[Tensor, "batch source vocabulary"] | None:
    """The log-probabilities in single precision, whatever the model computes in; None without that head."""
    return None if projection is None else torch.log_softmax(projection(states).float(), dim=2)
