"""Gathered data to one HTML page that needs nothing else: no network, no other file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from interlingua.errors import ConfigurationError

__all__ = ["as_json", "render"]

TEMPLATES = Path(__file__).parent / "templates"
_ESCAPES = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}


def as_json(data: Any) -> str:
    """Plain data as compact JSON that may also stand inside a script element: no text can end it."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    # A lone surrogate, which a byte tokenizer may show, cannot be written as UTF-8.
    return text.translate(_ESCAPES).encode(errors="replace").decode()


def render(template: str, data: dict[str, Any]) -> str:
    """Fills a template, which finds the data as variables and, for its scripts, as `json`.

    Raises:
        ConfigurationError: Jinja2 is not installed.
    """
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
    except ImportError:
        raise ConfigurationError(
            "a page needs Jinja2", accepted="Install it with: pip install 'interlingua[views]'"
        ) from None
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    return environment.get_template(template).render(**data, json=as_json(data))
