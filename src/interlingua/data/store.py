"""The store: pairs as memory-mapped ids beside their normalised text, used without being loaded.

A store is a directory with, for each side, the ids of all pairs one after another (uint16 where the
vocabulary allows it, else int32; of sounds the samples, int16, of pictures the pixels, uint8), the
offset of each pair's first id (int64) and its number of ids (uint32), the text, or the name of the file, in
UTF-8 and the offset of each text; and `store.json`, which says what they hold and how large they must be.
"""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from interlingua.data.store_writer import FORMAT, StoreWriter, crc32
from interlingua.errors import DataError, OutputError
from interlingua.kinds import SourceKind, TargetKind
from interlingua.text.tokenizer import TokenizerPair

__all__ = ["Store", "build_store"]

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
        self.left_out: dict[str, int] = manifest["left_out"]
        """How many pairs were left out, by reason, such as that a side had too many ids."""
        self.places: dict[str, list[str]] = manifest.get("places", {})
        """Where the first of them are, by reason, as far as that is known."""
        self.odd_files: dict[str, Any] = manifest["odd_files"]
        """Files that may be faulty: their count, and examples in words."""
        self.source_kind: SourceKind = manifest["source_kind"]
        self.target_kind: TargetKind = manifest["target_kind"]
        self.unknown: dict[str, dict[str, Any]] = manifest["unknown"]
        """What the tokenizers do not know, by side: see `UnknownSymbols.as_dict`."""
        self._source = _Side(directory, "source", manifest["source_dtype"])
        self._target = _Side(directory, "target", manifest["target_dtype"])
        self.source_lengths = _in_units(self._source.lengths, manifest["source_unit"])
        """Each source's number of ids, without BOS and EOS; of files, of positions that an encoder reads."""
        self.target_lengths = _in_units(self._target.lengths, manifest["target_unit"])
        """Each target's number of ids, without BOS and EOS; of pictures, of those that a codec will make."""
        self._codes: Array | None = None

    def __len__(self) -> int:
        return len(self.source_lengths)

    def __reduce__(self) -> tuple[type[Self], tuple[Path]]:
        return type(self), (self.directory,)

    def verify(self) -> None:
        """Reads all files through.

        Raises:
            DataError: a file does not hold what was written.
        """
        for name, checksum in _read_manifest(self.directory)["crc32"].items():
            path = self.directory / name
            try:
                damaged = crc32(path) != checksum
            except OSError as error:
                raise DataError("the store cannot be read", where=path, found=error.strerror) from None
            if damaged:
                raise DataError("the file of the store is damaged", where=path)

    def source(self, i: int) -> Array:
        """Returns the ids, samples or pixels of a source; a read-only view of the file."""
        return self._source.ids_of(i)

    def target(self, i: int) -> Array:
        """Returns the ids of a target; a read-only view of the file, or of what `use_codes` was given."""
        if self._codes is not None:
            codes: Array = self._codes[i]
            return codes
        return self._target.ids_of(i)

    def target_pixels(self, i: int) -> Array:
        """Returns the pixels of a target that is a picture, flat; a read-only view of the file."""
        return self._target.ids_of(i)

    def use_codes(self, codes: Array) -> None:
        """Has `target` give these ids, (pairs, tokens), of targets that are pictures."""
        assert codes.shape == (len(self), self.target_lengths[0])
        self._codes = codes

    def source_text(self, i: int) -> str:
        """Returns a source as its tokenizer normalised it; of a file its name."""
        return self._source.text_of(i)

    def source_input(self, i: int) -> Any:
        """Returns a source as a model is given it for use: its text, samples or pixels."""
        if self.source_kind == "text":
            return self.source_text(i)
        values = self.source(i)
        return values if self.source_kind == "sound" else values.reshape(_picture_shape(values))

    def target_text(self, i: int) -> str:
        """Returns a target as its tokenizer normalised it; of a file its name."""
        return self._target.text_of(i)


def build_store(
    pairs: Iterable[tuple[str, str]], tokenizers: TokenizerPair, directory: Path, max_length: int = 512
) -> Store:
    """Encodes pairs into a new store, in memory that does not grow with their number.

    Args:
        pairs: (source, target), read once.
        tokenizers: of the two sides.
        directory: takes its name only when complete; the directory above it must exist.
        max_length: a pair with more ids than this on a side is left out and counted in `Store.left_out`.

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
            with StoreWriter(complete, tokenizers, max_length) as writer:
                for pair in pairs:
                    writer.add(pair)
            complete.rename(directory)
    except OSError as error:
        raise OutputError("the store cannot be written", where=directory, found=error.strerror) from None
    return Store(directory)


def _in_units(lengths: Array, unit: int) -> Array:
    return lengths if unit == 1 else (-(-lengths.astype(np.int64) // unit)).astype(np.uint32)


def _picture_shape(values: Array) -> tuple[int, int, int]:
    edge = math.isqrt(len(values) // 3)
    return edge, edge, 3


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
