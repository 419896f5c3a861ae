"""Pairs whose sounds and pictures can be read; others are told of by the line that names them, or counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial

from interlingua.data.corpus import Corpus, Pair
from interlingua.data.durations import place_error
from interlingua.data.file_account import LeftOut
from interlingua.errors import DataError
from interlingua.pictures.source import inspect_pictures
from interlingua.sound.reading import read_sound

__all__ = ["usable_pairs"]

AT_ONCE, LOOKED_AT_PIXELS = 64, 32


def usable_pairs(corpus: Corpus) -> tuple[list[Pair], LeftOut]:
    """The pairs of a corpus, and why others were left out, where its settings leave out what cannot be read.

    Raises:
        DataError: a sound or a picture cannot be read; with the place where it is named.
    """
    pairs, left_out = list(corpus), LeftOut()
    kinds = corpus.settings.source_kind, corpus.settings.target_kind
    for side, kind in enumerate(kinds):
        used, unusable = list[Pair](), Counter[Pair]()
        for pair, error in zip(pairs, _errors([pair[side] for pair in pairs], kind), strict=True):
            if error is None:
                used.append(pair)
            elif corpus.settings.on_empty == "skip":
                left_out.add(error.what, partial(corpus.find_file, pair, unusable[pair]))
                unusable[pair] += 1
            else:
                name, other = pair[side], pair[1 - side]
                raise place_error(error, name, corpus.find_file(name), other) from error
        pairs = used
    return pairs, left_out


def _errors(names: Sequence[str], kind: str) -> Iterator[DataError | None]:
    """Of each of these files, why it cannot be read."""
    if kind == "picture":
        for start in range(0, len(names), AT_ONCE):
            for found in inspect_pictures(names[start : start + AT_ONCE], LOOKED_AT_PIXELS):
                yield found if isinstance(found, DataError) else None
    for name in names if kind != "picture" else ():
        try:
            if kind == "sound":
                read_sound(name)
            yield None
        except DataError as error:
            yield error
