"""Which models CTranslate2 can express; told from their settings, without PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["ACTIVATIONS", "why_not"]

ACTIVATIONS = {"relu": "RELU", "gelu": "GELU", "swish": "SWISH", "swiglu": "SWISH"}
"""Their names in CTranslate2."""


def why_not(model: Mapping[str, Any], source_kind: str = "text", target_kind: str = "text") -> str | None:
    """What about a model CTranslate2 cannot express; None: nothing.

    Args:
        model: the [model] section of its configuration.
        source_kind: what its sources are.
        target_kind: what its targets are.
    """
    if source_kind in ("sound", "picture"):
        return f"its sources are {source_kind}s"
    if target_kind == "picture":
        return "its targets are pictures"
    if (architecture := model.get("architecture", "transformer")) != "transformer":
        return f"its architecture is {architecture}"
    if model.get("convolution"):
        return "its encoder convolves (model.convolution)"
    if model.get("target_grid"):
        return "its targets are a grid (model.target_grid)"
    if (activation := model.get("activation", "relu")) not in ACTIVATIONS:
        return f"its activation is {activation}"
    return None
