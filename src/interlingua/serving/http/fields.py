"""The fields of a request, whichever way a client sends them: JSON, a form, or the query string.

FastAPI's own typed bodies take one content type each; this is for routes that take them all, and raises the
same error. Starlette's form parser is not asked for urlencoded forms: it takes unescaped UTF-8, as `curl -d`
sends it, for Latin-1.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, BeforeValidator, ValidationError
from starlette.exceptions import HTTPException

from interlingua.serving.refusal import RefusalError

__all__ = ["INTEGRAL", "explain", "read_fields", "require_json"]

Json = TypeVar("Json", bound=BaseModel)
Form = TypeVar("Form", bound=BaseModel)

_MAX_FIELDS = 200


def _to_integer(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


INTEGRAL = BeforeValidator(_to_integer)
"""Makes an integer what JSON Schema means by it: 3.0 is one as well."""


def require_json(request: Request) -> None:
    """A dependency of routes that take JSON only: any web site could send a form without asking.

    Raises:
        RefusalError: with 415.
    """
    if not _is_json(_content_type(request)):
        raise RefusalError(415, "Please send JSON, with Content-Type: application/json.")


async def read_fields(
    request: Request, json_model: type[Json], form_model: type[Form], *, lists: tuple[str, ...] = ()
) -> Json | Form:
    """The fields of a request as a model.

    Args:
        request: JSON if its content type says so, else a form; that may also be in the query.
        json_model: what is expected of JSON.
        form_model: what is expected of a form.
        lists: the fields that may come several times in a form; of others the last counts.

    Raises:
        RefusalError: with 400, a form cannot be read.
        RequestValidationError: a field is wrong.
    """
    content_type = _content_type(request)
    try:
        if _is_json(content_type):
            return json_model.model_validate_json(await request.body(), strict=True)
        fields = _by_name(_parse(request.url.query.encode()), lists)
        if content_type == "multipart/form-data":
            fields |= _by_name(await _multipart(request), lists)
        else:
            fields |= _by_name(_parse(await request.body()), lists)
        return form_model.model_validate(fields)
    except ValidationError as error:
        errors = [{**each, "loc": ("body", *each["loc"])} for each in error.errors()]
        raise RequestValidationError(errors) from None


def explain(error: RequestValidationError) -> tuple[str, str | None]:
    """The first thing that is wrong, for the user, and the field that it is about."""
    first: Mapping[str, Any] = error.errors()[0]
    names = first["loc"][1:]  # after "body"
    field = str(names[0]) if names else None
    if first["type"] == "json_invalid" or (first["type"] == "missing" and not names):
        return "Invalid request: the body is not valid JSON", None
    if first["type"] == "missing":
        return f"Invalid request: missing {field} parameter", field
    message = first["msg"].removeprefix("Value error, ").replace("a valid dictionary", "an object")
    return f"Invalid request: {field}: {message}" if names else f"Invalid request: {message}", field


def _content_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _is_json(content_type: str) -> bool:
    return content_type == "application/json" or content_type.endswith("+json")


async def _multipart(request: Request) -> list[tuple[str, str]]:
    """A form's fields that are no files."""
    try:
        async with request.form(max_files=_MAX_FIELDS, max_fields=_MAX_FIELDS, max_part_size=1 << 30) as form:
            return [(name, value) for name, value in form.multi_items() if isinstance(value, str)]
    except (HTTPException, ValueError, LookupError) as error:
        raise RefusalError(400, "Invalid request: the form cannot be read") from error


def _parse(form: bytes) -> list[tuple[str, str]]:
    """A form's fields, in UTF-8 whether or not escaped."""
    try:
        return parse_qsl(form.decode(), keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS)
    except ValueError:
        raise RefusalError(400, "Invalid request: the form is not valid UTF-8, or too long") from None


def _by_name(fields: Iterable[tuple[str, str]], lists: tuple[str, ...]) -> dict[str, str | list[str]]:
    values: defaultdict[str, list[str]] = defaultdict(list)
    for name, value in fields:
        values[name].append(value)
    return {name: found if name in lists and len(found) > 1 else found[-1] for name, found in values.items()}
