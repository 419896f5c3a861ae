"""Another program that computes: whether it is installed, and what it can do on this machine."""

from __future__ import annotations

from typing import Any

import torch

from interlingua.errors import ConfigurationError

__all__ = ["choose_compute_type", "import_ctranslate2"]

COMPUTE_TYPES = {"fp32": "float32", "bf16": "bfloat16", "int8": "int8"}
"""What our precisions are called in CTranslate2."""


def choose_compute_type(precision: str, device: torch.device) -> str:
    """What CTranslate2 computes in for a precision; auto: bf16 where the device has it, else fp32.

    Raises:
        ConfigurationError: CTranslate2 does not compute on this device, or not in this precision.
    """
    ctranslate2 = import_ctranslate2()
    try:
        known = ctranslate2.get_supported_compute_types(device.type, device.index or 0)
    except (RuntimeError, ValueError) as error:
        raise ConfigurationError(
            "CTranslate2 does not compute on this device", where="device", found=f"{device}: {error}",
            accepted="cpu, or cuda with a build of ctranslate2 for it.",
        ) from error  # fmt: skip
    if precision == "auto":
        return "bfloat16" if "bfloat16" in known else "float32"
    if (chosen := COMPUTE_TYPES[precision]) not in known:
        possible = [each for each, name in COMPUTE_TYPES.items() if name in known]
        raise ConfigurationError(
            "CTranslate2 does not compute in this precision here", where="precision", found=precision,
            accepted=f"One of: {', '.join(['auto', *possible])}.",
        )  # fmt: skip
    return chosen


def import_ctranslate2() -> Any:
    """The package, which is an extra.

    Raises:
        ConfigurationError: it is not installed, or does not work here.
    """
    try:
        import ctranslate2
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            "the package ctranslate2 is not installed", found=error.name,
            accepted="pip install 'interlingua[ctranslate2]'",
        ) from None  # fmt: skip
    except (ImportError, OSError) as error:
        raise ConfigurationError("the package ctranslate2 does not work here", found=str(error)) from error
    return ctranslate2
