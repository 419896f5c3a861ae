"""Texts of TMX and XLIFF without the codes in them: formatting, placeholders, notes about both."""

from __future__ import annotations

import re

from interlingua.errors import DataError

__all__ = ["SegmentText"]

PAIRED, ALONE = "\x01", "\x02"
"""What stands for a code until the text is complete; XML holds neither character."""
CODES = {
    "bpt": PAIRED, "ept": PAIRED, "it": PAIRED, "bx": PAIRED, "ex": PAIRED, "sc": PAIRED, "ec": PAIRED,
    "ph": ALONE, "ut": ALONE, "x": ALONE, "cp": ALONE,
}  # fmt: skip
"""Elements that are codes: what is in them is not of the text. Others, such as hi, g, pc and mrk, only mark a
part of it."""
MAX_CHARACTERS = 1 << 26
_CODE_RUN = re.compile(rf"\s*[{PAIRED}{ALONE}][\s{PAIRED}{ALONE}]*")


class SegmentText:
    """The text of an element, as a parser meets its parts."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._depth = 0
        """Of elements in a code."""
        self._characters = 0

    def start(self, name: str, code: str | None = None) -> None:
        """Takes the beginning of an element; `code` says that it is one where its name does not."""
        if self._depth:
            self._depth += 1
        elif code := code or CODES.get(name):
            self._parts.append(code)
            self._depth = 1

    def end(self) -> None:
        """Takes the end of an element."""
        self._depth -= self._depth > 0

    def add(self, text: str) -> None:
        """Takes characters."""
        if self._depth:
            return
        self._parts.append(text)
        self._characters += len(text)
        if self._characters > MAX_CHARACTERS:
            raise DataError(f"a text is longer than {MAX_CHARACTERS >> 20} million characters")

    def complete(self) -> str:
        """Returns the text: no spaces are doubled where a code was, and no words stick together."""
        text = "".join(self._parts)
        if PAIRED not in text and ALONE not in text:
            return text
        return _CODE_RUN.sub(_replace_codes, text)


def _replace_codes(found: re.Match[str]) -> str:
    """A space where there was one, or where a placeholder stood between letters; nothing at the ends."""
    text, run = found.string, found[0]
    if found.start() == 0 or found.end() == len(text):
        return ""
    if spaces := run.replace(PAIRED, "").replace(ALONE, ""):
        return spaces[0]
    return " " if ALONE in run and text[found.start() - 1].isalnum() and text[found.end()].isalnum() else ""
