"""The cache of prepared data: entries by key, locked while they are made, and bounded in size."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from interlingua.data.store_writer import FORMAT
from interlingua.errors import ConfigurationError

__all__ = ["Cache", "CacheEntry", "choose_size_limit"]

USED = "used.json"
"""In an entry: the files that it was last used for; its time is that of the last use."""
UNFINISHED = ".preparing-"
"""What the name of a directory begins with while it is written."""
STALE_AFTER_S = 86_400
"""An unfinished directory, or an entry of an earlier version, is nobody's any more at this age."""
DEFAULT_GIB = 20
MAX_DISK_SHARE = 0.25
_KEY = re.compile("[0-9a-f]{32}")
"""The name of an entry, as `preparation` makes it."""


@dataclass(frozen=True)
class CacheEntry:
    """Prepared data of some files and settings."""

    directory: Path
    size: int
    """Bytes."""
    last_used_s: float
    """Seconds since the epoch."""
    files: list[str]
    """What it was last used for."""


class Cache:
    """A directory of prepared data, that several processes may use at once.

    Args:
        directory: each version of the layout has its own directory in it.
    """

    def __init__(self, directory: Path) -> None:
        self.top = directory
        self.directory = directory / f"prepared-{FORMAT}"

    def create(self) -> None:
        """Makes the directories; raises OSError when nothing can be written or locked there."""
        self._locks.mkdir(parents=True, exist_ok=True)
        probe = self._locks / f"{uuid.uuid4().hex}.probe"
        try:
            with FileLock(probe):
                pass
        except NotImplementedError:
            raise OSError(errno.ENOTSUP, "files cannot be locked there") from None
        finally:
            probe.unlink(missing_ok=True)

    def entry(self, key: str) -> Path:
        """Returns the directory of an entry, whether it exists or not."""
        return self.directory / key

    def lock(self, key: str, timeout_s: float = -1) -> FileLock:
        """Returns the lock to hold while an entry is made, opened or removed."""
        return FileLock(self._locks / f"{key}.lock", timeout=timeout_s)

    def use(self, key: str, files: Sequence[str]) -> Callable[[], None]:
        """Notes that an entry is used from now on, so that it is not removed; returns what ends this.

        The end of the process ends it as well. The entry's lock must be held.
        """
        text = json.dumps({"files": list(files)}, ensure_ascii=False)
        (self.entry(key) / USED).write_text(text, encoding="utf-8")
        path = self._locks / f"{key}.{os.getpid()}-{uuid.uuid4().hex}.used"
        used = FileLock(path, thread_local=False)
        used.acquire()

        def end() -> None:
            used.release()
            path.unlink(missing_ok=True)

        return end

    def entries(self) -> list[CacheEntry]:
        """Returns all entries, the least recently used first; those of earlier versions as well."""
        found = [_entry(path) for path in _directories(self.top) if _KEY.fullmatch(path.name)]
        for version in _directories(self.top):
            if version.name.startswith("prepared-"):
                found += [_entry(path) for path in _directories(version) if _KEY.fullmatch(path.name)]
        return sorted(found, key=lambda entry: entry.last_used_s)

    def remove(self, entry: CacheEntry) -> bool:
        """Removes an entry unless it is in use or may not be removed; returns whether it did."""
        key = entry.directory.name
        try:
            if entry.directory.parent != self.directory:
                return _remove_earlier(entry)
            with self.lock(key, timeout_s=0):
                if any(_is_held(path) for path in self._locks.glob(f"{key}.*.used")):
                    return False
                _remove(entry.directory)
        except OSError:  # Timeout is one
            return False
        return True

    def shrink(self, limit: int) -> list[CacheEntry]:
        """Removes the least recently used entries until the rest is no larger than `limit` bytes.

        Returns:
            What was removed.
        """
        for unfinished in self.directory.glob(f"{UNFINISHED}*"):
            if time.time() - _time(unfinished) > STALE_AFTER_S:
                shutil.rmtree(unfinished, ignore_errors=True)
        entries, removed = self.entries(), []
        total = sum(entry.size for entry in entries)
        for entry in entries:
            if total <= limit:
                break
            if self.remove(entry):
                removed.append(entry)
                total -= entry.size
        return removed

    @property
    def _locks(self) -> Path:
        return self.directory / "locks"


def choose_size_limit(directory: Path) -> int:
    """Returns how many bytes the cache may hold: $INTERLINGUA_CACHE_GB, or 20 GiB but a quarter of the disk.

    Raises:
        ConfigurationError: the variable is not a number.
    """
    given = os.environ.get("INTERLINGUA_CACHE_GB")
    if not given:
        return int(min(DEFAULT_GIB * 2**30, MAX_DISK_SHARE * shutil.disk_usage(directory).total))
    try:
        return int(float(given) * 1e9)
    except (ValueError, OverflowError):
        raise ConfigurationError(
            "this is not a number of gigabytes",
            where="INTERLINGUA_CACHE_GB",
            found=given,
            accepted="Such as: 50",
        ) from None


def _entry(directory: Path) -> CacheEntry:
    size, files = 0, []
    with suppress(OSError):  # it may be removed by another process meanwhile
        for path in directory.rglob("*"):
            size += path.stat().st_size if path.is_file() else 0
    used = directory / USED
    try:
        files = json.loads(used.read_bytes())["files"]
        last_used_s = used.stat().st_mtime
    except (OSError, ValueError, KeyError, TypeError):
        last_used_s = _time(directory)
    return CacheEntry(directory, size, last_used_s, files)


def _time(directory: Path) -> float:
    """When a directory was last changed."""
    try:
        return directory.stat().st_mtime
    except OSError:
        return 0.0


def _directories(directory: Path) -> Iterator[Path]:
    try:
        yield from sorted(path for path in directory.iterdir() if path.is_dir())
    except OSError:
        return


def _is_held(path: Path) -> bool:
    """Whether a living process holds this lock; what a killed one left is removed."""
    try:
        with FileLock(path, timeout=0):
            pass
    except Timeout:
        return True
    path.unlink(missing_ok=True)
    return False


def _remove_earlier(entry: CacheEntry) -> bool:
    """Removes an entry of an earlier version, which has no locks, when it can hardly be in use."""
    if time.time() - entry.last_used_s < STALE_AFTER_S:
        return False
    _remove(entry.directory)
    return True


def _remove(directory: Path) -> None:
    # Renamed first: what is left by a process that is killed here is no entry any more.
    aside = directory.with_name(f"{UNFINISHED}removed-{uuid.uuid4().hex}")
    directory.rename(aside)
    shutil.rmtree(aside, ignore_errors=True)
