"""Who may write into a run's directory, how an earlier run is replaced, and what of it may be removed.

A run that replaces another begins in training/.replacement/ of its directory, and takes the earlier one's
place when it has its first weights: until then the earlier run is whole, and it stays when the new one fails.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import tomllib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from interlingua.errors import ConfigurationError, OutputError
from interlingua.files import write_text
from interlingua.inference.bundle import CARD, CONFIG, INFO, OWN_FILES, WEIGHTS
from interlingua.runs.inputs import COPIES
from interlingua.runs.manifest import MANIFEST

__all__ = [
    "check_place",
    "finish_or_drop_replacement",
    "foreign_files",
    "holds_run",
    "locked",
    "named_directory",
    "own_files",
    "prepare_replacement",
    "refuse_existing",
    "refuse_overlap",
    "replace_run",
]  # fmt: skip

LOCK, REPLACEMENT = "lock", ".replacement"
MOVES = "moves.json"
"""Lists what a replacement moves, once its moving has begun."""
SECTIONS = ("data", "model", "training", "search")
"""Every resolved configuration has them all."""
TRAINING_FILES = (
    MANIFEST, f".{MANIFEST}.part", "log.jsonl", ".log.jsonl.part", "checkpoints/step-*.safetensors",
    "checkpoints/.step-*.safetensors.part", "tensorboard/events.out.tfevents.*", f"{COPIES}/*.copy*",
    "codec/step-*.safetensors", "codec/.step-*.safetensors.part", "race.json", ".race.json.part",
    "race/*/step-*.safetensors", "race/*/.step-*.safetensors.part",
)  # fmt: skip
"""What a run writes into training/."""


def check_place(out: Path) -> Path:
    """Returns the directory to train into, "~" resolved; nothing is written.

    Raises:
        ConfigurationError: no directory can have this name.
        OutputError: it cannot be made, or not be written.
    """
    accepted = "Choose another --out."
    try:
        str(out).encode()
    except UnicodeEncodeError:
        raise ConfigurationError("the name of the directory is not UTF-8", where="--out",
                                 found=os.fsencode(out), accepted=accepted) from None  # fmt: skip
    if any(ord(character) < 32 or ord(character) == 127 for character in str(out)):
        raise ConfigurationError(
            "the name of the directory has a control character", where="--out", found=str(out),
            accepted=accepted,
        )  # fmt: skip
    out = named_directory(out)
    try:
        place = next(path for path in (out, *out.absolute().parents) if os.path.lexists(path))
        place.stat()
        if not place.is_dir():
            raise OutputError("this is not a directory", where=place, accepted=accepted)
        with tempfile.TemporaryFile(dir=place):
            pass
        _try_names(place, out)
    except OSError as error:
        raise OutputError("the directory cannot be written", where=out, found=error.strerror,
                          accepted=accepted) from error  # fmt: skip
    return out


def named_directory(out: Path) -> Path:
    """The directory with "~" resolved, and with a name, for its model card, where it is "." or "..".

    Raises:
        ConfigurationError: nobody has the home directory that is named.
    """
    try:
        out = out.expanduser()
    except RuntimeError as error:
        raise ConfigurationError("there is no such home directory", where="--out", found=str(out),
                                 accepted="Choose another directory.") from error  # fmt: skip
    return out.resolve() if out.name in ("", "..") else out


def _try_names(place: Path, out: Path) -> None:
    """An OSError if the file system does not take a name, for example because it is too long."""
    names = out.absolute().relative_to(place.absolute()).parts
    for path in (
        *(place / name for name in names),
        out / "training/checkpoints/.step-000000000.safetensors.part",
    ):
        with suppress(FileNotFoundError):
            path.lstat()


def refuse_overlap(out: Path, others: Iterable[tuple[str, str | Path]]) -> None:
    """Refuses a directory that is, or holds, something that the run needs.

    Args:
        out: the run's directory.
        others: what each is, for the message, and its path.

    Raises:
        OutputError: one of them is the directory or lies in it.
    """
    place = Path(os.path.realpath(out))
    for what, path in others:
        real = Path(os.path.realpath(path))
        if place == real or place in real.parents:
            lies = "is" if place == real else "lies in"
            raise OutputError(f"{what} {lies} this directory", where=out, found=str(path),
                              accepted="Choose another --out.")  # fmt: skip


@contextmanager
def locked(out: Path) -> Iterator[None]:
    """Makes the directory and keeps other processes from training into it; if it stays empty, it goes again.

    Raises:
        OutputError: another process does, or it cannot be written.
    """
    made = [path for path in (out, *out.absolute().parents) if not path.exists()]
    lock = FileLock(out / "training" / LOCK, timeout=0)
    try:
        (out / "training").mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise OutputError(
            "another process is training into this directory", where=out,
            accepted="Wait for it to end, or choose another --out.",
        ) from None  # fmt: skip
    except OSError as error:
        raise OutputError("the directory cannot be written", where=out, found=error.strerror) from error
    try:
        yield
    finally:
        if [path.name for path in (out / "training").iterdir()] == [LOCK]:
            with suppress(OSError):
                (out / "training" / LOCK).unlink()
                (out / "training").rmdir()
                for path in made:
                    path.rmdir()
        lock.release()


def refuse_existing(out: Path, force: bool) -> None:
    """Lets only a new or empty directory pass, one where a run was killed as it began, or with `force` a run.

    Raises:
        OutputError: it is something else.
    """
    if not out.exists() or not _begun(out):
        return
    if not holds_run(out):
        raise OutputError(
            "it exists and is not a run of interlingua", where=out, accepted="Choose another --out."
        )
    if not force:
        raise OutputError(
            "the directory exists", where=out,
            accepted=f"To go on with it: --resume {out}. To replace it: --force. Or choose another --out.",
        )  # fmt: skip


def holds_run(out: Path) -> bool:
    """Whether it has what only a run has: the manifest, or a resolved configuration and tokenizers."""
    if (out / "training" / MANIFEST).is_file():
        try:
            manifest = json.loads((out / "training" / MANIFEST).read_bytes())
        except (OSError, ValueError):
            return False
        return isinstance(manifest, dict) and {"format", "interlingua", "files"} <= manifest.keys()
    # Earlier versions wrote no manifest, and training/ may be deleted.
    if not (
        (out / "joint.json").is_file() or all((out / f"{s}.json").is_file() for s in ("source", "target"))
    ):
        return False
    try:
        config = tomllib.loads((out / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return all(isinstance(config.get(section), dict) for section in SECTIONS)


def _begun(out: Path) -> bool:
    """Whether there is more in it than a process leaves that is killed before it wrote a configuration."""
    if not out.is_dir() or any((out / name).exists() for name in (CONFIG, WEIGHTS, INFO, CARD)):
        return True
    training = out / "training"
    known = {training / LOCK, training / f".{MANIFEST}.part"}
    if (training / MANIFEST).exists():
        known |= own_files(out)
    return any(path not in known for path in _files(out))


def own_files(out: Path) -> set[Path]:
    """The files of a run, whole or not yet whole; without the lock."""
    found = {path for name in TRAINING_FILES for path in (out / "training").glob(name)}
    for name in OWN_FILES:
        found |= {path for path in (out / name, out / f".{name}.part") if path.is_file()}
    return found


def foreign_files(out: Path) -> list[Path]:
    """What lies in training/ and was not written by a run."""
    training, own = out / "training", own_files(out)
    return sorted(
        path.relative_to(out) for path in _files(training)
        if path not in own and path != training / LOCK and training / REPLACEMENT not in path.parents
    )  # fmt: skip


def _files(directory: Path) -> Iterator[Path]:
    return (path for path in directory.rglob("*") if path.is_symlink() or not path.is_dir())


def prepare_replacement(out: Path) -> Path:
    """Makes the directory in which the run begins that is to replace another."""
    replacement = out / "training" / REPLACEMENT
    (replacement / "training").mkdir(parents=True)
    return replacement


def replace_run(out: Path) -> None:
    """Moves what lies in the replacement into its place, and removes what else was the earlier run's.

    A process that is killed meanwhile leaves the rest to `finish_or_drop_replacement`.
    """
    replacement = out / "training" / REPLACEMENT
    moves = sorted(str(path.relative_to(replacement)) for path in own_files(replacement))
    write_text(replacement / MOVES, json.dumps(moves))
    finish_or_drop_replacement(out)


def finish_or_drop_replacement(out: Path) -> None:
    """Ends the replacement of a run that was begun to be moved; drops one that was not."""
    replacement = out / "training" / REPLACEMENT
    if (replacement / MOVES).exists():
        new = {out / name for name in json.loads((replacement / MOVES).read_bytes())}
        for path in sorted(new):
            moved = replacement / path.relative_to(out)
            if moved.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                moved.replace(path)
        for path in own_files(out) - new:
            path.unlink()
    shutil.rmtree(replacement, ignore_errors=True)
