"""The formats of files of pairs: how their names end, and what reads them. Another format is a line here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path, PurePath
from typing import NamedTuple

from interlingua.data.file_account import FileAccount
from interlingua.data.formats.archive import find_members
from interlingua.data.formats.csv_table import read_csv
from interlingua.data.formats.gettext import read_po
from interlingua.data.formats.parquet import read_parquet
from interlingua.data.formats.tmx import read_tmx
from interlingua.data.formats.xliff import read_xliff
from interlingua.data.member import AnyFile, Member
from interlingua.data.opening import COMPRESSIONS, ChangeDetector
from interlingua.data.reading import read_jsonl, read_parallel, read_tsv
from interlingua.data.settings import CorpusSettings, PairFile
from interlingua.errors import DataError
from interlingua.text.columns import COLUMN_END

__all__ = ["FORMATS", "ZIP", "format_of", "read_file", "uses_languages", "with_languages"]

Pairs = Iterator[tuple[str, str]]


class Format(NamedTuple):
    """A way to write pairs into a file."""

    read: Callable[[AnyFile, CorpusSettings, FileAccount, ChangeDetector], Pairs]
    suffixes: tuple[str, ...]
    columns: bool = False
    """Whether columns choose the sides."""
    keys: bool = False
    """Whether keys do."""
    languages: bool = False
    """Whether languages do."""


def _read_tsv(
    file: AnyFile, settings: CorpusSettings, account: FileAccount, changes: ChangeDetector
) -> Pairs:
    return read_tsv(file, settings.columns, changes, account)


def _read_jsonl(
    file: AnyFile, settings: CorpusSettings, account: FileAccount, changes: ChangeDetector
) -> Pairs:
    return read_jsonl(file, settings.keys, changes, account)


def _read_csv(
    file: AnyFile, settings: CorpusSettings, account: FileAccount, changes: ChangeDetector
) -> Pairs:
    return read_csv(file, settings.columns, account, changes)


def _read_tmx(
    file: AnyFile, settings: CorpusSettings, account: FileAccount, changes: ChangeDetector
) -> Pairs:
    return read_tmx(file, settings.languages, account, changes)


def _read_xliff(
    file: AnyFile, settings: CorpusSettings, account: FileAccount, changes: ChangeDetector
) -> Pairs:
    return read_xliff(file, settings.languages, account, changes)


def _read_po(file: AnyFile, settings: CorpusSettings, account: FileAccount, changes: ChangeDetector) -> Pairs:
    return read_po(file, settings.languages, account, changes)


def _read_parquet(
    file: AnyFile, settings: CorpusSettings, account: FileAccount, changes: ChangeDetector
) -> Pairs:
    if isinstance(file, Member):
        raise DataError("a Parquet file cannot be read inside of an archive", where=file,
                        accepted="Unpack it first.")  # fmt: skip
    return read_parquet(file, settings.columns, settings.keys, settings.languages, account, changes)


FORMATS = {
    "tsv": Format(_read_tsv, (".tsv", ".txt", ".tab"), columns=True),
    "jsonl": Format(_read_jsonl, (".jsonl", ".ndjson", ".json"), keys=True),
    "csv": Format(_read_csv, (".csv",), columns=True),
    "tmx": Format(_read_tmx, (".tmx",), languages=True),
    "xliff": Format(_read_xliff, (".xlf", ".xliff", ".sdlxliff", ".mqxliff", ".mxliff"), languages=True),
    "po": Format(_read_po, (".po", ".pot"), languages=True),
    "parquet": Format(_read_parquet, (".parquet", ".arrow"), columns=True, keys=True, languages=True),
}
ZIP = ".zip", ".argosdata"
"""Ends of names of archives."""
_BY_SUFFIX = {suffix: name for name, format in FORMATS.items() for suffix in format.suffixes}


def format_of(file: PairFile, settings: CorpusSettings) -> str:
    """Returns a key of FORMATS, "zip" or "parallel"; small and capital letters of a name are alike."""
    if not isinstance(file, str):
        return "parallel"
    path = Path(file)
    if path.suffix.lower() in ZIP:
        return "zip"
    if path.is_dir():
        return "parquet"
    return _format_by_name(path, settings)


def _format_by_name(path: PurePath, settings: CorpusSettings) -> str:
    if settings.format != "auto":
        return settings.format
    if path.suffix.lower() in COMPRESSIONS:
        path = path.with_suffix("")
    return _BY_SUFFIX.get(path.suffix.lower(), "tsv")


def uses_languages(file: PairFile, settings: CorpusSettings) -> bool:
    """Whether languages choose the sides of a file's pairs."""
    name = format_of(file, settings)
    return name == "zip" or (name in FORMATS and FORMATS[name].languages)


def with_languages(settings: CorpusSettings, languages: tuple[str, str] | None) -> CorpusSettings:
    """The settings with these languages, unless they have some or no file needs to be told."""
    files = (*settings.train_files, *settings.valid_files)
    if (
        languages is None
        or settings.languages
        or not any(uses_languages(each.file, settings) for each in files)
    ):
        return settings
    return settings.model_copy(update={"languages": tuple(languages)})


def read_file(
    file: PairFile, settings: CorpusSettings, account: FileAccount, changes: ChangeDetector
) -> Pairs:
    """Yields the two texts of each pair of a file, or of two parallel ones.

    Args:
        file: the file.
        settings: how it is written.
        account: told where each pair is, and what is left out.
        changes: told what was read.

    Raises:
        DataError: with the file and line, when the file is not as announced.
    """
    name = format_of(file, settings)
    if name == "zip":
        members = find_members(Path(str(file)), settings.languages, _BY_SUFFIX, account, changes)
        if not isinstance(members, Member):
            return _read_parallel(*members, settings, account, changes)
        return FORMATS[_format_by_name(PurePath(members.name), settings)].read(
            members, settings, account, changes
        )
    if not isinstance(file, str):
        return _read_parallel(Path(file[0]), Path(file[1]), settings, account, changes)
    return FORMATS[name].read(Path(file), settings, account, changes)


def _read_parallel(
    source: AnyFile, target: AnyFile, settings: CorpusSettings, account: FileAccount, changes: ChangeDetector
) -> Pairs:
    pairs = read_parallel(source, target, changes, account)
    if settings.tagged:
        return ((source.replace(COLUMN_END, " "), target) for source, target in pairs)
    return pairs
