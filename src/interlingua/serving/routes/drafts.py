"""The translation of a request while it is made."""

from __future__ import annotations

import itertools
import time
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence

__all__ = ["Drafts", "OnProgress"]

OnProgress = Callable[[int, str], None]
"""Called with the number of a text and its translation so far."""


class Drafts:
    """What is known of each text's translation, passed on as it grows, but not too often.

    Args:
        texts: the parts of each text, and what puts the translations of the first of them together.
        on_progress: is called.
        every_s: the least time between two calls for a text.
    """

    def __init__(
        self, texts: Sequence[tuple[Sequence[Hashable], Callable[[Sequence[str]], str]]],
        on_progress: OnProgress, every_s: float,
    ) -> None:  # fmt: skip
        self.texts, self.on_progress, self.every_s = texts, on_progress, every_s
        self._known: dict[Hashable, str] = {}
        self._sent_at = [0.0] * len(texts)
        self._numbers: defaultdict[Hashable, set[int]] = defaultdict(set)
        for number, (parts, _) in enumerate(texts):
            for part in parts:
                self._numbers[part].add(number)

    def update(self, part: Hashable, translation: str) -> None:
        """Takes what is known of a part's translation, which replaces what was known before."""
        self._known[part] = translation
        now = time.monotonic()
        for number in self._numbers[part]:
            if now - self._sent_at[number] < self.every_s:
                continue
            parts, join = self.texts[number]
            known = [self._known[part] for part in itertools.takewhile(self._known.__contains__, parts)]
            if known:
                self._sent_at[number] = now
                self.on_progress(number, join(known))
