"""Pairs whose pictures can be read; of others the line that names them is told, or they are counted."""

from __future__ import annotations

from collections import Counter

from interlingua.data.corpus import Corpus, Pair
from interlingua.errors import DataError
from interlingua.pictures.source import inspect_pictures

__all__ = ["usable_pairs"]

AT_ONCE, LOOKED_AT_PIXELS = 64, 32


def usable_pairs(corpus: Corpus) -> tuple[list[Pair], Counter[str]]:
    """The pairs of a corpus, and why others were left out, where its settings leave out what cannot be read.

    Raises:
        DataError: a picture cannot be read; with the place where it is named.
    """
    pairs, left_out = list(corpus), Counter[str]()
    kinds = corpus.settings.source_kind, corpus.settings.target_kind
    for side in (side for side, kind in enumerate(kinds) if kind == "picture"):
        used: list[Pair] = []
        for start in range(0, len(pairs), AT_ONCE):
            some = pairs[start : start + AT_ONCE]
            names = [pair[side] for pair in some]
            for pair, found in zip(some, inspect_pictures(names, LOOKED_AT_PIXELS), strict=True):
                if not isinstance(found, DataError):
                    used.append(pair)
                elif corpus.settings.on_empty == "skip":
                    left_out[found.what] += 1
                else:
                    where = f"{corpus.find_file(pair[side])}: {pair[side]}"
                    raise DataError(
                        found.what, where=where, found=found.found, accepted=found.accepted
                    ) from found
        pairs = used
    return pairs, left_out
