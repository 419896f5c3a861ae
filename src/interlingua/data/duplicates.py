"""Repeated pairs, found in constant memory."""

from __future__ import annotations

import hashlib
import tempfile
from array import array
from itertools import pairwise
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt

__all__ = ["Repeats"]

SORTED_AT_ONCE = 4_000_000
BUFFER = 65_536


class Repeats:
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
        if len(self._buffer) == BUFFER:
            self._flush()

    def mask(self) -> npt.NDArray[np.uint8]:
        """Returns one bit a pair, packed as by numpy.packbits: set when the same pair came before."""
        self._flush()
        repeated = np.zeros((self._count + 7) // 8, np.uint8)
        parts = max(1, -(-self._count // SORTED_AT_ONCE))
        edges = [part * 2**64 // parts for part in range(parts + 1)]
        for low, high in pairwise(edges):
            later = self._later(low, high - 1)
            np.bitwise_or.at(repeated, later >> 3, (128 >> (later & 7)).astype(np.uint8))
        return repeated

    def _later(self, low: int, high: int) -> npt.NDArray[np.int64]:
        """Returns the positions of repeated hashes from low to high, every first occurrence left out."""
        self._file.seek(0)
        hashes, positions, start = [], [], 0
        while block := self._file.read(8 * BUFFER * 16):
            values = np.frombuffer(block, np.uint64)
            inside = np.flatnonzero((values >= np.uint64(low)) & (values <= np.uint64(high)))
            hashes.append(values[inside])
            positions.append(inside + start)
            start += len(values)
        if not hashes:
            return np.zeros(0, np.int64)
        values, places = np.concatenate(hashes), np.concatenate(positions)
        order = np.argsort(values, kind="stable")
        same = values[order][1:] == values[order][:-1]
        later: npt.NDArray[np.int64] = places[order[1:][same]]
        return later

    def _flush(self) -> None:
        self._file.seek(0, 2)
        self._file.write(self._buffer.tobytes())
        self._count += len(self._buffer)
        self._buffer = array("Q")
