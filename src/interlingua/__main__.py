"""The command line, also as `python -m interlingua`."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Runs the command line; Ctrl-C ends it without a traceback, also while it is loaded."""
    try:
        from interlingua.cli.main import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
