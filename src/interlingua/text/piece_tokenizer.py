"""SentencePiece's pieces under the ids of another list of them, as the models of Marian have."""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from typing import Any

import sentencepiece

from interlingua.errors import BundleError, DataError
from interlingua.kinds import SPECIALS, UNK, Symbols
from interlingua.text.columns import COLUMN_END
from interlingua.text.lengths import length_limit
from interlingua.text.normalise import Normalisation, normalise
from interlingua.text.vocabulary import Vocabulary

__all__ = ["SPACE", "PieceTokenizer"]

SPACE = "\u2581"
"""SentencePiece's mark of a space."""
_LANGUAGE_CODE = re.compile(r">>(.+?)<<")


class PieceTokenizer:
    """A SentencePiece model of any kind, whose pieces have the ids of a vocabulary of their own.

    Unlike the subwords that are trained here, it does not give every text back: SentencePiece normalises as
    the model says, and a piece that the vocabulary lacks is unknown. Where the vocabulary has codes of target
    languages, such as >>fra<<, a source begins with one, or has it, without the signs, as a tag.

    Args:
        model: SentencePiece's serialised model.
        vocabulary: the pieces.
        normalisation: applied before SentencePiece's own.
        shared: whether the other side has the same ids, and so, where these are tied, the same embedding.
    """

    kind = "pieces"
    compared_by: Symbols | None = None
    length_limit = staticmethod(length_limit)

    def __init__(
        self, model: bytes, vocabulary: Vocabulary, normalisation: Normalisation = "none", *,
        shared: bool = False,
    ) -> None:  # fmt: skip
        self.model, self.vocabulary, self.normalisation, self.shared = (
            model,
            vocabulary,
            normalisation,
            shared,
        )
        found = map(_LANGUAGE_CODE.fullmatch, vocabulary.symbols)
        self._codes = {match[1]: match[0] for match in found if match}
        self._code_ids = {vocabulary.id(code) for code in self._codes.values()}
        self._processor: Any = sentencepiece.SentencePieceProcessor()
        try:
            self._processor.LoadFromSerializedProto(model)
        except RuntimeError as error:
            raise BundleError(f"not a SentencePiece model: {error}") from None

    def __len__(self) -> int:
        return len(self.vocabulary)

    @property
    def missing_share(self) -> float:
        """How many of SentencePiece's pieces the vocabulary lacks, from 0 to 1."""
        count = self._processor.GetPieceSize()
        has_text = (self._processor.IsControl, self._processor.IsUnknown, self._processor.IsUnused)
        pieces = [self._processor.IdToPiece(i) for i in range(count) if not any(no(i) for no in has_text)]
        return sum(piece not in self.vocabulary for piece in pieces) / max(1, len(pieces))

    @property
    def tags(self) -> list[str]:
        """The languages that a source can be translated into, where it says so itself."""
        return [*self._codes]

    def with_normalisation(self, rule: Normalisation) -> PieceTokenizer:
        """Returns the same with another rule of normalisation."""
        other = copy.copy(self)
        other.normalisation = rule
        return other

    def with_vocabulary(self, vocabulary: Vocabulary) -> PieceTokenizer:
        """Returns the same with an equal vocabulary that another tokenizer has."""
        other = copy.copy(self)
        other.vocabulary = vocabulary
        return other

    def split(self, text: str) -> tuple[str, str]:
        """Returns what a source begins with to say its target language, and its text."""
        tag, tab, rest = text.partition(COLUMN_END)
        if tab and tag.strip() in self._codes:
            return tag + tab, rest
        code = _LANGUAGE_CODE.match(text.lstrip()) if self._codes else None
        if code is None:
            return "", text
        end = text.index(code[0]) + len(code[0])
        end += len(text[end:]) - len(text[end:].lstrip())
        return text[:end], text[end:]

    def span(self, ids: Sequence[int]) -> slice:
        """Returns where the text's ids stand among those of a source, which may begin with a language."""
        return slice(int(bool(ids) and ids[0] in self._code_ids), len(ids))

    def unknown(self, text: str) -> list[str]:
        """Returns the distinct symbols of a text that no id stands for, in order."""
        before, rest = self.split(self.normalise(text))
        found: dict[str, None] = {}
        if before and self._code_id(before) == UNK:
            found[before.strip()] = None
        for piece in self._processor.EncodeAsPieces(rest):
            if piece in self.vocabulary:
                continue
            shown = piece.replace(SPACE, "")
            # Characters that SentencePiece does not know come in one piece; one that it knows is a symbol.
            parts = shown if self._processor.PieceToId(piece) == self._processor.unk_id() else [shown]
            found.update(dict.fromkeys(part for part in parts if part))
        return list(found)

    def normalise(self, text: str) -> str:
        """Returns the text as it is given to SentencePiece, which normalises by its own rule."""
        return normalise(text, self.normalisation)

    def encode(self, text: str) -> list[int]:
        """Returns the ids of the text's pieces; the empty text has none.

        Raises:
            DataError: the text holds a lone surrogate, which UTF-8 cannot express.
        """
        return self.encode_batch([text])[0]

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """Encodes several texts, on every core when there are many."""
        split = [self.split(self.normalise(text)) for text in texts]
        try:
            pieces: list[list[str]] = self._processor.EncodeAsPieces(
                [rest for _, rest in split], num_threads=1 if len(split) < 64 else -1
            )
        except TypeError:  # how SentencePiece says that a text has no UTF-8 form
            raise DataError("the text holds a lone surrogate, which is no character") from None
        return [
            [*([self._code_id(before)] if before else []), *map(self.vocabulary.id, of_text)]
            for (before, _), of_text in zip(split, pieces, strict=True)
        ]

    def _code_id(self, before: str) -> int:
        code = before.strip()
        return self.vocabulary.id(self._codes.get(code, code))

    def decode(self, ids: Sequence[int]) -> str:
        """Returns the text of the ids; special ids are skipped."""
        pieces = [self.vocabulary.symbol(int(i)) for i in ids if i >= len(SPECIALS)]
        text: str = self._processor.DecodePieces(pieces)
        return text.replace(SPACE, " ").strip(" ")  # of pieces that are not SentencePiece's own

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """Returns one string to show for each id; U+2581 stands for a space."""
        return [self.vocabulary.symbol(int(i)) for i in ids]
