"""Glossaries as files: a source term, a tab and its translation on each line."""

from __future__ import annotations

from pathlib import Path

from interlingua.data.reading import read_lines
from interlingua.errors import DataError
from interlingua.terms.glossary import trim_spaces

__all__ = ["read_glossary"]


def read_glossary(path: Path) -> dict[str, str]:
    """The terms of a file, {source term: target term}; blank lines are passed over.

    Raises:
        DataError: the file cannot be read, a line is not two terms, or a term has two translations.
    """
    terms: dict[str, str] = {}
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        fields = [trim_spaces(field) for field in line.split("\t")]
        if len(fields) != 2:
            what = "the line has no tab" if len(fields) == 1 else f"the line has {len(fields)} columns"
            accepted = "Each line is: source term, a tab, target term."
            raise DataError(what, where=where, found=line, accepted=accepted)
        source, target = fields
        if not source.strip() or not target.strip():
            raise DataError("a term is empty", where=where, found=line)
        if terms.setdefault(source, target) != target:
            raise DataError(
                f"{source!r} has another translation further up", where=where, found=target,
                accepted=f"It is {terms[source]!r} there. Keep one of the two.",
            )  # fmt: skip
    return terms
