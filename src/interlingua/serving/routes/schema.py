"""The parts of the OpenAPI description that FastAPI cannot derive: bodies of several kinds, and errors."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from interlingua.serving.models.catalogue import AUTO, Languages
from interlingua.serving.refusal import ErrorAnswer
from interlingua.serving.settings import ServeSettings

__all__ = ["answers", "body", "pairs"]

_MEANING = {
    400: "The request is not acceptable; the message says what is wrong.",
    403: "No API key, or an unknown one.",
    404: "There is no such thing.",
    408: "The request came too slowly.",
    413: "The request is too large.",
    415: "The request is compressed, or of a content type that is not accepted here.",
    429: "Too many requests a minute.",
    500: "The text could not be translated.",
    503: "Too many requests are waiting, or this one took too long; Retry-After says when to try again.",
}
_SOME = r"[^\s\x1c-\x1f\x85\ufeff]"
"""Something beside space, as Python and as JavaScript see it."""
_KINDS = ("application/json", "application/x-www-form-urlencoded", "multipart/form-data")


def answers(*statuses: int, body: bool = False) -> dict[int | str, dict[str, Any]]:
    """The errors that a route may answer with; with `body`, those of reading one as well."""
    found = sorted({*statuses, *((408, 413, 415) if body else ())})
    return {status: {"model": ErrorAnswer, "description": _MEANING[status]} for status in found}


def body(
    model: type[BaseModel], settings: ServeSettings, *, also: dict[str, Any] | None = None,
    kinds: tuple[str, ...] = _KINDS, more: dict[str, Any] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """The description of a route's body.

    Args:
        model: its fields; they hold no other models.
        settings: the limits of texts, alternatives and glossary.
        also: a schema that must hold as well.
        kinds: content types.
        more: further fields, all of them needed.
    """
    schema = model.model_json_schema() | (also or {})
    fields = schema["properties"] | (more or {})
    limited = [name for name in ("q", "translation", "alternatives", "glossary") if name in fields]
    fields |= {name: _limited(name, fields[name], settings) for name in limited}
    schema |= {"properties": fields, "required": [*schema.get("required", []), *(more or {})]}
    # A form has texts only.
    form_fields = {name: _in_form(field) for name, field in fields.items() if name != "glossary"}
    form = {**schema, "properties": form_fields}
    content = {kind: {"schema": schema if kind == "application/json" else form} for kind in kinds}
    return {"requestBody": {"required": True, "content": content}}


def _limited(name: str, field: dict[str, Any], settings: ServeSettings) -> dict[str, Any]:
    both = "anyOf" in field
    if name in ("q", "translation"):
        text = {"type": "string", "minLength": 1, "maxLength": settings.max_characters}
        bounds = {"minItems": 1, "maxItems": settings.max_texts}
        return {"anyOf": [text, {"type": "array", "items": {"type": "string"}, **bounds}]} if both else text
    if name == "glossary":
        term = {"minLength": 1, "maxLength": settings.max_term_characters, "pattern": _SOME}
        return {
            "description": "{source term: target term}; they come before those of the service.",
            "anyOf": [{
                "type": "object", "maxProperties": settings.max_terms, "propertyNames": term,
                "additionalProperties": {"type": "string", **term},
            }, {"type": "null"}],
        }  # fmt: skip
    most = settings.max_alternatives
    number = {"type": "integer", "minimum": 0, "maximum": most}
    digits = {"type": "string", "enum": [str(i) for i in range(most + 1)]}
    return {"default": 0, **({"anyOf": [number, digits]} if both else number)}


def _in_form(field: dict[str, Any]) -> dict[str, Any]:
    """A form has no null, and a list of one empty text looks there like an empty text."""
    some = [
        {**each, "items": {**each["items"], "minLength": 1}} if each.get("type") == "array" else each
        for each in field.get("anyOf", [])
        if each != {"type": "null"}
    ]
    return {**field, "anyOf": some} if some else field


def pairs(languages: Languages, *, same: bool = True) -> dict[str, Any]:
    """A schema for the pairs of source and target that are served.

    Args:
        languages: with their models.
        same: whether a language goes with itself, too.
    """
    sources = {code: [code] if same else [] for code in languages.codes}
    for start, end in languages.models:
        sources[end] += [start] if AUTO in sources[end] else [AUTO, start]
    ways = [
        {"properties": {"source": {"enum": starts}, "target": {"const": target}}}
        for target, starts in sources.items()
        if starts
    ]
    return {"anyOf": ways}
