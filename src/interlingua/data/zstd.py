"""Unpacking zstd: by Python itself from 3.14 on, before that by the package zstandard."""

from __future__ import annotations

import importlib
import io
from typing import Any

from interlingua.errors import ConfigurationError

__all__ = ["ZSTD_MAGIC", "ZstdReader"]

ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
BLOCK = 1 << 10
"""Bytes unpacked at once: few, for each may become thousands."""


class ZstdReader(io.RawIOBase):
    """What a stream of zstd frames holds; reading it raises EOFError where it is damaged or cut off.

    Args:
        packed: the stream; it stays open.
        where: it comes from, for messages.

    Raises:
        ConfigurationError: there is nothing here that unpacks zstd.
    """

    def __init__(self, packed: io.BufferedReader, where: str) -> None:
        self._packed = packed
        self._new_frame, self._error = _find_library(where)
        self._frame: Any = None
        self._rest, self._unpacked = b"", memoryview(b"")

    def readable(self) -> bool:
        """Returns True."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Reads into a buffer; returns how many bytes, 0 at the end."""
        while not self._unpacked:
            block = self._rest or self._packed.read(BLOCK)
            self._rest = b""
            if not block:
                if self._frame is not None:
                    raise EOFError("it ends before its end was reached")
                return 0
            self._unpacked = memoryview(self._unpack(block))
        count = min(len(buffer), len(self._unpacked))
        memoryview(buffer)[:count] = self._unpacked[:count]
        self._unpacked = self._unpacked[count:]
        return count

    def _unpack(self, block: bytes) -> bytes:
        if self._frame is None:
            self._frame = self._new_frame()
        try:
            unpacked: bytes = self._frame.decompress(block)
        except self._error as error:
            raise EOFError(str(error)) from None
        if self._frame.eof:
            self._rest, self._frame = self._frame.unused_data, None
        return unpacked


def _find_library(where: str) -> tuple[Any, type[Exception]]:
    """What makes an unpacker of one frame, and what that raises."""
    try:
        library: Any = importlib.import_module("compression.zstd")
        return library.ZstdDecompressor, library.ZstdError
    except ModuleNotFoundError:
        pass
    try:
        library = importlib.import_module("zstandard")
    except ModuleNotFoundError:
        raise ConfigurationError(
            "the package for zstd is not installed", where=where, found="zstandard",
            accepted="pip install 'interlingua[zstd]', or unpack the file first: zstd -d",
        ) from None  # fmt: skip
    return lambda: library.ZstdDecompressor().decompressobj(), library.ZstdError
