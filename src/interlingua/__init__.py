"""Train your own sequence-to-sequence model from a file of pairs, and use it.

import interlingua

model = interlingua.load("runs/en-de")
model.translate(["A dog runs."], beam=5)[0].text
"""

from __future__ import annotations

import importlib
import os
import time
from typing import TYPE_CHECKING, Any

from interlingua.version import __version__

if TYPE_CHECKING:
    from interlingua.api import evaluate, export, load, train
    from interlingua.errors import InterlinguaError
    from interlingua.inference.translator import Translation, Translator

__all__ = ["InterlinguaError", "Translation", "Translator", "__version__", "evaluate", "export", "load",
           "train"]  # fmt: skip

STARTED = time.monotonic()
"""About when the process started: what a budget in minutes counts from."""

# GNU OpenMP's threads wait for each other by spinning, almost for ever. When another program wants a core,
# that makes training several times slower; after a short spin they had better sleep. Read as torch loads.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
# Batches of text have endless shapes, and for each PyTorch and oneDNN keep the kernels they made: a thousand
# by default, about a megabyte each, few of them used again. Read when the first kernel is made.
os.environ.setdefault("LRU_CACHE_CAPACITY", "1")
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "128")

_HOMES = {
    "InterlinguaError": "interlingua.errors",
    "Translation": "interlingua.inference.translator",
    "Translator": "interlingua.inference.translator",
    "evaluate": "interlingua.api",
    "export": "interlingua.api",
    "load": "interlingua.api",
    "train": "interlingua.api",
}


def __getattr__(name: str) -> Any:
    """Finds a public name when it is first used (PEP 562), so that importing the package loads no torch."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
