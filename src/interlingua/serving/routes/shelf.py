"""Where translated files wait to be downloaded."""

from __future__ import annotations

import re
import secrets
import time

__all__ = ["Shelf"]

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


class Shelf:
    """Translated files, in memory, under names that cannot be guessed.

    Args:
        seconds: how long each is kept.
        most_bytes: of all together; beyond, the oldest go early.
    """

    def __init__(self, seconds: float, most_bytes: int = 64 << 20) -> None:
        self.seconds, self.most_bytes = seconds, most_bytes
        self._files: dict[str, tuple[float, bytes]] = {}

    def put(self, name: str, content: bytes) -> str:
        """Keeps a file; returns the name to ask for it by."""
        self._tidy()
        key = f"{secrets.token_urlsafe(24)}.{_UNSAFE.sub('_', name)[-80:].lstrip('.')}"
        self._files[key] = (time.monotonic() + self.seconds, content)
        while sum(len(kept) for _, kept in self._files.values()) > self.most_bytes and len(self._files) > 1:
            del self._files[next(iter(self._files))]
        return key

    def get(self, key: str) -> bytes | None:
        """The file of that name, if it is still kept."""
        self._tidy()
        found = self._files.get(key)
        return found[1] if found else None

    def _tidy(self) -> None:
        now = time.monotonic()
        self._files = {key: file for key, file in self._files.items() if file[0] > now}
