"""Messages between the service and its workers: JSON objects, each after its length in four bytes."""

from __future__ import annotations

import asyncio
import json
import struct
from typing import Any, BinaryIO

__all__ = ["pack", "read", "read_async"]

_LENGTH = struct.Struct(">I")


def pack(message: dict[str, Any]) -> bytes:
    """The bytes of a message."""
    content = json.dumps(message, separators=(",", ":")).encode()
    return _LENGTH.pack(len(content)) + content


def read(stream: BinaryIO) -> dict[str, Any] | None:
    """The next message; None when the other side has gone."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    content = stream.read(length)
    return _object(content) if len(content) == length else None


async def read_async(stream: asyncio.StreamReader) -> dict[str, Any] | None:
    """The next message; None when the other side has gone."""
    try:
        (length,) = _LENGTH.unpack(await stream.readexactly(_LENGTH.size))
        return _object(await stream.readexactly(length))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


def _object(content: bytes) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(content)
    return message
