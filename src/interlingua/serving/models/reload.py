"""A model that takes the place of an earlier one is noticed, and loaded while the service runs."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import tomllib
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from interlingua.serving.logs import log_event

__all__ = ["VERSION", "VersionWatch"]

VERSION = Path("improvements") / "version.json"
"""Written in a model directory when another model has taken its place, or the earlier one has come back."""
_TOKENIZERS = ("joint.json", "joint.model", "source.json", "source.model", "target.json", "target.model")
_RETRY_S = 30.0  # after a model could not be loaded

log = logging.getLogger(__name__)


class VersionWatch:
    """Notices models that were replaced since it was made, which is before they are loaded.

    Args:
        models: directories by name.
    """

    def __init__(self, models: Mapping[str, str]) -> None:
        self._places = {path: Path(path) for path in models.values()}
        self._versions = _versions(self._places)
        self._known = _describe_all(self._places)

    async def watch(self, reload: Callable[[], Awaitable[None]], every_s: float) -> None:
        """Looks for ever whether a model was replaced, and has all of them loaded anew then.

        One with other tokenizers or languages than the service read at its start is left for its next start.

        Args:
            reload: loads the models anew; what it raises leaves the service as it was.
            every_s: seconds between two looks.
        """
        places = self._places
        while True:
            found = await asyncio.to_thread(_versions, places)
            if found == self._versions:
                await asyncio.sleep(every_s)
                continue
            changed = [path for path in places if found[path] != self._versions[path]]
            others = await asyncio.to_thread(_describe_all, places)
            if foreign := [path for path in changed if others[path] != self._known[path]]:
                log_event(log, "reload_refused", models=foreign, why="other tokenizers or languages: restart")
                self._versions = found
                continue
            try:
                await reload()
            except Exception as error:  # the workers that are there go on
                log_event(log, "reload_failed", models=changed, error=str(error))
                await asyncio.sleep(_RETRY_S)
            else:
                log_event(log, "reloaded", models=changed)
                self._versions = found


def _versions(places: Mapping[str, Path]) -> dict[str, tuple[int, int] | None]:
    """What changes when the file of a version is written anew."""
    found: dict[str, tuple[int, int] | None] = {}
    for path, directory in places.items():
        try:
            about = (directory / VERSION).stat()
            found[path] = about.st_mtime_ns, about.st_ino
        except OSError:
            found[path] = None
    return found


def _describe_all(places: Mapping[str, Path]) -> dict[str, str]:
    """A hash of what the service itself has read of each model."""
    return {path: _describe(directory) for path, directory in places.items()}


def _describe(directory: Path) -> str:
    parts = hashlib.blake2b(digest_size=16)
    for name in _TOKENIZERS:
        try:
            parts.update(name.encode() + hashlib.blake2b((directory / name).read_bytes()).digest())
        except OSError:
            continue
    try:
        config = tomllib.loads((directory / "config.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        config = {}
    parts.update(repr(config.get("languages")).encode())
    return parts.hexdigest()
