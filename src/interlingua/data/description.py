"""What training pairs are like, as a run saved it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from interlingua.pictures.description import PictureDescription
from interlingua.sound.description import SoundDescription
from interlingua.text.description import Description

__all__ = ["AnyDescription", "read_description"]

AnyDescription = Description | SoundDescription | PictureDescription


def read_description(values: Mapping[str, Any]) -> AnyDescription:
    """What `as_dict` of any of them was called on."""
    kinds: tuple[type[AnyDescription], ...] = (SoundDescription, PictureDescription, Description)
    kind = next(kind for kind in kinds if values.keys() <= set(kind._fields))
    return kind(**values)
