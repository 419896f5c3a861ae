"""The output projection, which may share the embedding's weights."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from interlingua.kinds import SPECIALS
from interlingua.model.embedding import FactoredEmbedding, TargetEmbedding
from interlingua.model.linear import Linear
from interlingua.model.settings import ModelSettings

__all__ = ["FactoredProjection", "build_ctc_projection", "build_projection", "ctc_log_probs"]


class FactoredProjection(nn.Module):
    """Hidden states to log-probabilities of ids that have two factors: p(first) p(second | first).

    A table of all ids would have to learn each by itself; here an id that was never seen is as probable as
    its factors make it. See `FactoredEmbedding` for the ids; special ones have no second factor.

    Args:
        factors: how many first and second ones there are.
        dim: width of the hidden states.
    """

    def __init__(self, factors: tuple[int, int], dim: int) -> None:
        super().__init__()
        self.first = Linear(dim, len(SPECIALS) + factors[0])
        self.inner = Linear(dim, dim)
        self.gates = nn.Parameter(1 + torch.randn(factors[0], dim) / 2)
        self.second = nn.Parameter(torch.empty(factors[1], dim))
        self.bias = nn.Parameter(torch.zeros(factors[1]))
        for linear in (self.first, self.inner):
            nn.init.xavier_uniform_(linear.weight)
            nn.init.zeros_(linear.bias)
        nn.init.xavier_uniform_(self.second)

    def forward(self, hidden: Float[Tensor, "*rows dim"]) -> Float[Tensor, "*rows vocabulary"]:
        """Each first factor lets through other parts of what there is to say about the second one."""
        first = torch.log_softmax(self.first(hidden).float(), dim=-1)
        special, first = first.tensor_split([len(SPECIALS)], dim=-1)
        table = (self.second.unsqueeze(1) * self.gates).flatten(0, 1)  # (second x first, dim)
        scores = F.linear(self.inner(hidden).to(table.dtype), table).unflatten(-1, (len(self.second), -1))
        second = torch.log_softmax((scores + self.bias.unsqueeze(1)).float(), dim=-2)  # (rows, second, first)
        return torch.cat([special, (first.unsqueeze(-2) + second).flatten(-2)], dim=-1)

    def tables(self) -> list[Tensor]:
        """The matrices with a row for each factor."""
        return [self.first.weight, self.gates, self.second]


def build_projection(
    embedding: TargetEmbedding, *, tied: bool, bias: bool = False
) -> Linear | FactoredProjection:
    """Hidden states to logits: by a matrix of its own, or by the embedding's (Press & Wolf 2017).

    Ids that have factors always have a projection of its own.
    """
    if isinstance(embedding, FactoredEmbedding):
        return FactoredProjection(embedding.factors, embedding.first.shape[1])
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
