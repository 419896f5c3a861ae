"""The parts of the OpenAPI description that FastAPI cannot derive: bodies of several kinds, and errors."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from interlingua.serving.languages import AUTO, Languages
from interlingua.serving.refusal import ErrorAnswer

__all__ = ["answers", "body", "pairs"]

_MEANING = {
    400: "The request is not acceptable; the message says what is wrong.",
    403: "No API key, or an unknown one.",
    404: "There is no such thing.",
    413: "The request is too large.",
    429: "Too many requests a minute.",
    500: "The text could not be translated.",
    503: "Too many requests are waiting, or this one took too long; Retry-After says when to try again.",
}
_KINDS = ("application/json", "application/x-www-form-urlencoded", "multipart/form-data")


def answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The errors that a route may answer with; those that every route with a body may are added."""
    return {status: {"model": ErrorAnswer, "description": _MEANING[status]} for status in statuses}


def body(
    model: type[BaseModel], *, also: dict[str, Any] | None = None, kinds: tuple[str, ...] = _KINDS,
    more: dict[str, Any] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """The description of a route's body.

    Args:
        model: its fields; they hold no other models.
        also: a schema that must hold as well.
        kinds: content types.
        more: further fields, all of them needed.
    """
    schema = model.model_json_schema()
    if more:
        schema["properties"] |= more
        schema["required"] = [*schema.get("required", []), *more]
    if also:
        schema |= also
    return {"requestBody": {"required": True, "content": {kind: {"schema": schema} for kind in kinds}}}


def pairs(languages: Languages) -> dict[str, Any]:
    """A schema for the pairs of source and target that are served."""
    ways = [
        {
            "properties": {
                "source": {"enum": [AUTO, *(start for start, end in languages.models if end == target)]},
                "target": {"const": target},
            }
        }
        for target in dict.fromkeys(end for _, end in languages.models)
    ]
    return {"anyOf": ways}
