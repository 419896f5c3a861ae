"""Writing a store: pairs are encoded and appended to its files in pieces, in memory that does not grow."""

from __future__ import annotations

import hashlib
import json
import math
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import IO, Any, NamedTuple, Self

import numpy as np

from interlingua.data.codecs import digest
from interlingua.data.durations import place_error
from interlingua.data.file_account import LeftOut
from interlingua.data.odd_sounds import OddSounds
from interlingua.data.unknown import UnknownSymbols
from interlingua.errors import DataError
from interlingua.kinds import FileCodec, SourceKind
from interlingua.sound.codec import SoundCodec
from interlingua.sound.reading import SAMPLE_RATE
from interlingua.text.tokenizer import Tokenizer, TokenizerPair

__all__ = ["FORMAT", "Files", "StoreWriter", "crc32"]

FORMAT = 8
CHUNK_PAIRS, CHUNK_FILES = 8_192, 64
"""Pairs encoded and written at once."""
SHOWN_FILES = 3
PLACED_PAIRS = 100_000
"""Where what is left out is, is told of the first so many pairs: the files are read again up to there."""


class Files(NamedTuple):
    """How files are taken that a side names."""

    max_seconds: float = 30.0
    """A pair with a longer sound is left out and counted."""
    skip: bool = False
    """Whether pairs with a file that cannot be used are left out and counted, too."""
    place: Callable[[str | tuple[str, str], int], str] = lambda what, number_found: "the pairs"
    """Where a pair is, or a file is named, for messages, after so many such places."""


class StoreWriter:
    """Writes pairs into the files of a store; its description is written at the end of the context.

    Args:
        directory: exists and is empty.
        tokenizers: of the two sides.
        max_length: a pair with more ids than this on a side is left out and counted.
        taken: how files are taken that a side names.
        kind: what the pairs are for, for messages.
        where: they come from, for messages.

    Raises:
        DataError: a file cannot be used; at the end of the context, when no pair was written.
    """

    def __init__(
        self, directory: Path, tokenizers: TokenizerPair, max_length: int, taken: Files | None = None,
        *, kind: str = "", where: str | None = None,
    ) -> None:  # fmt: skip
        self.directory, self.tokenizers, self.max_length = directory, tokenizers, max_length
        self.taken, self.kind, self.where = taken or Files(), kind, where
        of_files = any(isinstance(each, FileCodec) for each in tokenizers)
        self.chunk_pairs = CHUNK_FILES if of_files else CHUNK_PAIRS
        self.written = 0
        self._seen = 0
        self.left_out = LeftOut()
        self._left_out_pairs = Counter[tuple[str, str]]()
        """Pairs, by reason."""
        self.odd_files: list[str] = []
        """What is odd about which, in words."""
        self._odd_sounds = OddSounds()
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
        if len(self._waiting) >= self.chunk_pairs:
            self._write()

    def _write(self) -> None:
        if not self._waiting:
            return
        pairs, self._waiting = self._waiting, []
        texts = [
            [tokenizer.normalise(text) for text in side]
            for tokenizer, side in zip(self.tokenizers, zip(*pairs, strict=True), strict=True)
        ]
        (sources, source_reasons), (targets, target_reasons) = (
            self._encode(tokenizer, side) for tokenizer, side in zip(self.tokenizers, texts, strict=True)
        )
        if isinstance(self.tokenizers.source, SoundCodec):
            self.odd_files += self._odd_sounds.look_at(texts[0], sources, texts[1], targets)
        reasons = [one or other for one, other in zip(source_reasons, target_reasons, strict=True)]
        fits = [reason is None for reason in reasons]
        self._seen += len(pairs)
        for pair, reason in zip(pairs, reasons, strict=True):
            if reason and self._seen <= PLACED_PAIRS:
                self.left_out.add(reason, partial(self.taken.place, pair, self._left_out_pairs[pair]))
                self._left_out_pairs[pair] += 1
            elif reason:
                self.left_out[reason] += 1
        self.by_file[self._file] += sum(fits)
        self.written += sum(fits)
        for side, side_values, side_texts in zip(self._sides, (sources, targets), texts, strict=True):
            kept = [text for text, fit in zip(side_texts, fits, strict=True) if fit]
            side.append([row for row, fit in zip(side_values, fits, strict=True) if fit], kept)

    def _encode(self, tokenizer: Tokenizer, texts: list[str]) -> tuple[list[Any], list[str | None]]:
        """The values of a side of some pairs, and for each why it is not used."""
        if isinstance(tokenizer, FileCodec):
            return self._read_files(tokenizer, texts)
        encoded: list[Any] = tokenizer.encode_batch(texts)
        return encoded, [self._too_long if len(ids) > self.max_length else None for ids in encoded]

    @property
    def _too_long(self) -> str:
        return f"more than {self.max_length:,} ids on a side"

    @property
    def _too_much_sound(self) -> str:
        return f"more than {self.taken.max_seconds:g} s of sound"

    def _read_files(self, codec: FileCodec, names: Sequence[str]) -> tuple[list[Any], list[str | None]]:
        """The values of each file, and why it is not used."""
        values, reasons = list[Any](), list[str | None]()
        longest = self.taken.max_seconds * SAMPLE_RATE if codec.kind == "sound" else math.inf
        for name, found in zip(names, codec.inspect_batch(names), strict=True):
            if isinstance(found, DataError):
                if not self.taken.skip:
                    raise place_error(found, name, self.taken.place(name, 0))
                values.append(None)
                reasons.append(found.what)
                continue
            values.append(found[0])
            is_longer = len(found[0]) > longest
            reasons.append(self._too_much_sound if is_longer else None)
            if warnings := found[1].warnings():
                self.odd_files.append(f"{Path(name).name}: {', '.join(warnings)}")
        return values, reasons

    def _describe(self) -> None:
        if not self.written:
            reasons = [f"{count:,} pairs with {reason}" for reason, count in self.left_out.items()]
            accepted = None
            if self.left_out[self._too_long]:
                accepted = "A larger data.max_length takes them in."
            elif self.left_out[self._too_much_sound]:
                accepted = "Cut them into utterances; a larger data.max_seconds takes them in whole."
            raise DataError(
                " ".join(["there are no", *filter(None, [self.kind]), "pairs to store"]), where=self.where,
                found="; ".join(reasons) or "0 pairs",
                accepted=accepted,
            )  # fmt: skip
        content = "".join(map(digest, self.tokenizers)).encode() + b"".join(s.digest() for s in self._sides)
        files = sorted(self.directory.iterdir())
        manifest = {
            "format": FORMAT,
            "digest": hashlib.blake2b(content, digest_size=16).hexdigest(),
            "pairs": self.written,
            "left_out": dict(self.left_out),
            "places": self.left_out.places,
            "odd_files": {"count": len(self.odd_files), "examples": self.odd_files[:SHOWN_FILES]},
            "source_kind": self._sides[0].kind,
            "target_kind": self._sides[1].kind,
            "unknown": {
                "source": self._sides[0].unknown.as_dict(),
                "target": self._sides[1].unknown.as_dict(),
            },
            "source_dtype": self._sides[0].dtype,
            "target_dtype": self._sides[1].dtype,
            "source_unit": self._sides[0].unit,
            "target_unit": self._sides[1].unit,
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

        codec = tokenizer if isinstance(tokenizer, FileCodec) else None
        self.kind: SourceKind = "text" if codec is None else codec.kind
        self.unit = 1 if codec is None else codec.unit
        self.unknown = UnknownSymbols(tokenizer)
        self.dtype = codec.dtype if codec else "uint16" if len(tokenizer) <= 65_536 else "int32"
        self._ids, self._offsets, self._lengths = create("ids"), create("offsets"), create("lengths")
        self._text, self._text_offsets = create("text"), create("text_offsets")
        self._fingerprints = hashlib.blake2b(), hashlib.blake2b()
        self._written = self._text_written = 0
        self._text_offsets.write(np.zeros(1, np.int64).tobytes())

    def digest(self) -> bytes:
        return b"".join(fingerprint.digest() for fingerprint in self._fingerprints)

    def append(self, ids: list[Any], texts: list[str]) -> None:
        lengths = np.fromiter(map(len, ids), np.int64, len(ids))
        if self.kind != "text":
            joined = np.concatenate([np.zeros(0, self.dtype), *ids])
            for content in ids:  # a name may stand for another file tomorrow
                self._fingerprints[0].update(content.tobytes())
        else:
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
