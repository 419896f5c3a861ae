"""Pillow without its warnings, in however many threads."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["without_warnings"]

_lock, _reading = threading.Lock(), 0
"""How many pictures are being read now, in all threads."""
_ignored = warnings.catch_warnings()


@contextmanager
def without_warnings() -> Iterator[None]:
    """Silences Pillow in all threads; what a program does with warnings is in the end as it was.

    `catch_warnings` alone is for one thread: of two that overlap, the last one to leave puts back what the
    first one had set.
    """
    global _reading, _ignored
    with _lock:
        if not _reading:
            _ignored = warnings.catch_warnings()
            _ignored.__enter__()
            warnings.simplefilter("ignore")
        _reading += 1
    try:
        yield
    finally:
        with _lock:
            _reading -= 1
            if not _reading:
                _ignored.__exit__(None, None, None)
