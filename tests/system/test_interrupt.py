"""Signals end a process quickly, with the signal's exit code, and leave nothing half done."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(os.name != "posix", reason="sends signals")

CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}


def python(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize("number", CODES)
def test_a_stop_while_preparing_leaves_nothing(
    number: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INTERLINGUA_CACHE", str(tmp_path / "cache"))
    os.mkfifo(tmp_path / "pairs")
    process = python("-m", "interlingua", "train", "--train", tmp_path / "pairs", "--out", tmp_path / "run")
    writing = os.open(tmp_path / "pairs", os.O_WRONLY)  # waits until it is read
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    os.close(writing)
    assert process.returncode == CODES[number]
    assert "stopped" in err
    assert "Traceback" not in err
    assert not (tmp_path / "run").exists()
    assert not list((tmp_path / "cache").iterdir())


STUCK = """
import hashlib, threading
from interlingua.runs.interrupt import interruptible
with interruptible():
    threading.Timer(0.3, print, ["ready"], {"flush": True}).start()  # it is in the library by then
    hashlib.pbkdf2_hmac("sha256", b"", b"", 2 * 10**9)  # Python runs no handler before it returns
"""

STOPPING = """
from interlingua.runs.interrupt import interruptible, stop_on_signal
with interruptible(), stop_on_signal() as stopped:
    print("ready", flush=True)
    stopped.wait()
    print("stopping", flush=True)
    while True:
        pass
"""

LEFT = """
from interlingua.runs.interrupt import exit_code, interruptible, stop_on_signal
with interruptible(), stop_on_signal() as stopped:
    print("ready", flush=True)
    stopped.wait()
    print("x" * 100_000)  # nobody reads it
raise SystemExit(exit_code())
"""


@pytest.mark.parametrize("number", CODES)
def test_a_library_that_knows_nothing_of_signals_does_not_hold_the_process(number: signal.Signals) -> None:
    process = python("-c", STUCK)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == CODES[number]
    assert "stopped" in err


def test_a_second_signal_quits_at_once() -> None:
    process = python("-c", STOPPING)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "stopping\n"
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT  # a shell says 130


def test_saving_goes_on_when_the_terminal_is_gone() -> None:
    terminal, child_side = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", LEFT], stdin=subprocess.DEVNULL, stdout=child_side, stderr=subprocess.PIPE
    )
    os.close(child_side)
    assert b"ready" in os.read(terminal, 100)
    os.close(terminal)
    process.send_signal(signal.SIGHUP)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 129, err
