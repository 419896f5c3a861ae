"""HTML split into the sentences to translate, with the tags in them, and what stands around these."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from interlingua.documents.html_events import Event, read_events
from interlingua.documents.html_lines import split_line

__all__ = ["Element", "Segment", "split_html", "split_space"]

_MAX_DEPTH = 50  # deeper elements are only kept in their places
_SPACE = re.compile(r"[ \t\r\n\f]+")
_SPACES = " \t\r\n\f\u00a0"
_NO_BREAK_SPACES = ("&nbsp;", "&#160;", "&#xa0;", "&#xA0;")


@dataclass(eq=False)
class Element:
    """Inline markup: a pair of tags around a stretch of a sentence, or something at one place of it."""

    opening: int
    """The number of the tag in its segment."""
    start: int
    end: int
    closing: int | None = None
    children: list[Element] = field(default_factory=list)
    name: str = ""


@dataclass(eq=False)
class Segment:
    """A sentence or more, between two tags that end a line of text; or the value of an attribute."""

    plain: str = ""
    elements: list[Element] = field(default_factory=list)
    tags: list[list[str | Segment]] = field(default_factory=list)
    """As they were written, each in pieces if there are values to translate in it."""
    gaps: dict[tuple[int, ...], list[str | int]] = field(default_factory=dict)
    """For the tags that stand together between two words: the same with the space around them."""
    edges: list[tuple[int, ...]] = field(default_factory=list)
    """Those before the first word, and those after the last."""
    raw_value: str | None = None
    """Only of a value: as it was written, with its quotation marks if it has any."""

    def values(self) -> list[Segment]:
        """What is to be translated in its tags."""
        return [value for tag in self.tags for value in tag if isinstance(value, Segment)]


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
            pieces += [*_read_line(line), *_split_tag(event)]
            line = []
    return pieces + _read_line(line)


def split_space(text: str, *, written: bool) -> tuple[str, str, str]:
    """The space before a text, the text, the space after it; all is before for one of space only.

    Args:
        text: any.
        written: whether it is HTML, in which &nbsp; is a space.
    """
    start, end = 0, len(text)
    spaces = (*_SPACES, *_NO_BREAK_SPACES) if written else tuple(_SPACES)
    while start < end and (space := next((s for s in spaces if text.startswith(s, start)), "")):
        start += len(space)
    while start < end and (space := next((s for s in spaces if text.endswith(s, start, end)), "")):
        end -= len(space)
    return text[:start], text[start:end], text[end:]


def _read_line(line: Sequence[Event]) -> list[str | Segment]:
    """Text and inline tags as segments and what stands around them."""
    pieces: list[str | Segment] = []
    for events, has_words in split_line(line):
        if has_words:
            pieces += _read_segment(events)
        else:
            pieces += (piece for event in events for piece in _split_tag(event))
    return pieces


def _split_tag(event: Event) -> list[str | Segment]:
    """A tag, or anything else, in pieces if there are values to translate in it."""
    pieces: list[str | Segment] = []
    at = 0
    for start, end in event.values:
        raw = event.raw[start:end]
        plain = html.unescape(raw[1:-1] if raw[0] in "\"'" else raw)
        pieces += [event.raw[at:start], Segment(plain, raw_value=raw)]
        at = end
    return [*pieces, event.raw[at:]]


def _read_segment(line: Sequence[Event]) -> list[str | Segment]:
    """Text and inline tags, the first and the last of them not around all, as one segment."""
    segment, open_elements = Segment(), list[Element]()
    plain, length = list[str](), 0
    gap: list[str | int] = []  # what stands since the last word: space, and numbers of tags
    before = ""
    for event in line:
        if event.kind == "text":
            leading, text, trailing = split_space(event.raw, written=True)
            gap.append(leading)
            if not text:
                continue
            has_space = any(isinstance(each, str) and each for each in gap)
            space = _remember(segment, gap, at_edge=not plain)
            before = before if plain else space
            words = " " * (has_space and bool(plain)) + html.unescape(_SPACE.sub(" ", text))
            plain.append(words)
            length += len(words)
            gap = [trailing]
            continue
        tag = len(segment.tags)
        segment.tags.append(_split_tag(event))
        gap.append(tag)
        if event.kind != "close" or not _close(event.name, tag, length, open_elements):
            element = Element(tag, length, length, name=event.name)
            (open_elements[-1].children if open_elements else segment.elements).append(element)
            if event.kind == "open" and len(open_elements) < _MAX_DEPTH:
                open_elements.append(element)
    after = _remember(segment, gap, at_edge=True)
    segment.plain = "".join(plain)
    segment.elements = _empty_unclosed(segment.elements)
    return [before, segment, after]


def _remember(segment: Segment, gap: list[str | int], *, at_edge: bool) -> str:
    """Keeps how the tags between two words stand; space without tags is given back."""
    if tags := tuple(each for each in gap if isinstance(each, int)):
        segment.gaps[tags] = gap
        if at_edge:
            segment.edges.append(tags)
        return ""
    return "".join(map(str, gap))


def _close(name: str, tag: int, end: int, open_elements: list[Element]) -> bool:
    """Ends the element that a closing tag belongs to; those opened inside it and never closed stay points."""
    for i in range(len(open_elements) - 1, -1, -1):
        if open_elements[i].name == name:
            open_elements[i].closing, open_elements[i].end = tag, end
            del open_elements[i:]
            return True
    return False


def _empty_unclosed(elements: list[Element]) -> list[Element]:
    """Moves what stands inside of an element that is never closed to the one around it."""
    found: list[Element] = []
    for element in elements:
        element.children = _empty_unclosed(element.children)
        found.append(element)
        if element.closing is None:
            found += element.children
            element.children = []
    return found
