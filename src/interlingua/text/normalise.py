"""Unicode normalisation, so that one text has one spelling."""

from __future__ import annotations

import unicodedata
from typing import Literal

__all__ = ["Normalisation", "normalise"]

Normalisation = Literal["NFC", "NFKC", "none"]


def normalise(text: str, form: Normalisation) -> str:
    """Returns the text in a Unicode normalisation form (Unicode Standard Annex 15).

    NFC composes ("e" + combining acute becomes "é") and loses nothing a reader sees; NFKC also folds
    compatibility characters ("ﬁ" becomes "fi"); "none" returns the text as it is.
    """
    if form == "none" or text.isascii():
        return text
    return unicodedata.normalize(form, text)
