"""The sounds of pairs: how long each is, and which ones a training takes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from interlingua.data.corpus import Corpus, Pair
from interlingua.errors import DataError
from interlingua.missing import find_below, is_file
from interlingua.sound.reading import SAMPLE_RATE, inspect_sound, measure_seconds, read_sound

__all__ = ["drop_unused_sounds", "measure_sounds", "place_error"]


def place_error(error: DataError, name: str, place: str, other: str | None = None) -> DataError:
    """An error about a file that a pair names, with where it does, such as "pairs.tsv:12".

    Args:
        error: what is wrong with the file.
        name: of it.
        place: where it is named.
        other: the other side of the pair.
    """
    accepted, path = error.accepted, Path(name)
    missing = not path.exists()
    if missing and other and not other.isspace() and any(is_file(up / other) for up in path.parents):
        accepted = "The other column names a file that is there: --columns 2,1 exchanges the two."
    elif accepted is None and not path.suffix and place.endswith(":1") and missing:
        accepted = "If the first line names the columns, say which two by these names: --columns path,text"
    if below := find_below(path):
        accepted = f"There is {below}; to have names count from there: --set data.source_root={below.parent}"
    return DataError(error.what, where=f"{place}: {name}", found=error.found, accepted=accepted)


def measure_sounds(pairs: Sequence[Pair], corpus: Corpus | None = None) -> list[float]:
    """How long the sound of each pair is, in seconds.

    Args:
        pairs: sources are names of files.
        corpus: they are of; where it is given, errors tell where a file is named.

    Raises:
        DataError: one of the files cannot be read.
    """
    seconds = []
    for source, target in pairs:
        try:
            seconds.append(measure_seconds(source) or len(read_sound(source)) / SAMPLE_RATE)
        except DataError as error:
            if corpus is None:
                raise
            raise place_error(error, source, corpus.find_file(source), target) from error
    return seconds


def drop_unused_sounds(pairs: Sequence[Pair], corpus: Corpus) -> list[Pair]:
    """The pairs whose sounds a training takes: not too long, and where others may be skipped, of any use.

    Raises:
        DataError: a file cannot be read, and may not be skipped.
    """
    settings = corpus.settings
    if settings.on_empty == "skip":
        pairs = [pair for pair in pairs if _is_useful(pair.source)]
    seconds = measure_sounds(pairs, corpus)
    return [pair for pair, each in zip(pairs, seconds, strict=True) if each <= settings.max_seconds]


def _is_useful(name: str) -> bool:
    try:
        inspect_sound(name)
    except DataError:
        return False
    return True
