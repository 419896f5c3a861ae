"""Files to pairs of lines: tab-separated, JSON lines or two parallel files; plain, gzip, xz or bzip2.

A line ends at "\\n" and nowhere else, a "\\r" before it is dropped, and there are no quoting rules.
Every error names the file and the line.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import Any, cast

from interlingua.data.columns import Columns, find_columns, has_names
from interlingua.data.file_account import FileAccount
from interlingua.data.member import AnyFile
from interlingua.data.opening import HEAD, ChangeDetector, open_text
from interlingua.data.recognition import JSON_LINES, encoding_advice, recognise_form
from interlingua.errors import DataError
from interlingua.text.columns import COLUMN_END

__all__ = ["read_jsonl", "read_lines", "read_parallel", "read_tsv"]

MARK = "\ufeff"
"""The byte order mark."""
MAX_LINE_BYTES = 1 << 26
_JSON_KINDS = {dict: "an object", list: "an array", bool: "true or false", type(None): "null"}


def read_lines(file: AnyFile, changes: ChangeDetector | None = None) -> Iterator[str]:
    """Yields the lines of a UTF-8 file without their ends; a byte order mark is dropped.

    Args:
        file: the file.
        changes: told what was read, when the file is read to its end.

    Raises:
        DataError: the file cannot be read, is damaged, has changed, or a line is not UTF-8.
    """
    number = 0
    try:
        with open_text(file, changes) as lines:
            # A longer one is not read into memory, as of an archive made to burst.
            for number, line in enumerate(iter(partial(lines.readline, MAX_LINE_BYTES), b""), start=1):
                if len(line) == MAX_LINE_BYTES:
                    what = f"the line is longer than {MAX_LINE_BYTES >> 20} MiB"
                    raise DataError(what, where=f"{file}:{number}", accepted="Is this a file of texts?")
                text = line.decode()
                if number == 1:
                    text = text.removeprefix(MARK)
                yield text.removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as error:
        raise DataError(
            "the line is not UTF-8",
            where=f"{file}:{number}",
            found=error.object[max(0, error.start - 20) : error.end + 20],
            accepted=encoding_advice(error.object, _head(file), file),
        ) from None


def read_tsv(
    file: AnyFile, columns: Columns | None, changes: ChangeDetector | None = None,
    account: FileAccount | None = None,
) -> Iterator[tuple[str, str]]:  # fmt: skip
    """Yields the two texts of each line; a blank line gives two empty ones.

    Args:
        file: the file.
        columns: the source's columns, which stay columns of its text, and the target's, counted from 1, or by
            the names in the first line; None when there are just two.
        changes: see `read_lines`.
        account: told the place.

    Raises:
        DataError: a line has too few columns, or a third one when no columns are chosen.
    """
    account = account or FileAccount()
    lines = enumerate(read_lines(file, changes), start=1)
    header = next(lines, (1, ""))[1].split("\t") if has_names(columns) else []
    sources, target = find_columns(columns, header, f"{file}:1") if columns else ([0], 1)
    least = max(*sources, target) + 1
    for account.place, line in lines:
        if line[:1] == MARK:  # of a file joined to another one
            line = line[1:]
        fields = line.split("\t")
        if len(fields) >= least if columns else len(fields) == 2:
            yield COLUMN_END.join([fields[source] for source in sources]), fields[target]
        elif not line:
            yield "", ""
        else:
            raise _wrong_columns(file, account.place, fields, columns)


def read_jsonl(
    file: AnyFile, keys: tuple[Sequence[str], str], changes: ChangeDetector | None = None,
    account: FileAccount | None = None,
) -> Iterator[tuple[str, str]]:  # fmt: skip
    """Yields the two texts of each line's JSON object; a blank line gives two empty ones.

    Args:
        file: the file.
        keys: the source's keys, whose values are columns of its text as those of a list are, and the
            target's; others are ignored.
        changes: see `read_lines`.
        account: told the place, and of line ends and tabs in texts, which become spaces.

    Raises:
        DataError: a line is no JSON object, a key is missing or no text, or a source has another number of
            columns than the first.
    """
    account = account or FileAccount()
    if file.suffix.lower() == ".json":
        _refuse_whole_json(file)
    first: tuple[int, object] | None = None
    for account.place, line in enumerate(read_lines(file, changes), start=1):
        line = line.removeprefix(MARK)
        if not line.strip():
            yield "", ""
            continue
        where = f"{file}:{account.place}"
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise _not_json(file, where, line, error) from None
        if not isinstance(record, dict):
            raise _not_an_object(file, where, record, line)
        for key in (*keys[0], keys[1]):
            if line.count(f'"{key}"') > 1:
                _refuse_repeated_key(key, where, line)
        sources = [column for key in keys[0] for column in _columns(record, key, where, account)]
        if sources and first is None:
            first = len(sources), account.place
        if sources and first is not None and len(sources) != first[0]:  # no columns at all: nothing is there
            raise DataError(
                f"the source has not as many columns as that of line {first[1]}, which has {first[0]}",
                where=where, found=f"{len(sources)}: {line.strip()}",
                accepted="All sources have as many columns. Lists of different lengths can be one column: "
                "join them, such as with semicolons.",
            )  # fmt: skip
        _refuse_part(record, sources, where)
        yield COLUMN_END.join(sources), account.one_line(_text(record, keys[1], where))


def _refuse_whole_json(file: AnyFile) -> None:
    """Raises a DataError for a file that is one array, or COCO's object."""
    form = recognise_form(head := _head(file), file)
    if form and form[0] != JSON_LINES:
        found = head.split(b"\n", 1)[0].decode(errors="replace")
        raise DataError(form[0], where=f"{file}:1", found=found, accepted=form[1])


def _refuse_part(record: Mapping[str, object], sources: Sequence[str], where: str) -> None:
    """Raises a DataError for a part of a sound, as manifests have them: its text is not that of the whole."""
    begins, seconds = record.get("offset"), record.get("duration")
    if not (isinstance(begins, float | int) and isinstance(seconds, float | int) and begins > 0):
        return
    from interlingua.sound.opening import SUFFIXES  # which loads NumPy

    if sounds := [name for name in sources if Path(name.strip()).suffix.lower() in SUFFIXES]:
        part = f"ffmpeg -ss {begins:g} -t {seconds:g} -i {shlex.quote(sounds[0])} part.flac"
        raise DataError(
            "the pair is of a part of a sound, and sounds are taken whole", where=where,
            found=f"offset {begins:g}", accepted=f"Cut the parts out first, for example: {part}",
        )  # fmt: skip


def read_parallel(
    source: AnyFile, target: AnyFile, changes: ChangeDetector | None = None,
    account: FileAccount | None = None,
) -> Iterator[tuple[str, str]]:  # fmt: skip
    """Yields line n of one file with line n of the other.

    Raises:
        DataError: the files have unequal numbers of lines.
    """
    account = account or FileAccount()
    lines, blank = [0, 0], True
    for pair in zip_longest(read_lines(source, changes), read_lines(target, changes)):
        lines = [count + (text is not None) for count, text in zip(lines, pair, strict=True)]
        if lines[0] == lines[1]:
            account.place = lines[0]
            yield cast(tuple[str, str], pair)
        else:
            blank = blank and not (pair[0] or pair[1] or "").strip()
    if lines[0] != lines[1]:
        shorter = source if lines[0] < lines[1] else target
        raise DataError(
            "the two files have unequal numbers of lines",
            where=f"{shorter}:{min(lines)}",
            found=f"{lines[0]:,} lines in {source.name}, {lines[1]:,} in {target.name}",
            accepted="What the other one has more are blank lines at its end: remove them."
            if blank
            else "Line n of one file must belong to line n of the other.",
        )


def _head(file: AnyFile) -> bytes:
    """The beginning of a file's text."""
    try:
        with open_text(file) as text:
            return text.read(HEAD)
    except DataError:
        return b""


def _columns(record: dict[str, Any], key: str, where: str, account: FileAccount) -> list[str]:
    """The value of a key: a text, or a list of them."""
    value = record.get(key)
    texts = [{key: part} for part in value] if isinstance(value, list) else [record]
    return [account.one_line(_text(text, key, where)) for text in texts]


def _text(record: dict[str, Any], key: str, where: str) -> str:
    if key not in record:
        raise DataError(
            f"the key {key!r} is missing",
            where=where,
            found=", ".join(record) or "no keys",
            accepted=_advise_keys(record),
        )
    text = record[key]
    if text is None:  # as pandas and datasets write what is missing
        return ""
    if not isinstance(text, str):
        kind = _JSON_KINDS.get(type(text), "a number")
        raise DataError(
            f"the value of {key!r} is not a text but {kind}", where=where, found=text,
            accepted='Both values are texts, such as {"source": "5", "target": "five"}; a source of several '
            "columns is a list of texts.",
        )  # fmt: skip
    try:
        text.encode()
    except UnicodeEncodeError:
        raise DataError(
            f"the value of {key!r} holds a lone surrogate, which is no character", where=where, found=text
        ) from None
    return text


def _advise_keys(record: dict[str, Any]) -> str:
    texts = [key for key, value in record.items() if isinstance(value, str)]
    nested = [key for key, value in record.items() if isinstance(value, dict) and len(value) > 1]
    if nested and len(texts) < 2:
        return f"The texts lie deeper; take them out first, for example: jq -c .{nested[0]} a.jsonl > b.jsonl"
    return f"Say which: --keys {','.join(texts) if len(texts) == 2 else 'SOURCE,TARGET'}"


def _not_json(file: AnyFile, where: str, line: str, error: Exception) -> DataError:
    accepted = 'Each line is an object, such as {"source": "one", "target": "eins"}.'
    if line.strip() in ("{", "[", "[{"):
        selected = "." if line.strip() == "{" else ".[]"
        accepted = (
            f"The objects must be on a line each: jq -c {shlex.quote(selected)} {file.name} > new.jsonl"
        )
    found = f"{line[:60]!r}: {error}" if isinstance(error, json.JSONDecodeError) else line
    return DataError("the line is not JSON", where=where, found=found, accepted=accepted)


def _not_an_object(file: AnyFile, where: str, record: object, line: str) -> DataError:
    accepted = 'Each line is an object, such as {"source": "one", "target": "eins"}.'
    if isinstance(record, list) and len(record) == 2 and all(isinstance(part, str) for part in record):
        accepted = f"Convert it first: jq -c '{{source: .[0], target: .[1]}}' {file.name} > new.jsonl"
    elif isinstance(record, list) and record and all(isinstance(part, dict) for part in record):
        accepted = f"The objects must be on a line each: jq -c '.[]' {file.name} > new.jsonl"
    return DataError("the line is not a JSON object", where=where, found=line, accepted=accepted)


def _refuse_repeated_key(key: str, where: str, line: str) -> None:
    def check(members: list[tuple[str, Any]]) -> list[str]:
        return [name for name, _ in members]

    # Objects inside become lists as well; the outermost one is returned.
    if json.loads(line, object_pairs_hook=check).count(key) > 1:
        raise DataError(f"the key {key!r} is there twice", where=where, found=line)


def _wrong_columns(file: AnyFile, number: int, fields: list[str], columns: Columns | None) -> DataError:
    where, line = f"{file}:{number}", "\t".join(fields)
    form = recognise_form(_head(file), file) if len(fields) == 1 else None
    if form:
        return DataError(f"the line has no tab; {form[0]}", where=where, found=line, accepted=form[1])
    if columns:
        asked = [*map(str, columns[0]), str(columns[1])]
        requested = f"Columns {', '.join(asked[:-1])} and {asked[-1]} were asked for."
        return DataError(f"the line has {len(fields)} columns", where=where, found=line, accepted=requested)
    if len(fields) == 1:
        what, accepted = "the line has no tab", "Each line is: source, a tab, target."
    elif len(fields) == 3 and not fields[2].strip():
        what = "the line has 3 columns, the last of which is empty: it ends with a tab"
        accepted = "To use the first two: --columns 1,2"
    else:
        what = f"the line has {len(fields)} columns"
        accepted = "Say which two to use, by number or by the names in the first line: --columns 1,2"
        if len(fields) > 2:
            accepted += "; or, where sources are of two columns, such as a tag and a text: --columns 1+2,3"
    return DataError(what, where=where, found=line, accepted=accepted)
