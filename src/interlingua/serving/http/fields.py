"""The fields of a request, whichever way a client sends them: JSON, a form, or the query string."""

from __future__ import annotations

from typing import Any, TypeVar
from urllib.parse import parse_qs

from fastapi import Request
from pydantic import BaseModel, BeforeValidator, ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException

from interlingua.serving.refusal import RefusalError

__all__ = ["WHOLE", "read_fields", "read_upload"]

M = TypeVar("M", bound=BaseModel)

_FIELDS = 200


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


WHOLE = BeforeValidator(_whole)
"""Makes an integer what JSON Schema means by it: 3.0 is one as well."""


async def read_fields(
    request: Request, model: type[M], *, lists: tuple[str, ...] = (), forms: bool = True
) -> M:
    """The fields of a request as a model.

    Args:
        request: JSON if its content type says so, else a form; that may also be in the query.
        model: what is expected.
        lists: the fields that may come several times in a form.
        forms: whether anything but JSON is accepted.

    Raises:
        RefusalError: with 400, naming the field that is wrong; with 415 for a form where none is accepted.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        if kind == "application/json" or kind.endswith("+json"):
            return model.model_validate_json(await request.body(), strict=True)
        if not forms:
            raise RefusalError(415, "Please send JSON, with Content-Type: application/json.")
        given = _parse(request.url.query.encode(), lists)
        if kind == "multipart/form-data":
            form = await _form(request)
            given |= _texts(form, lists)
            await form.close()
        else:
            given |= _parse(await request.body(), lists)
        return model.model_validate(given)
    except ValidationError as error:
        raise RefusalError(400, explain(error)) from None


async def read_upload(request: Request, model: type[M]) -> tuple[M, str, bytes]:
    """The fields of a form with a file, the file's name and its content.

    Raises:
        RefusalError: with 400.
    """
    form = await _form(request)
    try:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise RefusalError(400, "Invalid request: missing file parameter")
        return model.model_validate(_texts(form)), file.filename or "", await file.read()
    except ValidationError as error:
        raise RefusalError(400, explain(error)) from None
    finally:
        await form.close()


def explain(error: ValidationError) -> str:
    """The first thing that is wrong, for the user."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    name = str(first["loc"][0]) if first["loc"] else ""
    if first["type"] == "missing":
        return f"Invalid request: missing {name} parameter"
    if first["type"] == "json_invalid":
        return "Invalid request: the body is not valid JSON"
    message = first["msg"].removeprefix("Value error, ")
    return f"Invalid request: {name}: {message}" if name else f"Invalid request: {message}"


async def _form(request: Request) -> FormData:
    try:
        return await request.form(max_files=_FIELDS, max_fields=_FIELDS, max_part_size=1 << 30)
    except (HTTPException, ValueError, LookupError) as error:
        raise RefusalError(400, "Invalid request: the form cannot be read") from error


def _parse(text: bytes, lists: tuple[str, ...]) -> dict[str, Any]:
    """A form's fields, in UTF-8 whether or not escaped; the last of a name counts."""
    try:
        given = parse_qs(text.decode(), keep_blank_values=True, errors="strict", max_num_fields=_FIELDS)
    except ValueError:
        raise RefusalError(400, "Invalid request: the form is not valid UTF-8, or too long") from None
    return {name: _one_or_all(name, values, lists) for name, values in given.items()}


def _texts(form: FormData, lists: tuple[str, ...] = ()) -> dict[str, Any]:
    """The fields of a form that are no files."""
    texts: dict[str, list[str]] = {}
    for name, value in form.multi_items():
        if isinstance(value, str):
            texts.setdefault(name, []).append(value)
    return {name: _one_or_all(name, values, lists) for name, values in texts.items()}


def _one_or_all(name: str, values: list[str], lists: tuple[str, ...]) -> str | list[str]:
    if name not in lists or len(values) == 1:
        return values[-1]
    if "" in values:
        raise RefusalError(400, f"Invalid request: {name}: an empty text")
    return values
