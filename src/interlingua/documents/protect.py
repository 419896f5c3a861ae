"""What must come through a translation unchanged: addresses, numbers and placeholders."""

from __future__ import annotations

import re
from collections import Counter

from interlingua.documents.projection import Projection

__all__ = ["changed", "garbled", "needs_alignment", "restore"]

# Every alternative ends after a few steps or consumes what it has seen: no text takes more than linear time.
_KEPT = re.compile(
    r"""
    (?P<address>
        (?:https?://|www\.)[^\s<>"]*[^\s<>".,;:!?)\]}']
        | (?<![\w.+-])[\w.+-]{1,64}@[\w-]++(?:\.[\w-]++)++
      )
    | (?P<placeholder>
        </?[A-Za-z][^<>\s]*(?:\s[^<>]*)?>            # <x id="1"/>
        | \$?\{\{?\s*+[\w.:-]*+\s*+\}\}?             # {name} {{name}} ${name} {0}
        | \{\\[^{}]*+\}                             # {\an8}, of subtitles
        | %(?:\(\w+\)|\d+\$)?[-+#0]?\d*(?:\.\d+)?[sdifuxXoeEgGc@](?![A-Za-z]) | %%
      )
    | (?P<number> \d+(?:[.,:/]\d+)* )
    """,
    re.VERBOSE,
)


def changed(source: str, translation: str) -> list[str]:
    """What should have been kept but is missing in the translation, in order."""
    wanted = _kept(source)
    return list((wanted - _kept(translation)).elements()) if wanted else []


def garbled(source: str, translation: str) -> bool:
    """Whether an address or a placeholder is missing; a number may have become a word."""
    return bool(_kept(source, numbers=False) - _kept(translation, numbers=False))


def needs_alignment(source: str) -> bool:
    """Whether the text holds something that can be put back where the model garbled it.

    Numbers cannot: "2 dogs" may well become "zwei Hunde".
    """
    return any(match.lastgroup != "number" for match in _KEPT.finditer(source))


def _kept(text: str, *, numbers: bool = True) -> Counter[str]:
    return Counter(match.group() for match in _KEPT.finditer(text) if numbers or match.lastgroup != "number")


def restore(source: str, projection: Projection) -> Projection:
    """Puts what is missing in place of the words that came from it."""
    missing = Counter(changed(source, projection.text))
    for match in reversed(list(_KEPT.finditer(source))):
        if match.lastgroup == "number" or not missing[match.group()]:
            continue
        if run := projection.find(*match.span()):
            projection = projection.replace_units(*run, match.group())
            missing[match.group()] -= 1
    return projection
