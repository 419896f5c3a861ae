"""What sources and targets are made of, seen from the data; and what the files are like that they name."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Sequence
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
from interlingua.pictures.opening import SUFFIXES as PICTURES
from interlingua.pictures.reading import measure_picture

__all__ = ["PICTURES", "SOUNDS", "recognise_kinds"]

LOOKED_AT = 20
"""Pairs that tell."""
SOUNDS = {".wav", ".wave", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".au", ".caf", ".w64",
          ".m4a", ".aac", ".wma", ".webm"}  # fmt: skip
"""Ends of names of sound files, of those that cannot be read as well: the reason is said."""
SMALL = 1.5
"""Pictures whose longer edge is at most so many times a size lose little by being brought to it."""


def recognise_kinds(settings: CorpusSettings) -> CorpusSettings:
    """The settings with what sources and targets are: what they say, else what the first ones name.

    Raises:
        DataError: the first file of pairs cannot be read, or only most of its first lines name files.
    """
    if "auto" in (settings.source_kind, settings.target_kind):
        pairs, places = _first_pairs(settings)
        changes: dict[str, str] = {}
        if settings.source_kind == "auto":
            changes["source_kind"] = _kind_of(pairs, places, "source")
        if settings.target_kind == "auto":
            changes["target_kind"] = _kind_of(pairs, places, "target", ("picture",))
        settings = settings.model_copy(update=changes)
    if settings.picture_size is None and "picture" in (settings.source_kind, settings.target_kind):
        settings = settings.model_copy(update={"picture_size": _choose_size(settings)})
    return settings


def _first_pairs(settings: CorpusSettings) -> tuple[list[Pair], list[str]]:
    """Pairs, and where each of them is."""
    files = settings.train_files or settings.valid_files
    if not files or files[0].file == "-":
        return [], []
    file, account = files[0].file, FileAccount()
    pairs, places = list[Pair](), list[str]()
    for pair in islice(read_pairs(file, settings.for_file(files[0]), account=account), LOOKED_AT):
        pairs.append(pair)
        places.append(account.where(display_name(file)))
    return pairs, places


def _kind_of(
    pairs: Sequence[Pair], places: Sequence[str], side: Literal["source", "target"],
    kinds: Sequence[Literal["sound", "picture"]] = ("sound", "picture"),
) -> SourceKind:  # fmt: skip
    """What the files are that all names on a side seem to be of; else they are texts.

    Raises:
        DataError: most of them are names of such files, but not all: the whole side would be taken for texts.
    """
    names: list[str] = [getattr(pair, side) for pair in pairs]
    given = [number for number, name in enumerate(names) if name]
    for kind in kinds:
        suffixes = SOUNDS if kind == "sound" else PICTURES
        others = [number for number in given if not _ends_with(names[number], suffixes)]
        if given and not others:
            return kind
        if given and 2 * len(others) <= len(given):
            advice = "Put it right, or leave the line out."
            if others == [0]:
                columns = shlex.quote(",".join(pairs[0]))
                advice = f"If the first line holds the names of the columns: --columns {columns}"
            raise DataError(
                f"most {side}s are names of {kind} files, but this one is not", where=places[others[0]],
                found=names[others[0]],
                accepted=f"{advice}\n  If all {side}s are texts: --set data.{side}_kind=text",
            )  # fmt: skip
    return "text"


def _ends_with(name: str, suffixes: Collection[str]) -> bool:
    return "\t" not in name and Path(name.strip()).suffix.lower() in suffixes


def _choose_size(settings: CorpusSettings) -> Literal[32, 64]:
    """The smallest size that most of the first pictures fit into; the largest where none can be read."""
    side = 0 if settings.source_kind == "picture" else 1
    edges = []
    for pair in _first_pairs(settings)[0]:
        with suppress(DataError):  # what cannot be read is told when that matters
            edges.append(max(measure_picture(pair[side])))
    return 32 if edges and median(edges) <= SMALL * 32 else 64
