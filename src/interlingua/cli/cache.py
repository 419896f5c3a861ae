"""interlingua cache: shows what is kept for the next time, prepared data and converted models; clears it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from interlingua.errors import ConfigurationError

if TYPE_CHECKING:
    from interlingua.data.cache import Cache, CacheEntry

__all__ = ["cache"]

DAY_S = 86_400


def cache(
    clear: Annotated[bool, typer.Option("--clear", help="Remove what is not in use.")] = False,
    older_than: Annotated[
        float | None, typer.Option(min=0, help="With --clear: only what was not used for so many days.")
    ] = None,
) -> None:
    """Show the prepared data and converted models that are kept for the next time, or clear them.

    Nothing is lost with them: they are made anew when they are needed.

    Example: `interlingua cache --clear --older-than 30`
    """
    from interlingua.data.cache import Cache, choose_size_limit
    from interlingua.runs.experiment import cache_directory

    if older_than is not None and not clear:
        raise ConfigurationError(
            "this says what to clear", where="--older-than", accepted="Give --clear as well."
        )
    directory = cache_directory()
    prepared = Cache(directory)
    entries = prepared.entries()
    if clear:
        _clear(prepared, entries, older_than or 0)
        return
    if not entries:
        print(f"{directory}: nothing is kept")
        return
    total, limit = sum(entry.size for entry in entries), choose_size_limit(directory)
    print(f"{directory}: {len(entries):,} entries, {_size(total)} of at most {_size(limit)}")
    for entry in reversed(entries):
        print(f"  {_size(entry.size):>9}  {_ago(entry.last_used_s):<22}  {_files(entry.files)}")


def _clear(prepared: Cache, entries: list[CacheEntry], older_than: float) -> None:
    old = [entry for entry in entries if time.time() - entry.last_used_s >= older_than * DAY_S]
    removed = [entry for entry in old if prepared.remove(entry)]
    print(f"removed: {len(removed):,} entries, {_size(sum(entry.size for entry in removed))}")
    for entry in old:
        if entry not in removed:
            print(f"kept, for it is in use or cannot be removed: {entry.directory} ({_files(entry.files)})")


def _files(files: list[str]) -> str:
    return ", ".join(Path(file).name for file in files) or "files not known (made by an earlier version)"


def _ago(moment_s: float) -> str:
    days = int((time.time() - moment_s) / DAY_S)
    return "used today" if days < 1 else f"last used {days:,} day{'s' if days > 1 else ''} ago"


def _size(size: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            break
        size /= 1000
    return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
