"""Tensors as safetensors files that are whole or not there, and carry their own hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from interlingua.files import write_whole

__all__ = ["DamagedFileError", "read_tensors", "write_tensors"]


class DamagedFileError(Exception):
    """A file is not what was written; the caller says what that means for the user."""


def write_tensors(path: Path, tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> None:
    """Writes tensors and a JSON object about them as one safetensors file with a hash over both."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    text = json.dumps(about, sort_keys=True)
    metadata = {"about": text, "hash": _hash(plain, text)}
    write_whole(path, lambda aside: save_file(plain, aside, metadata))


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Reads what `write_tensors` wrote.

    Raises:
        DamagedFileError: the file is truncated or altered, or was not written by `write_tensors`.
        OSError: there is no such file, or it may not be read.
    """
    path.open("rb").close()  # safetensors does not tell a file that may not be read from a damaged one
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            # Copies: what is given is mapped to the file, and would change or vanish with it.
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, ValueError) as error:
        raise DamagedFileError(str(error)) from None
    text = metadata.get("about", "")
    if metadata.get("hash") != _hash(tensors, text):
        raise DamagedFileError("its content does not fit its hash")
    about: dict[str, Any] = json.loads(text)
    return tensors, about


def _hash(tensors: Mapping[str, Tensor], text: str) -> str:
    total = hashlib.blake2b(text.encode(), digest_size=16)
    for name in sorted(tensors):
        tensor = tensors[name]
        total.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
        total.update(tensor.contiguous().flatten().view(torch.uint8).numpy().data)
    return total.hexdigest()
