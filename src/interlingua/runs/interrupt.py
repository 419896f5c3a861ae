"""Ctrl-C as a request to stop after the step, so that nothing is left half done."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["stop_on_signal"]


@contextmanager
def stop_on_signal() -> Iterator[threading.Event]:
    """Turns the first Ctrl-C or SIGTERM into a request to stop after the step; a second one acts as usual."""
    stopped = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stopped  # signals belong to the main thread
        return
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def stop(number: int, frame: FrameType | None) -> None:
        stopped.set()
        signal.signal(number, handlers[signal.Signals(number)])

    for number in handlers:
        signal.signal(number, stop)
    try:
        yield stopped
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
