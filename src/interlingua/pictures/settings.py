"""How pictures become tokens: the [pictures] section of an experiment."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from interlingua.kinds import SPECIALS
from interlingua.settings import Settings

__all__ = ["PictureSettings"]

MAX_CODES = 2**16 - len(SPECIALS)
"""So many ids fit 16 bits."""
Levels = Annotated[tuple[Annotated[int, Field(ge=2, le=64)], ...], Field(min_length=1, max_length=12)]
ColourLevels = Annotated[tuple[Annotated[int, Field(ge=2, le=64)], ...], Field(max_length=12)]


class PictureSettings(Settings):
    """The codec of targets that are pictures, and how it is learnt, before all else."""

    grid: Literal[8, 16] = 8
    """Tokens on an edge of a picture: 64 or 256 in all."""
    levels: Levels = (4, 4, 4)
    """Of each number that tells a patch's form (finite scalar quantisation): their product, here 64, is how
    many forms there are."""
    colour_levels: ColourLevels = (5, 5, 5)
    """Of each number that tells a patch's colour; a code is a form in a colour, here one of 8,000. None, as
    where `levels` alone are given: the form tells the colour, too, as in the first versions."""
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

    @model_validator(mode="before")
    @classmethod
    def _take_levels_alone(cls, values: Any) -> Any:
        alone = isinstance(values, Mapping) and "levels" in values
        return {"colour_levels": (), **values} if alone else values

    @model_validator(mode="after")
    def _refuse_too_many_codes(self) -> Self:
        if (codes := math.prod((*self.levels, *self.colour_levels))) > MAX_CODES:
            raise ValueError(
                f"levels and colour_levels make {codes:,} codes, their product; {MAX_CODES:,} is the most"
            )
        return self
