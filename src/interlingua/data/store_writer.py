"""Writing a store: pairs are encoded and appended to its files in pieces, in memory that does not grow."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections import Counter
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import numpy as np

from interlingua.data.unknown import UnknownSymbols
from interlingua.errors import DataError
from interlingua.text.tokenizer import Tokenizer, TokenizerPair
from interlingua.text.tokenizer_files import digest

__all__ = ["FORMAT", "StoreWriter", "crc32"]

FORMAT = 3
CHUNK_PAIRS = 8_192
"""Pairs encoded and written at once."""


class StoreWriter:
    """Writes pairs into the files of a store; its description is written at the end of the context.

    Args:
        directory: exists and is empty.
        tokenizers: of the two sides.
        max_length: a pair with more ids than this on a side is left out and counted.
        kind: what the pairs are for, for messages.
        where: they come from, for messages.

    Raises:
        DataError: at the end of the context, when no pair was written.
    """

    def __init__(
        self, directory: Path, tokenizers: TokenizerPair, max_length: int, kind: str = "",
        where: str | None = None,
    ) -> None:  # fmt: skip
        self.directory, self.tokenizers, self.max_length = directory, tokenizers, max_length
        self.kind, self.where = kind, where
        self.written = self.too_long = 0
        self.by_file: Counter[int] = Counter()
        """How many pairs of each file were written."""
        self._file = 0
        self._waiting: list[tuple[str, str]] = []
        self._files = ExitStack()
        self._sides = [
            _SideWriter(directory, name, tokenizer, self._files)
            for name, tokenizer in zip(("source", "target"), tokenizers, strict=True)
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._files:
            if error is None:
                self._write()
        if error is None:
            self._describe()

    def add(self, pair: tuple[str, str], file: int = 0) -> None:
        """Takes the next pair, of a file by number."""
        if file != self._file:
            self._write()
            self._file = file
        self._waiting.append(pair)
        if len(self._waiting) >= CHUNK_PAIRS:
            self._write()

    def _write(self) -> None:
        if not self._waiting:
            return
        texts = [
            [tokenizer.normalise(text) for text in side]
            for tokenizer, side in zip(self.tokenizers, zip(*self._waiting, strict=True), strict=True)
        ]
        self._waiting = []
        ids = [tokenizer.encode_batch(side) for tokenizer, side in zip(self.tokenizers, texts, strict=True)]
        fits = [
            len(source) <= self.max_length and len(target) <= self.max_length
            for source, target in zip(*ids, strict=True)
        ]
        self.by_file[self._file] += sum(fits)
        self.written, self.too_long = self.written + sum(fits), self.too_long + len(fits) - sum(fits)
        for side, side_ids, side_texts in zip(self._sides, ids, texts, strict=True):
            kept = [text for text, fit in zip(side_texts, fits, strict=True) if fit]
            side.append([row for row, fit in zip(side_ids, fits, strict=True) if fit], kept)

    def _describe(self) -> None:
        if not self.written:
            raise DataError(
                " ".join(["there are no", *filter(None, [self.kind]), "pairs to store"]),
                where=self.where,
                found=f"{self.too_long:,} pairs with more than {self.max_length:,} ids on a side",
                accepted="A larger data.max_length takes them in." if self.too_long else None,
            )
        content = "".join(map(digest, self.tokenizers)).encode() + b"".join(s.digest() for s in self._sides)
        files = sorted(self.directory.iterdir())
        manifest = {
            "format": FORMAT,
            "digest": hashlib.blake2b(content, digest_size=16).hexdigest(),
            "pairs": self.written,
            "too_long": self.too_long,
            "unknown": {
                "source": self._sides[0].unknown.as_dict(),
                "target": self._sides[1].unknown.as_dict(),
            },
            "source_dtype": self._sides[0].dtype,
            "target_dtype": self._sides[1].dtype,
            "bytes": {path.name: path.stat().st_size for path in files},
            "crc32": {path.name: crc32(path) for path in files},
        }
        (self.directory / "store.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")


def crc32(path: Path) -> int:
    """Returns the checksum of a file."""
    checksum = 0
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            checksum = zlib.crc32(block, checksum)
    return checksum


class _SideWriter:
    """Appends one side's pairs to its files."""

    def __init__(self, directory: Path, name: str, tokenizer: Tokenizer, files: ExitStack) -> None:
        def create(suffix: str) -> IO[bytes]:
            return files.enter_context((directory / f"{name}.{suffix}").open("wb", buffering=1 << 20))

        self.unknown = UnknownSymbols(tokenizer)
        self.dtype = "uint16" if len(tokenizer) <= 65_536 else "int32"
        self._ids, self._offsets, self._lengths = create("ids"), create("offsets"), create("lengths")
        self._text, self._text_offsets = create("text"), create("text_offsets")
        self._fingerprints = hashlib.blake2b(), hashlib.blake2b()
        self._written = self._text_written = 0
        self._text_offsets.write(np.zeros(1, np.int64).tobytes())

    def digest(self) -> bytes:
        return b"".join(fingerprint.digest() for fingerprint in self._fingerprints)

    def append(self, ids: list[list[int]], texts: list[str]) -> None:
        lengths = np.fromiter(map(len, ids), np.int64, len(ids))
        joined = np.fromiter(chain.from_iterable(ids), self.dtype)
        self.unknown.add(joined, lengths, texts)
        encoded = [text.encode() for text in texts]
        text_ends = self._text_written + np.cumsum(np.fromiter(map(len, encoded), np.int64, len(texts)))
        ends = self._written + np.cumsum(lengths)
        self._ids.write(joined.tobytes())
        self._offsets.write((ends - lengths).tobytes())
        self._lengths.write(lengths.astype(np.uint32).tobytes())
        for file, fingerprint, content in (
            (self._text, self._fingerprints[0], b"".join(encoded)),
            (self._text_offsets, self._fingerprints[1], text_ends.tobytes()),
        ):
            file.write(content)
            fingerprint.update(content)
        if len(ids):
            self._written, self._text_written = int(ends[-1]), int(text_ends[-1])
