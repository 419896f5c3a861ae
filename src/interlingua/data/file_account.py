"""What a reader of a file says beside its pairs: where it is, what it left out, what it decided."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["EMPTY", "FileAccount", "LeftOut", "describe_left_out"]

EMPTY = "a side is empty"
"""A reason for leaving a pair out."""
SHOWN_PLACES = 5
_BREAK = re.compile(r" *[\t\n\r][ \t\n\r]*")


class LeftOut(Counter[str]):
    """How much was left out, by reason, and where the first of each are."""

    def __init__(self) -> None:
        super().__init__()
        self.places: dict[str, list[str]] = {}

    def add(self, reason: str, place: Callable[[], str]) -> None:
        """Counts one more; where it is is asked for as long as that will be shown."""
        self[reason] += 1
        shown = self.places.setdefault(reason, [])
        if len(shown) < SHOWN_PLACES:
            shown.append(place())


def describe_left_out(counts: Mapping[str, int], places: Mapping[str, Sequence[str]]) -> list[str]:
    """A line for each reason, with its first places where they are known."""
    lines = []
    for reason, count in counts.items():
        shown = [*places.get(reason, ())]
        more = ["…"] if shown and count > len(shown) else []
        where = f": {', '.join([*shown, *more])}" if shown else ""
        lines += [f"left out: {count:,} ({reason}){where}"] if count else []
    return lines


@dataclass
class FileAccount:
    """Kept while the pairs of a file are read."""

    place: int = 0
    """Of the last pair: the line where it begins, or its row."""
    rows: bool = False
    """Whether places are rows."""
    left_out: LeftOut = field(default_factory=LeftOut)
    """Units that gave no pair, by reason."""
    notes: list[str] = field(default_factory=list)
    """What was seen in the file and not told by the user."""
    several_lines: int = 0
    """Texts that had line ends."""

    def where(self, name: str) -> str:
        """Where in the file of that name the last pair is, for messages."""
        return f"{name}, row {self.place}" if self.rows else f"{name}:{self.place}"

    def note(self, text: str) -> None:
        """Adds a note unless it is there."""
        if text not in self.notes:
            self.notes.append(text)

    def one_line(self, text: str) -> str:
        """Returns a text as a tab-separated file could hold it: line ends and tabs become single spaces."""
        if "\n" not in text and "\t" not in text and "\r" not in text:
            return text
        ends = "\t\n\r "
        if _BREAK.match(text):
            text = text.lstrip(ends)
        if (found := _BREAK.search(text, len(text.rstrip(ends)))) and found.end() == len(text):
            text = text.rstrip(ends)
        self.several_lines += "\n" in text or "\r" in text
        return _BREAK.sub(" ", text)

    def all_notes(self) -> list[str]:
        """The notes, with what was counted."""
        if not self.several_lines:
            return self.notes
        return [
            *self.notes,
            f"texts of several lines: {self.several_lines:,} (their line ends became spaces)",
        ]
