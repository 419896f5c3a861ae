"""SentencePiece's .model files: what is in them, and the same pieces under this package's special ids.

A file is one message of Protocol Buffers (sentencepiece_model.proto). What is not changed goes on as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import sentencepiece

from interlingua.errors import DataError
from interlingua.kinds import BOS, EOS, PAD, SPECIALS, UNK

__all__ = ["Piece", "SentencePieceModel", "read_sentencepiece"]

NORMAL, UNKNOWN, CONTROL = 1, 2, 3
"""Types of pieces."""
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
"""How fields are written."""
PIECES, TRAINER, NORMALISER = 1, 2, 3
"""Fields of the message."""
KINDS = {1: "unigram", 2: "bpe", 3: "word", 4: "char"}


class Piece(NamedTuple):
    """An entry of the vocabulary."""

    text: str
    type: int
    message: bytes
    """As it stands in the file."""


class SentencePieceModel:
    """What a SentencePiece model says of itself.

    Args:
        model: as SentencePiece writes it.

    Raises:
        ValueError: it is none.
    """

    def __init__(self, model: bytes) -> None:
        self.processor: Any = sentencepiece.SentencePieceProcessor()
        try:
            self.processor.LoadFromSerializedProto(model)
        except RuntimeError as error:
            raise ValueError(str(error)) from None
        self._fields = [*_read_fields(model)]
        parts = [(number, content) for number, content, _ in self._fields if isinstance(content, bytes)]
        trainer, normaliser = (
            {number: value for field, content in parts if field == part
             for number, value, _ in _read_fields(content)}
            for part in (TRAINER, NORMALISER)
        )  # fmt: skip
        self.kind = KINDS.get(trainer.get(3, 1), "?")
        """unigram, bpe, word or char."""
        self.has_bytes = bool(trainer.get(35, 0))
        """Whether characters without a piece are spelled in bytes."""
        self.normalises = normaliser.get(1) != b"identity" or normaliser.get(4, 1) != 0
        """Whether it changes texts before it cuts them."""
        before_words = all(normaliser.get(field, 1) for field in (3, 5)) and not trainer.get(24, 0)
        self.words_alone = bool(before_words and trainer.get(22, 1) and 31 not in trainer)
        """Whether each word has a space before it, over which no piece reaches, and none is given by hand."""

    @cached_property
    def pieces(self) -> list[Piece]:
        """The vocabulary, in the order of the ids."""
        return [
            _read_piece(content)
            for field, content, _ in self._fields
            if field == PIECES and isinstance(content, bytes)
        ]

    def special_ids(self) -> list[int | None]:
        """Returns which pieces have the parts of PAD, UNK, BOS and EOS, None where there is none."""
        has = self.processor
        asked = [has.pad_id(), has.unk_id(), has.bos_id(), has.eos_id()]
        by_text = {piece.text: i for i, piece in enumerate(self.pieces)}
        found: list[int | None] = []
        for given, name in zip(asked, SPECIALS, strict=True):
            own = given if given >= 0 else by_text.get(name)
            found.append(own if own not in found else None)
        return found

    def with_special_ids(self) -> bytes:
        """Returns the model with PAD, UNK, BOS and EOS as the first pieces; the others follow in their order.

        It cuts texts as before, for that goes by scores, and not by ids.
        """
        specials = self.special_ids()
        taken = {piece.text for i, piece in enumerate(self.pieces) if i not in specials}
        texts = []
        for own, name in zip(specials, SPECIALS, strict=True):
            text = name if own is None else self.pieces[own].text
            while text in taken:
                text = f"<{text}>"
            taken.add(text)
            texts.append(text)
        messages = [
            _field(1, BYTES, text.encode()) + _field(3, VARINT, UNKNOWN if i == UNK else CONTROL)
            for i, text in enumerate(texts)
        ]
        messages += [piece.message for i, piece in enumerate(self.pieces) if i not in specials]
        written = b"".join(_field(PIECES, BYTES, message) for message in messages)
        for number, content, raw in self._fields:
            if number == TRAINER and isinstance(content, bytes):
                # What comes last counts.
                content += _field(4, VARINT, len(messages))
                for i, id_field, text_field in ((UNK, 40, 45), (BOS, 41, 46), (EOS, 42, 47), (PAD, 43, 48)):
                    content += _field(id_field, VARINT, i) + _field(text_field, BYTES, texts[i].encode())
                written += _field(TRAINER, BYTES, content)
            elif number != PIECES:
                written += raw
        return written


def read_sentencepiece(path: Path) -> SentencePieceModel:
    """Reads a .model file.

    Raises:
        DataError: it cannot be read, is no model of SentencePiece, or of a kind that is not used.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError("the SentencePiece model cannot be read", where=path, found=error.strerror) from None
    try:
        model = SentencePieceModel(content)
        SentencePieceModel(model.with_special_ids())
    except ValueError as error:
        raise DataError(
            "this is no SentencePiece model", where=path, found=str(error),
            accepted="spm_train, or SentencePieceTrainer, writes one, with the suffix .model.",
        ) from None  # fmt: skip
    if model.kind not in ("unigram", "bpe"):
        raise DataError("the SentencePiece model cuts texts into whole words or characters", where=path,
                        found=model.kind, accepted="Its kind is unigram or bpe.")  # fmt: skip
    return model


def _read_piece(message: bytes) -> Piece:
    text, kind = b"", NORMAL
    for number, value, _ in _read_fields(message):
        if number == 1 and isinstance(value, bytes):
            text = value
        elif number == 3 and isinstance(value, int):
            kind = value
    return Piece(text.decode(), kind, message)


def _read_fields(message: bytes) -> Iterator[tuple[int, Any, bytes]]:
    """Yields the fields of a message: number, value (bytes or a whole number), and as they stand there."""
    position = 0
    while position < len(message):
        start = position
        key, position = _read_varint(message, position)
        form = key & 7
        if form == VARINT:
            value, position = _read_varint(message, position)
            yield key >> 3, value, message[start:position]
            continue
        size = {FIXED64: 8, FIXED32: 4}.get(form)
        if form == BYTES:
            size, position = _read_varint(message, position)
        if size is None or position + size > len(message):
            raise ValueError("a field is not as Protocol Buffers have it")
        position += size
        yield key >> 3, message[position - size : position], message[start:position]


def _read_varint(message: bytes, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(message):
            break
        byte = message[position]
        position += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, position
    raise ValueError("a number is not as Protocol Buffers have it")


def _varint(value: int) -> bytes:
    written = bytearray()
    while value > 127:
        written.append(value & 127 | 128)
        value >>= 7
    return bytes([*written, value])


def _field(number: int, form: int, value: Any) -> bytes:
    key = _varint(number << 3 | form)
    return key + _varint(value) if form == VARINT else key + _varint(len(value)) + value
