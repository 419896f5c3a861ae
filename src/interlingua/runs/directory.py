"""Who may write into a run's directory, and what of it may be removed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from interlingua.errors import OutputError
from interlingua.inference.bundle import CONFIG, OWN_FILES

__all__ = ["clear", "locked", "refuse_existing"]


@contextmanager
def locked(out: Path) -> Iterator[None]:
    """Makes the directory and keeps other processes from training into it.

    Raises:
        OutputError: another process does, or it cannot be written.
    """
    lock = FileLock(out / "training" / "lock", timeout=0)
    try:
        (out / "training").mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise OutputError(
            "another process is training into this directory", where=out,
            accepted="Wait for it to end, or choose another --out.",
        ) from None  # fmt: skip
    except OSError as error:
        raise OutputError("the directory cannot be written", where=out, found=error.strerror) from None
    try:
        yield
    finally:
        lock.release()


def refuse_existing(out: Path, force: bool) -> None:
    """Lets only a new or empty directory pass, or with `force` an earlier run.

    Raises:
        OutputError: it is something else.
    """
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    # Without a configuration yet, it may still be a run that was killed as it began.
    is_run = out.is_dir() and ((out / CONFIG).exists() or all(map(_is_of_run, out.iterdir())))
    if not is_run:
        raise OutputError(
            "it exists and is not a run of interlingua", where=out, accepted="Choose another --out."
        )
    if not force:
        raise OutputError(
            "the directory exists", where=out,
            accepted=f"To go on with it: --resume {out}. To replace it: --force. Or choose another --out.",
        )  # fmt: skip


def _is_of_run(path: Path) -> bool:
    """Whether a run writes a file or directory of this name, whole or not yet whole."""
    name = path.name.removeprefix(".").removesuffix(".part")
    return name in OWN_FILES or (name == "training" and path.is_dir())


def clear(out: Path) -> None:
    """Removes an earlier run, but for the lock that this process holds and what is not the run's."""
    training = out / "training"
    for path in [*filter(_is_of_run, out.iterdir()), *training.iterdir()]:
        if path.name in ("training", "lock"):
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
