"""Model directories as the verbs take them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from interlingua.engine.cpus import default_threads
from interlingua.errors import BundleError

if TYPE_CHECKING:
    from interlingua.inference.translator import Translator

__all__ = ["find_model", "load_model", "use_all_cpus"]


def find_model(directory: Path) -> None:
    """Refuses what is no model directory, before PyTorch, which takes seconds, is loaded.

    Raises:
        BundleError: there is no such directory, or it is not a model's.
    """
    try:
        (directory / "config.toml").open("rb").close()
    except (FileNotFoundError, NotADirectoryError):
        if directory.is_dir():
            what = "this directory holds no model"
        else:
            what = (
                "this is a file, not a model directory"
                if directory.exists()
                else "there is no such model directory"
            )
        raise BundleError(what, where=directory, accepted="A model directory has a config.toml.") from None
    except OSError as error:
        where = directory / "config.toml"
        raise BundleError("the configuration cannot be read", where=where, found=error.strerror) from None


def load_model(
    directory: Path, device: str = "auto", threads: int | None = None, precision: str | None = None
) -> Translator:
    """Loads a model; it computes with all CPUs unless told otherwise."""
    from interlingua.api import load

    return load(directory, device=device, threads=threads or default_threads(), precision=precision or "fp32")


def use_all_cpus() -> None:
    """Has a training that is not told otherwise compute with all CPUs."""
    import torch

    torch.set_num_threads(default_threads())
