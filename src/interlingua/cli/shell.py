"""What the user's shell needs to know before it can run the commands that are printed."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

__all__ = ["activation"]


def activation() -> str | None:
    """The command that makes `interlingua` known to a shell, where relative names hold; None if it is."""
    programs = Path(sys.prefix) / "bin"
    found = shutil.which("interlingua")
    if (found is not None and Path(found).parent == programs) or not (programs / "activate").exists():
        return None
    return f"cd {shlex.quote(str(Path.cwd()))} && source {shlex.quote(str(programs / 'activate'))}"
