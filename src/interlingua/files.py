"""Files and directories that are either whole or not there: written aside, synced, renamed."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from safetensors import SafetensorError

from interlingua.errors import OutputError

__all__ = ["is_lfs_pointer", "write_directory", "write_error", "write_text", "write_whole"]


_LFS = b"version https://git-lfs.github.com/"


def is_lfs_pointer(path: Path) -> bool:
    """Whether a file is what git leaves of a large one that it did not fetch."""
    try:
        with path.open("rb") as file:
            return file.read(len(_LFS)) == _LFS
    except OSError:
        return False


def write_whole(path: Path, write: Callable[[Path], None]) -> None:
    """Has `write` fill a file aside, syncs it and gives it its name; whatever happens, `path` stays whole.

    A device or a pipe has no name to give: it is written as it is.

    Raises:
        OutputError: the disk is full or the file cannot be written.
    """
    try:
        if path.exists() and not path.is_file():
            write(path)
            return
    except (OSError, SafetensorError) as error:
        raise write_error(error, path) from None
    aside = path.with_name(f".{path.name}.part")
    try:
        aside.touch()
        mode = aside.stat().st_mode
        write(aside)
        aside.chmod(mode)  # safetensors writes files that only their owner may read; the umask is to decide
        with aside.open("rb+") as file:
            os.fsync(file.fileno())
        aside.replace(path)
        _sync_directory(path.parent)
    except (OSError, SafetensorError) as error:
        _remove(aside)
        raise write_error(error, path, "What was there before is untouched.") from None


def write_text(path: Path, text: str) -> None:
    """Writes a text file whole."""

    def write(aside: Path) -> None:
        aside.write_text(text, encoding="utf-8", newline="\n")

    write_whole(path, write)


def write_directory(out: Path, write: Callable[[Path], None], *, mark: str, force: bool = False) -> None:
    """Has `write` fill a directory aside, syncs its files and gives it its name.

    Args:
        out: a new or empty directory.
        write: fills the directory that it is given.
        mark: a file that everything written so has, by which an earlier one is known.
        force: whether an earlier one is replaced.

    Raises:
        OutputError: there is something in `out`, or it cannot be written; nothing is changed then.
    """
    try:
        out = out.expanduser()
    except RuntimeError as error:
        raise OutputError("there is no such home directory", where=out,
                          accepted="Choose another directory.") from error  # fmt: skip
    try:
        out = out.resolve() if out.name in ("", "..") else out
        if os.path.lexists(out) and not out.is_dir():
            raise OutputError("this is not a directory", where=out, accepted="Choose another directory.")
        if out.is_dir() and any(out.iterdir()):
            _refuse_content(out, mark, force)
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{out.name}.part-", dir=out.parent) as aside:
            new, old = Path(aside, "new"), Path(aside, "old")
            new.mkdir()  # within, for the umask decides who may read it
            write(new)
            for path in new.rglob("*"):
                if path.is_file():
                    with path.open("rb+") as file:
                        os.fsync(file.fileno())
            if force and out.is_dir():
                out.rename(old)
            try:
                new.rename(out)
            except OSError:
                if old.exists():
                    old.rename(out)
                raise
        _sync_directory(out.parent)
    except (OSError, SafetensorError) as error:
        raise write_error(error, out) from error


def _refuse_content(out: Path, mark: str, force: bool) -> None:
    if not (out / mark).is_file():
        raise OutputError("the directory holds something else already", where=out,
                          accepted="Choose another directory.")  # fmt: skip
    if not force:
        raise OutputError("the directory exists", where=out,
                          accepted="To replace it: --force. Or choose another directory.")  # fmt: skip


def write_error(error: Exception, where: object, hint: str | None = None) -> OutputError:
    """What the system said when something could not be written."""
    found = getattr(error, "strerror", None) or str(error)
    if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
        return OutputError("the disk is full", where=where, found=found, accepted=hint)
    return OutputError("the file cannot be written", where=where, found=found, accepted=hint)


def _remove(aside: Path) -> None:
    try:
        aside.unlink(missing_ok=True)
    except OSError:
        return  # where nothing can be written nothing can be removed; the first error tells more


def _sync_directory(directory: Path) -> None:
    if os.name != "posix":
        return  # elsewhere a directory cannot be opened
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
