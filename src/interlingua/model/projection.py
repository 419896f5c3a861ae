"""The output projection, which may share the embedding's weights."""

from __future__ import annotations

from torch import nn

__all__ = ["build_projection"]


def build_projection(embedding: nn.Embedding, *, tied: bool) -> nn.Linear:
    """Hidden states to logits: by a matrix of its own, or by the embedding's (Press & Wolf 2017)."""
    size, dim = embedding.weight.shape
    projection = nn.Linear(dim, size, bias=False, device="meta" if tied else None)
    if tied:
        projection.weight = embedding.weight
    return projection
