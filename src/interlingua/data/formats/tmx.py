"""TMX, the exchange format of translation memories: units with a text for each of several languages.

See TMX 1.4b, sections 3 and 4; older versions call the attribute of the language `lang`.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any, NamedTuple

from interlingua.data.file_account import EMPTY, FileAccount
from interlingua.data.formats.inline_codes import SegmentText
from interlingua.data.formats.languages import Languages
from interlingua.data.formats.xml_stream import XML_LANGUAGE, read_xml
from interlingua.data.member import AnyFile
from interlingua.data.opening import ChangeDetector
from interlingua.errors import DataError
from interlingua.text.normalise import is_blank

__all__ = ["read_tmx"]


class Unit(NamedTuple):
    """A unit of a translation memory."""

    line: int
    source_language: str | None
    """That of the header, or of the unit itself; "*all*" where each may be."""
    texts: list[tuple[str, str]]
    """(code of the language, text)."""


def read_tmx(
    file: AnyFile, languages: tuple[str, str] | None, account: FileAccount, changes: ChangeDetector
) -> Iterator[tuple[str, str]]:
    """Yields the source and the target of each unit; of several texts in a language, each with each.

    Args:
        file: the file.
        languages: codes of source and target; when not given, the file must be of two languages and say which
            is the source.
        account: told the place, and what is left out.
        changes: told what was read.

    Raises:
        DataError: the file is no TMX, or its languages do not fit.
    """
    sides = Languages(languages, file)
    units = read_xml(file, TmxUnits(), changes)
    pairs = 0
    for unit in units:
        codes = dict.fromkeys(code for code, _ in unit.texts)
        if sides.sides is None and len(codes) > 1:
            sides.decide(codes, unit.source_language)
            if sides.sides is not None:
                account.note(f"{' → '.join(sides.sides)}, as the file says")
        sides.counts.update(code for code, _ in unit.texts)
        if (sides.sides is None and len(codes) > 1) or any(map(sides.is_foreign, codes)):
            sides.counts.update(code for each in units for code, _ in each.texts)
            sides.refuse()
        account.place = unit.line
        for pair in _pairs(unit, sides, account):
            pairs += 1
            yield pair
    if not pairs and sides.counts:
        sides.refuse_none()


def _pairs(unit: Unit, sides: Languages, account: FileAccount) -> Iterator[tuple[str, str]]:
    by_side: tuple[list[str], list[str]] = [], []
    for code, text in unit.texts:
        if (side := sides.side(code)) is not None:
            by_side[side].append(account.one_line(text))
    if not all(by_side):
        if not unit.texts:
            reason = "units without a text (<seg>)"
        elif sides.sides is None:
            reason = "units in one language only"
        elif any(by_side):
            reason = f"units without {sides.sides[0 if by_side[1] else 1]}"
        else:
            reason = "units in other languages"
        account.left_out[reason] += 1
        return
    sources, targets = ([text for text in texts if not is_blank(text)] for texts in by_side)
    if not (sources and targets):
        account.left_out[EMPTY] += 1
    yield from product(sources, targets)


class TmxUnits:
    """Gathers the units of a TMX document: a handler of `read_xml`."""

    def __init__(self) -> None:
        self.found: list[Unit] = []
        self.parser: Any = None
        self._root_seen = False
        self._header_language: str | None = None
        self._unit: Unit | None = None
        self._language = ""
        self._segment: SegmentText | None = None
        self._segment_depth = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Takes the beginning of an element."""
        name = name.rpartition(" ")[2]
        if self._segment is not None:
            self._segment_depth += 1
            self._segment.start(name)
        elif name == "seg" and self._unit is not None:
            self._segment, self._segment_depth = SegmentText(), 0
        elif name == "tuv":
            self._language = attributes.get(XML_LANGUAGE, attributes.get("lang", "")).strip()
        elif name == "tu":
            source = attributes.get("srclang", self._header_language)
            self._unit = Unit(self.parser.CurrentLineNumber, source, [])
        elif name == "header":
            self._header_language = attributes.get("srclang")
        elif not self._root_seen and name != "tmx":
            raise DataError("the document is no TMX", found=f"<{name}>", accepted="It begins with <tmx>.")
        self._root_seen = True

    def end(self, name: str) -> None:
        """Takes the end of an element."""
        if self._segment is not None:
            if self._segment_depth:
                self._segment_depth -= 1
                self._segment.end()
                return
            assert self._unit is not None
            self._unit.texts.append((self._language, self._segment.complete()))
            self._segment = None
        elif self._unit is not None and name.rpartition(" ")[2] == "tu":
            self.found.append(self._unit)
            self._unit = None

    def text(self, text: str) -> None:
        """Takes characters."""
        if self._segment is not None:
            self._segment.add(text)
