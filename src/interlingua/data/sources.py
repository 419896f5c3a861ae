"""What sources and targets are made of, seen from the data; and what the files are like that they name."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Literal

from interlingua.data.corpus import Pair, read_pairs
from interlingua.data.settings import CorpusSettings
from interlingua.errors import DataError
from interlingua.kinds import SourceKind
from interlingua.pictures.reading import measure_picture
from interlingua.sound.opening import SUFFIXES as SOUNDS
from interlingua.sound.reading import is_sound

__all__ = ["PICTURES", "SOUNDS", "recognise_kinds"]

LOOKED_AT = 20
"""Pairs that tell."""
PICTURES = {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".gif", ".bmp", ".tif",
            ".tiff", ".ppm", ".pgm", ".svg", ".heic", ".avif"}  # fmt: skip
"""Ends of names of picture files, of those that cannot be read as well: the reason is said."""
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
            changes["source_kind"] = _kind_of(sources, _root(settings))
        if settings.target_kind == "auto":
            changes["target_kind"] = _target_kind(targets, changes.get("source_kind", settings.source_kind))
        settings = settings.model_copy(update=changes)
    if settings.picture_size is None and "picture" in (settings.source_kind, settings.target_kind):
        settings = settings.model_copy(update={"picture_size": _choose_size(settings)})
    return settings


def _first_pairs(settings: CorpusSettings) -> list[Pair]:
    files = settings.train_files or settings.valid_files
    if not files or files[0].file == "-":
        return []
    return list(islice(read_pairs(files[0].file, settings.for_file(files[0])), LOOKED_AT))


def _target_kind(targets: Sequence[str], source_kind: str) -> str:
    kind = _kind_of(targets)
    if kind == "sound" and source_kind == "text":
        raise DataError(
            "the targets are names of sound files, and models make no sounds", where="data.target_kind",
            found=targets[0],
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


def _kind_of(names: Sequence[str], root: Path | None = None) -> SourceKind:
    """What the files are that most of these names seem to be of; else they are texts.

    Not all need to: a heading, or a file of another kind, is told with its place once it is to be read.

    Args:
        names: of files, perhaps.
        root: where they count from, where files without a known ending are looked into.
    """
    given = [name.strip() for name in names if name.strip()]
    suffixes = [Path(name).suffix.lower() for name in given if "\t" not in name]
    kinds: dict[SourceKind, Collection[str]] = {"sound": SOUNDS, "picture": PICTURES}
    for kind, known in kinds.items():
        if 2 * sum(suffix in known for suffix in suffixes) > len(given):
            return kind
    if root is not None and 2 * sum(is_sound(root / name) for name in given) > len(given):
        return "sound"
    return "text"


def _choose_size(settings: CorpusSettings) -> Literal[32, 64]:
    """The smallest size that most of the first pictures fit into; the largest where none can be read."""
    side = 0 if settings.source_kind == "picture" else 1
    edges = []
    for pair in _first_pairs(settings):
        with suppress(DataError):  # what cannot be read is told when that matters
            edges.append(max(measure_picture(pair[side])))
    return 32 if edges and median(edges) <= SMALL * 32 else 64
