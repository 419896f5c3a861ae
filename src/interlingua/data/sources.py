"""What sources and targets are made of, seen from the data; and what the files are like that they name."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Literal

from interlingua.data.corpus import Pair, read_pairs
from interlingua.data.settings import CorpusSettings
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
        DataError: the first file of pairs cannot be read.
    """
    if "auto" in (settings.source_kind, settings.target_kind):
        pairs = _first_pairs(settings)
        sources, targets = ([pair[side] for pair in pairs] for side in range(2))
        changes: dict[str, str] = {}
        if settings.source_kind == "auto":
            changes["source_kind"] = _kind_of(sources)
        if settings.target_kind == "auto":
            changes["target_kind"] = "picture" if _kind_of(targets) == "picture" else "text"
        settings = settings.model_copy(update=changes)
    if settings.picture_size is None and "picture" in (settings.source_kind, settings.target_kind):
        settings = settings.model_copy(update={"picture_size": _choose_size(settings)})
    return settings


def _first_pairs(settings: CorpusSettings) -> list[Pair]:
    files = settings.train_files or settings.valid_files
    if not files or files[0].file == "-":
        return []
    return list(islice(read_pairs(files[0].file, settings.for_file(files[0])), LOOKED_AT))


def _kind_of(names: Sequence[str]) -> SourceKind:
    """What the files are that all of these names seem to be of; else they are texts."""
    found = [Path(name.strip()).suffix.lower() for name in names if name and "\t" not in name]
    kinds: dict[SourceKind, set[str]] = {"sound": SOUNDS, "picture": PICTURES}
    for kind, suffixes in kinds.items():
        if found and len(found) == len([name for name in names if name]) and suffixes.issuperset(found):
            return kind
    return "text"


def _choose_size(settings: CorpusSettings) -> Literal[32, 64]:
    """The smallest size that most of the first pictures fit into; the largest where none can be read."""
    side = 0 if settings.source_kind == "picture" else 1
    edges = []
    for pair in _first_pairs(settings):
        with suppress(DataError):  # what cannot be read is told when that matters
            edges.append(max(measure_picture(pair[side])))
    return 32 if edges and median(edges) <= SMALL * 32 else 64
