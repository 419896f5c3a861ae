"""Files and directories that are either whole or not there: written aside, synced, renamed."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterable
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
        mark: a JSON object among them, by which an earlier directory is known; it gets a list of all files.
        force: whether an earlier one is replaced; files that were not written with it stay.

    Raises:
        OutputError: there is something in `out`, or what was written there has been changed since, or it
            cannot be written; nothing is changed then.
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
            _list_files(new, mark)
            for path in new.rglob("*"):
                if path.is_file():
                    with path.open("rb+") as file:
                        os.fsync(file.fileno())
            kept = list[Path]()
            if force and out.is_dir():
                kept = _files_of_others(out, new, mark)
                out.rename(old)
            try:
                _move(kept, old, new)
                new.rename(out)
            except BaseException:  # Ctrl-C, too: what is aside goes
                if old.exists():
                    _move([path for path in kept if not os.path.lexists(old / path)], new, old)
                    old.rename(out)
                raise
        _sync_directory(out.parent)
    except (OSError, SafetensorError) as error:
        raise write_error(error, out) from error


def _list_files(directory: Path, mark: str) -> None:
    """Notes all files with their hashes in one of them."""
    files = {name: _hash(directory / name) for name in _names(directory) if name != mark}
    about = json.loads((directory / mark).read_text("utf-8")) | {"files": files}
    (directory / mark).write_text(json.dumps(about, ensure_ascii=False, indent=1) + "\n", "utf-8")


def _written(directory: Path, mark: str) -> dict[str, str]:
    """The files that were written with a mark, and their hashes; none where it does not tell."""
    try:
        files = json.loads((directory / mark).read_text("utf-8")).get("files", {})
    except (ValueError, AttributeError):
        return {}
    return files if isinstance(files, dict) else {}


def _files_of_others(out: Path, new: Path, mark: str) -> list[Path]:
    """What is to stay in a directory: relative names of files, and of directories that hold nothing else.

    Raises:
        OutputError: one of them would be overwritten.
    """
    told, made = _written(out, mark), set(_names(new))
    written = told.keys() | {mark} if told else made  # of before, when none was told
    others = [name for name in _names(out) if name not in written]
    if lost := [name for name in others if name in made]:
        raise OutputError("a file is in the way", where=out / lost[0], accepted="Move it somewhere else.")
    top = {Path(name).parts[0] for name in others} - {Path(name).parts[0] for name in (*written, *made)}
    return [*map(Path, sorted(top)), *(Path(name) for name in others if Path(name).parts[0] not in top)]


def _move(paths: Iterable[Path], source: Path, target: Path) -> None:
    for path in paths:
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        (source / path).rename(target / path)


def _names(directory: Path) -> list[str]:
    """The files, links and empty directories below, by their relative names."""
    return [
        path.relative_to(directory).as_posix()
        for path in sorted(directory.rglob("*"))
        if path.is_symlink() or not path.is_dir() or not any(path.iterdir())
    ]


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()[:32]


def _refuse_content(out: Path, mark: str, force: bool) -> None:
    if not (out / mark).is_file():
        raise OutputError("the directory holds something else already", where=out,
                          accepted="Choose another directory.")  # fmt: skip
    if not force:
        raise OutputError("the directory exists", where=out,
                          accepted="To replace it: --force. Or choose another directory.")  # fmt: skip
    for name, known in _written(out, mark).items():
        path = out / name
        if path.is_file() and _hash(path) != known:
            raise OutputError("a file was changed since it was written here, and would be lost", where=path,
                              accepted="Move it somewhere else, or choose another directory.")  # fmt: skip


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
