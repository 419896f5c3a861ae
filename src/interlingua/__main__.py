"""`python -m interlingua`, the same as `interlingua`."""

from __future__ import annotations

from interlingua.cli.main import main

if __name__ == "__main__":
    main()
