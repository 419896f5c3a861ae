"""HTML as a list of events whose characters, put together, are the document."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser
from typing import Literal, NamedTuple

from interlingua.documents.html_attributes import Span, find_values

__all__ = ["Event", "read_events"]

_BLOCKS = frozenset(
    """
    address article aside audio blockquote body br button canvas caption center col colgroup datalist dd
    details dialog dir div dl dt fieldset figcaption figure footer form frame frameset h1 h2 h3 h4 h5 h6 head
    header hgroup hr html iframe input label legend li link listing main menu meta nav noframes noscript
    object ol optgroup option p param plaintext pre script search section select source style summary table
    tbody td template textarea tfoot th thead title tr track ul video xmp
    """.split()  # noqa: SIM905
)
"""A sentence ends before and after each: what stands on a button or in a cell is a text of its own."""
_UNTRANSLATED = frozenset(
    """
    audio canvas code iframe kbd listing math noscript object plaintext pre samp script style svg template
    textarea tt var video xmp
    """.split()  # noqa: SIM905
)
"""Their content is not translated; those that are no blocks keep their places in a sentence."""
_VOID = frozenset(
    """
    area base br col embed hr img input link meta param source track wbr
    """.split()  # noqa: SIM905
)


class Event(NamedTuple):
    """A tag, a stretch of text, or something else of a document, such as a comment."""

    kind: Literal["text", "open", "close", "empty", "other"]
    raw: str
    """Its characters in the document."""
    name: str = ""
    """Of the element."""
    translate: bool = True
    """Whether the content of the element that begins here may be translated."""
    values: tuple[Span, ...] = ()
    """Where in the tag attributes stand that are shown to people, with their quotation marks."""

    @property
    def is_inline(self) -> bool:
        """Whether a sentence may go on after it."""
        return self.kind != "other" and self.name not in _BLOCKS


def read_events(document: str) -> Iterator[Event]:
    """Reads HTML; an element that is not to be translated is one event with all its content.

    Args:
        document: a page or a fragment, however wrong.
    """
    return _merge_untranslated(_Reader(document).events())


def _merge_untranslated(events: Iterable[Event]) -> Iterator[Event]:
    open_names: list[str] = []  # the outermost untranslated element, and those of the same name inside it
    first, raw = Event("other", ""), ""
    for event in events:
        if open_names:
            raw += event.raw
            if event.name == open_names[-1]:
                if event.kind == "close":
                    open_names.pop()
                elif event.kind == "open":
                    open_names.append(event.name)
            if not open_names:
                yield first._replace(kind="empty" if first.is_inline else "other", raw=raw)
        elif event.kind == "open" and not event.translate:
            open_names, first, raw = [event.name], event, event.raw
        else:
            yield event
    if open_names:
        yield first._replace(kind="other", raw=raw)


def _is_fixed(attrs: list[tuple[str, str | None]]) -> bool:
    given = dict(attrs)
    return (given.get("translate") or "").lower() == "no" or "notranslate" in (
        given.get("class") or ""
    ).split()


class _Reader(HTMLParser):
    """Finds where events begin; each ends where the next one begins."""

    def __init__(self, document: str) -> None:
        super().__init__(convert_charrefs=True)
        self._document = document
        self._line_starts = [0, *(match.end() for match in re.finditer("\n", document))]
        self._found: list[tuple[int, Event]] = []  # offset, event still without its characters
        # The library would look for the end of each tag and comment that has none, again and again.
        self._last_comment, self._open_comment = document.rfind("-->"), False
        tags = document.rfind(">") + 1
        self.feed(document[:tags])
        self.close()
        if tags < len(document) and not self._open_comment:
            self._found.append((tags, Event("text", "")))

    def events(self) -> Iterator[Event]:
        found = [(0, Event("other", "")), *self._found]
        ends = [start for start, _ in found[1:]] + [len(self._document)]
        for (start, event), end in zip(found, ends, strict=True):
            if start < end:
                yield event._replace(raw=self._document[start:end])

    def _add(
        self, kind: Literal["text", "open", "close", "empty", "other"], name: str = "",
        translate: bool = True, values: tuple[Span, ...] = (),
    ) -> None:  # fmt: skip
        self._found.append((self._offset(), Event(kind, "", name, translate, values)))

    def _offset(self) -> int:
        line, column = self.getpos()
        return self._line_starts[line - 1] + column

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        fixed = _is_fixed(attrs)
        values = () if fixed else find_values(tag, attrs, self.get_starttag_text() or "")
        self._add("empty" if tag in _VOID else "open", tag, not fixed and tag not in _UNTRANSLATED, values)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = () if _is_fixed(attrs) else find_values(tag, attrs, self.get_starttag_text() or "")
        self._add("open" if tag in _BLOCKS else "empty", tag, values=values)

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
