"""HTML: sentences with inline tags go to the model as plain text, and get their tags back afterwards.

The document is cut, not rebuilt: whatever is not translated comes out as it came in, character by character.
"""

from __future__ import annotations

import html
import math
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

from interlingua.documents.projection import Projection

__all__ = ["Element", "Segment", "cut", "render"]

_BLOCKS = frozenset(
    """
    address article aside blockquote body br caption center col colgroup dd details dialog dir div
    dl dt fieldset figcaption figure footer form frame frameset h1 h2 h3 h4 h5 h6 head header hgroup
    hr html legend li link main menu meta nav noframes ol optgroup option p param search section
    select source summary table tbody td tfoot th thead title tr track ul
    """.split()  # noqa: SIM905
)
_SILENT = frozenset(
    """
    audio canvas iframe math noscript object pre script style svg template textarea video
    """.split()  # noqa: SIM905
)
"""Their content is not translated."""
_VOID = frozenset(
    """
    area base br col embed hr img input link meta param source track wbr
    """.split()  # noqa: SIM905
)
_DEPTH = 50  # deeper elements are only kept in their places
_SPACE = re.compile(r"[ \t\r\n\f]+")


@dataclass(eq=False)
class Element:
    """Inline markup: a pair of tags around a stretch of a sentence, or something at one place of it."""

    opening: str
    start: int
    end: int
    closing: str = ""
    children: list[Element] = field(default_factory=list)
    name: str = ""


@dataclass(eq=False)
class Segment:
    """A sentence or more, between two tags that end a line of text."""

    plain: str = ""
    elements: list[Element] = field(default_factory=list)


@dataclass
class _Event:
    kind: str  # text, open, close, other
    raw: str
    name: str = ""
    silent: bool = False


class _Events(HTMLParser):
    """The document as a list of events that together are its characters."""

    def __init__(self, document: str) -> None:
        super().__init__(convert_charrefs=True)
        self._document = document
        self._lines = [0, *(match.end() for match in re.finditer("\n", document))]
        self._found: list[tuple[int, str, str, bool]] = []
        # The library would look for the end of each tag and comment that has none, again and again.
        self._last_comment, self._open_comment = document.rfind("-->"), False
        tags = document.rfind(">") + 1
        self.feed(document[:tags])
        self.close()
        if tags < len(document) and not self._open_comment:
            self._found.append((tags, "text", "", False))

    def events(self) -> list[_Event]:
        found = [(0, "other", "", False), *self._found]
        ends = [start for start, *_ in found[1:]] + [len(self._document)]
        return [
            _Event(kind, self._document[start:end], name, silent)
            for (start, kind, name, silent), end in zip(found, ends, strict=True)
            if start < end
        ]

    def _add(self, kind: str, name: str = "", silent: bool = False) -> None:
        self._found.append((self._offset(), kind, name, silent))

    def _offset(self) -> int:
        line, column = self.getpos()
        return self._lines[line - 1] + column

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        fixed = given.get("translate") == "no" or "notranslate" in (given.get("class") or "").split()
        self._add("open", tag, fixed and tag not in _VOID)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._add("open" if tag in _BLOCKS else "empty", tag)

    def handle_endtag(self, tag: str) -> None:
        self._add("close", tag)

    def handle_data(self, data: str) -> None:
        self._add("text")

    def handle_comment(self, data: str) -> None:
        self._add("other")

    def handle_decl(self, decl: str) -> None:
        self._add("other")

    def handle_pi(self, data: str) -> None:
        self._add("other")

    def unknown_decl(self, data: str) -> None:
        self._add("other")

    def parse_comment(self, i: int, report: bool = True) -> int:
        if self._offset() > self._last_comment:  # as browsers do: a comment without an end is all the rest
            self._open_comment = True
            self.handle_comment("")
            return len(self.rawdata)
        return super().parse_comment(i, report)

    def parse_marked_section(self, i: int, report: int = 1) -> int:
        # The library gives up on an unknown one; browsers take it for a comment.
        return self.parse_bogus_comment(i)


def cut(document: str) -> list[str | Segment]:
    """Cuts HTML into segments to translate and strings to keep.

    Args:
        document: a page or a fragment, however wrong.
    """
    pieces: list[str | Segment] = []
    run: list[_Event] = []
    silent: list[str] = []  # the open elements that are not translated
    kept = ""

    def finish() -> None:
        nonlocal run
        pieces.extend(_segment(run))
        run = []

    for event in _Events(document).events():
        if silent:
            kept += event.raw
            if event.name == silent[-1]:
                if event.kind == "close":
                    silent.pop()
                elif event.kind == "open":
                    silent.append(event.name)
            if not silent:
                if event.name in _BLOCKS or event.name in _SILENT:
                    pieces.append(kept)
                else:
                    run.append(_Event("empty", kept))
                kept = ""
        elif event.kind == "open" and (event.silent or event.name in _SILENT):
            if event.name in _BLOCKS or event.name in _SILENT:
                finish()
            silent, kept = [event.name], event.raw
        elif event.kind == "other" or event.name in _BLOCKS or event.name in _SILENT:
            finish()
            pieces.append(event.raw)
        else:
            run.append(event)
    finish()
    return [*pieces, kept] if kept else pieces


def _segment(run: list[_Event]) -> list[str | Segment]:
    """A run of text and inline tags as one segment between the space around it."""
    texts = [i for i, event in enumerate(run) if event.kind == "text" and event.raw.strip()]
    if not texts:
        return ["".join(event.raw for event in run)] if run else []
    first, last = texts[0], texts[-1]
    head, tail = run[first].raw, run[last].raw
    before, after = head[: len(head) - len(head.lstrip())], tail[len(tail.rstrip()) :]
    # Tags outside of the text that have their partner inside go in; all others stay where they are.
    segment, open_elements = Segment(), list[Element]()
    for i, event in enumerate(run):
        if event.kind == "text":
            raw = event.raw if i != first else event.raw.lstrip()
            text = _SPACE.sub(" ", html.unescape(raw.rstrip() if i == last else raw))
            if segment.plain.endswith(" ") or not segment.plain:
                text = text.removeprefix(" ")
            segment.plain += text
        elif event.kind == "close":
            if not _close(event, segment, open_elements):
                _add(segment, open_elements, Element(event.raw, len(segment.plain), len(segment.plain)))
        else:
            element = Element(event.raw, len(segment.plain), len(segment.plain), name=event.name)
            _add(segment, open_elements, element)
            if event.kind == "open" and event.name not in _VOID and len(open_elements) < _DEPTH:
                open_elements.append(element)
    segment.plain = segment.plain.rstrip(" ")
    segment.elements = _hoisted(segment.elements)
    return [before, segment, after]


def _hoisted(elements: list[Element]) -> list[Element]:
    """What stands inside of an element that is never closed belongs to the one around it."""
    found: list[Element] = []
    for element in elements:
        element.children = _hoisted(element.children)
        found.append(element)
        if not element.closing:
            found += element.children
            element.children = []
    return found


def _add(segment: Segment, open_elements: list[Element], element: Element) -> None:
    (open_elements[-1].children if open_elements else segment.elements).append(element)


def _close(event: _Event, segment: Segment, open_elements: list[Element]) -> bool:
    """Ends the element that a closing tag belongs to; those opened inside it and never closed stay points."""
    for i in range(len(open_elements) - 1, -1, -1):
        if open_elements[i].name == event.name:
            element = open_elements[i]
            element.closing, element.end = event.raw, len(segment.plain)
            del open_elements[i:]
            return True
    return False


def render(segment: Segment, projection: Projection) -> str:
    """The translation of a segment with its tags, each exactly once and properly nested."""
    text, units = projection.text, projection.units

    def fill(elements: list[Element], source: tuple[int, int], first: int, last: int) -> str:
        """The units [first, last), which come from a stretch of the source, with the tags inside it."""
        at = units[first][0] if first < last else _edge(units, first, text)
        if source[0] == 0 and first == 0:
            at = 0
        end = units[last - 1][1] if first < last else at
        if source[1] == len(segment.plain) and last == len(units):
            end = len(text)
        out, done = "", first
        for start, stop, element in sorted(
            (_placed(element, source, projection, first, last) for element in elements),
            key=lambda each: each[:2],
        ):
            start = max(start, done)
            stop = max(start, stop)
            opens = units[start][0] if start < last else end
            out += html.escape(text[at:opens], quote=False) + element.opening
            if start < stop:
                out += fill(element.children, (element.start, element.end), start, stop)
                opens = units[stop - 1][1]
            else:
                out += "".join(map(_tags, element.children))
            out += element.closing
            at, done = max(at, opens), stop
        return out + html.escape(text[at:end], quote=False)

    return fill(segment.elements, (0, len(segment.plain)), 0, len(units))


def _placed(
    element: Element, source: tuple[int, int], projection: Projection, first: int, last: int
) -> tuple[int, int, Element]:
    """The units among [first, last) that an element goes around; none for something at one place."""
    if element.closing and element.start <= source[0] and element.end >= source[1]:
        return first, last, element
    run = projection.find(element.start, element.end) if element.closing else None
    if run is None and element.end > element.start and element.closing and first < last:
        # Nothing is known to come from it: the same share of the way along.
        a, b = ((place - source[0]) / max(1, source[1] - source[0]) for place in (element.start, element.end))
        run = (first + int(a * (last - first)), first + math.ceil(b * (last - first)))
    elif run is None:
        place = projection.place(element.start, first, last)
        run = (place, place)
    return max(first, min(run[0], last)), max(first, min(run[1], last)), element


def _edge(units: list[tuple[int, int]], unit: int, text: str) -> int:
    return units[unit][0] if unit < len(units) else len(text)


def _tags(element: Element) -> str:
    return element.opening + "".join(map(_tags, element.children)) + element.closing
