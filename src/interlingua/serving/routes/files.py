"""Files to translate, and where their translations wait to be downloaded."""

from __future__ import annotations

import re
import secrets
import unicodedata
from pathlib import PurePath
from typing import Annotated, Any
from urllib.parse import quote

from cachetools import TTLCache
from fastapi import APIRouter, Form, Request, Response, UploadFile
from pydantic import BaseModel

from interlingua.documents.file_formats import SUFFIXES, read_file
from interlingua.serving.http.limits import AccessControl
from interlingua.serving.http.reception import log_texts
from interlingua.serving.refusal import RefusalError
from interlingua.serving.routes.schema import MULTIPART, answers, pairs
from interlingua.serving.routes.service import Service, TranslationOptions, search_options

__all__ = ["TranslatedFiles", "name_attachment", "read_upload", "routes"]

_UNSAFE = re.compile(r"[^\w.-]+")
_BOM = "\ufeff"  # a mark at the beginning of a file that it is UTF-8; one that has it keeps it


class FileAnswer(BaseModel):
    """Where the translation can be downloaded, for some minutes."""

    translatedFileUrl: str  # noqa: N815


class TranslatedFiles:
    """Translated files, in memory, under names that cannot be guessed.

    Args:
        seconds: how long each can be downloaded.
        max_bytes: of all together; beyond, the least recently used go early.
    """

    def __init__(self, seconds: float, max_bytes: int = 64 << 20) -> None:
        self._files: TTLCache[str, bytes] = TTLCache(
            max_bytes, seconds, getsizeof=lambda content: min(len(content), max_bytes)
        )

    def put(self, name: str, content: bytes) -> str:
        """Adds a file; returns the name to ask for it by."""
        safe = _UNSAFE.sub("_", unicodedata.normalize("NFC", name))[-80:].lstrip(".")
        key = f"{secrets.token_urlsafe(24)}.{safe}"
        self._files[key] = content
        return key

    def get(self, key: str) -> bytes | None:
        """The file of that name, if it is still there."""
        content: bytes | None = self._files.get(key)
        return content


def name_attachment(name: str) -> str:
    """The header that says a file's name (RFC 6266), in any script and, for old clients, without accents."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", unicodedata.normalize("NFKD", name))
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name)}"


async def read_upload(name: str, file: UploadFile) -> str:
    """The content of a file.

    Raises:
        RefusalError: with 400, its kind is not known, or it is not UTF-8.
    """
    if PurePath(name).suffix.lower() not in SUFFIXES:
        known = ", ".join(SUFFIXES)
        raise RefusalError(400, f"Invalid request: file format not supported. Known: {known}")
    try:
        return (await file.read()).decode()
    except UnicodeDecodeError:
        raise RefusalError(400, "Invalid request: the file is not UTF-8") from None


def routes(service: Service, access: AccessControl) -> APIRouter:
    """LibreTranslate's routes of files."""
    router = APIRouter(tags=["LibreTranslate"])
    settings = service.settings
    files = TranslatedFiles(settings.file_minutes * 60)

    @router.post(
        "/translate_file", summary=f"Translate a file: {', '.join(SUFFIXES)}", response_model=FileAnswer,
        openapi_extra={"requestBody": {"content": {MULTIPART: {"schema": pairs(service.catalogue)}}}},
        responses=answers(400, 403, 429, 500, 503, body=True),
    )  # fmt: skip
    async def translate_file(
        request: Request, file: UploadFile, source: Annotated[str, Form()], target: Annotated[str, Form()],
        tag: Annotated[str | None, Form(description="Which of its tags a model with tags is to use.")] = None,
        api_key: Annotated[str | None, Form(description="Needed if the service asks for API keys.")] = None,
    ) -> Any:  # fmt: skip
        access.check_request(request, api_key)
        path = PurePath(file.filename or "")
        suffix = path.suffix.lower()
        text = await read_upload(path.name, file)
        service.check([text], settings.max_file_characters)
        served, _ = service.catalogue.choose(source, target, [text], tag or None)
        log_texts(request, settings, [text], served.name)

        content = text.removeprefix(_BOM)
        document, translations = read_file(suffix, content), {}
        for format, texts in document.texts.items():
            options = TranslationOptions(
                search_options(settings, 0), format, arrived_at=request.state.arrived_at,
                glossary=service.glossaries.choose(served, None),
            )  # fmt: skip
            done = await service.translate(texts, served, options)
            translations[format] = [translated.text for translated in done]
        filled = text[: len(text) - len(content)] + document.fill(translations)
        key = files.put(f"{path.stem}_{served.target}{suffix}", filled.encode())
        return {"translatedFileUrl": str(request.url_for("download_file", name=quote(key)))}

    @router.get(
        "/download_file/{name}", summary="Download a translated file", response_class=Response,
        responses={200: {"content": {"application/octet-stream": {}}}, **answers(404)},
    )  # fmt: skip
    async def download_file(name: str) -> Response:
        content = files.get(name)
        if content is None:
            raise RefusalError(404, "There is no such file, or not any more.")
        headers = {
            "Content-Disposition": name_attachment(name.partition(".")[2]),
            "Cache-Control": "no-store, private",
        }
        return Response(content, media_type="application/octet-stream", headers=headers)

    return router
