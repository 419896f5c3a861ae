"""How pictures become tokens: the [pictures] section of an experiment."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from interlingua.settings import Settings

__all__ = ["PictureSettings"]

Levels = Annotated[tuple[Annotated[int, Field(ge=2, le=64)], ...], Field(min_length=1, max_length=12)]


class PictureSettings(Settings):
    """The codec of targets that are pictures, and how it is learnt, before all else."""

    grid: Literal[8, 16] = 8
    """Tokens on an edge of a picture: 64 or 256 in all."""
    levels: Levels = (8, 8, 6, 5)
    """Of each number of a code (finite scalar quantisation); their product, here 1,920, is how many codes
    there are."""
    width: Annotated[int, Field(ge=8, le=4096)] = 128
    """Of the codec's layers."""
    blocks: Annotated[int, Field(ge=0, le=32)] = 2
    """Of layers that see their neighbours, in each half of the codec."""
    budget_share: Annotated[float, Field(gt=0, lt=1)] = 0.15
    """Of the budget, what the codec is learnt in."""
    batch: Annotated[int, Field(ge=1, le=65536)] = 32
    """Pictures of an update of the codec."""
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 1e-2
    """Of the codec, at its highest."""
    caption_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """The share of captions that are taken away in training, so that guidance can tell what they do (Ho and
    Salimans 2021)."""
