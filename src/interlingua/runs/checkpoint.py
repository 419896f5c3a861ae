"""Checkpoints: all that an undisturbed run would have known, in one file that is whole or not there."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from interlingua.data.tensors import DamagedFileError, read_tensors, write_tensors
from interlingua.errors import CheckpointError

__all__ = ["Checkpoint", "load_newest", "restore_generators", "save_checkpoint"]

MAX_CHECKPOINTS = 2
"""So many of the newest stay: if the last is damaged, the one before it is used."""


class Checkpoint(NamedTuple):
    """The state of a training between two updates."""

    tensors: dict[str, Tensor]
    """Weights, averaged weights, optimizer; the states of the random generators are added when saving."""
    about: dict[str, Any]
    """Plain values: step, data position, elapsed time, the best score so far and so on."""


def save_checkpoint(directory: Path, checkpoint: Checkpoint) -> Path:
    """Writes a checkpoint named by its step, then removes all but the newest.

    Raises:
        OutputError: the disk is full or cannot be written; what was there stays.
    """
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"step-{checkpoint.about['step']:09d}.safetensors"
    write_tensors(path, {**checkpoint.tensors, **_generators()}, checkpoint.about)
    for old in sorted(directory.glob("step-*.safetensors"))[:-MAX_CHECKPOINTS]:
        old.unlink()
    return path


def load_newest(directory: Path) -> tuple[Checkpoint | None, list[str]]:
    """The newest whole checkpoint.

    Returns:
        the checkpoint, None when none was written yet; and a line for each damaged one that was passed over.

    Raises:
        CheckpointError: there are checkpoints, and all of them are damaged, or one may not be read.
    """
    damaged = []
    for path in sorted(directory.glob("step-*.safetensors"), reverse=True):
        try:
            tensors, about = read_tensors(path)
        except DamagedFileError as error:
            damaged.append(f"{path} is damaged and was passed over ({error})")
            continue
        except OSError as error:
            raise CheckpointError("the checkpoint cannot be read", where=path, found=error.strerror) from None
        return Checkpoint(tensors, about), damaged
    if damaged:
        raise CheckpointError(
            "no whole checkpoint is left",
            where=directory,
            found="; ".join(damaged),
            accepted="Start anew with --force, or from the saved weights with --from.",
        )
    return None, []


def _generators() -> dict[str, Tensor]:
    states = {"generator.cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states |= {f"generator.cuda.{i}": state for i, state in enumerate(torch.cuda.get_rng_state_all())}
    if torch.backends.mps.is_available():
        states["generator.mps"] = torch.mps.get_rng_state()
    return states


def restore_generators(checkpoint: Checkpoint) -> None:
    """Gives PyTorch's random generators the states that they had when the checkpoint was written.

    Generators of devices that this machine does not have are passed over; those of devices that the other one
    did not have stay as they are.
    """
    for name in [name for name in checkpoint.tensors if name.startswith("generator.")]:
        state = checkpoint.tensors[name]
        _, device, *index = name.split(".")
        if device == "cpu":
            torch.set_rng_state(state)
        elif device == "cuda" and torch.cuda.is_available() and int(index[0]) < torch.cuda.device_count():
            torch.cuda.set_rng_state(state, int(index[0]))
        elif device == "mps" and torch.backends.mps.is_available():
            torch.mps.set_rng_state(state)
