"""Files that are either whole or not there: written aside, synced, renamed; tensors carry their own hash."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from interlingua.errors import OutputError

__all__ = ["DamagedFileError", "read_tensors", "write_tensors", "write_text", "write_whole"]


class DamagedFileError(Exception):
    """A file is not what was written; the caller says what that means for the user."""


def write_whole(path: Path, write: Callable[[Path], None]) -> None:
    """Has `write` fill a file aside, syncs it and gives it its name; whatever happens, `path` stays whole.

    Raises:
        OutputError: the disk is full or cannot be written.
    """
    aside = path.with_name(f".{path.name}.part")
    try:
        write(aside)
        with aside.open("rb+") as file:
            os.fsync(file.fileno())
        aside.replace(path)
        _sync_directory(path.parent)
    except (OSError, SafetensorError) as error:
        aside.unlink(missing_ok=True)
        raise OutputError(
            "the file cannot be written",
            where=path,
            found=getattr(error, "strerror", None) or str(error),
            accepted="What was there before is untouched. Is the disk full?",
        ) from None


def write_text(path: Path, text: str) -> None:
    """Writes a text file whole."""

    def write(aside: Path) -> None:
        aside.write_text(text, encoding="utf-8", newline="\n")

    write_whole(path, write)


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
        FileNotFoundError: there is no such file.
    """
    if not path.exists():
        raise FileNotFoundError(path)
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
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


def _sync_directory(directory: Path) -> None:
    if os.name != "posix":
        return  # elsewhere a directory cannot be opened
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
