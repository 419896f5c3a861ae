"""HTML: sentences with inline tags go to the model as plain text, and get their tags back afterwards.

The document is split, not rebuilt: what is not translated comes out as it came in, character by character.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from interlingua.documents.html_events import Event, read_events
from interlingua.documents.projection import Projection

__all__ = ["Element", "Segment", "render_segment", "split_html"]

_MAX_DEPTH = 50  # deeper elements are only kept in their places
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


def split_html(document: str) -> list[str | Segment]:
    """Splits HTML into segments to translate and strings to keep.

    Args:
        document: a page or a fragment, however wrong.
    """
    pieces: list[str | Segment] = []
    line: list[Event] = []
    for event in read_events(document):
        if event.is_inline:
            line.append(event)
        else:
            pieces += [*_read_line(line), event.raw]
            line = []
    return pieces + _read_line(line)


def _read_line(line: Sequence[Event]) -> list[str | Segment]:
    """Text and inline tags as one segment between the space around it."""
    texts = [i for i, event in enumerate(line) if event.kind == "text" and event.raw.strip()]
    if not texts:
        return ["".join(event.raw for event in line)] if line else []
    first, last = texts[0], texts[-1]
    head, tail = line[first].raw, line[last].raw
    before, after = head[: len(head) - len(head.lstrip())], tail[len(tail.rstrip()) :]
    segment, open_elements = Segment(), list[Element]()
    for i, event in enumerate(line):
        if event.kind == "text":
            raw = event.raw if i != first else event.raw.lstrip()
            text = _SPACE.sub(" ", html.unescape(raw.rstrip() if i == last else raw))
            if segment.plain.endswith(" ") or not segment.plain:
                text = text.removeprefix(" ")
            segment.plain += text
        elif event.kind != "close" or not _close(event, segment, open_elements):
            element = Element(event.raw, len(segment.plain), len(segment.plain), name=event.name)
            (open_elements[-1].children if open_elements else segment.elements).append(element)
            if event.kind == "open" and len(open_elements) < _MAX_DEPTH:
                open_elements.append(element)
    segment.plain = segment.plain.rstrip(" ")
    segment.elements = _empty_unclosed(segment.elements)
    return [before, segment, after]


def _close(event: Event, segment: Segment, open_elements: list[Element]) -> bool:
    """Ends the element that a closing tag belongs to; those opened inside it and never closed stay points."""
    for i in range(len(open_elements) - 1, -1, -1):
        if open_elements[i].name == event.name:
            element = open_elements[i]
            element.closing, element.end = event.raw, len(segment.plain)
            del open_elements[i:]
            return True
    return False


def _empty_unclosed(elements: list[Element]) -> list[Element]:
    """Moves what stands inside of an element that is never closed to the one around it."""
    found: list[Element] = []
    for element in elements:
        element.children = _empty_unclosed(element.children)
        found.append(element)
        if not element.closing:
            found += element.children
            element.children = []
    return found


def render_segment(segment: Segment, projection: Projection) -> str:
    """The translation of a segment with its tags, each exactly once and properly nested."""
    whole = Element("", 0, len(segment.plain), children=segment.elements)
    return _render_content(whole, projection, 0, len(projection.words), len(segment.plain))


def _render_content(
    parent: Element, projection: Projection, first: int, last: int, source_length: int
) -> str:
    """The words [first, last), which come from what is inside of an element, with the tags inside it."""
    text, words = projection.text, projection.words
    at = words[first][0] if first < len(words) else len(text)
    if parent.start == 0 and first == 0:
        at = 0
    end = words[last - 1][1] if first < last else at
    if parent.end == source_length and last == len(words):
        end = len(text)
    rendered, done = "", first
    places = [_place(child, parent, projection, first, last) for child in parent.children]
    for (start, stop), child in sorted(
        zip(places, parent.children, strict=True), key=lambda place_and_child: place_and_child[0]
    ):
        start = max(start, done)
        stop = max(start, stop)
        opens = words[start][0] if start < last else end
        rendered += html.escape(text[at:opens], quote=False) + child.opening
        if start < stop:
            rendered += _render_content(child, projection, start, stop, source_length)
            opens = words[stop - 1][1]
        else:
            rendered += "".join(map(_render_empty, child.children))
        rendered += child.closing
        at, done = max(at, opens), stop
    return rendered + html.escape(text[at:end], quote=False)


def _place(
    element: Element, parent: Element, projection: Projection, first: int, last: int
) -> tuple[int, int]:
    """The words among [first, last) that an element goes around; none for something at one place."""
    if element.closing and element.start <= parent.start and element.end >= parent.end:
        return first, last
    found = projection.find_words(element.start, element.end) if element.closing else None
    if found is None and element.end > element.start and element.closing and first < last:
        # Nothing is known to come from it: the same share of the way along.
        length = max(1, parent.end - parent.start)
        a, b = ((place - parent.start) / length for place in (element.start, element.end))
        found = (first + int(a * (last - first)), first + math.ceil(b * (last - first)))
    elif found is None:
        place = projection.find_place(element.start, first, last)
        found = (place, place)
    return max(first, min(found[0], last)), max(first, min(found[1], last))


def _render_empty(element: Element) -> str:
    """An element around no words, with those inside it."""
    return element.opening + "".join(map(_render_empty, element.children)) + element.closing
