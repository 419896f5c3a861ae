"""What must come through a translation unchanged: addresses, numbers and placeholders."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from interlingua.documents.projection import Projection

__all__ = ["find_missing", "has_placeholders", "measure_numbers_copied", "restore"]

_MIN_PAIRS = 10  # with a number, to say something of a task

# Every alternative ends after a few steps or consumes what it has seen: no text takes more than linear time.
_PROTECTED = re.compile(
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


def find_missing(source: str, translation: str, *, numbers: bool = True) -> list[str]:
    """What stands in the source and must not change, but is missing in the translation; in order.

    Args:
        source: what was translated.
        translation: may hold it in another order.
        numbers: whether they count; one may well have become a word.
    """
    protected = _count(source, numbers=numbers)
    return list((protected - _count(translation, numbers=numbers)).elements()) if protected else []


def measure_numbers_copied(pairs: Iterable[tuple[str, str]]) -> float | None:
    """The share of pairs whose numbers are the same on both sides, of those with a number in the source.

    It is low for tasks that rewrite numbers, such as dates or numbers as words.

    Returns:
        None when too few pairs have a number.
    """
    copied = [
        not find_missing(number, target)
        for source, target in pairs
        if (number := " ".join(_count(source, numbers_only=True).elements()))
    ]
    return sum(copied) / len(copied) if len(copied) >= _MIN_PAIRS else None


def has_placeholders(source: str) -> bool:
    """Whether the text holds something that can be put back, by the alignment, where the model garbled it.

    Numbers cannot: "2 dogs" may well become "zwei Hunde".
    """
    return any(match.lastgroup != "number" for match in _PROTECTED.finditer(source))


def restore(source: str, projection: Projection) -> Projection:
    """Puts addresses and placeholders that are missing in place of the words that came from them."""
    missing = Counter(find_missing(source, projection.text))
    replacements = []
    for match in reversed(list(_PROTECTED.finditer(source)) if missing else []):
        if match.lastgroup == "number" or not missing[match.group()]:
            continue
        if words := projection.find_words(*match.span()):
            replacements.append((*words, match.group()))
            missing[match.group()] -= 1
    return projection.replace_words(sorted(replacements)) if replacements else projection


def _count(source: str, *, numbers: bool = True, numbers_only: bool = False) -> Counter[str]:
    return Counter(
        match.group()
        for match in _PROTECTED.finditer(source)
        if (numbers if match.lastgroup == "number" else not numbers_only)
    )
