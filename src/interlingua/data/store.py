"""The store: pairs as memory-mapped ids beside their normalised text, used without being loaded.

A store is a directory with, for each side, the ids of all pairs one after another (uint16 where the
vocabulary allows it, else int32), the offset of each pair's first id (int64) and its number of ids (uint32),
the text in UTF-8 and the offset of each text; and `store.json`, which says what they hold and how large they
must be.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any, Self

import numpy as np
import numpy.typing as npt

from interlingua.errors import DataError, OutputError
from interlingua.text.tokenizer import Tokenizer, TokenizerPair
from interlingua.text.tokenizer_files import digest

__all__ = ["Store", "build_store"]

FORMAT = 1
CHUNK_PAIRS = 8_192
"""Pairs encoded and written at once."""

Array = npt.NDArray[Any]


class Store:
    """Pairs by number, on disk. Pickling it passes on the directory only.

    Args:
        directory: what `build_store` wrote.

    Raises:
        DataError: there is no store, or a file is missing or has another size than when it was written.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        manifest = _read_manifest(directory)
        self.digest: str = manifest["digest"]
        """A hexadecimal hash of the texts and the tokenizers."""
        self.too_long: int = manifest["too_long"]
        """How many pairs were left out because a side had too many ids."""
        self._source = _Side(directory, "source", manifest["source_dtype"])
        self._target = _Side(directory, "target", manifest["target_dtype"])
        self.source_lengths = self._source.lengths
        """Each source's number of ids, without BOS and EOS."""
        self.target_lengths = self._target.lengths
        """Each target's number of ids, without BOS and EOS."""

    def __len__(self) -> int:
        return len(self.source_lengths)

    def __reduce__(self) -> tuple[type[Self], tuple[Path]]:
        return type(self), (self.directory,)

    def source(self, i: int) -> Array:
        """Returns the ids of a source; a read-only view of the file."""
        return self._source.ids_of(i)

    def target(self, i: int) -> Array:
        """Returns the ids of a target; a read-only view of the file."""
        return self._target.ids_of(i)

    def source_text(self, i: int) -> str:
        """Returns a source as its tokenizer normalised it."""
        return self._source.text_of(i)

    def target_text(self, i: int) -> str:
        """Returns a target as its tokenizer normalised it."""
        return self._target.text_of(i)


def build_store(
    pairs: Iterable[tuple[str, str]], tokenizers: TokenizerPair, directory: Path, max_length: int = 512
) -> Store:
    """Encodes pairs into a new store, in memory that does not grow with their number.

    Args:
        pairs: (source, target), read once.
        tokenizers: of the two sides.
        directory: takes its name only when complete; the directory above it must exist.
        max_length: a pair with more ids than this on a side is left out and counted in `Store.too_long`.

    Raises:
        DataError: no pair is left.
        OutputError: the directory exists, or the disk is full.
    """
    if directory.exists():
        raise OutputError("the directory exists", where=directory)
    try:
        with tempfile.TemporaryDirectory(prefix=f".{directory.name}-", dir=directory.parent) as temporary:
            # A directory of usual permissions, unlike the temporary one.
            complete = Path(temporary) / "complete"
            complete.mkdir()
            _write(pairs, tokenizers, complete, max_length)
            complete.rename(directory)
    except OSError as error:
        raise OutputError("the store cannot be written", where=directory, found=error.strerror) from None
    return Store(directory)


class _Side:
    """One side's files, mapped."""

    def __init__(self, directory: Path, name: str, dtype: str) -> None:
        self.ids = _memory_map(directory / f"{name}.ids", dtype)
        self.offsets = _memory_map(directory / f"{name}.offsets", "int64")
        self.lengths = _memory_map(directory / f"{name}.lengths", "uint32")
        self.text = _memory_map(directory / f"{name}.text", "uint8")
        self.text_offsets = _memory_map(directory / f"{name}.text_offsets", "int64")

    def ids_of(self, i: int) -> Array:
        return self.ids[self.offsets[i] : self.offsets[i] + self.lengths[i]]

    def text_of(self, i: int) -> str:
        return self.text[self.text_offsets[i] : self.text_offsets[i + 1]].tobytes().decode()


class _SideWriter:
    """Appends one side's pairs to its files."""

    def __init__(self, directory: Path, name: str, tokenizer: Tokenizer, files: ExitStack) -> None:
        def create(suffix: str) -> IO[bytes]:
            return files.enter_context((directory / f"{name}.{suffix}").open("wb", buffering=1 << 20))

        self.dtype = "uint16" if len(tokenizer) <= 65_536 else "int32"
        self._ids, self._offsets, self._lengths = create("ids"), create("offsets"), create("lengths")
        self._text, self._text_offsets = create("text"), create("text_offsets")
        self._fingerprints = hashlib.blake2b(), hashlib.blake2b()
        self._written = self._text_written = 0
        self._text_offsets.write(np.zeros(1, np.int64).tobytes())

    def digest(self) -> bytes:
        return b"".join(fingerprint.digest() for fingerprint in self._fingerprints)

    def append(self, ids: list[list[int]], texts: list[bytes]) -> None:
        lengths = np.fromiter(map(len, ids), np.int64, len(ids))
        text_ends = self._text_written + np.cumsum(np.fromiter(map(len, texts), np.int64, len(texts)))
        ends = self._written + np.cumsum(lengths)
        self._ids.write(np.fromiter(chain.from_iterable(ids), self.dtype).tobytes())
        self._offsets.write((ends - lengths).tobytes())
        self._lengths.write(lengths.astype(np.uint32).tobytes())
        for file, fingerprint, content in (
            (self._text, self._fingerprints[0], b"".join(texts)),
            (self._text_offsets, self._fingerprints[1], text_ends.tobytes()),
        ):
            file.write(content)
            fingerprint.update(content)
        if len(ids):
            self._written, self._text_written = int(ends[-1]), int(text_ends[-1])


def _write(
    pairs: Iterable[tuple[str, str]], tokenizers: TokenizerPair, directory: Path, max_length: int
) -> None:
    written = too_long = 0
    with ExitStack() as files:
        sides = [
            _SideWriter(directory, name, tokenizer, files)
            for name, tokenizer in zip(("source", "target"), tokenizers, strict=True)
        ]
        for chunk in _chunks(pairs):
            texts = [
                [tokenizer.normalise(text) for text in side]
                for tokenizer, side in zip(tokenizers, zip(*chunk, strict=True), strict=True)
            ]
            ids = [tokenizer.encode_batch(side) for tokenizer, side in zip(tokenizers, texts, strict=True)]
            fits = [len(s) <= max_length and len(t) <= max_length for s, t in zip(*ids, strict=True)]
            written, too_long = written + sum(fits), too_long + len(fits) - sum(fits)
            for side, side_ids, side_texts in zip(sides, ids, texts, strict=True):
                kept = [text.encode() for text, fit in zip(side_texts, fits, strict=True) if fit]
                side.append([row for row, fit in zip(side_ids, fits, strict=True) if fit], kept)
    if not written:
        raise DataError(
            "there are no pairs to store",
            found=f"{too_long:,} pairs with more than {max_length:,} ids on a side",
            accepted="A larger data.max_length takes them in." if too_long else None,
        )
    _write_manifest(directory, tokenizers, sides, written, too_long)


def _write_manifest(
    directory: Path, tokenizers: TokenizerPair, sides: list[_SideWriter], pairs: int, too_long: int
) -> None:
    tokenizer_digests = "".join(map(digest, tokenizers)).encode()
    content = tokenizer_digests + b"".join(side.digest() for side in sides)
    manifest = {
        "format": FORMAT,
        "digest": hashlib.blake2b(content, digest_size=16).hexdigest(),
        "pairs": pairs,
        "too_long": too_long,
        "source_dtype": sides[0].dtype,
        "target_dtype": sides[1].dtype,
        "bytes": {path.name: path.stat().st_size for path in sorted(directory.iterdir())},
    }
    (directory / "store.json").write_text(json.dumps(manifest, indent=1) + "\n")


def _chunks(pairs: Iterable[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    remaining = iter(pairs)
    while chunk := list(islice(remaining, CHUNK_PAIRS)):
        yield chunk


def _read_manifest(directory: Path) -> dict[str, Any]:
    path = directory / "store.json"
    try:
        manifest: dict[str, Any] = json.loads(path.read_bytes())
        if manifest["format"] != FORMAT:
            raise DataError("the store was written by another version", where=path, found=manifest["format"])
        for name, size in manifest["bytes"].items():
            if (directory / name).stat().st_size != size:
                raise DataError("the file of the store is damaged", where=directory / name)
    except OSError as error:
        raise DataError("the store is incomplete", where=error.filename, found=error.strerror) from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise DataError("the store's description is damaged", where=path) from None
    return manifest


def _memory_map(path: Path, dtype: str) -> Array:
    if path.stat().st_size == 0:  # an empty file cannot be mapped
        return np.zeros(0, dtype)
    # As a plain array: slicing numpy's memmap class is several times slower.
    return np.memmap(path, dtype, mode="r").view(np.ndarray)
