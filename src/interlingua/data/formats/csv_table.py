"""CSV as RFC 4180 and spreadsheets have it: quoted cells, with commas, semicolons or tabs between them.

Vertical bars stand between cells without quotes, as in LJ Speech's metadata.csv and files made like it.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import chain, islice
from typing import TYPE_CHECKING

from interlingua.data.columns import Columns, find_columns, has_names
from interlingua.data.file_account import FileAccount
from interlingua.data.member import AnyFile
from interlingua.data.opening import ChangeDetector
from interlingua.data.reading import read_lines
from interlingua.errors import DataError
from interlingua.text.columns import COLUMN_END

if TYPE_CHECKING:
    import _csv

__all__ = ["read_csv"]

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
"""Where several split all rows alike, the one that fewer spaces follow, as in prose, is taken."""
_BETWEEN = "Commas, semicolons, tabs or vertical bars stand between cells."
SAMPLE_LINES = 100
_ANNOUNCED = re.compile(r"sep=([,;\t|])")
"""The first line that some spreadsheets write."""


def read_csv(
    file: AnyFile, columns: Columns | None, account: FileAccount, changes: ChangeDetector
) -> Iterator[tuple[str, str]]:
    """Yields the two texts of each row; an empty line gives two empty ones.

    Args:
        file: the file.
        columns: those of the source and of the target; None when there are just two. Where one is named, the
            first row holds the names.
        account: told the place, and what is between the columns.
        changes: told what was read.

    Raises:
        DataError: a row has too few cells, or a third one when no columns are chosen, or the quotes are not
            as they should be.
    """
    lines = read_lines(file, changes)
    sample = list(islice(lines, SAMPLE_LINES))
    skipped = 0
    if sample and (announced := _ANNOUNCED.fullmatch(sample[0])):
        delimiter, skipped = announced[1], 1
    else:
        delimiter = _find_delimiter(sample, columns)
    account.note(f"{DELIMITERS[delimiter]} are between the columns")
    rows = _rows(chain(sample[skipped:], lines), delimiter, skipped, file)
    header: Sequence[str] = []
    if has_names(columns):
        _, header = next(rows, (1, []))
    chosen = find_columns(columns, header, f"{file}:{skipped + 1}") if columns else ([0], 1)
    sources, target = chosen
    least = max(*sources, target) + 1
    for account.place, row in rows:
        if len(row) >= least if columns else len(row) == 2:
            yield COLUMN_END.join([account.one_line(row[i]) for i in sources]), account.one_line(row[target])
        elif not row:
            yield "", ""
        else:
            raise _wrong_cells(f"{file}:{account.place}", row, least, columns, header)


def _rows(
    lines: Iterator[str], delimiter: str, skipped: int, file: AnyFile
) -> Iterator[tuple[int, list[str]]]:
    """Yields each row with the number of its first line."""
    rows = _reader(lines, delimiter, strict=True)
    while True:
        place = rows.line_num + skipped + 1
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            advice = (
                "A cell with a line end in it, also a carriage return alone, stands between quotation marks."
                if "new-line" in str(error)
                else 'A cell with a quotation mark is written as "a ""word"" in it"; often a mark at the '
                "beginning of a cell has no second one."
            )
            raise DataError("the row is not as CSV has it", where=f"{file}:{place}", found=str(error),
                            accepted=advice) from None  # fmt: skip
        yield place, row


def _reader(lines: Iterable[str], delimiter: str, strict: bool = False) -> "_csv.Reader":
    return csv.reader(
        (f"{line}\n" for line in lines),
        delimiter=delimiter,
        quoting=csv.QUOTE_NONE if delimiter == "|" else csv.QUOTE_MINIMAL,
        strict=strict,
        skipinitialspace=True,
    )


def _find_delimiter(sample: Sequence[str], columns: Columns | None) -> str:
    """What splits most of the first rows into the columns that are asked for."""
    names = {column for column in (*columns[0], columns[1]) if isinstance(column, str)} if columns else set()
    numbers = [column for column in (*columns[0], columns[1]) if isinstance(column, int)] if columns else []

    def fitness(delimiter: str) -> tuple[int, bool, bool, float, float, int]:
        reader, rows = _reader(sample, delimiter), []
        with suppress(csv.Error):  # of another delimiter, or told when it is read
            rows += [row for row in reader if row]
        widths = [len(row) for row in rows if len(row) > 1]
        even = len(widths) == len(rows) and len(set(widths)) == 1
        barred = even and delimiter == "|"  # which hardly stands in texts
        known = len(names & {cell.strip() for cell in rows[0]}) if rows else 0
        asked = [width >= max(numbers) if numbers else columns is not None or width == 2 for width in widths]
        usual = max((widths.count(width) for width in set(widths)), default=0)
        in_prose = sum(line.count(f"{delimiter} ") - line.count(f'{delimiter} "') for line in sample)
        return (
            known,
            barred,
            even and columns is None,
            sum(asked) / max(1, len(rows)),
            usual / max(1, len(rows)),
            -in_prose,
        )

    return max(DELIMITERS, key=fitness)


def _wrong_cells(
    where: str, row: Sequence[str], least: int, columns: Columns | None, header: Sequence[str]
) -> DataError:
    found = ", ".join(row)
    what = f"the row has {len(row)} cells" if len(row) != 1 else "the row has one cell"
    if columns:
        of = f"The first row has {len(header)}" if header else "Columns were asked for"
        return DataError(what, where=where, found=found, accepted=f"{of}; at least {least} are needed.")
    if len(row) == 1:
        return DataError(what, where=where, found=found,
                         accepted=_BETWEEN)  # fmt: skip
    return DataError(
        what, where=where, found=found,
        accepted="Say which two to use, by number or by the names in the first row: --columns 1,2",
    )  # fmt: skip
