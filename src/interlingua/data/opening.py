"""Opening files of text: compression goes by content, and a change between two readings is noticed."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
from pathlib import Path
from typing import IO, cast

from interlingua.data.recognition import refuse_foreign_bytes, refuse_foreign_text
from interlingua.errors import DataError

__all__ = ["ChangeDetector", "HashedFile", "open_text"]

BUFFER = 1 << 20
HEAD = 1 << 16
"""Bytes that must do to recognise a form."""


class HashedFile(io.RawIOBase):
    """A file that hashes what is read of it.

    Args:
        file: open and not buffered; closed with this one.
    """

    def __init__(self, file: io.FileIO) -> None:
        self._file = file
        self._hash = hashlib.blake2b()

    def readable(self) -> bool:
        """Returns True."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Reads into a buffer; returns how many bytes, 0 at the end."""
        count = self._file.readinto(buffer)
        if count:
            self._hash.update(memoryview(buffer)[:count])
        return count

    def close(self) -> None:
        """Closes the file."""
        self._file.close()
        super().close()

    def digest(self) -> bytes:
        """Reads what is left, such as bytes behind a compressed stream, and returns the hash of all."""
        while self.readinto(bytearray(BUFFER)):
            pass
        return self._hash.digest()


class ChangeDetector:
    """Remembers what files were when they were first read, and notices when a later reading differs.

    Data is read several times: for its hash, to count, to learn a vocabulary, to be stored. What comes of it
    belongs together only when every reading saw the same bytes.
    """

    def __init__(self) -> None:
        self._states: dict[str, tuple[int, ...]] = {}
        self._digests: dict[str, bytes] = {}

    def begin(self, path: Path) -> None:
        """Notes the file's size and times, before its first reading."""
        self._states.setdefault(str(path), _state(path))

    def end(self, path: Path, digest: bytes) -> None:
        """Takes the hash of a whole reading.

        Raises:
            DataError: it is not that of the first one.
        """
        if self._digests.setdefault(str(path), digest) != digest:
            raise changed_error(path)

    def digest(self, path: Path) -> bytes:
        """Reads a file and returns the hash of its bytes."""
        try:
            self.begin(path)
            with HashedFile(path.open("rb", buffering=0)) as file:
                self.end(path, file.digest())
        except OSError as error:
            raise DataError("the file cannot be read", where=path, found=error.strerror) from None
        return self._digests[str(path)]

    def refuse_changed(self, path: Path) -> None:
        """Raises a DataError when the file is no longer what it was: a mistake found in it may be of that."""
        before = self._states.get(str(path))
        if before is None or before == _state(path):
            return
        if str(path) in self._digests:
            self.digest(path)  # raises unless only the times differ
        else:
            raise changed_error(path)


def changed_error(path: Path) -> DataError:
    """The error for a file that is being written, or that holds nothing when it is read again."""
    if not path.is_file():
        return DataError(
            "this is a pipe, which can be read only once", where=path,
            accepted="Write it to a file first, or give it as standard input: -",
        )  # fmt: skip
    return DataError(
        "the file changed while it was read", where=path,
        accepted="Nothing was kept of it. Start again when it is complete.",
    )  # fmt: skip


def open_text(raw: HashedFile, path: Path) -> IO[bytes]:
    """Returns the bytes of a text file, unpacked when they are gzip, xz or bzip2, whatever the file's name.

    Raises:
        DataError: the content is no text, or text of another form than lines of UTF-8.
    """
    buffered = io.BufferedReader(raw, BUFFER)
    unpacked = _unpack(buffered, path)
    if unpacked is None:
        refuse_foreign_bytes(buffered.peek(HEAD)[:HEAD], path)
        text = cast(IO[bytes], buffered)
    else:
        text = io.BufferedReader(cast(io.RawIOBase, unpacked), HEAD)
        refuse_foreign_bytes(text.peek(HEAD)[:HEAD], path, inside=" inside the compressed file")
    refuse_foreign_text(cast(io.BufferedReader, text).peek(HEAD)[:HEAD], path)
    return text


def _unpack(
    packed: io.BufferedReader[HashedFile], path: Path
) -> IO[bytes] | lzma.LZMAFile | bz2.BZ2File | None:
    head = packed.peek(16)
    if head.startswith(b"\x1f\x8b"):
        return cast(IO[bytes], gzip.GzipFile(fileobj=packed))
    if head.startswith(b"\xfd7zXZ\0"):
        return lzma.LZMAFile(packed)
    if head.startswith(b"BZh") and head[4:10] in (b"1AY&SY", b"\x17rE8P\x90"):
        return bz2.BZ2File(packed)
    if path.suffix.lower() in (".gz", ".xz", ".bz2"):
        raise DataError(
            "the compressed file is damaged, or not compressed at all", where=path, found=head[:16],
            accepted=f"If it is plain text, call it {path.stem}.",
        )  # fmt: skip
    return None


def _state(path: Path) -> tuple[int, ...]:
    try:
        status = path.stat()
    except OSError:
        return ()
    return status.st_ino, status.st_size, status.st_mtime_ns
