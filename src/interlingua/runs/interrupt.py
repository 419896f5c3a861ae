"""Ctrl-C and its like: at once where nothing would be lost, else after the step, to leave nothing half done.

On the command line the second one ends the process as the system does, whatever it is doing.
"""

from __future__ import annotations

import os
import signal
import socket
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

__all__ = ["Interrupted", "exit_code", "interruptible", "stop_on_signal"]

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
GRACE_S = 1.5
"""After so many seconds the process ends, should it be in a library that knows nothing of signals."""

_received = signal.SIGINT
_owns_process, _stops_after_step = threading.Event(), threading.Event()


class Interrupted(KeyboardInterrupt):
    """A signal asked the process to end."""


def exit_code() -> int:
    """What a process returns that the last signal ended: 130 after Ctrl-C, 143 after SIGTERM."""
    return 128 + _received


@contextmanager
def interruptible() -> Iterator[None]:
    """Raises Interrupted at the first signal; ends the process when this context is not left soon after.

    For a command line, which has the process to itself.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # signals belong to the main thread
        return
    left = threading.Event()
    # Python calls handlers between its own instructions only; this is written to at once.
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    before = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    threading.Thread(target=_end_when_stuck, args=[reader, left], daemon=True).start()
    _owns_process.set()
    try:
        with _handled(_raise):
            yield
    finally:
        _owns_process.clear()
        left.set()
        signal.set_wakeup_fd(before)
        writer.close()


@contextmanager
def stop_on_signal() -> Iterator[threading.Event]:
    """Turns the first signal into a request to stop after the step."""
    stopped = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stopped
        return
    _stops_after_step.set()
    try:
        with _handled(stopped.set):
            yield stopped
    finally:
        _stops_after_step.clear()


@contextmanager
def _handled(react: Callable[[], object]) -> Iterator[None]:
    """Calls a function at the first signal."""

    def handle(number: int, frame: FrameType | None) -> None:
        global _received
        _received = signal.Signals(number)
        for each, handler in handlers.items():
            signal.signal(each, signal.SIG_DFL if _owns_process.is_set() else handler)
        if _received == getattr(signal, "SIGHUP", None):
            _forget_terminal()
        react()

    # nohup has SIGHUP ignored
    ignored = {each for each in SIGNALS if signal.getsignal(each) is signal.SIG_IGN and each != signal.SIGINT}
    handlers: dict[Any, Any] = {each: signal.getsignal(each) for each in SIGNALS if each not in ignored}
    for each in handlers:
        signal.signal(each, handle)
    try:
        yield
    finally:
        for each, handler in handlers.items():
            signal.signal(each, handler)


def _raise() -> None:
    raise Interrupted


def _end_when_stuck(reader: socket.socket, left: threading.Event) -> None:
    with reader:
        while number := reader.recv(1):
            if number[0] in SIGNALS and not _stops_after_step.is_set() and not left.wait(GRACE_S):
                with suppress(OSError):
                    print("\nstopped", file=sys.stderr, flush=True)
                os._exit(128 + number[0])


def _forget_terminal() -> None:
    """Has whatever is still printed go nowhere: the terminal is gone, and writing to it would be an error."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        with suppress(OSError):
            # Of a terminal that is gone not even this is known, but it is still a character device.
            if stat.S_ISCHR(os.fstat(stream).st_mode):
                os.dup2(nowhere, stream)
    os.close(nowhere)
