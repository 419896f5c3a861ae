"""Corpora: files of pairs as the settings describe them, with a report of everything that is left out."""

from __future__ import annotations

import hashlib
import re
import shutil
import sys
import tempfile
import weakref
from collections.abc import Iterable, Iterator, Sequence, Set
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from itertools import chain, pairwise
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from interlingua.data.duplicates import DuplicateFinder
from interlingua.data.file_account import EMPTY, SHOWN_PLACES, FileAccount, describe_left_out
from interlingua.data.formats.parquet import dataset_files, is_dataset
from interlingua.data.formats.table import format_of, read_file
from interlingua.data.inspection import Inspection, describe_findings
from interlingua.data.opening import ChangeDetector
from interlingua.data.settings import STANDARD_INPUT, CorpusFile, CorpusSettings, PairFile, display_name
from interlingua.errors import DataError, OutputError
from interlingua.files import write_error
from interlingua.text.columns import COLUMN_END, add_tag
from interlingua.text.normalise import is_blank

__all__ = [
    "Corpus",
    "CorpusReport",
    "CorpusSettings",
    "Pair",
    "PairFile",
    "display_name",
    "end_of_name",
    "format_of",
    "read_pairs",
]


class Pair(NamedTuple):
    """A source text and its target text."""

    source: str
    target: str


DUPLICATE = "exact duplicate"
"""A reason for leaving a pair out."""
_PLACE = re.compile(r"(.*)(:\d+|, row \d+)", re.DOTALL)
"""The name of a file, and a place in it: see `FileAccount.where`."""


@dataclass
class CorpusReport:
    """What was read, and what became of it."""

    files: list[str] = field(default_factory=list)
    read: int = 0
    left_out: dict[str, int] = field(default_factory=dict)
    """Pairs left out, by reason."""
    places: dict[str, list[str]] = field(default_factory=dict)
    """Where the first of them are, by reason, as far as that is known."""
    duplicates: int = 0
    """Pairs that had occurred before (by 64-bit hashes, see duplicates.py), whether kept or left out."""

    findings: dict[str, Any] = field(default_factory=dict)
    """What looks like a mistake: see inspection.py."""
    duplicates_by_file: list[int] = field(default_factory=list)
    notes: list[tuple[int, str]] = field(default_factory=list)
    """What was seen in a file, by its number, and not told by the user."""

    @classmethod
    def of(cls, values: dict[str, Any]) -> CorpusReport:
        """Returns the report that `as_dict` was called on."""
        return cls(**{name: value for name, value in values.items() if name != "kept"})

    @property
    def kept(self) -> int:
        """The number of pairs that remain."""
        return self.read - sum(self.left_out.values())

    def leave_out(self, reason: str, count: int, places: Sequence[str]) -> None:
        """Counts so many more, the first of which are at these places."""
        self.left_out[reason] = self.left_out.get(reason, 0) + count
        if places:
            self.places[reason] = [*self.places.get(reason, []), *places][:SHOWN_PLACES]

    def renamed(self, files: Sequence[str]) -> CorpusReport:
        """The same report on files of the same content that have other names."""
        names = dict(zip(self.files, files, strict=True))
        places = {
            reason: [_PLACE.sub(lambda found: names.get(found[1], found[1]) + found[2], place)
                     for place in places]
            for reason, places in self.places.items()
        }  # fmt: skip
        return replace(self, files=[*files], places=places)

    def as_dict(self) -> dict[str, Any]:
        """Returns plain values for JSON."""
        return {**asdict(self), "kept": self.kept}

    def describe_reading(self) -> list[str]:
        """Returns lines on what was left out, and what was seen in the files and not told by the user."""
        lines = [f"  {line}" for line in describe_left_out(self.left_out, self.places)]
        for number, note in self.notes:
            lines.append(f"  {self.files[number]}: {note}" if len(self.files) > 1 else f"  {note}")
        if lines:
            lines.insert(0, f"{', '.join(self.files)}: {self.read:,} pairs read, {self.kept:,} used")
        return lines

    def __str__(self) -> str:
        lines = [f"{', '.join(self.files)}: {self.read:,} pairs read, {self.kept:,} used"]
        lines += self.describe_reading()[1:]
        if self.duplicates and DUPLICATE not in self.left_out:
            lines.append(f"  exact duplicates: {self.duplicates:,} (used)")
        lines += [f"  {line}" for line in describe_findings(self.findings, self.files, self.read)]
        return "\n".join(lines)


def read_pairs(
    file: PairFile, settings: CorpusSettings, changes: ChangeDetector | None = None,
    account: FileAccount | None = None,
) -> Iterator[Pair]:  # fmt: skip
    """Yields every pair of a file as it is written, empty sides included; named files by absolute names.

    Args:
        file: the file, or two parallel ones.
        settings: how it is written.
        changes: told what was read.
        account: told where each pair is, and what is no pair.

    Raises:
        DataError: with the file and line, when the file is not as announced.
    """
    read = read_file(file, settings, account or FileAccount(), changes or ChangeDetector())
    pairs = map(Pair._make, read)
    if not any(settings.names_files):
        return pairs
    roots = [_root(file, side, settings) for side in (0, 1)]  # once, not for each pair
    return (_with_whole_names(pair, roots) for pair in pairs)


def _of_file(file: PairFile, languages: tuple[str, str] | None, settings: CorpusSettings) -> dict[str, Any]:
    """The settings that are a file's own; names in a stream count from the working directory."""
    own: dict[str, Any] = {"languages": languages} if languages else {}
    return own | {"source_root": "."} if file == "-" and settings.source_root is None else own


def _root(file: PairFile, side: int, settings: CorpusSettings) -> Path | None:
    """Where the names on a side count from; None where these are no names."""
    if not settings.names_files[side]:
        return None
    if settings.source_root is not None:
        return Path(settings.source_root).absolute()
    return Path(file if isinstance(file, str) else file[side]).parent.absolute()


def _with_whole_names(pair: Pair, roots: Sequence[Path | None]) -> Pair:
    """The pair with absolute names where a side names files."""
    sides = [
        side if root is None or not (name := side.strip()) else str(root / name)
        for side, root in zip(pair, roots, strict=True)
    ]
    return Pair(*sides)


def are_there(files: Iterable[PairFile]) -> bool:
    """Whether there are files, or directories of Parquet, and all are still there; standard input is not."""
    names = [name for file in files for name in ((file,) if isinstance(file, str) else file)]
    return bool(names) and all(Path(name).is_file() or is_dataset(Path(name)) for name in names)


def end_of_name(name: str) -> str:
    """What tells a file from others wherever their directory lies: its name and that of its directory."""
    return "/".join(Path(name).parts[-2:])


class Corpus:
    """The pairs of some files, with their tags, in order; may be iterated any number of times.

    Args:
        files: the files; standard input is copied to a temporary file, for it can be read only once.
        settings: how they are written, and which pairs are left out.
        tags: of the files, which sources get as their first column; none when there are none.
        languages: of the files that have some of their own.

    Raises:
        DataError: there are no files.
    """

    def __init__(
        self, files: Sequence[PairFile], settings: CorpusSettings, tags: Sequence[str | None] = (),
        languages: Sequence[tuple[str, str] | None] = (),
    ) -> None:  # fmt: skip
        if not files:
            raise DataError("no file of pairs is given", accepted="For example: --train pairs.tsv")
        self.settings = settings
        self.names = [display_name(file) for file in files]
        self._tags = tags
        self.tags = list(dict.fromkeys(filter(None, tags)))
        self._settings = [
            settings.model_copy(update=_of_file(file, own, settings))
            for file, own in zip(files, languages or [None] * len(files), strict=True)
        ]
        self._files = list(files)
        if "-" in files:
            copy = _copy_standard_input()
            weakref.finalize(self, copy.unlink, missing_ok=True)
            self._files = [str(copy) if file == "-" else file for file in files]
        self.first_pairs: list[tuple[str, str]] = []
        """Some pairs from the beginning without tags, once `report` was called; long texts are shortened."""
        self._changes = ChangeDetector()
        self._duplicate: npt.NDArray[np.uint8] | None = None
        self._report: CorpusReport | None = None

    @classmethod
    def of(cls, files: Sequence[CorpusFile], settings: CorpusSettings) -> Self:
        """The corpus of `CorpusSettings.train_files`, or of `valid_files`."""
        tags, languages = [each.tag for each in files], [each.languages for each in files]
        return cls([each.file for each in files], settings, tags, languages)

    def untagged(self, pair: Pair) -> str:
        """Returns the source of a pair without its tag; of a file the end of its name, wherever it lies."""
        if self.settings.names_files[0]:
            return end_of_name(pair.source)
        return pair.source.partition(COLUMN_END)[2] if self.tags else pair.source

    def digest(self) -> str:
        """Returns a hexadecimal hash of the files' bytes, in order; their names do not matter."""
        parts = hashlib.blake2b(digest_size=16)
        for path in self._paths():
            parts.update(self._changes.digest(path))
        return parts.hexdigest()

    def report(self, watched_sources: Set[int] = frozenset()) -> CorpusReport:
        """Returns the report on the whole corpus; reads it through on the first call.

        Args:
            watched_sources: hashes of sources whose occurrence is to be reported.

        Raises:
            DataError: with the file and line, for the first mistake in the files, or when no pair is left.
            OutputError: there is no room for temporary files.
        """
        if self._report is None:
            inspection = Inspection(watched_sources)
            try:
                self._report = self._scan(inspection)
            except OSError as error:
                where = "the directory for temporary files"
                accepted = "Free some space, or set TMPDIR to another directory."
                raise OutputError("temporary files cannot be written", where=where, found=error.strerror,
                                  accepted=accepted) from None  # fmt: skip
            self.first_pairs = inspection.sample
        return self._report

    def __iter__(self) -> Iterator[Pair]:
        return (pair for _, pair in self.by_file())

    def by_file(self) -> Iterator[tuple[int, Pair]]:
        """Yields the pairs, each with the number of its file."""
        if not self.settings.drop_duplicates:
            yield from self._all_complete_pairs()
            return
        self.report()
        duplicate = self._duplicate
        assert duplicate is not None
        for number, numbered in enumerate(self._all_complete_pairs()):
            if not duplicate[number >> 3] & (128 >> (number & 7)):
                yield numbered

    def _scan(self, inspection: Inspection) -> CorpusReport:
        report = CorpusReport(self.names, left_out={EMPTY: 0})

        ends = [0]
        with DuplicateFinder() as finder:
            for file in range(len(self._files)):
                account = FileAccount()
                pairs = self._complete_pairs(file, account)
                if first := next(pairs, None):
                    inspection.begin(file, first)
                for pair in chain([first] if first else [], pairs):
                    report.read += 1
                    finder.add(*self._add_tag(file, pair))
                    inspection.add(pair)
                ends.append(report.read)
                for reason, count in account.left_out.items():
                    report.leave_out(reason, count, account.left_out.places.get(reason, []))
                report.notes += [(file, note) for note in account.all_notes()]
            duplicate = finder.mask()
        report.read += sum(report.left_out.values())
        report.duplicates_by_file = [_count_bits(duplicate, begin, end) for begin, end in pairwise(ends)]
        report.duplicates = sum(report.duplicates_by_file)
        report.findings = inspection.findings()
        if self.settings.drop_duplicates:
            self._duplicate = duplicate
            report.left_out[DUPLICATE] = report.duplicates
        if not report.kept:
            left_out = ", ".join(f"{count:,} left out: {reason}" for reason, count in report.left_out.items()
                                 if count)  # fmt: skip
            raise DataError("there are no pairs", where=", ".join(self.names), found=left_out or None)
        return report

    def _paths(self) -> list[Path]:
        named = [Path(path) for file in self._files for path in ([file] if isinstance(file, str) else file)]
        return [path for each in named for path in (dataset_files(each) if each.is_dir() else [each])]

    def _all_complete_pairs(self) -> Iterator[tuple[int, Pair]]:
        for file in range(len(self._files)):
            for pair in self._complete_pairs(file):
                yield file, self._add_tag(file, pair)

    def _add_tag(self, file: int, pair: Pair) -> Pair:
        tag = self._tags[file] if self._tags else None
        return pair if tag is None else Pair(add_tag(tag, pair.source), pair.target)

    def _complete_pairs(self, number: int, account: FileAccount | None = None) -> Iterator[Pair]:
        """Yields the pairs of a file with two sides; the account is told of the others."""
        name, file = self.names[number], self._files[number]
        try:
            yield from self._complete_pairs_of(number, account or FileAccount())
        except DataError as error:
            for path in self._paths():
                self._changes.refuse_changed(path)
            if name != STANDARD_INPUT:
                raise
            where = str(error.where).replace(str(file), name)
            accepted = error.accepted and error.accepted.replace(Path(str(file)).name, "FILE")
            raise DataError(error.what, where=where, found=error.found, accepted=accepted) from None

    def digest_files(self) -> str:
        """Returns a hexadecimal hash of where named files lie, their sizes, and when they changed."""
        parts = hashlib.blake2b(digest_size=16)
        with suppress(DataError):  # what cannot be read is told when that matters
            read = map(read_pairs, self._files, self._settings)
            for pair in chain.from_iterable(read):
                for name, names_file in zip(pair, self.settings.names_files, strict=True):
                    if not names_file:
                        continue
                    parts.update(f"{name}\n".encode())
                    with suppress(OSError, ValueError):
                        found = Path(name).stat()
                        parts.update(f"{found.st_size} {found.st_mtime_ns}\n".encode())
        return parts.hexdigest()

    def find_file(self, name: str | tuple[str, str], number_found: int = 0) -> str:
        """Returns where a side says so, or names a file so, such as "train.tsv:17".

        Args:
            name: the side's text; or a whole pair.
            number_found: how many such places there are before the one that is meant.
        """
        for number, corpus_file in enumerate(self._files):
            account = FileAccount()
            for pair in read_pairs(corpus_file, self._settings[number], account=account):
                tagged = self._add_tag(number, pair)
                if name in tagged if isinstance(name, str) else tuple(name) == tuple(tagged):
                    if not number_found:
                        return account.where(self.names[number])
                    number_found -= 1
        return ", ".join(self.names)

    def _complete_pairs_of(self, number: int, account: FileAccount) -> Iterator[Pair]:
        settings = self._settings[number]
        for pair in read_pairs(self._files[number], settings, self._changes, account):
            if not any(map(is_blank, pair)):
                yield pair
            elif settings.on_empty == "skip":
                account.left_out.add(EMPTY, lambda: account.where(self.names[number]))
            else:
                raise _empty_side_error(account.where(self.names[number]), pair)


def _count_bits(packed: npt.NDArray[np.uint8], begin: int, end: int) -> int:
    bits = np.unpackbits(packed[begin >> 3 : (end + 7) >> 3], count=end - (begin & ~7))
    return int(np.count_nonzero(bits[begin & 7 :]))


def _empty_side_error(where: str, pair: Pair) -> DataError:
    sides = [side for side, text in zip(Pair._fields, pair, strict=True) if is_blank(text)]
    what = f"the {sides[0]} is empty" if len(sides) == 1 else "the line is empty"
    return DataError(what, where=where, accepted="To leave such pairs out: --on-empty skip")


def _copy_standard_input() -> Path:
    """Copies standard input to a file for a while.

    Raises:
        OutputError: the file cannot be written.
    """
    copy = None
    try:
        with tempfile.NamedTemporaryFile(prefix="standard-input-", suffix=".tsv", delete=False) as copy:
            shutil.copyfileobj(sys.stdin.buffer, copy)
    except OSError as error:
        if copy is not None:
            Path(copy.name).unlink(missing_ok=True)
        hint = "Set TMPDIR to a directory with room for it."
        raise write_error(error, tempfile.gettempdir(), hint) from None
    return Path(copy.name)
