"""Files inside of zip archives, beside those that lie open."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import NamedTuple

__all__ = ["AnyFile", "Member"]


class Member(NamedTuple):
    """A file inside of a zip archive, which is read where it is."""

    archive: Path
    inside: str
    """Its path there."""

    @property
    def name(self) -> str:
        """The end of its path."""
        return PurePosixPath(self.inside).name

    @property
    def stem(self) -> str:
        """Its name without the last suffix."""
        return PurePosixPath(self.inside).stem

    @property
    def suffix(self) -> str:
        """The last suffix of its name."""
        return PurePosixPath(self.inside).suffix

    def __str__(self) -> str:
        return f"{self.archive} ({self.inside})"


AnyFile = Path | Member
