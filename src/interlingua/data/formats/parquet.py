"""Parquet files, and the directories that the library `datasets` of Hugging Face keeps and writes (Arrow)."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from interlingua.data.columns import Columns, find_columns, has_names
from interlingua.data.file_account import FileAccount
from interlingua.data.formats.languages import describe_languages, is_code, match
from interlingua.data.opening import ChangeDetector
from interlingua.data.recognition import refuse_foreign_bytes
from interlingua.errors import ConfigurationError, DataError
from interlingua.text.columns import COLUMN_END

__all__ = ["dataset_files", "is_dataset", "read_parquet"]

ROWS = 1_024
"""Read at once."""
STATE = "state.json"
"""Of a directory that save_to_disk wrote: the names of its files, in order."""
SPLITS = "dataset_dict.json"
"""Of one that holds the directories of several splits."""
TRANSLATION = "translation"
"""The column of data sets of translations: {"en": …, "de": …}."""
_SHARD = re.compile(r"(?P<split>.*?)[-_.]?(?P<number>\d+)-of-(?P<count>\d+)")
_SPLIT = re.compile(r"(train|valid|validation|dev|test)\b")
SHOWN = 10


def is_dataset(path: Path) -> bool:
    """Whether a directory holds a data set in Parquet or Arrow files, or several of them (splits)."""
    if not path.is_dir():
        return False
    return any((path / name).is_file() for name in (STATE, SPLITS)) or any(path.glob("*.parquet"))


def dataset_files(directory: Path) -> list[Path]:
    """Returns the files of a data set, in order.

    Raises:
        DataError: there are none, one is missing, or they are of several splits.
    """
    if (directory / STATE).is_file():
        return _saved_files(directory)
    files = sorted(directory.glob("*.parquet"))
    if not files:
        raise _no_files(directory)
    shards = [_SHARD.fullmatch(file.stem) for file in files]
    splits = Counter(
        shard["split"] if shard else found[1] if (found := _SPLIT.match(file.stem)) else ""
        for shard, file in zip(shards, files, strict=True)
    )
    if len(splits) > 1 and any(_SPLIT.match(split) for split in splits):
        raise DataError(
            "the directory holds several splits", where=directory, found=describe_languages(splits),
            accepted=f"Name the files of one: {files[0]}",
        )  # fmt: skip
    if all(shards) and len(splits) == 1 and shards[0] is not None:
        _refuse_missing(directory, {int(s["number"]) for s in shards if s}, int(shards[0]["count"]))
    return files


def _saved_files(directory: Path) -> list[Path]:
    state = directory / STATE
    try:
        names = [str(file["filename"]) for file in json.loads(state.read_bytes())["_data_files"]]
    except OSError as error:
        raise DataError("the file cannot be read", where=state, found=error.strerror) from None
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            "the description of the data set is damaged", where=state, found=repr(error)
        ) from None
    files = [directory / Path(name).name for name in names]
    if missing := [file.name for file in files if not file.is_file()]:
        raise DataError(
            "a file of the data set is missing", where=directory, found=", ".join(missing[:SHOWN])
        )
    return files


def _no_files(directory: Path) -> DataError:
    inside = (
        sorted(each.name for each in directory.iterdir() if is_dataset(each)) if directory.is_dir() else []
    )
    if inside:
        several = "the directory holds several splits"
        return DataError(
            several if len(inside) > 1 else "the data set is one directory deeper",
            where=directory, found=", ".join(inside[:SHOWN]), accepted=f"Name one: {directory / inside[0]}",
        )  # fmt: skip
    return DataError(
        "the directory cannot be read: it holds no data set", where=directory,
        accepted="A directory has .parquet files, or is one that datasets.save_to_disk wrote.",
    )  # fmt: skip


def _refuse_missing(directory: Path, numbers: set[int], count: int) -> None:
    first = 0 if 0 in numbers else 1
    if missing := [number for number in range(first, first + min(count, 100_000)) if number not in numbers]:
        raise DataError(
            "a file of the data set is missing", where=directory,
            found=f"number {missing[0]} of {count}" if len(missing) == 1 else f"{len(missing)} of {count}",
        )  # fmt: skip


def read_parquet(
    path: Path, columns: Columns | None, keys: tuple[Sequence[str], str], languages: tuple[str, str] | None,
    account: FileAccount, changes: ChangeDetector,
) -> Iterator[tuple[str, str]]:  # fmt: skip
    """Yields the two texts of each row.

    Args:
        path: a file, or a directory of them.
        columns: names or numbers; when not given, the column `translation`, or those of the keys, or the two
            that there are.
        keys: the source's and the target's, as of JSON lines.
        languages: choose from the column `translation`; when not given, it has just two.
        account: told the row, and what is left out.
        changes: told what was read.

    Raises:
        DataError: the file is damaged, or has no such columns of texts.
        ConfigurationError: the package is missing.
    """
    account.rows, account.place = True, 0
    for file in dataset_files(path) if path.is_dir() else [path]:
        if file != path:
            account.place = 0
        changes.begin(file)
        with _opened(file) as (schema, batches):
            sources, target = _choose(schema, columns, keys, languages, file, account)
            for batch in batches([*sources, target]):
                texts = [_values(batch, chosen, file) for chosen in (*sources, target)]
                for row in zip(*texts, strict=True):
                    account.place += 1
                    yield (COLUMN_END.join([_text(text, file, account) for text in row[:-1]]),
                           _text(row[-1], file, account))  # fmt: skip
        changes.refuse_changed(file)


@contextmanager
def _opened(file: Path) -> Iterator[tuple[Any, Any]]:
    """The schema of a file, and what yields batches of chosen columns."""
    arrow, parquet = _require_arrow(file)
    damages = (arrow.ArrowException, OSError, ValueError, OverflowError, MemoryError)
    try:
        with file.open("rb") as stream:
            beginning = stream.read(300)
        if file.suffix.lower() == ".arrow":
            with arrow.OSFile(str(file), "rb") as source:
                in_file = beginning.startswith(b"ARROW1")
                reader = (arrow.ipc.open_file if in_file else arrow.ipc.open_stream)(source)
                stored = (
                    (reader.get_batch(i) for i in range(reader.num_record_batches)) if in_file else reader
                )
                yield reader.schema, lambda chosen: (part for whole in stored for part in _slices(whole))
        elif beginning[:4] != b"PAR1":
            refuse_foreign_bytes(beginning, file)
            raise DataError("this is no Parquet file", where=file, found=beginning[:6])
        else:
            with parquet.ParquetFile(file, pre_buffer=False, buffer_size=1 << 20) as reader:
                yield (
                    reader.schema_arrow,
                    lambda chosen: reader.iter_batches(
                        ROWS, columns=list(dict.fromkeys(name for name, *_ in chosen)), use_threads=False
                    ),
                )
    except DataError:
        raise
    except OSError as error:
        if error.strerror:
            raise DataError("the file cannot be read", where=file, found=error.strerror) from None
        raise DataError("the file is damaged", where=file, found=_first_line(error)) from None
    except damages as error:
        raise DataError("the file is damaged", where=file, found=_first_line(error)) from None


def _first_line(error: BaseException) -> str:
    return str(error).split("\n", 1)[0]


def _slices(batch: Any) -> Iterator[Any]:
    batch.validate(full=True)  # else damage would have memory read that is not the batch's
    return (batch.slice(start, ROWS) for start in range(0, batch.num_rows, ROWS))


def _require_arrow(file: Path) -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.ipc
        import pyarrow.parquet
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            "the package for Parquet and Arrow files is not installed",
            where=file,
            found=error.name,
            accepted="pip install 'interlingua[parquet]'",
        ) from None
    return pyarrow, pyarrow.parquet


Chosen = tuple[str, ...]
"""The name of a column, and of a field in it if it is a structure."""


def _choose(
    schema: Any, columns: Columns | None, keys: tuple[Sequence[str], str],
    languages: tuple[str, str] | None, file: Path, account: FileAccount,
) -> tuple[list[Chosen], Chosen]:  # fmt: skip
    names = list(schema.names)
    texts = [name for name in names if _is_text(schema.field(name).type)]
    translation = TRANSLATION in names and _is_struct(schema.field(TRANSLATION).type)
    if translation and columns and has_names(columns) and not {*columns[0], columns[1]} & {*names}:
        languages, columns = (str(columns[0][0]), str(columns[1])), None  # of what is in that column
    if columns is not None:
        sources, target = find_columns(columns, names, file)
        if max(*sources, target) >= len(names):
            raise DataError(f"there are {len(names)} columns", where=file, found=", ".join(names))
        named = [names[number] for number in (*sources, target)]
    elif translation:
        return _choose_languages(schema.field(TRANSLATION).type, languages, file, account)
    elif languages and (both := _columns_of(languages, texts)):
        named = both
        account.note(f"columns {named[0]} → {named[1]}")
    elif {*keys[0], keys[1]} <= set(names):
        named = [*keys[0], keys[1]]
    elif len(texts) == 2:
        named = texts
        account.note(f"columns {texts[0]} → {texts[1]}")
    else:
        raise DataError("it is not clear which columns are source and target", where=file,
                        found=", ".join(names), accepted="Say which: --columns SOURCE,TARGET")  # fmt: skip
    for name in named:
        if name not in texts:
            kind = schema.field(name).type
            advice = f"Columns of texts: {', '.join(texts) or 'none'}."
            if "binary" in str(kind):  # as datasets keeps sounds and pictures
                advice = (
                    "Files within Parquet are not read: write each to a file of its own, and a table of "
                    "their names and texts."
                )
            raise DataError(f"the column {name!r} holds no texts but {kind}", where=file, accepted=advice)
    return [(name,) for name in named[:-1]], (named[-1],)


def _columns_of(languages: tuple[str, str], texts: Sequence[str]) -> list[str] | None:
    """The columns of texts that are called as the languages are, if there is one of each."""
    fitting = [[name for name in texts if match(side, name)] for side in languages]
    return [fitting[0][0], fitting[1][0]] if all(len(names) == 1 for names in fitting) else None


def _choose_languages(
    struct: Any, languages: tuple[str, str] | None, file: Path, account: FileAccount
) -> tuple[list[Chosen], Chosen]:
    codes = [struct.field(i).name for i in range(struct.num_fields)]
    if languages is None and len(codes) == 2 and all(map(is_code, codes)):
        account.note(f"{codes[0]} → {codes[1]}, as the columns stand")
        chosen = codes
    else:
        fitting = [[code for code in codes if match(side, code)] for side in languages or ("", "")]
        if any(len(side) != 1 for side in fitting):
            raise DataError(
                "it is not clear which texts are source and target",
                where=file,
                found=", ".join(codes),
                accepted="Say which: --languages SOURCE TARGET",
            )
        chosen = [side[0] for side in fitting]
    return [(TRANSLATION, chosen[0])], (TRANSLATION, chosen[1])


def _is_text(kind: Any) -> bool:
    if hasattr(kind, "value_type") and hasattr(kind, "index_type"):
        kind = kind.value_type
    return str(kind) in ("string", "large_string", "string_view")


def _is_struct(kind: Any) -> bool:
    return str(kind).startswith("struct<")


def _values(batch: Any, chosen: Chosen, file: Path) -> list[str | None]:
    values = batch.column(chosen[0]).to_pylist()
    if len(chosen) == 1:
        return values  # type: ignore[no-any-return]
    return [None if value is None else value.get(chosen[1]) for value in values]


def _text(value: object, file: Path, account: FileAccount) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise DataError("the value is no text", where=account.where(str(file)), found=value)
    return account.one_line(value)
