"""The weights of a model directory of Hugging Face, whichever files they lie in."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from interlingua.errors import BundleError
from interlingua.interchange.imported import ForeignWeights, refuse_pointer
from interlingua.interchange.json_files import read_json

__all__ = ["WEIGHT_FILES", "read_weights"]

WEIGHT_FILES = (
    "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json"
)  # fmt: skip
"""The first that is there is read; an index lists several files."""


def read_weights(directory: Path) -> ForeignWeights:
    """Reads all tensors; nothing that lies in a file is executed.

    Raises:
        BundleError: there are none, or they are damaged.
    """
    path = next((directory / name for name in WEIGHT_FILES if os.path.lexists(directory / name)), None)
    if path is None:
        raise BundleError(
            "the directory has no weights", where=directory,
            found=[entry.name for entry in sorted(directory.iterdir())][:8],
            accepted=f"One of: {', '.join(WEIGHT_FILES)}.",
        )  # fmt: skip
    if path.suffix != ".json":
        return ForeignWeights(_read_file(path), path)
    files = read_json(path).get("weight_map")
    if not isinstance(files, dict) or not all(isinstance(name, str) for name in files.values()):
        raise BundleError("the index does not say which file each weight lies in", where=path)
    tensors: dict[str, Tensor] = {}
    for name in sorted(set(files.values())):
        tensors |= _read_file(directory / Path(name).name)
    if missing := sorted(files.keys() - tensors.keys()):
        raise BundleError("the index names weights that are not in the files", where=path, found=missing[:3])
    return ForeignWeights(tensors, path)


def _read_file(path: Path) -> dict[str, Tensor]:
    """The tensors of one file.

    Raises:
        BundleError: it is missing or damaged, or holds other things than tensors.
    """
    refuse_pointer(path)
    try:
        path.open("rb").close()
    except OSError as error:
        raise BundleError(
            "the weights cannot be read", where=path, found=error.strerror,
            accepted="All parts must be there, and a link must lead to its file.",
        ) from error  # fmt: skip
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        tensors = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, OSError, RuntimeError, ValueError, EOFError, KeyError) as error:
        raise BundleError("the weights are damaged", where=path, found=_first_line(error),
                          accepted="Copy the file again from where it came.") from error  # fmt: skip
    except pickle.UnpicklingError as error:
        raise BundleError(
            "the file holds other things than tensors, or is damaged: nothing in it is executed", where=path,
            found=_first_line(error), accepted="Weights saved as safetensors, or as a plain state_dict.",
        ) from error  # fmt: skip
    if not isinstance(tensors, dict) or not all(isinstance(each, Tensor) for each in tensors.values()):
        raise BundleError("the file is no state_dict", where=path, found=type(tensors).__name__)
    return {str(name): tensor for name, tensor in tensors.items()}


def _first_line(error: Exception) -> str:
    return str(error).split("\n", 1)[0]
