"""The standard streams: whatever the locale can write, and whether they were open when the command began."""

from __future__ import annotations

import codecs
import os
import sys
from typing import TYPE_CHECKING

from interlingua.errors import DataError, OutputError
from interlingua.files import write_error

if TYPE_CHECKING:
    from interlingua.data.corpus import CorpusReport

__all__ = [
    "discard_output",
    "flush_output",
    "prepare_streams",
    "require_input",
    "require_output",
    "show_reading",
]

_STAND_INS = str.maketrans("✓✗↑↓→←±×μ·░▒▓█━…’“”–—", '+x^v><~xu-.:+#=~\'""--')
"""Of the same width, so that tables stay tables."""

_closed: set[str] = set()


def prepare_streams() -> None:
    """Lets no output fail for its encoding, and opens closed streams, whose numbers files would get else."""
    codecs.register_error("stand-ins", _encode)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        stream = getattr(sys, name)
        if stream is None:
            _closed.add(name)
            mode = "w" if number else "r"
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115
        elif number and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="stand-ins")


def show_reading(report: CorpusReport) -> None:
    """Tells on standard error what a file of pairs held that is not used, and how it was understood."""
    for line in report.describe_reading():
        print(line, file=sys.stderr)


def require_input() -> None:
    """Raises DataError when there is no standard input."""
    if "stdin" in _closed:
        raise DataError("it is closed", where="standard input", accepted="Give a file, or < /dev/null.")


def require_output() -> None:
    """Raises OutputError when there is no standard output for what is to be printed."""
    if "stdout" in _closed:
        raise OutputError("it is closed", where="standard output", accepted="Give it a file: > out.txt")


def flush_output() -> None:
    """Writes what is left of standard output; at the end of the process nobody could tell that it failed.

    Raises:
        OutputError: the disk is full, or the like.
    """
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise  # whoever reads has had enough
    except OSError as error:
        discard_output()
        raise write_error(error, "standard output") from None


def discard_output() -> None:
    """Sends what is left of the output nowhere, so that the end of the process does not fail at it again."""
    try:
        number = sys.stdout.fileno()
        nowhere = os.open(os.devnull, os.O_WRONLY)
    except (OSError, ValueError, AttributeError):
        return  # not a stream of the system
    os.dup2(nowhere, number)
    os.close(nowhere)


def _encode(error: UnicodeError) -> tuple[str | bytes, int]:
    assert isinstance(error, UnicodeEncodeError)
    written = ""
    for character in error.object[error.start : error.end]:
        stand_in = character.translate(_STAND_INS)
        written += stand_in if stand_in.isascii() else character.encode("ascii", "backslashreplace").decode()
    return written, error.end
