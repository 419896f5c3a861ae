"""The version, which may be asked for without installing the package."""

from __future__ import annotations

__all__ = ["__version__"]

__version__ = "0.1.0"
