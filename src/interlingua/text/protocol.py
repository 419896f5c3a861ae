"""What every tokenizer does, whatever its kind: text to ids and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from interlingua.kinds import Codec
from interlingua.text.normalise import Normalisation

__all__ = ["Tokenizer"]


class Tokenizer(Codec, Protocol):
    """Turns a text into ids and ids into a text: the codec of text, and the way of a source to its ids."""

    kind: str
    """ "unigram", "bpe", "characters", "bytes", "words" or "pieces"; "columns" of a source of several."""
    normalisation: Normalisation

    @property
    def vocabulary(self) -> object:
        """What the ids stand for; two tokenizers that have the same object have the same ids."""

    def with_normalisation(self, rule: Normalisation) -> Tokenizer:
        """Returns the same with another rule of normalisation."""

    def unknown(self, text: str) -> list[str]:
        """Returns the distinct symbols of a text that no id stands for, in order."""

    def normalise(self, text: str) -> str:
        """Returns the text as it is seen by `encode`, and as it is worth keeping."""

    def encode(self, text: str) -> list[int]:
        """Returns the ids of a text, without BOS and EOS; the empty text has none."""

    def encode_batch(self, targets: Sequence[str]) -> list[list[int]]:
        """Encodes several texts, faster than one by one."""

    def decode(self, ids: Sequence[int]) -> str:
        """Returns the text of the ids; special ids are skipped."""
