"""Where to compute, in which precision, on how many threads."""

from __future__ import annotations

import os

import torch

from interlingua.errors import ConfigurationError

__all__ = ["choose_device", "choose_dtype", "set_threads"]


def choose_device(name: str) -> torch.device:
    """The device of that name; "auto": CUDA, else Apple's MPS, else the CPU.

    Raises:
        ConfigurationError: there is no such device on this machine.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    known = ["auto", "cpu"]
    if torch.cuda.is_available():
        known += ["cuda", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
    if torch.backends.mps.is_available():
        known += ["mps"]
    if name not in known:
        raise ConfigurationError(
            "there is no such device here",
            where="device",
            found=name,
            accepted=f"One of: {', '.join(known)}.",
        )
    return torch.device(name)


def choose_dtype(precision: str, device: torch.device) -> torch.dtype:
    """bfloat16 where the device multiplies it faster than float32, unless told otherwise."""
    if precision != "auto":
        return {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    # Without these instructions oneDNN emulates bf16, slower than fp32.
    gains = device.type == "cpu" and any(
        getattr(torch.cpu, name, bool)() for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    )
    return torch.bfloat16 if gains else torch.float32


def set_threads(threads: int | None) -> None:
    """Uses so many CPU threads; by default all cores that this process may run on."""
    if threads is None:
        threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    torch.set_num_threads(threads or 1)
