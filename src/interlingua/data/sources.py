"""What sources and targets are made of, seen from the data; and what the files are like that they name."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Literal

from interlingua.data.corpus import Pair, read_pairs
from interlingua.data.file_account import FileAccount
from interlingua.data.settings import CorpusSettings, display_name
from interlingua.errors import DataError
from interlingua.kinds import SourceKind
from interlingua.missing import is_file
from interlingua.pictures.opening import SUFFIXES as PICTURES
from interlingua.pictures.reading import measure_picture
from interlingua.sound.opening import SUFFIXES as SOUNDS
from interlingua.sound.reading import is_sound
from interlingua.text.columns import COLUMN_END

__all__ = ["PICTURES", "SOUNDS", "first_pairs", "recognise_kinds"]

LOOKED_AT = 20
"""Pairs that tell."""
KINDS: Mapping[SourceKind, Collection[str]] = {"sound": SOUNDS, "picture": PICTURES}
"""Ends of names of files, of those that cannot be read as well: the reason is said."""
_HEADING = re.compile(r"\w[\w -]{0,60}")
NEARLY_NAMES = [
    (re.compile(r"(.+)#\d+"), "numbers of captions behind them, as in Flickr's lists",
     r"Write the names alone: sed -E 's/^([^[:cntrl:]]+)#[0-9]+/\1/' {file} > {new}"),
    (re.compile("[\"'](.+)[\"']"), "quotes around them", "To take these off: --set data.format=csv"),
]  # fmt: skip
"""What may stand around names of files, in words, and what takes it away."""
LONGEST_NAME, MOST_DIRECTORIES = 100, 50
"""Characters of a name of a file, and directories in which such files are looked for."""
SMALL = 1.5
"""Pictures whose longer edge is at most so many times a size lose little by being brought to it."""


def recognise_kinds(settings: CorpusSettings) -> CorpusSettings:
    """The settings with what sources and targets are: what they say, else what the first ones name.

    Raises:
        DataError: the first file of pairs cannot be read, its first line seems to be a heading among names of
            files, its targets name sounds, or one of several columns of its sources names sounds or pictures.
    """
    if "auto" in (settings.source_kind, settings.target_kind):
        pairs, places = first_pairs(settings)
        changes: dict[str, str] = {}
        if settings.source_kind != "text":
            _refuse_in_columns(pairs, places, _root(settings))
        if settings.source_kind == "auto":
            changes["source_kind"] = _kind_of(pairs, places, "source", _root(settings))
        elif settings.source_kind != "text" and (root := _root(settings)):
            below = f"{root.absolute()}/"
            _refuse_nearly_names([pair.source.removeprefix(below) for pair in pairs], places, root)
        if settings.target_kind == "auto":
            of_text = changes.get("source_kind", settings.source_kind) == "text"
            changes["target_kind"] = _target_kind(pairs, places, of_text)
        settings = settings.model_copy(update=changes)
    if settings.picture_size is None and "picture" in (settings.source_kind, settings.target_kind):
        settings = settings.model_copy(update={"picture_size": _choose_size(settings)})
    return settings


def first_pairs(settings: CorpusSettings) -> tuple[list[Pair], list[str]]:
    """The first pairs of the first file, and where each of them is."""
    files = settings.train_files or settings.valid_files
    if not files or files[0].file == "-":
        return [], []
    file, account = files[0].file, FileAccount()
    pairs, places = list[Pair](), list[str]()
    for pair in islice(read_pairs(file, settings.for_file(files[0]), account=account), LOOKED_AT):
        pairs.append(pair)
        places.append(account.where(display_name(file)))
    return pairs, places


def _target_kind(pairs: Sequence[Pair], places: Sequence[str], of_text: bool) -> str:
    kind = _kind_of(pairs, places, "target")
    if kind == "sound" and of_text:
        raise DataError(
            "the targets are names of sound files, and models make no sounds", where="data.target_kind",
            found=pairs[0].target,
            accepted="To write down what is said, let the sounds be the sources: --columns 2,1; if these "
            "names are texts to learn: --set data.target_kind=text",
        )  # fmt: skip
    return "picture" if kind == "picture" else "text"


def _root(settings: CorpusSettings) -> Path | None:
    """Where names in the first file count from, if it is a file that they stand in."""
    if settings.source_root is not None:
        return Path(settings.source_root)
    files = [each.file for each in settings.train_files or settings.valid_files if each.file != "-"]
    if not files:
        return None
    return Path(files[0] if isinstance(files[0], str) else files[0][0]).parent


def _kind_of(
    pairs: Sequence[Pair], places: Sequence[str], side: Literal["source", "target"], root: Path | None = None
) -> SourceKind:
    """What the files are that most names on a side seem to be of; else they are texts.

    Not all need to: a file of another kind, or none, is told with its place once it is to be read.

    Args:
        pairs: the first ones.
        places: where each of them is.
        side: of them.
        root: where names count from, where files without a known ending are looked into.

    Raises:
        DataError: all but the first line name files: that one seems to be a heading.
    """
    names: list[str] = [getattr(pair, side) for pair in pairs]
    given = [number for number, name in enumerate(names) if name.strip()]
    for kind, suffixes in KINDS.items():
        others = [number for number in given if not _ends_with(names[number], suffixes)]
        if 2 * len(others) >= len(given):
            continue
        if others == [0] and _HEADING.fullmatch(names[0]) and not (root and (root / names[0]).exists()):
            columns = shlex.quote(",".join(pairs[0]))
            raise DataError(
                f"most {side}s are names of {kind} files, but this one is not", where=places[0],
                found=names[0],
                accepted=f"If the first line holds the names of the columns: --columns {columns}\n"
                f"  Else put it right; and if all {side}s are texts: --set data.{side}_kind=text",
            )  # fmt: skip
        if root is not None:
            _refuse_names_of_utterances(names, places, root)
        return kind
    if root is not None:
        _refuse_nearly_names(names, places, root)
    if root is not None and 2 * sum(is_sound(root / names[number].strip()) for number in given) > len(given):
        return "sound"
    return "text"


def _refuse_nearly_names(names: Sequence[str], places: Sequence[str], root: Path) -> None:
    """Refuses what would be names of files that are there but for something more, or less, at their ends.

    Raises:
        DataError: most sources are such; they would be learnt as texts.
    """
    for extra, what, command in NEARLY_NAMES:
        found = [extra.fullmatch(name.strip()) for name in names]
        there = [match[1] for match in found if match and is_file(root / match[1])]
        if 2 * len(there) > len(names):
            place = Path(places[0].rpartition(":")[0])
            new = place.with_name(f"{place.stem}-files{place.suffix}")
            advice = command.format(file=shlex.quote(str(place)), new=shlex.quote(str(new)))
            raise DataError(
                f"the sources are names of files with {what}", where=places[0], found=names[0],
                accepted=f"There is {root / there[0]}. {advice}\n"
                "  If these are texts to learn: --set data.source_kind=text",
            )  # fmt: skip
    _refuse_without_ends(names, places, root)


def _refuse_names_of_utterances(names: Sequence[str], places: Sequence[str], root: Path) -> None:
    """Raises a DataError where a name and a space stand before names of files, as in Kaldi's lists."""
    found = [name.strip().partition(" ")[2] for name in names]
    there = [rest for name, rest in zip(names, found, strict=True)
             if rest and is_file(root / rest) and not is_file(root / name.strip())]  # fmt: skip
    if 2 * len(there) > len(names):
        raise DataError(
            "names of utterances stand before those of the files, as in Kaldi's lists", where=places[0],
            found=names[0], accepted=f"There is {root / there[0]}. Take the first word off each line, "
            "of the list of texts as well where that is another file: sed 's/^[^ ]* //' LIST > NEW",
        )  # fmt: skip


def _refuse_without_ends(names: Sequence[str], places: Sequence[str], root: Path) -> None:
    """Refuses names of files that are there, but have an end, as in LJ Speech: they would be learnt as texts.

    Raises:
        DataError: most names are such.
    """
    if any(len(name.split()) != 1 or len(name) > LONGEST_NAME for name in names):
        return
    for kind, suffixes in KINDS.items():
        by_stem = _files_by_stem(root, suffixes)
        found = [None if (root / name).exists() else by_stem.get(name) for name in map(str.strip, names)]
        there = [path for path in found if path is not None]
        if 2 * len(there) <= len(names):
            continue
        place, shown = Path(places[0].rpartition(":")[0]), there[0].relative_to(root)
        new = place.with_name(f"{place.stem}-files{place.suffix}")
        name = ("&" if "/" in names[0] else str(shown.with_name("&"))) + shown.suffix
        command = f"sed -E 's#^[^|,[:cntrl:]]+#{name}#' {shlex.quote(str(place))} > {shlex.quote(str(new))}"
        raise DataError(
            f"the sources name {kind} files without their ends", where=places[0], found=names[0],
            accepted=f"There is {there[0]}. Write the names so; where they begin the lines: {command}\n"
            "  If these are texts to learn: --set data.source_kind=text",
        )  # fmt: skip


def _files_by_stem(root: Path, suffixes: Collection[str]) -> dict[str, Path]:
    """The files of a kind in a directory and in those in it, by their names without ends."""
    found: dict[str, Path] = {}
    with suppress(OSError):
        below = islice((path for path in root.iterdir() if path.is_dir()), MOST_DIRECTORIES)
        for directory in (root, *below):
            for path in directory.iterdir():
                if path.suffix.lower() in suffixes:
                    found.setdefault(path.stem, path)
                    found.setdefault(str(path.relative_to(root).with_suffix("")), path)
    return found


def _refuse_in_columns(pairs: Sequence[Pair], places: Sequence[str], root: Path | None) -> None:
    """Refuses sources of several columns of which one names sounds or pictures that are there.

    Raises:
        DataError: it does.
    """
    rows = [pair.source.split(COLUMN_END) for pair in pairs]
    if root is None or not rows or {len(row) for row in rows} != {len(rows[0])} or len(rows[0]) == 1:
        return
    for number, names in enumerate(zip(*rows, strict=True), 1):
        for kind, suffixes in KINDS.items():
            there = sum(_ends_with(name, suffixes) and (root / name.strip()).exists() for name in names)
            if 2 * there > len(names):
                raise DataError(
                    f"column {number} of the sources names {kind} files, which are read alone",
                    where=places[0], found=pairs[0].source.replace(COLUMN_END, " + "),
                    accepted="Name one source column, such as --columns 1,3; if the names are texts "
                    "to learn: --set data.source_kind=text",
                )  # fmt: skip


def _ends_with(name: str, suffixes: Collection[str]) -> bool:
    return "\t" not in name and Path(name.strip()).suffix.lower() in suffixes


def _choose_size(settings: CorpusSettings) -> Literal[32, 64]:
    """The smallest size that most of the first pictures fit into; the largest where none can be read."""
    side = 0 if settings.source_kind == "picture" else 1
    edges = []
    for pair in first_pairs(settings)[0]:
        with suppress(DataError):  # what cannot be read is told when that matters
            edges.append(max(measure_picture(pair[side])))
    return 32 if edges and median(edges) <= SMALL * 32 else 64
