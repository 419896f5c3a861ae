"""What sources are made of, seen from the data; and where the files are that they name."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from interlingua.data.corpus import read_pairs
from interlingua.data.settings import CorpusSettings
from interlingua.kinds import SourceKind

__all__ = ["SOUNDS", "recognise_sources"]

LOOKED_AT = 20
"""Pairs that tell."""
SOUNDS = {".wav", ".wave", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".au", ".caf", ".w64",
          ".m4a", ".aac", ".wma", ".webm"}  # fmt: skip
"""Ends of names of sound files, of those that cannot be read as well: that is said with the reason."""


def recognise_sources(settings: CorpusSettings) -> SourceKind:
    """The kind of the sources: what the settings say, else sound where all first sources are names of sounds.

    Raises:
        DataError: the first file of pairs cannot be read.
    """
    if settings.source_kind != "auto":
        return settings.source_kind
    files = settings.train_files or settings.valid_files
    if not files or files[0].file == "-":
        return "text"
    sources = [pair.source for pair in islice(read_pairs(files[0].file, settings), LOOKED_AT) if pair.source]
    named = [Path(source).suffix.lower() in SOUNDS and "\t" not in source for source in sources]
    return "sound" if named and all(named) else "text"
