"""What a sequence is made of, as far as rooms that never import each other must agree on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:  # text goes without torch
    from jaxtyping import Bool, Shaped
    from torch import Tensor

__all__ = ["Source"]


class Source(NamedTuple):
    """A batch of source sequences, padded on the right."""

    values: Shaped[Tensor, "batch source ..."]
    """Ids that end with EOS, or vectors of features."""
    mask: Bool[Tensor, "batch source"]
    """True = a real element (may be attended to)."""
