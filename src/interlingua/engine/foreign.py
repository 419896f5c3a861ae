"""Another program that computes: whether it is installed, and what it can do on this machine."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

import torch

from interlingua.engine.packed import activation_steps
from interlingua.errors import ConfigurationError

__all__ = ["USE_MKL", "choose_compute_type", "import_ctranslate2", "overflows_in_int8"]

COMPUTE_TYPES = {"fp32": "float32", "bf16": "bfloat16", "int8": "int8"}
"""What our precisions are called in CTranslate2."""
USE_MKL = "CT2_USE_MKL"
"""A variable of CTranslate2: 1 for Intel's library on processors of other makers, too."""


def choose_compute_type(precision: str, device: torch.device) -> str:
    """What CTranslate2 computes in for a precision; auto: bf16 where the device has it, else fp32.

    Raises:
        ConfigurationError: CTranslate2 does not compute on this device, or not in this precision.
    """
    ctranslate2 = import_ctranslate2(precision)
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


def overflows_in_int8() -> bool:
    """Whether sums of 8-bit products overflow in CTranslate2 on this processor, so that outputs get worse.

    They do in oneDNN, see `activation_steps`, which computes where the maker is not Intel; not in MKL.
    """
    if os.environ.get(USE_MKL) is not None or not hasattr(torch.ops.onednn, "qlinear_pointwise"):
        return False
    return "AuthenticAMD" in _describe_processor() and activation_steps() < 127


def _describe_processor() -> str:
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor()


def import_ctranslate2(precision: str | None = None) -> Any:
    """The package, which is an extra.

    Args:
        precision: to compute in. For int8 the package is told to be exact, which it heeds when it is first
            imported.

    Raises:
        ConfigurationError: it is not installed, or does not work here.
    """
    if precision == "int8" and overflows_in_int8():
        os.environ[USE_MKL] = "1"
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
