"""gettext's catalogues: .po files, and their templates, in which nothing is translated.

As the GNU gettext manual describes them ("The Format of PO Files"). They are read as a stream and by their
lines' numbers, which the library polib cannot; it takes U+2028 in a text for the end of a line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial

from interlingua.data.file_account import EMPTY, FileAccount
from interlingua.data.formats.languages import match
from interlingua.data.member import AnyFile
from interlingua.data.opening import HEAD, ChangeDetector, open_unpacked
from interlingua.data.reading import MAX_LINE_BYTES
from interlingua.data.recognition import encoding_advice, refuse_foreign_bytes, refuse_foreign_text
from interlingua.errors import DataError
from interlingua.text.normalise import is_blank

__all__ = ["read_po"]

_LINE = re.compile(r'(?:(msgctxt|msgid|msgid_plural|msgstr(?:\[\d{1,3}\])?)\s*)?"((?:[^"\\]|\\.)*)"\s*')
_ESCAPE = re.compile(r"(?:\\(?:x[0-9a-fA-F]{1,2}|[0-7]{1,3}))+|\\.")
"""Numbers, which are bytes of UTF-8, or one character."""
_NUMBERS = re.compile(r"\\(?:x[0-9a-fA-F]|[0-7])")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_CHARSET = re.compile(rb"charset=([\w.:-]+)")
_LANGUAGE = re.compile(r"^Language:[ \t]*([\w@.-]+)[ \t]*$", re.MULTILINE)


@dataclass
class Entry:
    """A message with its translations."""

    line: int = 0
    fuzzy: bool = False
    texts: dict[str, str] = field(default_factory=dict)
    """By keyword, such as msgstr[0]."""

    def is_translated(self) -> bool:
        """Whether it has a msgstr, empty or not."""
        return any(keyword.startswith("msgstr") for keyword in self.texts)


def read_po(
    file: AnyFile, languages: tuple[str, str] | None, account: FileAccount, changes: ChangeDetector
) -> Iterator[tuple[str, str]]:
    """Yields the translated messages, plurals as pairs of their own.

    Args:
        file: the file.
        languages: codes of source and target; where the header names the source, the sides are exchanged.
        account: told the place, and what is left out.
        changes: told what was read.

    Raises:
        DataError: a line is not as the format says, or the header names a language that was not asked for.
    """
    reverse = False
    for entry in _entries(file, account, changes):
        account.place = entry.line
        if entry.texts.get("msgid") == "" and "msgctxt" not in entry.texts:
            reverse = _is_reverse(entry, languages, file)
        elif entry.fuzzy:
            account.left_out["fuzzy"] += 1
        else:
            for source, target in _pairs(entry):
                source, target = account.one_line(source), account.one_line(target)
                if is_blank(source):
                    account.left_out[EMPTY] += 1
                elif is_blank(target):
                    account.left_out["not translated yet"] += 1
                else:
                    yield (target, source) if reverse else (source, target)


def _pairs(entry: Entry) -> Iterator[tuple[str, str]]:
    texts = dict(entry.texts)
    singular = texts.pop("msgid")
    plural = texts.pop("msgid_plural", singular)
    texts.pop("msgctxt", None)
    for keyword, text in texts.items():
        yield (singular if keyword in ("msgstr", "msgstr[0]") else plural), text


def _is_reverse(header: Entry, languages: tuple[str, str] | None, file: AnyFile) -> bool:
    """Whether the messages are translated from the target asked for into the source asked for."""
    found = _LANGUAGE.search(header.texts.get("msgstr", ""))
    if not found or not languages:
        return False
    if match(languages[1], found[1]):
        return False
    if match(languages[0], found[1]):
        return True
    raise DataError(
        "the catalogue is in a language that was not asked for",
        where=f"{file}:{header.line}",
        found=f"Language: {found[1]}",
        accepted=f"Its translations would be in {languages[1]}: --languages SOURCE TARGET",
    )


def _entries(file: AnyFile, account: FileAccount, changes: ChangeDetector) -> Iterator[Entry]:
    """Yields the entries, the header among them; obsolete ones are counted."""
    entry, keyword = Entry(), ""
    for number, line in _lines(file, changes):
        text = line.strip()
        if not text or text.startswith("#"):
            if entry.is_translated() or (text.startswith("#~") and entry.texts):
                yield _complete(entry, file)
                entry = Entry()
            keyword = ""
            if text.startswith("#~"):
                entry.fuzzy = False
                account.left_out["obsolete"] += re.match(r"#~\s*msgid\b", text) is not None
            entry.fuzzy |= text.startswith("#,") and "fuzzy" in re.split(r"[,\s]+", text[2:])
            continue
        found = _LINE.fullmatch(text)
        if not found or not (found[1] or keyword):
            raise DataError("the line is not of the gettext format", where=f"{file}:{number}", found=text,
                            accepted='A line is such as: msgid "text", or "more of it"')  # fmt: skip
        if found[1] and (found[1] in entry.texts or (found[1] == "msgctxt" and "msgid" in entry.texts)):
            yield _complete(entry, file)
            entry = Entry()
        keyword = found[1] or keyword
        if keyword == "msgid" or not entry.line:
            entry.line = number
        entry.texts[keyword] = entry.texts.get(keyword, "") + _unescape(found[2])
    if entry.texts:
        yield _complete(entry, file)


def _complete(entry: Entry, file: AnyFile) -> Entry:
    if "msgid" in entry.texts and entry.is_translated():
        return entry
    lacks = "msgstr" if "msgid" in entry.texts else "msgid"
    raise DataError(
        f"the entry has no {lacks}", where=f"{file}:{entry.line}", accepted="Is the file complete?"
    )


def _unescape(text: str) -> str:
    return _ESCAPE.sub(_unescaped, text) if "\\" in text else text


def _unescaped(found: re.Match[str]) -> str:
    codes = found[0]
    if _NUMBERS.match(codes):
        values = (int(code[1:], 16) if code[0] == "x" else int(code, 8) for code in codes[1:].split("\\"))
        return bytes(value & 255 for value in values).decode(errors="replace")
    return _ESCAPES.get(codes[1:], codes[1:])


def _lines(file: AnyFile, changes: ChangeDetector) -> Iterator[tuple[int, str]]:
    """Yields the lines with their numbers, decoded as the header says."""
    with open_unpacked(file, changes) as stream:
        head = stream.peek(HEAD)[:HEAD]
        refuse_foreign_bytes(head, file)
        refuse_foreign_text(head, file)
        named = _CHARSET.search(head)
        encoding = named[1].decode() if named and named[1] != b"CHARSET" else "utf-8"
        for number, line in enumerate(iter(partial(stream.readline, MAX_LINE_BYTES), b""), start=1):
            try:
                text = (
                    line.removeprefix(b"\xef\xbb\xbf").decode(encoding)
                    if number == 1
                    else line.decode(encoding)
                )
            except LookupError:
                raise DataError("the encoding is not known", where=file, found=encoding) from None
            except UnicodeError:
                says = f"the line is not {encoding.upper()}" + (", as the header says" if named else "")
                advice = (
                    encoding_advice(line, head, file)
                    if encoding.lower() in ("utf-8", "utf8")
                    else ("Correct the charset in the header, or convert the file to it.")
                )
                raise DataError(says, found=line, where=f"{file}:{number}", accepted=advice) from None
            yield number, text.removesuffix("\n").removesuffix("\r")
