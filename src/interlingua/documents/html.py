"""HTML: sentences with inline tags go to the model as plain text, and get their tags back afterwards.

The document is split, not rebuilt: what is not translated comes out as it came in, character by character.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterator, Mapping, Sequence

from interlingua.documents.html_segments import Element, Segment, split_html, split_space
from interlingua.documents.projection import Projection

__all__ = ["Element", "Segment", "render_segment", "split_html"]


def render_segment(
    segment: Segment, projection: Projection, values: Mapping[Segment, str] | None = None
) -> str:
    """The translation of a segment with its tags, each exactly once and properly nested.

    Args:
        segment: a sentence, or a value of an attribute.
        projection: its translation.
        values: those in its tags as rendered; without one it stays.
    """
    if segment.raw_value is not None:
        unchanged = projection.text == segment.plain
        return segment.raw_value if unchanged else _render_value(segment.raw_value, projection.text)
    if segment.elements:
        projection = projection.split_words(segment.plain, list(_find_offsets(segment.elements)))
    whole = Element(-1, 0, len(segment.plain), children=segment.elements)
    pieces = list(_render_content(whole, projection, 0, len(projection.words), len(segment.plain)))
    rendered: list[str] = []
    for piece in _restore_space(segment, pieces):
        if isinstance(piece, str):
            rendered.append(piece)
            continue
        for each in segment.tags[piece]:
            given = each if isinstance(each, str) else (values or {}).get(each, each.raw_value)
            rendered.append(given or "")
    return "".join(rendered)


def _render_value(raw: str, text: str) -> str:
    """The value of an attribute; one without quotation marks gets some."""
    quote = raw[0] if raw[0] in "\"'" else '"'
    escaped = text.replace("&", "&amp;").replace(quote, "&quot;" if quote == '"' else "&#39;")
    return quote + escaped + quote


def _render_content(
    parent: Element, projection: Projection, first: int, last: int, source_length: int
) -> Iterator[str | int]:
    """The words [first, last), which come from what is inside of an element, and the tags inside it."""
    text, words = projection.text, projection.words
    at = words[first][0] if first < len(words) else len(text)
    if parent.start == 0 and first == 0:
        at = 0
    end = words[last - 1][1] if first < last else at
    if parent.end == source_length and last == len(words):
        end = len(text)
    done = first
    places = _places(parent, projection, first, last)
    for (start, stop), child in sorted(
        zip(places, parent.children, strict=True), key=lambda place_and_child: place_and_child[0]
    ):
        start = max(start, done)
        stop = max(start, stop)
        opens = words[start][0] if start < last else end
        yield text[at:opens]
        yield child.opening
        if start < stop:
            yield from _render_content(child, projection, start, stop, source_length)
            opens = words[stop - 1][1]
        else:
            for grandchild in child.children:
                yield from _tags(grandchild)
        if child.closing is not None:
            yield child.closing
        at, done = max(at, opens), stop
    yield text[at:end]


def _places(parent: Element, projection: Projection, first: int, last: int) -> list[tuple[int, int]]:
    """For each child the words among [first, last) that it goes around; none for something at one place."""
    found: dict[int, tuple[int, int]] = {}
    points: list[int] = []  # children that stand at one place
    for i, child in enumerate(parent.children):
        if child.closing is None or child.start == child.end:
            points.append(i)
        elif child.start <= parent.start and child.end >= parent.end:
            found[i] = first, last
        elif words := projection.find_words(child.start, child.end):
            found[i] = words
        elif first < last:
            # Nothing is known to come from it: the same share of the way along.
            length = max(1, parent.end - parent.start)
            a, b = ((place - parent.start) / length for place in (child.start, child.end))
            found[i] = first + int(a * (last - first)), first + math.ceil(b * (last - first))
        else:
            found[i] = first, last
    _share_words(found)
    places = projection.find_places([parent.children[i].start for i in points], first, last)
    found.update(zip(points, zip(places, places, strict=True), strict=True))
    return [
        (max(first, min(start, last)), max(first, min(stop, last)))
        for start, stop in (found[i] for i in range(len(parent.children)))
    ]


def _share_words(found: dict[int, tuple[int, int]]) -> None:
    """Where an element would take all words of the next one as well, both get some of them."""
    before = None
    for i in sorted(found, key=lambda child: (found[child][0], child)):
        start, stop = found[i]
        if before is not None and start < stop <= found[before][1]:
            first, end = found[before]
            middle = start if start > first else (first + end + 1) // 2
            if middle < end:
                found[before], found[i] = (first, middle), (middle, max(stop, middle + 1))
        before = i


def _find_offsets(elements: Sequence[Element]) -> Iterator[int]:
    """Where elements begin and end."""
    for element in elements:
        yield from (element.start, element.end)
        yield from _find_offsets(element.children)


def _tags(element: Element) -> Iterator[int]:
    """The tags of an element around no words, and of those inside it."""
    yield element.opening
    for child in element.children:
        yield from _tags(child)
    if element.closing is not None:
        yield element.closing


def _restore_space(segment: Segment, pieces: Sequence[str | int]) -> Iterator[str | int]:
    """Escapes the text; tags that stand together as in the source get the space that is around them there."""
    gap: list[str | int] = []
    at_edge = True
    for piece in pieces:
        if isinstance(piece, int):
            gap.append(piece)
            continue
        leading, content, trailing = split_space(piece, written=False)
        gap.append(leading)
        if content:
            yield from _gap_as_in_source(segment, gap, at_edge=at_edge)
            yield html.escape(content, quote=False)
            gap, at_edge = [trailing], False
    yield from _gap_as_in_source(segment, gap, at_edge=True)


def _gap_as_in_source(segment: Segment, gap: list[str | int], *, at_edge: bool) -> list[str | int]:
    tags = tuple(each for each in gap if isinstance(each, int))
    in_source = segment.gaps.get(tags)
    if in_source is None:
        return gap
    # Words with space between them keep some, those without get none: the model knows its language best.
    as_many = _has_space(gap) == _has_space(in_source)
    return in_source if as_many or (at_edge and tags in segment.edges) else gap


def _has_space(gap: Sequence[str | int]) -> bool:
    return any(isinstance(each, str) and each for each in gap)
