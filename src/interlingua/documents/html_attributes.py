"""The attributes of HTML tags that people see or hear: descriptions of pictures, labels of buttons."""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["Span", "find_values"]

Span = tuple[int, int]
"""Offsets of the first character and of the one after the last."""

# No two parts can take the same character: a tag takes linear time.
_ATTRIBUTE = re.compile(r"""(?<![^\s"'/])([^\s"'<>/=]++)\s*+=\s*+("[^"]*+"|'[^']*+'|[^\s"'<>=`]++)""")
_SHOWN = frozenset(
    """
    abbr alt aria-description aria-label aria-placeholder aria-roledescription aria-valuetext placeholder
    title
    """.split()  # noqa: SIM905
)
_SHOWN_OF = {
    "input": ("value",), "meta": ("content",), "optgroup": ("label",), "option": ("label",),
    "table": ("summary",), "track": ("label",),
}  # fmt: skip
_BUTTONS = ("submit", "button", "reset")
_DESCRIPTIONS = frozenset({
    "description", "keywords", "abstract", "subject", "og:title", "og:description", "og:image:alt",
    "twitter:title", "twitter:description", "twitter:image:alt",
})  # fmt: skip
_NEVER = ("link", "style")  # their titles name style sheets


def find_values(tag: str, attrs: Sequence[tuple[str, str | None]], raw: str) -> tuple[Span, ...]:
    """Where in a tag the values stand that are to be translated, with their quotation marks if they have any.

    Args:
        tag: the name of the element.
        attrs: its attributes, as the parser read them.
        raw: the tag as it was written.
    """
    if not attrs or tag in _NEVER:
        return ()
    shown = {*_SHOWN, *_SHOWN_OF.get(tag, ())}
    given = dict(attrs)
    if tag == "input" and (given.get("type") or "").lower() not in _BUTTONS:
        shown.remove("value")
    if tag == "meta":
        name = given.get("name") or given.get("property") or given.get("itemprop") or ""
        shown = {"content"} if name.lower() in _DESCRIPTIONS else set()
    wanted = [name for name, value in attrs if name in shown and (value or "").strip()]
    if not wanted:
        return ()
    matches = _ATTRIBUTE.finditer(raw, len(tag) + 1)
    return tuple(match.span(2) for match in matches if match.group(1).lower() in wanted)
