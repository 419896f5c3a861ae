"""Models built by hand, for tests whose classes are no architecture of the package."""

from __future__ import annotations

from torch import nn

from interlingua.model.frontends import TokenFrontend
from interlingua.model.transformer import Transformer, TransformerSettings


def build(kind: type[Transformer], settings: TransformerSettings, size: int) -> Transformer:
    """A Transformer of some class with two vocabularies of one size."""
    target = nn.Embedding(size, settings.dim)
    return kind(settings, TokenFrontend(nn.Embedding(size, settings.dim)), target)
