"""Corrections that a service collected: read, sorted out, divided into what to learn from and to test on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from interlingua.errors import DataError
from interlingua.text.columns import COLUMN_END, normalise_columns
from interlingua.text.normalise import is_blank, normalise

__all__ = ["LEAST", "Correction", "Parts", "SortedOut", "Unread", "divide", "read_new", "sort_out"]

LEAST = 100
"""Fewer usable corrections prove nothing. Three in ten are kept aside; if a new model puts half of them right
and spoils a tenth, 27 of them show it (p < .05) in four of five cases (McNemar's test, Connor 1987)."""
TEST_SHARE, VALID_SHARE = 0.3, 0.1
MOST_TESTED = 500

NOT_A_PAIR = "not a source, a tab and its translation"
NOT_UTF8 = "not UTF-8: convert the file with iconv, such as iconv -f ISO-8859-1 -t UTF-8"
EMPTY = "a side is empty"
IN_TEST = "in the test set, so kept out of training"
REPEATED = "a repetition"
CONTRADICTED = "a later correction of the same source counts"


class Correction(NamedTuple):
    """How a user would have translated a source."""

    line: int
    """In its file, from 1."""
    source: str
    """Of several columns, with tabs between."""
    target: str


class Unread(NamedTuple):
    """What of a file of corrections a model has not learnt from."""

    path: Path
    lines: list[tuple[int, bytes]]
    """With their numbers, from 1."""
    mark: dict[str, Any]
    """How far the file was read: plain values for `read_new`."""


@dataclass
class SortedOut:
    """What is usable, and what is not for which reason."""

    kept: list[Correction] = field(default_factory=list)
    dropped: dict[str, list[int]] = field(default_factory=dict)
    """Line numbers, by reason."""

    def drop(self, reason: str, line: int) -> None:
        """Leaves a line out."""
        self.dropped.setdefault(reason, []).append(line)


class Parts(NamedTuple):
    """The usable corrections, divided by source: nothing is learnt from what is tested on."""

    train: list[Correction]
    valid: list[Correction]
    """For choosing the weights."""
    test: list[Correction]
    """For the verdict."""


def read_new(path: Path, marks: Iterable[Mapping[str, Any]]) -> Unread:
    """Reads the whole lines of a file that were added since it was marked.

    Args:
        path: of the file; a service may be adding to it.
        marks: what earlier calls returned, of this file or others; what a file has that begins as one of them
            did, however it is called now, is not new.

    Raises:
        DataError: it cannot be read.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError("the corrections cannot be read", where=path, found=error.strerror) from error
    content = content[: content.rfind(b"\n") + 1]
    known = {(int(mark["bytes"]), mark["hash"]) for mark in marks}
    read = max((size for size, hash in known if _hash(content[:size]) == hash), default=0)
    first = content[:read].count(b"\n") + 1
    lines = list(enumerate(content[read:].removesuffix(b"\n").split(b"\n"), start=first))
    new_mark = {"bytes": len(content), "hash": _hash(content)}
    return Unread(path, lines if len(content) > read else [], new_mark)


def sort_out(
    lines: Iterable[tuple[int, bytes]], columns: int, test: Sequence[tuple[str, str]],
    checks: Sequence[Callable[[Sequence[Correction]], Iterator[tuple[Correction, str]]]], *, natural: bool,
) -> SortedOut:  # fmt: skip
    """Keeps what a model can learn from.

    Args:
        lines: of a file of corrections, with their numbers.
        columns: how many the model's sources have.
        test: the pairs that the new model is to be tested on.
        checks: of what the cheaper checks here leave; each tells what it refuses, and why.
        natural: whether targets are natural language, where one sentence is hardly the translation of two.
    """
    sorted_out = SortedOut()
    sources = {normalise_columns(source, "text") for source, _ in test}
    targets = {normalise(target, "text") for _, target in test} if natural else set[str]()
    kept = []
    for number, line in lines:
        correction = _parse(number, line, columns)
        if isinstance(correction, str):
            sorted_out.drop(correction, number)
        elif is_blank(correction.source.rpartition(COLUMN_END)[2]) or is_blank(correction.target):
            sorted_out.drop(EMPTY, number)
        elif normalise_columns(correction.source, "text") in sources or (
            normalise(correction.target, "text") in targets
        ):
            sorted_out.drop(IN_TEST, number)
        else:
            kept.append(correction)
    for check in checks:
        refused = dict[int, str]()
        for correction, reason in check(kept):
            refused.setdefault(correction.line, reason)
        for line_number, reason in refused.items():
            sorted_out.drop(reason, line_number)
        kept = [each for each in kept if each.line not in refused]
    sorted_out.kept = sorted(_latest(kept, sorted_out))
    for numbers in sorted_out.dropped.values():
        numbers.sort()
    return sorted_out


def divide(corrections: Sequence[Correction]) -> Parts:
    """Divides corrections of distinct sources, always in the same way."""
    ordered = sorted(corrections, key=lambda each: _hash(each.source.encode()))
    tested = min(MOST_TESTED, round(TEST_SHARE * len(ordered)))
    validated = min(MOST_TESTED, round(VALID_SHARE * len(ordered)))
    test, valid, train = (
        ordered[:tested], ordered[tested : tested + validated], ordered[tested + validated :]
    )  # fmt: skip
    return Parts(sorted(train), sorted(valid), sorted(test))


def _parse(number: int, line: bytes, columns: int) -> Correction | str:
    """The correction of a line, or why it is none."""
    try:
        text = line.decode()
    except UnicodeDecodeError:
        return NOT_UTF8
    if "\0" in text:  # as UTF-16 has between letters
        return NOT_UTF8
    source, tab, target = text.removesuffix("\r").rpartition(COLUMN_END)
    is_pair = tab and source.count(COLUMN_END) == columns - 1
    return Correction(number, source, target) if is_pair else NOT_A_PAIR


def _latest(kept: Sequence[Correction], sorted_out: SortedOut) -> Iterator[Correction]:
    """Of each source the last correction."""
    seen: dict[str, str] = {}
    for correction in reversed(kept):
        source = normalise_columns(correction.source, "text")
        target = normalise(correction.target, "text")
        if source not in seen:
            seen[source] = target
            yield correction
        else:
            sorted_out.drop(REPEATED if seen[source] == target else CONTRADICTED, correction.line)


def _hash(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()
