"""What a sequence is made of, as far as rooms that never import each other must agree on it.

A source is anything that a frontend turns into vectors: ids of text, later features of sound or patches of a
picture. A target is always ids, which a codec makes and reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

if TYPE_CHECKING:  # text goes without torch
    from jaxtyping import Bool, Shaped
    from torch import Tensor

__all__ = ["BOS", "EOS", "PAD", "SPECIALS", "UNK", "Codec", "Source", "SourceKind", "Symbols"]

PAD, UNK, BOS, EOS = 0, 1, 2, 3
SPECIALS = ("<pad>", "<unk>", "<s>", "</s>")
"""How the special ids are shown; a text that holds such a string is not turned into a special id."""

SourceKind = Literal["text", "sound"]
"""What sources are made of."""

Symbols = Literal["words", "characters"]
"""What one symbol of a target is to a metric: a word between spaces, or a character."""


class Source(NamedTuple):
    """A batch of source sequences, padded on the right."""

    values: Shaped[Tensor, "batch source ..."]
    """Ids that end with EOS, or vectors of features."""
    mask: Bool[Tensor, "batch source"]
    """True = a real element (may be attended to)."""


class Codec(Protocol):
    """Turns targets into ids and ids into targets; the special ids are the same for all."""

    compared_by: Symbols | None
    """The unit in which errors are counted when outputs are simply right or wrong; None: evaluation/tasks.py
    decides from the reference targets."""

    def __len__(self) -> int:
        """The number of ids, the special ones included."""

    def encode_batch(self, targets: Sequence[Any]) -> list[list[int]]:
        """The ids of each target, without BOS and EOS."""

    def decode(self, ids: Sequence[int]) -> Any:
        """The target of the ids; special ids are skipped."""

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """A string to show for each id."""

    def length_limit(self, source_length: int, max_ratio: float, extra_tokens: float = 0.0) -> int:
        """The most ids that a search looks for.

        Args:
            source_length: of the source, without EOS.
            max_ratio: the largest usual target length / source length of the training pairs, without EOS.
            extra_tokens: by how much targets of short sources exceed that.
        """
