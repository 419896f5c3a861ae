"""Uploaded sounds and pictures as requests hold them: a form with a file, or a body that is the file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from interlingua.serving.refusal import RefusalError
from interlingua.serving.routes.schema import MULTIPART

__all__ = ["UploadedFile", "overwrite", "read_file_form", "read_uploaded_file"]

_MAX_PARTS = 64


class UploadedFile(NamedTuple):
    """A file and the fields beside it."""

    content: bytes
    fields: Mapping[str, Sequence[str]]


async def read_uploaded_file(request: Request, what: str) -> UploadedFile:
    """A file, as a form or as the body; fields may also be in the query.

    Args:
        request: with the file.
        what: that it is, in a word.

    Raises:
        RefusalError: with 400, there is none.
    """
    if request.headers.get("content-type", "").lower().startswith(MULTIPART):
        form = await read_file_form(request)
        return form._replace(fields={**_query(request), **form.fields})
    content = await request.body()
    if not content:
        raise RefusalError(400, f"Invalid request: the body is empty; it should be the {what}.", field="file")
    return UploadedFile(content, _query(request))


async def read_file_form(request: Request) -> UploadedFile:
    """A form with a file as its part `file`.

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
        problem = f"there are {len(files)} files; one is taken" if files else "there is no file"
        raise RefusalError(400, f"Invalid request: file: {problem}", field="file")
    if not files[0]:
        raise RefusalError(400, "Invalid request: file: it is empty", field="file")
    return UploadedFile(files[0], fields)


def overwrite(path: Path, content: bytes) -> None:
    """Writes a file that must be there still."""
    with path.open("r+b") as file:
        file.write(content)


def _query(request: Request) -> dict[str, list[str]]:
    return {name: request.query_params.getlist(name) for name in request.query_params}
