"""The JSON files of a model directory of Hugging Face."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from interlingua.errors import BundleError
from interlingua.interchange.imported import refuse_pointer

__all__ = ["read_json", "read_optional_json"]


def read_json(path: Path) -> dict[str, Any]:
    """The object of a file.

    Raises:
        BundleError: it is missing, or no JSON object.
    """
    refuse_pointer(path)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BundleError("a file of the model is missing", where=path,
                          accepted="Copy the whole directory again.") from None  # fmt: skip
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or str(error)
        raise BundleError("the file cannot be read", where=path, found=said) from error
    if not isinstance(found, dict):
        raise BundleError("the file holds no JSON object", where=path, found=type(found).__name__)
    return found


def read_optional_json(path: Path) -> dict[str, Any]:
    """The object of a file; nothing where there is none."""
    return read_json(path) if path.exists() else {}
