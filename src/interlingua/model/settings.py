"""What the [model] sections of all architectures have in common."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import Field

from interlingua.settings import Settings

__all__ = ["Depth", "ModelSettings", "Rate", "Size"]

Size = Annotated[int, Field(ge=1, le=65536)]
Depth = Annotated[int, Field(ge=1, le=1000)]
Rate = Annotated[float, Field(ge=0, lt=1)]


class ModelSettings(Settings):
    """Sizes and options of a model."""

    architecture: str
    """Which model this section describes."""
    dim: Size = 256
    """Width of the model; even."""
    dropout: Rate = 0.1
    """Share of the elements dropped in training."""
    ctc: bool = False
    """Whether there is a head that tells the target from the memory alone, by connectionist temporal
    classification (Graves et al. 2006): for targets in the order of the source, as what is said in a sound
    is. training.ctc_weight and search.ctc_weight say how much it counts."""

    @property
    def tied(self) -> bool:
        """Whether the projection is the target embedding, and the source's too with a joint vocabulary."""
        return True

    @property
    def embedding_scale(self) -> float:
        """What embeddings are multiplied by (Vaswani et al. 2017, 3.4)."""
        return math.sqrt(self.dim)

    def describe(self) -> str:
        """The sizes, for people."""
        return f"width {self.dim}"
