"""Fields that routes share, and the parts of the OpenAPI description that FastAPI cannot derive: what the
settings limit, bodies of several content types, and errors.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, Field

from interlingua.serving.models.catalogue import AUTO, Catalogue
from interlingua.serving.refusal import ErrorAnswer
from interlingua.serving.settings import ServeSettings

__all__ = [
    "FORM", "JSON", "MULTIPART", "ApiKey", "LanguageCode", "Tag", "TermAnswer", "Terms", "Text", "answers",
    "body", "pairs",
]  # fmt: skip

ApiKey = Annotated[str | None, Field(description="Needed if the service asks for API keys.")]
Text = Annotated[str, Field(min_length=1)]
LanguageCode = Annotated[str, Field(description="A language code, or auto.")]
Tag = Annotated[str, Field(description="Which of its tags a model with tags is to use.")]
Terms = Annotated[
    dict[str, str] | None,
    Field(description="{source term: target term}; they come before those of the service."),
]


class TermAnswer(BaseModel):
    """A term of the glossary that occurs in the text."""

    source: str
    target: str
    satisfied: Annotated[bool, Field(description="Whether it came out.")]


JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"

_MEANING = {
    400: "The request is not acceptable; the message says what is wrong.",
    403: "No API key, or an unknown one.",
    404: "There is no such thing.",
    408: "The request came too slowly.",
    413: "The request is too large.",
    415: "The request is compressed, or of a content type that is not accepted here.",
    422: "The sound is too long.",
    429: "Too many requests a minute.",
    500: "The text could not be translated.",
    503: "Too many requests are waiting, or this one took too long; Retry-After says when to try again.",
}
_NOT_BLANK = (
    r"[^\s\x00-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f\u202a-\u202e"
    r"\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb]"
)
"""Something beside space, control characters and invisible ones, as Python and as JavaScript see it."""


def answers(*statuses: int, body: bool = False) -> dict[int | str, dict[str, Any]]:
    """The errors that a route may answer with; with `body`, those of reading one as well."""
    found = sorted({*statuses, *((408, 413, 415) if body else ())})
    return {status: {"model": ErrorAnswer, "description": _MEANING[status]} for status in found}


def body(
    settings: ServeSettings, models: Mapping[str, type[BaseModel]], also: dict[str, Any], *,
    unlimited: Collection[str] = (),
) -> dict[str, Any]:  # fmt: skip
    """The description of a route's body.

    Args:
        settings: the limits of texts, alternatives and glossary.
        models: of each content type; they hold no other models.
        also: a schema that must hold as well.
        unlimited: fields that the settings do not limit here.
    """
    limits = {name: limit for name, limit in _limits(settings).items() if name not in unlimited}
    content = {}
    for content_type, model in models.items():
        schema = model.model_json_schema()
        fields = {name: {**field, **limits.get(name, {})} for name, field in schema["properties"].items()}
        content[content_type] = {"schema": {**schema, "properties": fields, **also}}
    return {"requestBody": {"required": True, "content": content}}


def _limits(settings: ServeSettings) -> dict[str, dict[str, Any]]:
    """What the settings allow of fields; JSON Schema applies each keyword to values of its type only."""
    counts = range(settings.max_alternatives + 1)
    term = {"minLength": 1, "maxLength": settings.max_term_characters, "pattern": _NOT_BLANK}
    return {
        "q": {"maxLength": settings.max_characters, "maxItems": settings.max_texts},
        "translation": {"maxLength": settings.max_characters},
        "alternatives": {"enum": [*counts, *map(str, counts)]},
        "glossary": {
            "maxProperties": settings.max_terms, "propertyNames": term, "additionalProperties": term
        },
    }  # fmt: skip


def pairs(catalogue: Catalogue, *, same: bool = True) -> dict[str, Any]:
    """A schema for the served pairs of source and target; with `same`, also of a language with itself."""
    sources = {code: [code] if same else [] for code in catalogue.codes}
    for start, end in catalogue.pairs:
        if not catalogue.tags(start, end):
            sources[end] += [start] if AUTO in sources[end] else [AUTO, start]
    no_tag: dict[str, Any] = {"enum": [""]}
    ways: list[dict[str, Any]] = [
        {"properties": {"source": {"enum": starts}, "target": {"const": target}, "tag": no_tag}}
        for target, starts in sources.items()
        if starts
    ]
    for (start, end), model in catalogue.models.items():
        if model.tags:
            tag = {"enum": model.tags} if model.needs_tag else {"enum": ["", *model.tags]}
            properties: dict[str, Any] = {"source": {"const": start}, "target": {"const": end}, "tag": tag}
            ways.append({"properties": properties, "required": ["tag"] if model.needs_tag else []})
    return {"anyOf": ways}
