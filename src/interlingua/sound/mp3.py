"""MP3 files that do not say how long they are, or say it wrongly: libsndfile would read only a part of them.

It believes the count of frames in the first one (the "Xing" header), and without that estimates one from
the first bit rate. Files joined together, cut out of others or recorded from a radio stream are such files.
"""

from __future__ import annotations

import io
import mmap
import struct
from collections.abc import Iterator
from typing import BinaryIO

from interlingua.errors import DataError

__all__ = ["with_length"]

Data = bytes | mmap.mmap

_KBITS = {
    1: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0),  # MPEG 1
    2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0),  # MPEG 2 and 2.5
}
_RATES = (44_100, 48_000, 32_000)
_TAGS = (b"TAG", b"APETAGEX", b"LYRICSBEGIN")
FRAME_TOLERANCE = 5
"""Frames by which counts may differ: those of the header itself, of an encoder's delay and padding."""
JUNK = 4096
"""Bytes after the last frame that are not worth an error: zeros, or a part of a frame."""


def with_length(stream: BinaryIO, place: str) -> BinaryIO:
    """The same stream if it tells its length or is no MP3 file, otherwise a copy that does.

    Raises:
        DataError: it does not tell its length and is damaged, so that nobody can.
    """
    head = stream.read(4)
    stream.seek(0)
    if head[:3] != b"ID3" and not _frame(head):
        return stream
    data = _map(stream)
    start = _skip_tag(data, 0)
    head = data[start : start + 200]
    if not _frame(head):
        return stream
    spans = list(_spans(data, start))
    count = sum(frames for _, _, frames in spans)
    promised = _promised(head)
    if promised is not None and count <= promised + FRAME_TOLERANCE:
        return stream
    end = spans[-1][1]
    if len(data) - end > JUNK and not data[end : end + 11].startswith(_TAGS):
        seconds = count * _samples(head) / _rate(head)
        raise DataError(f"the MP3 file is damaged after {seconds:.1f} s", where=place)
    return io.BytesIO(_header(head, count) + b"".join(data[begin:after] for begin, after, _ in spans))


def _map(stream: BinaryIO) -> Data:
    try:
        return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError):  # no file of the system
        stream.seek(0)
        data = stream.read()
        stream.seek(0)
        return data


def _spans(data: Data, at: int) -> Iterator[tuple[int, int, int]]:
    """The runs of whole frames, as (first byte, after the last, frames); tags lie between them."""
    while True:
        begin, frames = at, 0
        while (size := _frame(data[at : at + 4])) and at + size <= len(data):
            at, frames = at + size, frames + 1
        yield begin, at, frames
        if (after := _skip_tag(data, at)) == at:
            return
        at = after


def _skip_tag(data: Data, at: int) -> int:
    """Where an ID3v2 tag (3.1) that begins here ends."""
    head = data[at : at + 10]
    if head[:3] != b"ID3" or len(head) < 10:
        return at
    size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
    return at + 10 + size + (10 if head[5] & 0x10 else 0)


def _frame(head: bytes) -> int:
    """The bytes of the layer-III frame that begins here (ISO 11172-3, 2.4.2.3); 0: there is none."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE6 != 0xE2 or head[1] & 0x18 == 0x08:
        return 0
    kbits = _KBITS[1 if head[1] & 0x18 == 0x18 else 2][head[2] >> 4]
    if not kbits or head[2] & 0x0C == 0x0C:
        return 0
    return _samples(head) * 125 * kbits // _rate(head) + (head[2] >> 1 & 1)


def _samples(head: bytes) -> int:
    return 1152 if head[1] & 0x18 == 0x18 else 576


def _rate(head: bytes) -> int:
    return _RATES[head[2] >> 2 & 3] // {0x18: 1, 0x10: 2, 0x00: 4}[head[1] & 0x18]


def _side(head: bytes) -> int:
    """The bytes between a frame's header, of four bytes, and what it holds."""
    mono = head[3] >> 6 == 3
    return (17 if mono else 32) if _samples(head) == 1152 else (9 if mono else 17)


def _promised(head: bytes) -> int | None:
    """The count of frames that the first one holds."""
    xing = head[4 + _side(head) :]
    if xing[:4] in (b"Xing", b"Info") and xing[7:8] and xing[7] & 1:
        return int(struct.unpack_from(">I", xing, 8)[0])
    if head[36:40] == b"VBRI":
        return int(struct.unpack_from(">I", head, 50)[0])
    return None


def _header(head: bytes, count: int) -> bytes:
    """A frame of silence that holds the count, of the same kind as the given one."""
    for kbits in range(1, 15):
        frame = bytes([head[0], head[1] | 1, kbits << 4 | head[2] & 0x0C, head[3]])
        content = frame + bytes(_side(head)) + b"Xing" + struct.pack(">II", 1, count)
        if (size := _frame(frame)) >= len(content):
            return content + bytes(size - len(content))
    raise AssertionError("frames of the highest bit rate are long enough")
