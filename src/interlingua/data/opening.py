"""Opening files of text: compression goes by content, and a change between two readings is noticed."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import shlex
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from interlingua.data.member import AnyFile, Member
from interlingua.data.recognition import refuse_foreign_bytes, refuse_foreign_text
from interlingua.data.zstd import ZSTD_MAGIC, ZstdReader
from interlingua.errors import DataError

__all__ = ["COMPRESSIONS", "ChangeDetector", "HashedFile", "open_archive", "open_text", "open_unpacked"]

COMPRESSIONS = (".gz", ".xz", ".bz2", ".zst")
"""Suffixes of compressed files."""

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
            raise _cannot_read(path, error) from None
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


@contextmanager
def open_unpacked(file: AnyFile, changes: ChangeDetector | None = None) -> Iterator[io.BufferedReader]:
    """Opens a file and unpacks it when it is gzip, xz, bzip2 or zstd, whatever its name.

    Args:
        file: the file.
        changes: told what was read, when the context ends without an error.

    Raises:
        DataError: it cannot be read, is damaged or has changed, also while the context lasts.
        ConfigurationError: the package for zstd is missing.
    """
    try:
        with _open(file, changes) as packed:
            yield cast(io.BufferedReader, _unpack(packed, file) or packed)
    except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile, zipfile.BadZipFile) as error:
        raise DataError("the compressed file is damaged", where=file, found=str(error)) from None
    except OSError as error:
        raise _cannot_read(file, error) from None


@contextmanager
def open_text(file: AnyFile, changes: ChangeDetector | None = None) -> Iterator[io.BufferedReader]:
    """As `open_unpacked`, of text in lines.

    Raises:
        DataError: also when the content is no text, or text of another form than lines of UTF-8.
    """
    with open_unpacked(file, changes) as text:
        inside = "" if isinstance(getattr(text, "raw", None), HashedFile) else " inside the compressed file"
        head = text.peek(HEAD)[:HEAD]
        refuse_foreign_bytes(head, file, inside)
        refuse_foreign_text(head, file)
        yield text


@contextmanager
def _open(file: AnyFile, changes: ChangeDetector | None) -> Iterator[io.BufferedReader]:
    if isinstance(file, Member):
        with open_archive(file.archive, changes) as archive:
            try:
                raw = archive.open(file.inside)
            except (NotImplementedError, RuntimeError, ValueError, KeyError, struct.error) as error:
                raise DataError("the file in the archive cannot be read", where=file,
                                found=str(error)) from None  # fmt: skip
            with raw:
                yield io.BufferedReader(cast(io.RawIOBase, raw), HEAD)
        return
    if changes:
        changes.begin(file)
    with HashedFile(file.open("rb", buffering=0)) as hashed:
        yield io.BufferedReader(hashed, BUFFER)  # as long as it lives, `hashed` is open
        if changes:
            changes.end(file, hashed.digest())


@contextmanager
def open_archive(path: Path, changes: ChangeDetector | None = None) -> Iterator[zipfile.ZipFile]:
    """Opens a zip archive, of which nothing is ever written to the disk.

    Raises:
        DataError: it cannot be read, is damaged, or has changed when the context ends without an error.
    """
    if changes:
        changes.begin(path)
    try:
        archive = zipfile.ZipFile(path)
    except OSError as error:
        raise DataError("the file cannot be read", where=path, found=error.strerror or str(error)) from None
    except (
        zipfile.BadZipFile,
        NotImplementedError,
        ValueError,
        EOFError,
        struct.error,
        OverflowError,
    ) as error:
        raise DataError("the zip archive is damaged", where=path, found=str(error)) from None
    with archive:
        yield archive
    if changes:
        changes.refuse_changed(path)


def _unpack(packed: io.BufferedReader, file: AnyFile) -> io.BufferedIOBase | io.RawIOBase | None:
    head = packed.peek(16)
    if head.startswith(b"\x1f\x8b"):
        return io.BufferedReader(cast(io.RawIOBase, gzip.GzipFile(fileobj=packed)), HEAD)
    if head.startswith(b"\xfd7zXZ\0"):
        return io.BufferedReader(cast(io.RawIOBase, lzma.LZMAFile(packed)), HEAD)
    if head.startswith(b"BZh") and head[4:10] in (b"1AY&SY", b"\x17rE8P\x90"):
        return io.BufferedReader(cast(io.RawIOBase, bz2.BZ2File(packed)), HEAD)
    if head.startswith(ZSTD_MAGIC):
        return io.BufferedReader(ZstdReader(packed, str(file)), HEAD)
    if file.suffix.lower() in COMPRESSIONS:
        raise DataError(
            "the compressed file is damaged, or not compressed at all", where=file, found=head[:16],
            accepted=f"If it is plain text, call it {file.stem}.",
        )  # fmt: skip
    return None


def _state(path: Path) -> tuple[int, ...]:
    try:
        status = path.stat()
    except OSError:
        return ()
    return status.st_ino, status.st_size, status.st_mtime_ns


_LISTS = ("*.csv", "*.tsv", "*.jsonl", "*.txt", "wav.scp", "*/*.trans.txt", "*/*/*.trans.txt")
"""What a directory may hold that names pairs; the last three are lists of sounds."""
_LABELLED = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".wav", ".flac", ".mp3", ".ogg")
"""Ends of files that often lie in directories called as what they show."""


def _cannot_read(file: AnyFile, error: OSError) -> DataError:
    """An error about a file; of a directory with tables it says which may be meant."""
    accepted = None
    if isinstance(file, Path) and isinstance(error, IsADirectoryError):
        tables = [path for form in _LISTS for path in sorted(file.glob(form))]
        likely = [path for path in tables if path.stem in ("metadata", "train")] or tables
        accepted = "A file of pairs" + (
            f", such as {likely[0]}" if likely else "; or a directory of Parquet files."
        )
        labelled = next((path for path in file.glob("*/*.*") if path.suffix.lower() in _LABELLED), None)
        if labelled and not likely:
            accepted += (
                f" If {labelled.parent.name} and its like are labels of what lies in them: "
                f"cd {shlex.quote(str(file))} && find . -mindepth 2 -type f | "
                "awk -F/ '{print $0 \"\\t\" $(NF-1)}' > pairs.tsv"
            )
    found = error.strerror or str(error)
    return DataError("the file cannot be read", where=file, found=found, accepted=accepted)
