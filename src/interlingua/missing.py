"""What may be meant by the name of a file that is not there."""

from __future__ import annotations

import glob
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote

__all__ = ["explain_missing", "find_below", "is_file"]

_ADDRESS = re.compile(r"(?:^|/)(?:https?|ftp|s3|gs):/")
_FILE_ADDRESS = re.compile(r"(?:^|/)file:/+(.+)")


def explain_missing(path: str | Path, suffixes: Iterable[str] = ()) -> str | None:
    """Says which file is there instead, or which directory is not; None where nothing is known.

    Args:
        path: the name.
        suffixes: that files of the kind have.
    """
    name = str(path)
    if not _exists(name) and (target := _link(name)) is not None:
        return f"It is a link to {target}, which leads nowhere."
    if here := _FILE_ADDRESS.search(name):
        return f"Names are written without file://, such as /{unquote(here[1])}"
    if _ADDRESS.search(name):
        return "Files on this machine are read, no addresses: fetch them first."
    for form in ("NFC", "NFD"):
        if (same := unicodedata.normalize(form, name)) != name and _exists(same):
            return (
                f"There is one whose name looks the same, with its accents in Unicode's form {form}: "
                "write it so, or rename it, for example with convmv."
            )
    plain = re.sub("[\"'`]", "", name.replace("\\", "/"))
    suffix = Path(plain).suffix
    stem = plain.removesuffix(suffix)
    others = [plain, stem + suffix.lower(), stem + suffix.upper(), *(stem + each for each in suffixes)]
    others += [plain + each for each in suffixes]
    for other in others:
        if other != name and _exists(other):
            return f"There is {other}"
    for other in (*others, name):
        if below := find_below(Path(other)):
            return f"There is {below}"
    missing = [each for each in Path(name).parents if not _exists(str(each))]
    return f"There is no directory {missing[-1]}" if missing else None


def is_file(path: Path) -> bool:
    """Whether a text, such as a whole sentence, is the name of a file that is there."""
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long, or with a NUL
        return False


def find_below(path: Path) -> Path | None:
    """The file of the same name in a directory beside, where there is none of this name."""
    if _exists(str(path)) or not path.name or not _exists(str(path.parent)):
        return None
    return next(path.parent.glob(f"*/{glob.escape(path.name)}"), None)


def _link(name: str) -> Path | None:
    try:
        return Path(name).readlink()
    except (OSError, ValueError):
        return None


def _exists(name: str) -> bool:
    try:
        return Path(name).exists()
    except (OSError, ValueError):  # too long, or with a NUL
        return False
