"""Writing a store: pairs are encoded and appended to its files in pieces, in memory that does not grow."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import IO, Any, NamedTuple, Self

import numpy as np

from interlingua.data.codecs import digest
from interlingua.data.unknown import UnknownSymbols
from interlingua.errors import DataError
from interlingua.sound.codec import SoundCodec
from interlingua.sound.reading import SAMPLE_RATE
from interlingua.text.tokenizer import Tokenizer, TokenizerPair

__all__ = ["FORMAT", "Sounds", "StoreWriter", "crc32"]

FORMAT = 4
CHUNK_PAIRS, CHUNK_SOUNDS = 8_192, 64
"""Pairs encoded and written at once."""
SHOWN_SOUNDS = 3


class Sounds(NamedTuple):
    """How sources that are sounds are taken."""

    max_seconds: float = 30.0
    """A pair with a longer one is left out and counted."""
    skip: bool = False
    """Whether pairs with a sound that cannot be used are left out and counted, too."""
    place: Callable[[str], str] = str
    """Where a file is named, for messages."""


class StoreWriter:
    """Writes pairs into the files of a store; its description is written at the end of the context.

    Args:
        directory: exists and is empty.
        tokenizers: of the two sides.
        max_length: a pair with more ids than this on a side is left out and counted.
        sounds: how sources are taken that are sounds.
        kind: what the pairs are for, for messages.
        where: they come from, for messages.

    Raises:
        DataError: a sound cannot be used; at the end of the context, when no pair was written.
    """

    def __init__(
        self, directory: Path, tokenizers: TokenizerPair, max_length: int, sounds: Sounds | None = None,
        *, kind: str = "", where: str | None = None,
    ) -> None:  # fmt: skip
        self.directory, self.tokenizers, self.max_length = directory, tokenizers, max_length
        self.sounds, self.kind, self.where = sounds or Sounds(), kind, where
        self.chunk_pairs = CHUNK_SOUNDS if isinstance(tokenizers.source, SoundCodec) else CHUNK_PAIRS
        self.written = 0
        self.left_out: Counter[str] = Counter()
        """Pairs, by reason."""
        self.odd_sounds: list[str] = []
        """What is odd about which, in words."""
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
        texts = [
            [tokenizer.normalise(text) for text in side]
            for tokenizer, side in zip(self.tokenizers, zip(*self._waiting, strict=True), strict=True)
        ]
        self._waiting = []
        source, target = self.tokenizers
        targets = target.encode_batch(texts[1])
        if isinstance(source, SoundCodec):
            sources, reasons = self._read_sounds(source, texts[0])
        else:
            sources = source.encode_batch(texts[0])
            reasons = [self._too_long if len(ids) > self.max_length else None for ids in sources]
        for i, ids in enumerate(targets):
            reasons[i] = reasons[i] or (self._too_long if len(ids) > self.max_length else None)
        fits = [reason is None for reason in reasons]
        self.left_out.update(filter(None, reasons))
        self.by_file[self._file] += sum(fits)
        self.written += sum(fits)
        for side, side_values, side_texts in zip(self._sides, (sources, targets), texts, strict=True):
            kept = [text for text, fit in zip(side_texts, fits, strict=True) if fit]
            side.append([row for row, fit in zip(side_values, fits, strict=True) if fit], kept)

    @property
    def _too_long(self) -> str:
        return f"more than {self.max_length:,} ids on a side"

    def _read_sounds(self, codec: SoundCodec, names: Sequence[str]) -> tuple[list[Any], list[str | None]]:
        """The samples of each file, and why it is not used."""
        samples, reasons = list[Any](), list[str | None]()
        for name, found in zip(names, codec.inspect_batch(names), strict=True):
            if isinstance(found, DataError):
                if not self.sounds.skip:
                    where = f"{self.sounds.place(name)}: {name}"
                    raise DataError(found.what, where=where, found=found.found, accepted=found.accepted)
                samples.append(None)
                reasons.append(found.what)
                continue
            samples.append(found[0])
            is_longer = len(found[0]) > self.sounds.max_seconds * SAMPLE_RATE
            reasons.append(f"more than {self.sounds.max_seconds:g} s of sound" if is_longer else None)
            if warnings := found[1].warnings():
                self.odd_sounds.append(f"{Path(name).name}: {', '.join(warnings)}")
        return samples, reasons

    def _describe(self) -> None:
        if not self.written:
            reasons = [f"{count:,} pairs with {reason}" for reason, count in self.left_out.items()]
            too_long = self.left_out[self._too_long] > 0
            raise DataError(
                " ".join(["there are no", *filter(None, [self.kind]), "pairs to store"]), where=self.where,
                found="; ".join(reasons) or "0 pairs",
                accepted="A larger data.max_length takes them in." if too_long else None,
            )  # fmt: skip
        content = "".join(map(digest, self.tokenizers)).encode() + b"".join(s.digest() for s in self._sides)
        files = sorted(self.directory.iterdir())
        manifest = {
            "format": FORMAT,
            "digest": hashlib.blake2b(content, digest_size=16).hexdigest(),
            "pairs": self.written,
            "left_out": dict(self.left_out),
            "odd_sounds": {"count": len(self.odd_sounds), "examples": self.odd_sounds[:SHOWN_SOUNDS]},
            "source_kind": "sound" if self._sides[0].of_sound else "text",
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

        self.of_sound = isinstance(tokenizer, SoundCodec)
        self.unknown = UnknownSymbols(tokenizer)
        self.dtype = "int16" if self.of_sound else "uint16" if len(tokenizer) <= 65_536 else "int32"
        self._ids, self._offsets, self._lengths = create("ids"), create("offsets"), create("lengths")
        self._text, self._text_offsets = create("text"), create("text_offsets")
        self._fingerprints = hashlib.blake2b(), hashlib.blake2b()
        self._written = self._text_written = 0
        self._text_offsets.write(np.zeros(1, np.int64).tobytes())

    def digest(self) -> bytes:
        return b"".join(fingerprint.digest() for fingerprint in self._fingerprints)

    def append(self, ids: list[Any], texts: list[str]) -> None:
        lengths = np.fromiter(map(len, ids), np.int64, len(ids))
        if self.of_sound:
            joined = np.concatenate([np.zeros(0, np.int16), *ids])
            for content in ids:  # a name may stand for another sound tomorrow
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
