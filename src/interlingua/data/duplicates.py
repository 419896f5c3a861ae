"""Duplicate pairs, found in little memory: a hash a pair on disk, a bit a pair in memory."""

from __future__ import annotations

import hashlib
import tempfile
from array import array
from itertools import pairwise
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt

__all__ = ["DuplicateFinder"]

HASHES_SORTED_AT_ONCE = 4_000_000
HASHES_WRITTEN_AT_ONCE = 65_536


class DuplicateFinder:
    """Finds which of a stream of pairs occurred before.

    Eight bytes a pair lie on disk, and one bit a pair in memory; about 4 million hashes are sorted at once.
    Two different pairs are taken for one with probability n^2 / 2^65: below one in a million for 5 million.
    Use it as a context, which keeps the temporary file.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="interlingua-hashes-")  # noqa: SIM115
        self._buffer = array("Q")
        self._count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, source: str, target: str) -> None:
        """Takes the next pair."""
        # The length keeps ("ab", "c") apart from ("a", "bc").
        content = f"{len(source)} {source}{target}".encode()
        self._buffer.append(int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "little"))
        if len(self._buffer) == HASHES_WRITTEN_AT_ONCE:
            self._flush()

    def mask(self) -> npt.NDArray[np.uint8]:
        """Returns one bit a pair, packed as by numpy.packbits: set when the same pair came before."""
        self._flush()
        duplicate = np.zeros((self._count + 7) // 8, np.uint8)
        parts = max(1, -(-self._count // HASHES_SORTED_AT_ONCE))
        edges = [part * 2**64 // parts for part in range(parts + 1)]
        for low, high in pairwise(edges):
            repeated = self._repeated_between(low, high - 1)
            np.bitwise_or.at(duplicate, repeated >> 3, (128 >> (repeated & 7)).astype(np.uint8))
        return duplicate

    def _repeated_between(self, low: int, high: int) -> npt.NDArray[np.int64]:
        """Returns the positions of repeated hashes from low to high, without any first occurrence."""
        self._file.seek(0)
        hashes, positions, read = [], [], 0
        while block := self._file.read(8 * HASHES_WRITTEN_AT_ONCE * 16):
            values = np.frombuffer(block, np.uint64)
            inside = np.flatnonzero((values >= np.uint64(low)) & (values <= np.uint64(high)))
            hashes.append(values[inside])
            positions.append(inside + read)
            read += len(values)
        if not hashes:
            return np.zeros(0, np.int64)
        values = np.concatenate(hashes)
        order = np.argsort(values, kind="stable")
        same = values[order][1:] == values[order][:-1]
        repeated: npt.NDArray[np.int64] = np.concatenate(positions)[order[1:][same]]
        return repeated

    def _flush(self) -> None:
        self._file.seek(0, 2)
        self._file.write(self._buffer.tobytes())
        self._count += len(self._buffer)
        self._buffer = array("Q")
