"""Sound from a pipe: WAV and bare samples as they come; other formats once the pipe has ended."""

from __future__ import annotations

import io
import struct
from typing import BinaryIO

import numpy as np

from interlingua.errors import DataError
from interlingua.sound.opening import BLOCK, Blocks, open_sound, read_native
from interlingua.sound.wav import MPEG_LAYER_3, read_exactly, read_header, refuse_more_samples

__all__ = ["read_bare", "read_wav"]


GSM, GSM_BYTES = b"\x31\0", 1 << 28
"""A coding whose blocks need those before them, so that so much is read at once: two days."""


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
    form, length = read_header(stream, place)
    if form[:2] == MPEG_LAYER_3:  # whose frames need each other
        whole = _as_file(form, stream.read())
        file = open_sound(whole, place)
        return file.samplerate, file.subtype, read_native(file, whole, place)
    channels, rate, align = struct.unpack("<2xHI4xH", form[:14])
    if not (align and rate and channels):
        raise DataError("the header of the WAV stream makes no sense", where=place, found=form[:16])
    with open_sound(_as_file(form, bytes(align * 2)), place) as file:
        coding = file.subtype
    frames = min(max(1, round(seconds * rate / max(1, _samples_per(form)))), BLOCK)
    if form[:2] == GSM:
        frames = GSM_BYTES // align
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
    if length is not None:
        refuse_more_samples(stream, place, length)


def _samples_per(form: bytes) -> int:
    """Samples of a channel in a block of a coding that packs several together."""
    coding = struct.unpack("<H", form[:2])[0]
    packs = coding not in (1, 3, 6, 7, 0xFFFE) and len(form) >= 20
    return int(struct.unpack("<H", form[18:20])[0]) if packs else 1


def _as_file(form: bytes, data: bytes) -> io.BytesIO:
    chunks = b"fmt " + struct.pack("<I", len(form)) + form + bytes(len(form) % 2)
    chunks += b"data" + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)
    return io.BytesIO(b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks)
