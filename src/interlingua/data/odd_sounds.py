"""Pairs whose sound and text can hardly belong together: not an error, but said before a training begins."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from interlingua.sound.codec import POSITION_SAMPLES
from interlingua.sound.conversion import SAMPLE_RATE

__all__ = ["OddSounds"]


class OddSounds:
    """Looks at the pairs of a corpus as they come; what it remembers are the names and a number of each."""

    def __init__(self) -> None:
        self._texts: dict[str, int | None] = {}
        """The hash of the first text of each sound; None once several were told."""

    def look_at(
        self, names: Sequence[str], sounds: Sequence[Any], texts: Sequence[str], ids: Sequence[Sequence[int]]
    ) -> list[str]:
        """What is odd about the next pairs, in words.

        Args:
            names: of files.
            sounds: their samples; None where there are none.
            texts: what is said in them.
            ids: the same as symbols.
        """
        return [*_find_crowded(names, sounds, ids), *self._find_shared(names, texts)]

    def _find_shared(self, names: Sequence[str], texts: Sequence[str]) -> Iterator[str]:
        """Sounds with several texts, as where each is of a part: every pair is of the whole sound."""
        for name, text in zip(names, texts, strict=True):
            if self._texts.setdefault(name, hash(text)) not in (hash(text), None):
                self._texts[name] = None
                yield f"{Path(name).name}: several texts, each of which is taken for that of the whole sound"


def _find_crowded(names: Sequence[str], sounds: Sequence[Any], ids: Sequence[Sequence[int]]) -> Iterator[str]:
    """Sounds that are too short for what is said in them: CTC has no path for them.

    It needs a position for each symbol, and one more between two that are the same.
    """
    for name, samples, symbols in zip(names, sounds, ids, strict=True):
        needed = len(symbols) + sum(one == next_one for one, next_one in pairwise(symbols))
        if samples is not None and needed > (positions := -(-len(samples) // POSITION_SAMPLES)):
            found = f"{len(symbols):,} symbols in {positions * POSITION_SAMPLES / SAMPLE_RATE:.2f} s"
            yield f"{Path(name).name}: too short for its text ({found})"
