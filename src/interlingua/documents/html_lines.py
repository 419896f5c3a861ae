"""Where in a line of HTML the sentences are: without the tags around them; neighbouring links are apart."""

from __future__ import annotations

import html
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence

from interlingua.documents.html_events import Event

__all__ = ["split_line"]

_LINK = "a"
_SEPARATOR = re.compile(r"[\s|/\\·•‣›»→>–—-]*\Z")


def split_line(line: Sequence[Event]) -> Iterator[tuple[Sequence[Event], bool]]:
    """Splits a line into runs of events, each with whether it is text to translate.

    Args:
        line: text and inline tags.
    """
    start = 0
    for first, last in _between_links(line):
        yield from _trim(line[start:first])
        yield line[first:last], False
        start = last
    yield from _trim(line[start:])


def _between_links(line: Sequence[Event]) -> Iterator[tuple[int, int]]:
    """From the end of a link to the beginning of the next one, where no words stand between them."""
    closed = None
    for i, event in enumerate(line):
        if event.name == _LINK and event.kind == "close":
            closed = i + 1
        elif event.name == _LINK and event.kind == "open" and closed is not None:
            yield closed, i
            closed = None
        elif event.kind == "text" and not _SEPARATOR.match(html.unescape(event.raw)):
            closed = None


def _trim(line: Sequence[Event]) -> Iterator[tuple[Sequence[Event], bool]]:
    """Leaves out the tags that stand before, after or around all text: the model need not see them."""
    texts = [i for i, event in enumerate(line) if event.kind == "text" and _has_words(event.raw)]
    if not texts:
        if line:
            yield line, False
        return
    partners = _pair_tags(line)
    first, last = 0, len(line)
    while _is_blank(line[first]) and not (first < partners[first] < texts[-1]):
        first += 1
    while _is_blank(line[last - 1]) and not (first <= partners[last - 1] < last - 1):
        last -= 1
    if first:
        yield line[:first], False
    yield line[first:last], True
    if last < len(line):
        yield line[last:], False


def _has_words(raw: str) -> bool:
    return any(map(str.isalnum, html.unescape(raw)))


def _is_blank(event: Event) -> bool:
    return event.kind != "text" or not html.unescape(event.raw).strip()


def _pair_tags(line: Sequence[Event]) -> list[int]:
    """For each tag the number of the one that closes or opens its element; -1 for what has none."""
    partners = [-1] * len(line)
    open_tags: list[int] = []
    num_open: defaultdict[str, int] = defaultdict(int)
    for i, event in enumerate(line):
        if event.kind == "open":
            open_tags.append(i)
            num_open[event.name] += 1
        elif event.kind == "close" and num_open[event.name]:
            name = ""
            while name != event.name:
                opening = open_tags.pop()
                name = line[opening].name
                num_open[name] -= 1
            partners[opening], partners[i] = i, opening
    return partners
