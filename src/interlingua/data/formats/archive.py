"""Zip archives: parallel files, as OPUS or Argos have them, or one of any format; nothing is extracted."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Collection
from itertools import permutations
from pathlib import Path, PurePosixPath
from zipfile import ZipFile

from interlingua.data.file_account import FileAccount
from interlingua.data.formats.languages import describe_languages, is_code, match
from interlingua.data.member import Member
from interlingua.data.opening import COMPRESSIONS, ChangeDetector, open_archive
from interlingua.errors import DataError

__all__ = ["find_members"]

NO_LANGUAGES = ("ids", "xml", "txt", "md", "doc", "pdf", "htm", "rtf", "log", "sgm", "gz", "xz", "bz2", "zst")
"""Suffixes that look like codes of languages."""
SHOWN = 10
ROLES = ("src", "trg"), ("src", "tgt"), ("source", "target")
"""Suffixes that say which file is which, as the Tatoeba Challenge and many recipes have them."""
_ABOUT = re.compile(r"(readme|licen[cs]e|copying|citation|changelog|authors)\b", re.IGNORECASE)
_ORDER = re.compile(r"(?:^|[./_])([A-Za-z_]{2,15})-([A-Za-z_]{2,15})(?:\.[a-z]+)?$")
"""The languages in a name such as Books.en-de."""


def find_members(
    archive: Path, languages: tuple[str, str] | None, suffixes: Collection[str], account: FileAccount,
    changes: ChangeDetector,
) -> Member | tuple[Member, Member]:  # fmt: skip
    """Returns the file of pairs in an archive, or the two parallel ones.

    Args:
        archive: the zip file.
        languages: codes of source and target; when not given, the name of two parallel files says them.
        suffixes: of single files of pairs.
        account: told which ones are read.
        changes: told what was read.

    Raises:
        DataError: there are none, or several.
    """
    with open_archive(archive, changes) as opened:
        names = [name for name in opened.namelist() if not name.endswith("/") and not _is_beside(name)]
        packaged = _packaged(opened, names, languages, archive)
    if packaged is not None:
        account.note(f"read of the archive: {' + '.join(packaged)}")
        return Member(archive, packaged[0]), Member(archive, packaged[1])
    single = [name for name in names if _suffix(name) in suffixes]
    parallel = _parallel(names, suffixes)
    chosen = [pair for stem in parallel if (pair := _choose(stem, parallel[stem], languages))]
    if len(single) + len(chosen) == 1:
        found = single or [*chosen[0]]
        account.note(f"read of the archive: {' + '.join(found)}")
        members = [Member(archive, name) for name in found]
        return members[0] if single else (members[0], members[1])
    if not single and not chosen and parallel:
        counts = Counter(code for codes in parallel.values() for code in codes)
        raise DataError(
            "there are no parallel files in the two languages" if languages else
            "it is not clear which file is the source, and which the target",
            where=archive, found=describe_languages(counts),
            accepted="Say which languages are source and target, such as: --languages en de",
        )  # fmt: skip
    candidates = [*single, *(name for pair in chosen for name in pair)]
    what = (
        "there are several files of pairs in the archive" if candidates else "there is no file of pairs in it"
    )
    shown = candidates or names
    found_names = ", ".join([*shown[:SHOWN], *(["…"] if len(shown) > SHOWN else [])]) or "nothing"
    raise DataError(what, where=archive, found=found_names,
                    accepted="Unpack it, and name the files that are meant.")  # fmt: skip


def _packaged(
    opened: ZipFile, names: Collection[str], languages: tuple[str, str] | None, archive: Path
) -> tuple[str, str] | None:
    """The files called source and target of a data package of Argos, in the direction that is asked for."""
    sides: dict[PurePosixPath, dict[str, str]] = defaultdict(dict)
    for name in names:
        path = PurePosixPath(_uncompressed(name))
        if path.name.removesuffix(".txt") in ("source", "target"):
            sides[path.parent][path.name.removesuffix(".txt")] = name
    both = [(directory, own) for directory, own in sides.items() if len(own) == 2]
    if len(both) != 1:
        return None
    ((directory, own),) = both
    found, codes = (own["source"], own["target"]), _codes_of_package(opened, str(directory / "metadata.json"))
    if languages is None or codes is None or all(map(match, languages, codes)):
        return found
    if all(map(match, languages, reversed(codes))):
        return found[1], found[0]
    raise DataError("there are no parallel files in the two languages", where=archive,
                    found=" and ".join(codes), accepted=f"--languages {' '.join(codes)}")  # fmt: skip


def _codes_of_package(opened: ZipFile, name: str) -> tuple[str, str] | None:
    """The languages that a package says, if it does."""
    try:
        about = json.loads(opened.read(name))
        codes = about["from_code"], about["to_code"]
    except (KeyError, TypeError, ValueError):
        return None
    return codes if all(isinstance(code, str) and code for code in codes) else None


def _is_beside(name: str) -> bool:
    """Whether it is about the data, or what a Mac puts beside files."""
    own = PurePosixPath(name).name
    return name.startswith("__MACOSX/") or own.startswith(".") or _ABOUT.match(own) is not None


def _uncompressed(name: str) -> str:
    path = PurePosixPath(name)
    return str(path.with_suffix("")) if path.suffix.lower() in COMPRESSIONS else name


def _suffix(name: str) -> str:
    return PurePosixPath(_uncompressed(name)).suffix.lower()


def _parallel(names: Collection[str], suffixes: Collection[str]) -> dict[str, dict[str, str]]:
    """Names that differ in a language as their suffix, by that language, by what they have in common."""
    by_stem: dict[str, dict[str, str]] = defaultdict(dict)
    for name in names:
        path = PurePosixPath(_uncompressed(name))
        code = path.suffix.removeprefix(".")
        if (
            (is_code(code) or code in ("source", "target"))
            and code.lower() not in NO_LANGUAGES
            and path.suffix.lower() not in suffixes
        ):
            by_stem[str(path.with_suffix(""))][code] = name
    return {stem: codes for stem, codes in by_stem.items() if len(codes) > 1}


def _order(stem: str, codes: Collection[str]) -> tuple[str, str] | None:
    """The two codes as a name such as Books.en-pt-BR has them at its end."""
    found = [pair for pair in permutations(codes, 2) if stem.lower().endswith("-".join(pair).lower())]
    return found[0] if len(found) == 1 else None


def _choose(stem: str, by_code: dict[str, str], languages: tuple[str, str] | None) -> tuple[str, str] | None:
    """The source's and the target's file."""
    for roles in ROLES:
        if {*roles} <= {*by_code}:  # beside them there may be ids
            named = _ORDER.search(str(PurePosixPath(stem).parent))
            turned = languages and named and all(map(match, reversed(languages), named.groups()))
            source, target = reversed(roles) if turned else roles
            return by_code[source], by_code[target]
    named = _ORDER.search(stem)
    asked = languages or _order(stem, by_code) or (named and (named[1], named[2]))
    if not asked or (not languages and len(by_code) != 2):
        return None
    sides = [[name for code, name in by_code.items() if code == side]
             or [name for code, name in by_code.items() if match(side, code)] for side in asked]  # fmt: skip
    if any(len(side) != 1 for side in sides) or sides[0] == sides[1]:
        return None
    return sides[0][0], sides[1][0]
