"""XLIFF 1.2 and 2.x, and what SDL Trados and memoQ make of 1.2: the files that translators work in.

A pair counts when it is translated: its target is not blank, neither it nor its source is marked as not to be
translated, and its state, if it has one, is not of those that NOT_TRANSLATED names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

from interlingua.data.file_account import EMPTY, FileAccount
from interlingua.data.formats.inline_codes import ALONE, PAIRED, SegmentText
from interlingua.data.formats.languages import describe_languages, match
from interlingua.data.formats.xml_stream import XML_LANGUAGE, read_xml
from interlingua.data.member import AnyFile
from interlingua.data.opening import ChangeDetector
from interlingua.errors import DataError
from interlingua.text.normalise import is_blank

__all__ = ["read_xliff"]

NOT_TRANSLATED = {
    "initial", "new", "needs-translation", "needs-adaptation", "needs-l10n", "needs-review-translation",
    "needs-review-adaptation", "needs-review-l10n",
    "Draft", "RejectedTranslation", "RejectedSignOff",
    "NotStarted", "PartiallyEdited", "Pretranslated", "MachineTranslated", "AssembledFromFragments",
    "Rejected",
    "not confirmed",
}  # fmt: skip
"""States of XLIFF 1.2 and 2.x, of SDL Trados (conf), of memoQ (mq:status) and of Phrase (m:confirmed="0"),
whose targets are not ready."""
DELETED = "x-sdl-deleted"
"""The kind of a mark around what an editor took out."""
CORE = "urn:oasis:names:tc:xliff:document:"
SDL, MEMOQ, PHRASE = "http://sdl.com/FileTypes/SdlXliff/1.0", "MQXliff", "http://www.memsource.com/mxlf/"
UNITS, SEGMENTS = ("trans-unit", "unit"), ("trans-unit", "segment")
IGNORED = ("alt-trans", "bin-unit", "ignorable", "notes", "note", "originalData", "prop-group", "header")


class Segment(NamedTuple):
    """A source with its target."""

    line: int
    languages: tuple[str, str]
    """Of the file that it is in, else of the two texts; "" where neither says it."""
    source: str
    target: str
    state: str
    translate: bool


def read_xliff(
    file: AnyFile, languages: tuple[str, str] | None, account: FileAccount, changes: ChangeDetector
) -> Iterator[tuple[str, str]]:
    """Yields the source and the target of each translated unit or segment.

    Args:
        file: the file.
        languages: codes of source and target, also the other way round than in the file; when not given, it
            is read as it is.
        account: told the place, and what is left out.
        changes: told what was read.

    Raises:
        DataError: the file is no XLIFF, or its languages do not fit.
    """
    counts: Counter[str] = Counter()
    said = "", ""
    pairs = 0
    for segment in read_xml(file, XliffSegments(), changes):
        counts[" → ".join(code or "?" for code in segment.languages)] += 1
        account.place = segment.line
        if languages is None:
            if (joined := _joined(said, segment.languages)) is None:
                raise DataError("the file is in several languages", where=f"{file}:{segment.line}",
                                found=describe_languages(counts),
                                accepted="Say which: --languages SOURCE TARGET")  # fmt: skip
            said = joined
        reverse = _is_reverse(segment.languages, languages)
        if reverse is None:
            account.left_out["segments in other languages"] += 1
        elif reason := _reason(segment):
            account.left_out[reason] += 1
        else:
            pairs += 1
            source, target = account.one_line(segment.source), account.one_line(segment.target)
            yield (target, source) if reverse else (source, target)
    if languages and not pairs and account.left_out["segments in other languages"] == counts.total() > 0:
        raise DataError(f"there is nothing from {languages[0]} to {languages[1]}", where=file,
                        found=describe_languages(counts),
                        accepted="Say which: --languages SOURCE TARGET")  # fmt: skip


def _reason(segment: Segment) -> str | None:
    """Why a segment is left out."""
    if not segment.translate:
        return "not to be translated"
    if is_blank(segment.source):
        return EMPTY
    if is_blank(segment.target):
        return "not translated yet"
    if segment.state in NOT_TRANSLATED:
        return f"not translated yet, by its state: {segment.state}"
    return None


def _joined(one: tuple[str, str], other: tuple[str, str]) -> tuple[str, str] | None:
    """The languages that two segments say together; None where these differ."""
    if any(a and b and a != b for a, b in zip(one, other, strict=True)):
        return None
    return one[0] or other[0], one[1] or other[1]


def _is_reverse(has: tuple[str, str], asked: tuple[str, str] | None) -> bool | None:
    """Whether the sides are to be exchanged; None where the languages are others."""
    if asked is None:
        return False
    for reverse, codes in ((False, has), (True, has[::-1])):
        if all(not code or match(side, code) for side, code in zip(asked, codes, strict=True)):
            return reverse
    return None


class XliffSegments:
    """Gathers the segments of an XLIFF document: a handler of `read_xml`."""

    def __init__(self) -> None:
        self.found: list[Segment] = []
        self.parser: Any = None
        self._root_seen = False
        self._core = CORE
        """What its own elements' namespace begins with."""
        self._languages = ("", "")
        self._translate = [True]
        """Of the elements around, the innermost last."""
        self._ignored = 0
        """The depth of elements in one that is of no use."""
        self._unit = Unit(0)

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Takes the beginning of an element."""
        space, _, name = name.rpartition(" ")
        if not self._root_seen and not space.startswith(CORE):
            self._core = space  # some programs have namespaces of their own
        foreign = bool(space) and not space.startswith(self._core)
        if self._unit.text is not None:
            self._unit.text.start(name, attributes, foreign)
        elif self._ignored:
            self._ignored += 1
        elif space == SDL and name == "seg":
            self._unit.states[attributes.get("id", "")] = attributes.get("conf", "")
        elif foreign and self._root_seen:
            self._ignored = int(space != SDL or name not in ("seg-defs", "seg"))
        elif name in IGNORED:
            self._ignored = 1
        else:
            self._start_core(name, attributes)
        self._root_seen = True

    def _start_core(self, name: str, attributes: dict[str, str]) -> None:
        if not self._root_seen and name != "xliff":
            raise DataError("the document is no XLIFF", found=f"<{name}>",
                            accepted="It begins with <xliff>.")  # fmt: skip
        if name == "xliff":
            self._languages = attributes.get("srcLang", ""), attributes.get("trgLang", "")
        elif name == "file" and "source-language" in attributes:
            self._languages = attributes["source-language"], attributes.get("target-language", "")
        translate = attributes.get("translate", "yes" if self._translate[-1] else "no")
        self._translate.append(translate != "no")
        if name in UNITS:
            self._unit = Unit(self.parser.CurrentLineNumber)
            self._unit.state = _state_of_unit(attributes)
        if name == "segment":
            self._unit.begin_segment(self.parser.CurrentLineNumber, attributes.get("state", ""))
        elif name in ("source", "seg-source", "target"):
            self._unit.text = self._unit.texts[name] = SideText(attributes.get(XML_LANGUAGE, ""))
            if name == "target" and "state" in attributes:
                self._unit.state = attributes["state"]

    def end(self, name: str) -> None:
        """Takes the end of an element."""
        space, _, name = name.rpartition(" ")
        unit = self._unit
        if unit.text is not None:
            if unit.text.end():
                unit.text = None
                self._translate.pop()
            return
        if self._ignored:
            self._ignored -= 1
            return
        if space and not space.startswith(self._core):
            return
        translate = self._translate.pop()
        if name in SEGMENTS:
            languages = unit.languages(self._languages)
            for source, target, state in unit.segments():
                self.found.append(Segment(unit.line, languages, source, target, state, translate))

    def text(self, text: str) -> None:
        """Takes characters."""
        if self._unit.text is not None:
            self._unit.text.add(text)


def _state_of_unit(attributes: dict[str, str]) -> str:
    """What memoQ or Phrase say of a unit, in attributes of their own."""
    for key, value in attributes.items():
        if key.endswith(" status") and MEMOQ in key:
            return value
        if key.endswith(" confirmed") and key.startswith(PHRASE) and value == "0":
            return "not confirmed"
    return ""


class SideText:
    """The text of a source or a target, whole and by the segments that are marked in it.

    Args:
        language: what it says of its own; "" where it does not.
    """

    def __init__(self, language: str = "") -> None:
        self.language = language
        self.whole = SegmentText()
        self.parts: dict[str, SegmentText] = {}
        self._marks: list[str | None] = []
        """For each open element the segment that it begins, if it does."""
        self._part: SegmentText | None = None

    def start(self, name: str, attributes: dict[str, str], foreign: bool) -> None:
        """Takes the beginning of an element."""
        kind = attributes.get("mtype")
        mid = attributes.get("mid") if name == "mrk" and kind == "seg" and self._part is None else None
        self._marks.append(mid)
        if mid is not None:
            # One that goes over several codes is marked piece by piece.
            self._part = self.parts.setdefault(mid, SegmentText())
            return
        code = ALONE if foreign else PAIRED if name == "mrk" and kind == DELETED else None
        for text in self._open():
            text.start(name, code)

    def end(self) -> bool:
        """Takes the end of an element; returns whether it is that of the side itself."""
        if not self._marks:
            return True
        if self._marks.pop() is not None:
            self._part = None
        else:
            for text in self._open():
                text.end()
        return False

    def add(self, text: str) -> None:
        """Takes characters."""
        for each in self._open():
            each.add(text)

    def _open(self) -> list[SegmentText]:
        return [self.whole] if self._part is None else [self.whole, self._part]


class Unit:
    """What is gathered of a unit, and of the segment that is open in it."""

    def __init__(self, line: int) -> None:
        self.line = line
        self.state = ""
        self.states: dict[str, str] = {}
        """Of Trados, by the segment's number."""
        self.texts: dict[str, SideText] = {}
        self.text: SideText | None = None
        """The one that is open."""

    def begin_segment(self, line: int, state: str) -> None:
        """Takes the beginning of a segment of XLIFF 2."""
        self.line, self.state, self.texts = line, state, {}

    def languages(self, of_file: tuple[str, str]) -> tuple[str, str]:
        """Those of the file, or where it does not say them those of the two texts."""
        own = (self.texts[name].language if name in self.texts else "" for name in ("source", "target"))
        source, target = (said or text for said, text in zip(of_file, own, strict=True))
        return source, target

    def segments(self) -> Iterator[tuple[str, str, str]]:
        """Yields each source with its target ("" when there is none) and its state."""
        none = SideText()
        source, target = self.texts.get("source", none), self.texts.get("target", none)
        parts = self.texts.get("seg-source", source).parts
        if parts and (target.parts or is_blank(target.whole.complete())):
            for mid, part in parts.items():
                translated = target.parts.get(mid, none.whole).complete()
                yield part.complete(), translated, self.states.get(mid) or self.state
        else:
            state = next(iter(self.states.values()), "") if len(self.states) == 1 else ""
            yield source.whole.complete(), target.whole.complete(), state or self.state
