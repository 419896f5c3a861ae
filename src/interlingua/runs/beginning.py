"""What a run writes before its first update, so that it can begin again when it is killed."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from interlingua.inference.bundle import ORIGIN_LICENCE, ORIGIN_README, save_config
from interlingua.runs.directory import own_files
from interlingua.runs.inputs import COPIES
from interlingua.runs.manifest import Manifest, save_manifest
from interlingua.runs.plan import Plan

__all__ = ["write_beginning"]


def write_beginning(plan: Plan, machine: dict[str, Any], directory: Path, out: Path) -> None:
    """Writes the manifest, the copies of what cannot be read again, tokenizers; last the configuration.

    Args:
        plan: what is carried out.
        machine: what it is computed on.
        directory: where the run begins, with training/: `out`, or what is to replace it.
        out: the run's directory.

    Raises:
        OutputError: they cannot be written; what was written is removed.
    """
    assert plan.inputs is not None, "a run that is started has read its files"
    try:
        if directory == out:
            for leftover in own_files(out):  # of a process that was killed as it began
                leftover.unlink()
        files = plan.inputs.describe(out)
        save_manifest(directory, Manifest(files, machine, plan.prepared.report))
        plan.inputs.move_copies(directory)
        _keep_origin(plan.experiment.base_model, directory)
        save_config(directory, plan.experiment.as_toml(), plan.prepared.tokenizers)
    except BaseException:
        for unfinished in own_files(directory):
            unfinished.unlink()
        shutil.rmtree(directory / "training" / COPIES, ignore_errors=True)
        raise


def _keep_origin(base_model: str | None, directory: Path) -> None:
    """What the makers of an imported model say of it goes with the models that are made of it."""
    for name in (ORIGIN_README, ORIGIN_LICENCE):
        if base_model is not None and (origin := Path(base_model) / name).is_file():
            shutil.copyfile(origin, directory / name)
