"""Normalisation, so that one text has one spelling."""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

__all__ = ["Normalisation", "is_blank", "normalise", "rule_for_targets"]

Normalisation = Literal["text", "target text", "NFC", "NFKC", "none"]

# Hints to whoever lays out the text, of which a reader sees nothing. The joiners U+200C and U+200D, variation
# selectors and tags are not among them: scripts and emoji need them.
_LAYOUT = "\u00ad\u2060\ufeff"
_INVISIBLE = (
    _LAYOUT + "\u061c\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2061\u2062\u2063\u2064"
    "\u2066\u2067\u2068\u2069\u206a\u206b\u206c\u206d\u206e\u206f"
)
_CONTROL = "".join(chr(code) for code in (*range(0x20), *range(0x7F, 0xA0)) if not chr(code).isspace())
_NOT_IN_TARGETS = re.compile(f"[{_LAYOUT}]")  # many times as fast as str.translate
_BLANK = re.compile(rf"[\s{_INVISIBLE}]*")
_NOT_IN_SOURCES = re.compile(f"[{_INVISIBLE}{re.escape(_CONTROL)}]")


def normalise(text: str, rule: Normalisation) -> str:
    """Returns the text as a rule makes it.

    "text" is for what is read: white space of every kind becomes single spaces, none at the ends; control
    characters and invisible format characters go; NFC. "target text" is for what is to be written: only soft
    hyphens, word joiners and byte order marks go, and NFC; a language's no-break and thin spaces stay.

    The others are Unicode normalisation forms (Unicode Standard Annex 15). NFC composes ("e" + combining
    acute becomes "é") and loses nothing a reader sees; NFKC also folds compatibility characters ("ﬁ" becomes
    "fi"); "none" returns the text as it is.
    """
    if rule == "text":
        if not (text.isascii() and text.isprintable()):
            text = unicodedata.normalize("NFC", _NOT_IN_SOURCES.sub("", text))
        return " ".join(text.split())
    if rule == "none" or text.isascii():
        return text
    if rule == "target text":
        return unicodedata.normalize("NFC", _NOT_IN_TARGETS.sub("", text))
    return unicodedata.normalize(rule, text)


def is_blank(text: str) -> bool:
    """Whether a reader sees nothing of a text: it is empty, or of white space and invisible characters."""
    return _BLANK.fullmatch(text) is not None


def rule_for_targets(rule: Normalisation) -> Normalisation:
    """The rule for the target side where the source side has this one."""
    return "target text" if rule == "text" else rule
