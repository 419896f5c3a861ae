"""Where to compute, in which precision, on how many threads."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

from interlingua.engine.cpus import available_cpus
from interlingua.errors import ConfigurationError

__all__ = ["choose_device", "choose_dtype", "choose_threads", "compute", "is_forked"]

R = TypeVar("R")

_forks: list[int] = []
"""The processes between this one and the one that loaded PyTorch."""
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: _forks.append(os.getpid()))


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


def choose_threads(threads: int | None) -> int:
    """The threads that are given; else those of torch.set_num_threads, but no more than there are CPUs."""
    return threads or min(torch.get_num_threads(), available_cpus())


def is_forked() -> bool:
    """Whether this process was forked off after PyTorch was loaded."""
    return bool(_forks)


def compute(function: Callable[[], R], threads: int | None) -> R:
    """Calls a function with so many CPU threads; afterwards PyTorch's number is again what it was.

    After a fork OpenMP's threads are gone, and the thread that they worked for would wait for them for ever:
    a new thread gets new ones.
    """
    before = torch.get_num_threads()
    chosen = choose_threads(threads)
    try:
        if is_forked():
            with ThreadPoolExecutor(1, initializer=torch.set_num_threads, initargs=(chosen,)) as pool:
                return pool.submit(function).result()
        torch.set_num_threads(chosen)
        return function()
    finally:
        torch.set_num_threads(before)
