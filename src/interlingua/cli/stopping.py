"""How a training on the command line ends when it is stopped where nothing is to be saved."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

__all__ = ["stoppable"]


@contextmanager
def stoppable(out: Path, *, anew: bool = False) -> Iterator[None]:
    """Ends with a line and the signal's exit code when it is stopped where nothing is to be saved.

    Args:
        out: of the run.
        anew: whether it takes the place of what is there.
    """
    from interlingua.runs.interrupt import Interrupted, exit_code, interruptible

    earlier = _run_in(out) if anew else None
    try:
        with interruptible():
            yield
    except (Interrupted, RuntimeError) as error:
        if not isinstance(error, Interrupted) and not isinstance(error.__cause__, Interrupted):
            raise  # Python 3.11 raises RuntimeError from what happens while a class is made
        print("\ninterlingua: stopped", file=sys.stderr)
        if (found := _run_in(out)) and found == earlier:
            print(f"  The earlier run in {out} stays as it was.", file=sys.stderr)
        elif found:
            print(f"  To go on: interlingua train --resume {shlex.quote(str(out))}", file=sys.stderr)
        raise typer.Exit(exit_code()) from None


def _run_in(directory: Path) -> tuple[int, int] | None:
    """What tells the run in a directory from others; None where there is none that can go on."""
    try:
        found = (directory / "training" / "log.jsonl").stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns
