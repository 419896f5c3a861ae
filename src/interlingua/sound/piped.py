"""Sound from a pipe: WAV and bare samples as they come; other formats once the pipe has ended."""

from __future__ import annotations

import io
import struct
from typing import BinaryIO

import numpy as np

from interlingua.errors import DataError
from interlingua.sound.opening import BLOCK, STREAMED_FROM, Blocks, open_sound, read_native

__all__ = ["read_bare", "read_exactly", "read_wav"]

HEADER_LIMIT = 2**20
"""Bytes of chunks before the samples; nobody has longer ones."""


def read_exactly(stream: BinaryIO, size: int) -> bytes:
    """Reads so many bytes, fewer only at the end: a pipe may give them in parts."""
    parts = []
    while size > 0 and (part := stream.read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def read_bare(stream: BinaryIO, samples: int) -> Blocks:
    """Yields 16-bit little-endian samples of one channel; half a sample at the end is dropped."""
    while data := read_exactly(stream, 2 * samples):
        block = np.frombuffer(data[: len(data) // 2 * 2], "<i2").astype(np.int16)
        if len(block):
            yield block


def read_wav(stream: BinaryIO, seconds: float, place: str) -> tuple[int, str, Blocks]:
    """Reads the header of a WAV stream whose first 12 bytes were read.

    Args:
        stream: of any length, which its header need not know.
        seconds: about how much to read at a time.
        place: for messages.

    Returns:
        The rate, in Hz, libsndfile's name of the coding, and the samples.

    Raises:
        DataError: it is no WAV stream that can be read; or, while reading, it ends before its header says.
    """
    form, length = _read_header(stream, place)
    channels, rate, align = struct.unpack("<2xHI4xH", form[:14])
    if not (align and rate and channels):
        raise DataError("the header of the WAV stream makes no sense", where=place, found=form[:16])
    with open_sound(_as_file(form, bytes(align * 2)), place) as file:
        coding = file.subtype
    frames = min(max(1, round(seconds * rate / max(1, _samples_per(form)))), BLOCK)
    return rate, coding, _blocks(stream, form, length, frames * align, place)


def _blocks(stream: BinaryIO, form: bytes, length: int | None, size: int, place: str) -> Blocks:
    align = struct.unpack("<H", form[12:14])[0]
    left = length
    while data := read_exactly(stream, size if left is None else min(size, left)):
        if left is not None:
            left -= len(data)
        whole = data[: len(data) // align * align]
        if whole:
            part = _as_file(form, whole)
            with open_sound(part, place) as file:
                yield from read_native(file, part, place)
    if left:
        raise DataError(
            "the stream ended early: its header promises more than there is", where=place,
            found=f"{left:,} bytes are missing",
        )  # fmt: skip


def _read_header(stream: BinaryIO, place: str) -> tuple[bytes, int | None]:
    """The content of the "fmt " chunk, and how many bytes of samples follow; None: until the end."""
    form, seen = b"", 0
    while len(head := read_exactly(stream, 8)) == 8 and seen < HEADER_LIMIT:
        name, size = struct.unpack("<4sI", head)
        if name == b"data" and len(form) >= 16:
            return form, None if size == 0 or size >= STREAMED_FROM else size
        if size > HEADER_LIMIT:
            break
        content = read_exactly(stream, size + size % 2)
        seen += 8 + len(content)
        if name == b"fmt ":
            form = content[:size]
    raise DataError("the header of the WAV stream is damaged or cut off", where=place)


def _samples_per(form: bytes) -> int:
    """Samples of a channel in a block of a coding that packs several together."""
    coding = struct.unpack("<H", form[:2])[0]
    packs = coding not in (1, 3, 6, 7, 0xFFFE) and len(form) >= 20
    return int(struct.unpack("<H", form[18:20])[0]) if packs else 1


def _as_file(form: bytes, data: bytes) -> io.BytesIO:
    chunks = b"fmt " + struct.pack("<I", len(form)) + form + bytes(len(form) % 2)
    chunks += b"data" + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)
    return io.BytesIO(b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks)
