"""What stands in a line of subtitles and is not said: formatting, moments, music signs, speakers' dashes.

The model never sees them. Those around a sentence are left out of it; those inside go as tags of HTML, which
come back to the words that theirs became.
"""

from __future__ import annotations

import re
from html import escape, unescape
from typing import Literal, NamedTuple

from interlingua.documents.document import Format

__all__ = ["Markup", "Sentence", "has_words", "read_sentence", "starts_speech"]

Markup = Literal["srt", "vtt", "ass"]
"""How codes are written: SubRip's, WebVTT's (where & and < are escaped), or SubStation's in braces."""

_MUSIC = "[\u2669-\u266c\U0001f3b5\U0001f3b6]+"
_TAG = r"</?[A-Za-z][^<>]*>|<\d[\d:.,]*>"
_CODES = {
    "srt": re.compile(rf"{_TAG}|\{{\\[^{{}}]*\}}|{_MUSIC}"),
    "vtt": re.compile(rf"{_TAG}|{_MUSIC}"),
    "ass": re.compile(rf"\{{[^{{}}]*\}}|{_MUSIC}"),
}
_PLAIN_TAG = re.compile(r"</?[A-Za-z][A-Za-z0-9]*>")  # one that is HTML as it stands
_STYLE = re.compile(r"\{\\([ibus])(\d+)\}")  # {\i1} turns italics on, {\i0} off
_DASH = re.compile(r"\s*[-\u2010-\u2015]+(?:\s+|(?=[^\W\d]|[\"'\u2018\u201c\u00ab\u00bf\u00a1(\[\u2026]))")
_NUMBERED = re.compile(r"<(/?)x-(\d+)/?>", re.IGNORECASE)


class _Code(NamedTuple):
    raw: str
    name: str = ""
    """Of what it opens or closes; empty for a code that stands for itself."""
    closes: bool = False


class Sentence(NamedTuple):
    """What is said in a row of subtitles, or in several."""

    leading: str
    """What stands before it and stays."""
    text: str
    """What is to be translated; empty if nothing is said."""
    format: Format
    codes: list[str]
    """Those inside of it, by the numbers of their tags."""
    closing_codes: dict[int, str]
    trailing: str

    def restore_codes(self, text: str, *, escaped: bool) -> str:
        """The text, or a row of its translation, with the codes in place of their tags.

        Args:
            text: in HTML; what looks like a tag but is none is escaped.
            escaped: whether it is to stay so.
        """
        restored, at = list[str](), 0
        for match in _NUMBERED.finditer(text):
            number = int(match[2])
            code = self.closing_codes[number] if match[1] else self.codes[number]
            restored += [text[at : match.start()] if escaped else unescape(text[at : match.start()]), code]
            at = match.end()
        return "".join([*restored, text[at:] if escaped else unescape(text[at:])])


def has_words(row: str, markup: Markup) -> bool:
    """Whether something is said in a row."""
    return any(map(str.isalnum, _CODES[markup].sub("", row)))


def starts_speech(row: str, markup: Markup) -> bool:
    """Whether a row begins with a dash, for a speaker, or with a music sign."""
    return bool(_DASH.match(_CODES[markup].sub(_only_music, row)) or re.match(rf"\s*{_MUSIC}", row))


def read_sentence(row: str, markup: Markup) -> Sentence:
    """Takes apart what is said in a row and what else stands there.

    Args:
        row: of one speaker; rows that were broken are joined by spaces.
        markup: how codes are written in it.
    """
    if not has_words(row, markup):
        return Sentence(row, "", "text", [], {}, "")
    pieces = _read_pieces(row, markup)
    partners = _pair(pieces)
    first, last = 0, len(pieces)
    while _stands_outside(pieces, partners, first):
        first += 1
    while _stands_outside(pieces, partners, last - 1):
        last -= 1
    leading, inside, trailing = _join_raw(pieces[:first]), pieces[first:last], _join_raw(pieces[last:])
    if isinstance(start := inside[0], str):
        inside[0] = start.lstrip()
        leading += start[: len(start) - len(inside[0])]
    if isinstance(end := inside[-1], str):
        inside[-1] = end.rstrip()
        trailing = end[len(inside[-1]) :] + trailing
    text = _join_raw(inside)
    if len(inside) == 1 and not (markup == "vtt" and unescape(text) != text):
        return Sentence(leading, text, "text", [], {}, trailing)
    return _number(leading, inside, [partner - first for partner in partners[first:last]], trailing, markup)


def _only_music(match: re.Match[str]) -> str:
    return match[0] if re.match(_MUSIC, match[0]) else ""


def _read_pieces(row: str, markup: Markup) -> list[str | _Code]:
    pieces: list[str | _Code] = []
    at = 0
    for match in _CODES[markup].finditer(row):
        pieces += [row[at : match.start()], _read_code(match[0])]
        at = match.end()
    pieces = [piece for piece in [*pieces, row[at:]] if piece]
    for i, piece in enumerate(pieces):
        if isinstance(piece, str) and piece.strip():
            if dash := _DASH.match(piece):
                pieces[i : i + 1] = [_Code(dash[0]), piece[dash.end() :]]
            break
    return pieces


def _read_code(raw: str) -> _Code:
    if style := _STYLE.fullmatch(raw):
        return _Code(raw, style[1], closes=int(style[2]) == 0)
    name = re.match(r"</?([A-Za-z0-9]*)", raw)
    if name and not name[1][:1].isdigit():
        return _Code(raw, name[1].lower(), closes=raw.startswith("</"))
    return _Code(raw)


def _pair(pieces: list[str | _Code]) -> list[int]:
    """For each code the number of the one that closes or opens it; its own for one that stands alone."""
    partners = list(range(len(pieces)))
    open_codes: list[int] = []
    for i, piece in enumerate(pieces):
        if isinstance(piece, str) or not piece.name:
            continue
        if not piece.closes:
            open_codes.append(i)
            continue
        for place in range(len(open_codes) - 1, max(-1, len(open_codes) - 50), -1):
            opening = pieces[open_codes[place]]
            if isinstance(opening, _Code) and opening.name == piece.name:
                partners[open_codes[place]], partners[i] = i, open_codes[place]
                del open_codes[place:]
                break
    return partners


def _stands_outside(pieces: list[str | _Code], partners: list[int], i: int) -> bool:
    piece = pieces[i]
    return not piece.strip() if isinstance(piece, str) else partners[i] == i


def _join_raw(pieces: list[str | _Code]) -> str:
    return "".join(piece if isinstance(piece, str) else piece.raw for piece in pieces)


def _number(
    leading: str, pieces: list[str | _Code], partners: list[int], trailing: str, markup: Markup
) -> Sentence:
    """A sentence as HTML, whose codes are numbered tags if they are none themselves."""
    text = ""
    codes: list[str] = []
    closing_codes: dict[int, str] = {}
    numbers: dict[int, int] = {}
    for i, piece in enumerate(pieces):
        if isinstance(piece, str):
            text += piece if markup == "vtt" else escape(piece, quote=False)
        elif partners[i] != i and _PLAIN_TAG.fullmatch(piece.raw) and _is_plain(pieces[partners[i]]):
            text += piece.raw
        elif partners[i] < i:
            number = numbers[partners[i]]
            closing_codes[number] = piece.raw
            text += f"</x-{number}>"
        else:
            numbers[i] = len(codes)
            text += f"<x-{len(codes)}>" if partners[i] > i else f"<x-{len(codes)}/>"
            codes.append(piece.raw)
    return Sentence(leading, text, "html", codes, closing_codes, trailing)


def _is_plain(piece: str | _Code) -> bool:
    return isinstance(piece, _Code) and bool(_PLAIN_TAG.fullmatch(piece.raw))
