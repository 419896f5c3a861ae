"""Uploaded sounds as requests hold them: a form with a file, or a body that is the sound itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from interlingua.serving.refusal import RefusalError
from interlingua.serving.routes.schema import MULTIPART

__all__ = ["UploadedSound", "read_sound_form", "read_uploaded_sound"]

_MAX_PARTS = 64


class UploadedSound(NamedTuple):
    """A sound and the fields beside it."""

    content: bytes
    fields: Mapping[str, Sequence[str]]


async def read_uploaded_sound(request: Request) -> UploadedSound:
    """A sound, as a form or as the body; fields may also be in the query.

    Raises:
        RefusalError: with 400, there is none.
    """
    if request.headers.get("content-type", "").lower().startswith(MULTIPART):
        form = await read_sound_form(request)
        return form._replace(fields={**_query(request), **form.fields})
    content = await request.body()
    if not content:
        raise RefusalError(400, "Invalid request: the body is empty; it should be the sound.", field="file")
    return UploadedSound(content, _query(request))


async def read_sound_form(request: Request) -> UploadedSound:
    """A form with a sound as its part `file`.

    Raises:
        RefusalError: with 400, it is no such form.
    """
    if not request.headers.get("content-type", "").lower().startswith(MULTIPART):
        raise RefusalError(400, "Invalid request: please send a form: Content-Type: multipart/form-data.")
    fields: dict[str, list[str]] = {}
    files: list[bytes] = []
    try:
        async with request.form(max_files=_MAX_PARTS, max_fields=_MAX_PARTS) as form:
            for name, value in form.multi_items():
                if not isinstance(value, UploadFile):
                    fields.setdefault(name, []).append(value)
                elif name == "file":
                    files.append(await value.read())
    except (HTTPException, ValueError, LookupError) as error:
        raise RefusalError(400, "Invalid request: the form cannot be read") from error
    if len(files) != 1:
        problem = f"there are {len(files)} files; one is transcribed" if files else "there is no file"
        raise RefusalError(400, f"Invalid request: file: {problem}", field="file")
    if not files[0]:
        raise RefusalError(400, "Invalid request: file: it is empty", field="file")
    return UploadedSound(files[0], fields)


def _query(request: Request) -> dict[str, list[str]]:
    return {name: request.query_params.getlist(name) for name in request.query_params}
