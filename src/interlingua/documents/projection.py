"""Which words of a translation come from a given stretch of the source, by the model's attention."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

__all__ = ["Projection", "project"]

_SPACE = "\u2581"  # SentencePiece's sign for a space
_UNIT = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]|\w+|[^\w\s]")
_REACH = 40  # characters that tokens which cannot be found may stand for


class Projection(NamedTuple):
    """A translation and where its words come from."""

    text: str
    units: list[tuple[int, int]]
    """Start and end of each word, ideograph or punctuation mark."""
    origins: list[int | None]
    """For each unit a character of the source; None when that is not known."""

    def find(self, start: int, end: int) -> tuple[int, int] | None:
        """The run of units (first, after the last) that mostly comes from source[start:end]."""
        own = [i for i, origin in enumerate(self.origins) if origin is not None and start <= origin < end]
        if not own:
            return None
        runs = [[own[0]]]
        for i in own[1:]:
            if i - runs[-1][-1] > 2:  # one foreign word inside a run is likely a slip of the attention
                runs.append([])
            runs[-1].append(i)
        best = max(runs, key=len)
        return best[0], best[-1] + 1

    def place(self, offset: int, first: int, last: int) -> int:
        """The unit among [first, last) before which belongs what stood at source[offset]."""
        for i in range(first, last):
            origin = self.origins[i]
            if origin is not None and origin >= offset:
                return i
        return last

    def replace_units(self, first: int, last: int, text: str) -> Projection:
        """The same with units [first, last) replaced by one."""
        start, end = self.units[first][0], self.units[last - 1][1]
        shift = len(text) - (end - start)
        after = [(a + shift, b + shift) for a, b in self.units[last:]]
        return Projection(
            self.text[:start] + text + self.text[end:],
            [*self.units[:first], (start, start + len(text)), *after],
            [*self.origins[:first], self.origins[first], *self.origins[last:]],
        )

    def moved(self, in_text: int, in_source: int) -> Projection:
        """The same as part of something longer: offsets of the text and of the source added."""
        return Projection(
            self.text,
            [(start + in_text, end + in_text) for start, end in self.units],
            [None if origin is None else origin + in_source for origin in self.origins],
        )


def project(source: str, answer: dict[str, Any]) -> Projection:
    """Reads the alignment of a translation.

    Args:
        source: what was translated.
        answer: a worker's answer; without an alignment nothing is known of origins.
    """
    text: str = answer["text"]
    units = [match.span() for match in _UNIT.finditer(text)]
    if not answer.get("alignment"):
        return Projection(text, units, [None] * len(units))
    sources = list(_spans(answer["source_tokens"], source))
    targets = list(_spans(answer["tokens"], text))
    pairs = [
        (targets[target], sources[origin])
        for origin, target in answer["alignment"]
        if target < len(targets) and origin < len(sources)
    ]
    return Projection(text, units, [_origin(unit, pairs) for unit in units])


def _origin(unit: tuple[int, int], pairs: Sequence[tuple[tuple[int, int], tuple[int, int]]]) -> int | None:
    """The character of the source that a unit comes from: by the token that covers most of it.

    Where a token holds several units, such as a word with its full stop, the place within the token counts.
    """
    start, end = unit
    shares = [
        (min(end, b) - max(start, a), -a, source, (a, b)) for (a, b), source in pairs if a < end and start < b
    ]
    if not shares:
        return None
    _, _, (first, last), (a, b) = max(shares)
    middle = (max(start, a) + min(end, b)) / 2
    return first + int((middle - a) / (b - a) * max(0, last - first))


def _spans(tokens: Sequence[str], text: str) -> Iterator[tuple[int, int]]:
    """Where each token stands in the text; those that cannot be found share the gap that they leave."""
    at = 0
    lost = 0
    for token in tokens:
        shown = token.replace(_SPACE, " ").strip()
        start = text.find(shown, at, at + _REACH + len(shown)) if shown else -1
        if start < 0:
            lost += 1
            continue
        for _ in range(lost):
            yield at, start
        lost = 0
        at = start + len(shown)
        yield start, at
    for _ in range(lost):
        yield at, len(text)
