"""WAV files: what their headers promise, whether that was ever finished, and what follows the samples."""

from __future__ import annotations

import io
import struct
from typing import BinaryIO

from interlingua.errors import DataError

__all__ = [
    "MPEG_LAYER_3",
    "STREAMED_FROM",
    "read_exactly",
    "read_header",
    "refuse_more_samples",
    "with_finished_header",
    "without_wav_around_mp3",
]

STREAMED_FROM = 0x7FFFF000
"""A size in a header from which it means that its writer could not know it."""
MPEG_LAYER_3 = b"\x55\0"
"""The coding of a WAV file that holds MP3."""
HEADER_LIMIT = 2**20
"""Bytes of chunks before the samples; nobody has longer ones."""
JUNK = 4096
"""Bytes after the samples that are not worth an error."""
_TAGS = (b"ID3", b"TAG", b"APETAGEX", b"LYRICSBEGIN")


def read_exactly(stream: BinaryIO, size: int) -> bytes:
    """Reads so many bytes, fewer only at the end: a pipe may give them in parts."""
    parts = []
    while size > 0 and (part := stream.read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def read_header(stream: BinaryIO, place: str) -> tuple[bytes, int | None]:
    """Reads on from the first 12 bytes of a WAV file up to its first sample.

    Returns:
        The content of the "fmt " chunk, and how many bytes of samples follow; None: until the end.

    Raises:
        DataError: there are no such chunks.
    """
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


def without_wav_around_mp3(stream: BinaryIO, place: str) -> BinaryIO:
    """The MP3 file that a WAV file holds, or else the same stream.

    Raises:
        DataError: it holds less than it promises.
    """
    try:
        if not _begins_as_wav(stream):
            return stream
        form, size = read_header(stream, place)
        if form[:2] != MPEG_LAYER_3:
            return stream
        content = stream.read(-1 if size is None else size)
    except DataError:  # whoever reads the samples says what is wrong
        return stream
    finally:
        stream.seek(0)
    if size is not None and len(content) < size:
        raise DataError("the file is cut off: it promises more than there is", where=place,
                        found=f"{len(content):,} of {size:,} bytes")  # fmt: skip
    return io.BytesIO(content)


def with_finished_header(stream: BinaryIO) -> BinaryIO:
    """The same stream, or one with the header that it would have if its writer had not been stopped.

    Recorders write the size of the samples at the end; until then it is 0, as in what a program left behind
    that crashed, and in what was streamed.
    """
    try:
        if not _begins_as_wav(stream):
            return stream
        read_header(stream, "")
        first = stream.tell()
        stream.seek(first - 4)
        if stream.read(4) != bytes(4) or _only_chunks_follow(stream):
            return stream
        return _Patched(stream, first - 4, struct.pack("<I", 0xFFFFFFFF))  # type: ignore[return-value]
    except DataError:  # whoever reads the samples says what is wrong
        return stream
    finally:
        stream.seek(0)


def refuse_more_samples(stream: BinaryIO, place: str, size: int) -> None:
    """Refuses what would be left out: samples, or another file, after those that the header tells of.

    Args:
        stream: after its last sample; it is read to its end.
        place: for messages.
        size: of the samples, in bytes.

    Raises:
        DataError: more than a few bytes follow that are no chunk and no tag.
    """
    padding = read_exactly(stream, size % 2).strip(b"\0")  # some writers leave it out
    while len(head := padding + read_exactly(stream, 8 - len(padding))) == 8:
        name, length = struct.unpack("<4sI", head)
        padding = b""
        if name == b"RIFF":
            raise DataError(
                "after the samples another WAV file begins", where=place,
                accepted="Give each by itself, or join the sounds: sox FIRST SECOND WHOLE.flac",
            )  # fmt: skip
        if not _is_name(name):
            rest = head + read_exactly(stream, JUNK)
            if len(rest) > JUNK and not rest.startswith(_TAGS) and rest.strip(b"\0"):
                raise DataError(
                    "more follows than the samples that the header tells of", where=place,
                    found=f"a header that promises {size:,} bytes",
                    accepted="If the rest is sound as well: ffmpeg -ignore_length 1 -i FILE WHOLE.flac",
                )  # fmt: skip
            return
        _skip(stream, length + length % 2)


def _begins_as_wav(stream: BinaryIO) -> bool:
    head = stream.read(12)
    return head[:4] == b"RIFF" and head[8:] == b"WAVE"


def _only_chunks_follow(stream: BinaryIO) -> bool:
    """Whether all up to the end of the file is chunks, or there is nothing."""
    at = stream.tell()
    end = stream.seek(0, 2)
    while at < end:
        stream.seek(at)
        head = stream.read(8)
        if len(head) < 8 or not _is_name(head[:4]):
            return False
        at += 8 + int.from_bytes(head[4:], "little")
        if at > end:
            return False
        at += at % 2
    return True


def _is_name(name: bytes) -> bool:
    return all(0x20 <= byte < 0x7F for byte in name)


def _skip(stream: BinaryIO, size: int) -> None:
    while size > 0 and (part := stream.read(min(size, HEADER_LIMIT))):
        size -= len(part)


class _Patched:
    """A stream with some other bytes at a place."""

    def __init__(self, stream: BinaryIO, at: int, content: bytes) -> None:
        self._stream, self._at, self._content = stream, at, content
        self.seek, self.tell = stream.seek, stream.tell

    def read(self, size: int = -1) -> bytes:
        start = self.tell()
        data = bytearray(self._stream.read(size))
        for place, byte in enumerate(self._content, start=self._at - start):
            if 0 <= place < len(data):
                data[place] = byte
        return bytes(data)

    def readinto(self, buffer: memoryview) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)
