"""Which ids a model's tokens have where one vocabulary must do for both sides."""

from __future__ import annotations

from typing import Literal, NamedTuple

from interlingua.inference.bundle import Bundle
from interlingua.model.transformer import Transformer
from interlingua.text.tokenizer import Tokenizer

__all__ = ["Layout", "Vocabularies", "sentencepiece_model"]

Layout = Literal["shared", "two", "stacked"]
"""shared: one vocabulary, as here; two: one for each side, as here; stacked: one with the source's and then
the target's, whose special tokens are apart, too."""


def sentencepiece_model(tokenizer: Tokenizer) -> bytes | None:
    """The model of SentencePiece that a tokenizer cuts with; None: it does without."""
    model = getattr(tokenizer, "model", None)
    return model if isinstance(model, bytes) else None


class Vocabularies(NamedTuple):
    """The ids of both sides in a format of one vocabulary, or of two."""

    layout: Layout
    source_size: int
    target_size: int

    @classmethod
    def of(cls, bundle: Bundle, *, two_tables: bool) -> Vocabularies:
        """The layout that holds a model.

        Args:
            bundle: of a Transformer from text to text.
            two_tables: whether the format has a class with a table for each side.
        """
        assert isinstance(bundle.model, Transformer)
        tokenizers = bundle.tokenizers
        layout: Layout = "stacked"
        if tokenizers.joint and bundle.model.settings.tied:
            layout = "shared"
        elif two_tables and all(map(sentencepiece_model, tokenizers)):
            layout = "two"  # only of these can one tokenizer there tell its two sides apart
        return cls(layout, len(tokenizers.source), len(tokenizers.target))

    @property
    def size(self) -> int:
        """Of the vocabulary, or of the source's where there are two."""
        return self.source_size + (self.target_size if self.layout == "stacked" else 0)

    def target_id(self, i: int) -> int:
        """The id of a target's token; those of sources stay."""
        return i + (self.source_size if self.layout == "stacked" else 0)
