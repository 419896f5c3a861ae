"""What a request for a translation asks for, and what it gets."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from interlingua.documents.document import Format
from interlingua.serving.refusal import RefusalError
from interlingua.serving.settings import ServeSettings
from interlingua.terms.glossary import Glossary

__all__ = ["TranslatedText", "TranslationOptions", "search_options"]


class TranslationOptions(NamedTuple):
    """What a request asks for beside the text."""

    search: dict[str, Any]
    """Fields of SearchSettings, and attention or alignment."""
    format: Format = "text"
    detail: bool = False
    """Whether tokens and log-probabilities are part of the answer."""
    arrived_at: float = math.inf
    """By the monotonic clock, if not just now."""
    glossary: Glossary | None = None


@dataclass
class TranslatedText:
    """A translated text."""

    text: str
    alternatives: list[str]
    flags: list[str]
    not_kept: list[str]
    """Addresses, numbers and placeholders of the source that are missing or changed."""
    sentences: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """Each part and a worker's answer to it; none where it went through a third language."""
    pivot: str = ""
    """The language that it went through."""

    @property
    def terms(self) -> list[dict[str, Any]]:
        """The glossary's terms in the text: source, target, satisfied."""
        return [term for _, answer in self.sentences for term in answer.get("terms", ())]


def search_options(settings: ServeSettings, alternatives: int) -> dict[str, Any]:
    """The search settings for so many alternatives.

    Raises:
        RefusalError: with 400, they are too many.
    """
    if alternatives > settings.max_alternatives:
        raise RefusalError(400, f"Invalid request: alternatives must be <= {settings.max_alternatives}")
    search: dict[str, Any] = {} if settings.beam is None else {"beam": settings.beam}
    if alternatives:
        search["n_best"] = alternatives + 1
    return search
