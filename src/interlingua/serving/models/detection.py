"""Which language a text is in."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from typing import Annotated

from py3langid.langid import MODEL_FILE, LanguageIdentifier
from pydantic import BaseModel, Field

__all__ = ["DetectedLanguage", "LanguageDetector", "base_of"]

_MAX_CHARACTERS = 2000  # of a text that decide


class DetectedLanguage(BaseModel):
    """A language that a text may be in."""

    language: str
    confidence: Annotated[float, Field(ge=0, le=100, description="In percent.")]


class LanguageDetector:
    """Guesses which of some languages a text is in.

    Args:
        codes: of the languages; one that the detector does not know is never guessed.
    """

    def __init__(self, codes: Sequence[str]) -> None:
        self.codes = codes
        self._identifier = _load_identifier()
        known = set(map(str, self._identifier.nb_classes))
        self._bases = {code: base for code in codes if (base := base_of(code)) in known}

    def detect(self, text: str, among: Iterable[str] | None = None) -> list[DetectedLanguage]:
        """The languages that a text may be in, most likely first; never empty.

        Args:
            text: its first characters decide.
            among: some of the languages; all by default.
        """
        codes = list(self.codes if among is None else among)
        known = {base: code for code in reversed(codes) if (base := self._bases.get(code))}
        if len(codes) == 1 or not known:
            return [DetectedLanguage(language=codes[0], confidence=100.0 if len(codes) == 1 else 0.0)]
        scores = [(str(base), float(share)) for base, share in self._identifier.rank(text[:_MAX_CHARACTERS])]
        shares = {known[base]: share for base, share in scores if base in known}
        total = sum(shares.values()) or 1.0
        return [
            DetectedLanguage(language=code, confidence=round(100 * share / total, 1))
            for code, share in shares.items()
        ]


def base_of(code: str) -> str:
    """The language of a code without its region: en of en-US."""
    return code.replace("_", "-").split("-")[0].lower()


@functools.cache
def _load_identifier() -> LanguageIdentifier:
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
