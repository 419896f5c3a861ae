"""The errors that a user can cause or meet, as one tree.

    InterlinguaError
    ├── ConfigurationError     a key, a value or a combination of options is not acceptable
    ├── DataError              a file of pairs, or a text given for use, is not as announced
    ├── BundleError            a model directory is missing, incomplete or damaged
    ├── CheckpointError        no whole checkpoint is left to resume from, or it does not fit the data
    ├── OutputError            the output directory exists, is in use, or cannot be written (disk full)
    ├── ExportError            a model in another program's format does not give the same answers
    └── TrainingError          training diverged or cannot go on

Every other exception that leaves the package is a mistake of the project itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

__all__ = [
    "BundleError",
    "CheckpointError",
    "ConfigurationError",
    "DataError",
    "ExportError",
    "InterlinguaError",
    "OutputError",
    "TrainingError",
    "nearest",
]


class InterlinguaError(Exception):
    """A mistake that can be put right by the user.

    Args:
        what: what is wrong, a sentence without the place.
        where: the file, "file:line" or "section.key" it was found at.
        found: the offending value; shown shortened.
        accepted: what would have been accepted, or what to do next.
    """

    def __init__(
        self, what: str, *, where: object = None, found: object = None, accepted: str | None = None
    ) -> None:
        self.what, self.where, self.found, self.accepted = what, where, found, accepted
        message = what if where is None else f"{where}: {what}"
        if found is not None:
            message += f" (found: {_shorten(found)})"
        if accepted is not None:
            message += f"\n  {accepted}"
        super().__init__(message)


class ConfigurationError(InterlinguaError):
    """A key, a value or a combination of options is not acceptable."""


class DataError(InterlinguaError):
    """A file of pairs, or a text given for use, is not as announced."""


class BundleError(InterlinguaError):
    """A model directory is missing, incomplete or damaged."""


class CheckpointError(InterlinguaError):
    """No whole checkpoint is left to resume from, or it does not fit the data."""


class OutputError(InterlinguaError):
    """The output directory exists, is in use, or cannot be written."""


class ExportError(InterlinguaError):
    """A model in another program's format does not give the same answers."""


class TrainingError(InterlinguaError):
    """Training diverged or cannot go on."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Returns "Did you mean 'x'? Known: a, b, x." for a mistyped name."""
    names: Sequence[str] = sorted(known)
    close = get_close_matches(name, names, n=1)
    guess = f"Did you mean {close[0]!r}? " if close else ""
    return f"{guess}Known: {', '.join(names)}."


def _shorten(value: object, limit: int = 80) -> str:
    text = repr(value)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
