"""What a sequence is made of, as far as rooms that never import each other must agree on it.

A source is anything that a frontend turns into vectors: ids of text, features of sound or patches of a
picture. A target is always ids, which a codec makes and reads, of a text or of a picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, runtime_checkable

if TYPE_CHECKING:  # text goes without torch
    from jaxtyping import Bool, Shaped
    from torch import Tensor

__all__ = [
    "BOS", "EOS", "PAD", "SPECIALS", "UNK", "Codec", "FileCodec", "Source", "SourceKind", "Symbols",
    "TargetKind",
]  # fmt: skip

PAD, UNK, BOS, EOS = 0, 1, 2, 3
SPECIALS = ("<pad>", "<unk>", "<s>", "</s>")
"""How the special ids are shown; a text that holds such a string is not turned into a special id."""

SourceKind = Literal["text", "sound", "picture"]
"""What sources are made of."""
TargetKind = Literal["text", "picture"]
"""What targets are made of."""

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


@runtime_checkable
class FileCodec(Protocol):
    """Reads what the files hold that a side names: sounds or pictures."""

    kind: SourceKind
    dtype: str
    """Of the values that a store keeps."""
    unit: int
    """Values that make one position of a sequence."""

    def inspect_batch(self, names: Sequence[str]) -> list[Any]:
        """For each file its values and a report on it, or the DataError that says why it cannot be used."""
