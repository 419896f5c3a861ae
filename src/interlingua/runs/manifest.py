"""training/run.json: what makes a directory a run's, and which files the run was started from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from interlingua.errors import CheckpointError
from interlingua.files import write_text
from interlingua.inference.bundle import WEIGHTS
from interlingua.runs.inputs import InputFile
from interlingua.version import __version__

__all__ = ["MANIFEST", "Manifest", "load_manifest", "mark_checkpointed", "refuse_without_checkpoint",
           "save_manifest"]  # fmt: skip

MANIFEST = "run.json"
FORMAT = 1


@dataclass(frozen=True)
class Manifest:
    """What stays the same from a run's start on, and whether it can go on from a checkpoint."""

    files: list[InputFile]
    """Of training, then of validation."""
    machine: dict[str, Any]
    """device, precision and threads that it was started with."""
    report: dict[str, Any]
    """What was found in the data."""
    checkpointed: bool = False
    """Whether a checkpoint was ever written; without, the run begins anew when it is resumed."""


def save_manifest(directory: Path, manifest: Manifest) -> None:
    """Writes the manifest of the run in a directory that has training/."""
    values = {"format": FORMAT, "interlingua": __version__, **asdict(manifest)}
    values["files"] = [file._asdict() for file in manifest.files]
    write_text(directory / "training" / MANIFEST, json.dumps(values, ensure_ascii=False, indent=1) + "\n")


def load_manifest(directory: Path) -> Manifest | None:
    """Reads what `save_manifest` wrote; None when there is none, as in runs of earlier versions.

    Raises:
        CheckpointError: it was written by a newer version, or is damaged.
    """
    path = directory / "training" / MANIFEST
    try:
        values: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if values["format"] > FORMAT:
            raise CheckpointError(
                "the run is of a newer version of interlingua", where=path, found=values["interlingua"]
            )
        return Manifest(
            [InputFile(**file) for file in values["files"]],
            values["machine"], values["report"], values["checkpointed"],
        )  # fmt: skip
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError("what the run was started from cannot be read", where=path,
                              found=str(error)) from error  # fmt: skip


def mark_checkpointed(directory: Path) -> None:
    """Notes that there was a checkpoint: if it is gone later, the run cannot go on."""
    manifest = load_manifest(directory)
    if manifest is not None and not manifest.checkpointed:
        save_manifest(directory, replace(manifest, checkpointed=True))


def refuse_without_checkpoint(directory: Path, manifest: Manifest | None) -> None:
    """Refuses to begin anew where there is a trained model.

    Raises:
        CheckpointError: there are weights, but no checkpoint any more.
    """
    if any((directory / "training" / "checkpoints").glob("step-*.safetensors")):
        return
    # A run that was killed between its first weights and its first checkpoint does begin anew.
    began = manifest is not None and not manifest.checkpointed
    if (directory / WEIGHTS).exists() and not began:
        raise CheckpointError(
            "there is no checkpoint to go on from", where=directory / "training" / "checkpoints",
            accepted=f"The model is still there. To train it further, as a new run: --from {directory}",
        )  # fmt: skip
