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
def stoppable(out: Path) -> Iterator[None]:
    """Ends with a line and the signal's exit code when it is stopped where nothing is to be saved."""
    from interlingua.runs.interrupt import Interrupted, exit_code, interruptible

    try:
        with interruptible():
            yield
    except Interrupted:
        print("\ninterlingua: stopped", file=sys.stderr)
        if (out / "training" / "log.jsonl").exists():
            print(f"  To go on: interlingua train --resume {shlex.quote(str(out))}", file=sys.stderr)
        raise typer.Exit(exit_code()) from None
