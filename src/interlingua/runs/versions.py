"""A model that takes the place of an earlier one in its directory, which is kept and can come back.

Everything lies in improvements/ of the model directory: the earlier model, what is begun and not finished,
the corrections that were learnt from, and version.json, the last file written, whose change tells a service
to load the model anew.
"""

from __future__ import annotations

import filecmp
import hashlib
import json
import os
import shutil
from pathlib import Path

from interlingua.errors import BundleError
from interlingua.files import write_text
from interlingua.inference.bundle import WEIGHTS
from interlingua.runs.directory import REPLACEMENT, finish_or_drop_replacement, own_files, replace_run

__all__ = ["IMPROVEMENTS", "VERSION", "digest_weights", "finish_promotion", "promote", "undo"]

IMPROVEMENTS, VERSION = "improvements", "version.json"
PREVIOUS, KEPT, CANDIDATE = "previous", ".kept", ".candidate"


def promote(directory: Path, candidate: Path) -> None:
    """Puts a run into the place of the model in a directory, which is kept beside it.

    There is a whole model in the directory at any time. The two have the same tokenizers and sizes, so that
    while files are moved any of them go together. A process that is killed leaves the rest to
    `finish_promotion`.

    Args:
        directory: of the model, locked by this process.
        candidate: a directory on the same disk, which is gone afterwards.

    Raises:
        OutputError: a file cannot be written; the earlier model is still there.
    """
    kept = directory / IMPROVEMENTS / KEPT
    shutil.rmtree(kept, ignore_errors=True)
    _link_run(directory, kept)
    finish_or_drop_replacement(directory)
    (directory / "training").mkdir(exist_ok=True)
    candidate.rename(directory / "training" / REPLACEMENT)
    replace_run(directory)
    _keep(directory)


def finish_promotion(directory: Path) -> None:
    """Ends what a process that was killed had begun; what it had not begun to move is as it never was."""
    finish_or_drop_replacement(directory)
    kept = directory / IMPROVEMENTS / KEPT
    if not kept.exists():
        return
    if (kept / WEIGHTS).exists() and not filecmp.cmp(kept / WEIGHTS, directory / WEIGHTS, shallow=False):
        _keep(directory)
    else:
        shutil.rmtree(kept)


def undo(directory: Path) -> None:
    """Brings the earlier model back; the one that was there is kept in its stead.

    Raises:
        BundleError: there is no earlier one, or the model was trained anew since.
    """
    previous = directory / IMPROVEMENTS / PREVIOUS
    if not (previous / WEIGHTS).exists():
        raise BundleError("there is no earlier model to go back to", where=previous,
                          accepted="One is kept when interlingua improve has replaced it.")  # fmt: skip
    version = json.loads((directory / IMPROVEMENTS / VERSION).read_text(encoding="utf-8"))
    if version["weights"] != digest_weights(directory):
        raise BundleError(
            "the model was trained anew since it was improved, so the earlier one does not belong to it",
            where=directory, accepted=f"The earlier one is a model directory of its own: {previous}",
        )  # fmt: skip
    candidate = directory / IMPROVEMENTS / CANDIDATE
    shutil.rmtree(candidate, ignore_errors=True)
    _link_run(previous, candidate)
    promote(directory, candidate)


def digest_weights(directory: Path) -> str:
    """A hash of the weights of a model."""
    with (directory / WEIGHTS).open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def _keep(directory: Path) -> None:
    """Makes what was kept the earlier model, and says that there is a new one."""
    place = directory / IMPROVEMENTS
    shutil.rmtree(place / PREVIOUS, ignore_errors=True)
    (place / KEPT).rename(place / PREVIOUS)
    replaced = digest_weights(place / PREVIOUS)
    version = {"weights": digest_weights(directory), "replaced": replaced}
    write_text(place / VERSION, json.dumps(version, indent=1) + "\n")


def _link_run(directory: Path, copy: Path) -> None:
    """Gives the files of a run second names, or copies them where the disk has no such."""
    for path in sorted(own_files(directory)):
        second = copy / path.relative_to(directory)
        second.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(path, second)
        except OSError:
            shutil.copy2(path, second)
