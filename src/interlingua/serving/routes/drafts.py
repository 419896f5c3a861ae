"""The translation of a request while it is made."""

from __future__ import annotations

import itertools
import time
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence

__all__ = ["Drafts", "Progress"]

Progress = Callable[[int, str], None]
"""Called with the number of a text and its translation so far."""


class Drafts:
    """What is known of each text's translation, told as it grows, but not too often.

    Args:
        texts: the parts of each text, and what puts the translations of the first of them together.
        progress: is told.
        every_s: the least time between what is told of a text.
    """

    def __init__(
        self, texts: Sequence[tuple[Sequence[Hashable], Callable[[Sequence[str]], str]]],
        progress: Progress, every_s: float,
    ) -> None:  # fmt: skip
        self.texts, self.progress, self.every_s = texts, progress, every_s
        self._known: dict[Hashable, str] = {}
        self._told = [0.0] * len(texts)
        self._places: defaultdict[Hashable, set[int]] = defaultdict(set)
        for number, (parts, _) in enumerate(texts):
            for part in parts:
                self._places[part].add(number)

    def tell(self, part: Hashable, translation: str) -> None:
        """Takes what is known of a part's translation, which replaces what was known before."""
        self._known[part] = translation
        now = time.monotonic()
        for number in self._places[part]:
            if now - self._told[number] < self.every_s:
                continue
            parts, together = self.texts[number]
            known = [self._known[each] for each in itertools.takewhile(self._known.__contains__, parts)]
            if known:
                self._told[number] = now
                self.progress(number, together(known))
