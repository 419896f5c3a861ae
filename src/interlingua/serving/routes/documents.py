"""Large files, translated as jobs: uploaded, asked about, downloaded. The shape is that of DeepL's routes."""

from __future__ import annotations

import asyncio
from pathlib import PurePath
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Request, Response, UploadFile
from pydantic import BaseModel, Field

from interlingua.documents.file_formats import SUFFIXES
from interlingua.errors import OutputError
from interlingua.serving.http.fields import read_fields
from interlingua.serving.http.limits import AccessControl
from interlingua.serving.http.reception import log_texts
from interlingua.serving.models.catalogue import AUTO
from interlingua.serving.models.documents import DocumentState, DocumentStore, Full, new_document
from interlingua.serving.refusal import RefusalError
from interlingua.serving.routes.document_jobs import DocumentJobs
from interlingua.serving.routes.files import name_attachment, read_upload
from interlingua.serving.routes.schema import FORM, JSON, MULTIPART, answers, body
from interlingua.serving.routes.service import Service

__all__ = ["routes"]


class UploadAnswer(BaseModel):
    """What to ask for the document by; only who has the key can."""

    document_id: str
    document_key: str


class KeyRequest(BaseModel):
    """The key of a document."""

    document_key: Annotated[str, Field(min_length=1)]


class StatusAnswer(BaseModel):
    """How far a document is."""

    document_id: str
    status: Literal["queued", "translating", "done", "error"]
    progress: Annotated[float, Field(ge=0, le=1, description="The share that is translated.")]
    seconds_remaining: int | None = None
    billed_characters: int | None = None
    error_message: str | None = None


def routes(service: Service, access: AccessControl, store: DocumentStore) -> APIRouter:
    """The routes of documents, which are kept in a store."""
    router = APIRouter(tags=["documents"], prefix="/v2")
    jobs = DocumentJobs(service, store)
    codes = service.catalogue.codes
    languages = {"source_lang": {"enum": [AUTO, *codes]}, "target_lang": {"enum": codes}}

    @router.post(
        "/document", summary=f"Translate a large file as a job: {', '.join(SUFFIXES)}",
        response_model=UploadAnswer,
        openapi_extra={"requestBody": {"content": {MULTIPART: {"schema": {"properties": languages}}}}},
        responses=answers(400, 403, 404, 429, 503, body=True),
    )  # fmt: skip
    async def upload(
        request: Request, file: UploadFile, target_lang: Annotated[str, Form()],
        source_lang: Annotated[str, Form()] = "auto", filename: Annotated[str | None, Form()] = None,
        tag: Annotated[str | None, Form(description="Which of its tags a model with tags is to use.")] = None,
        api_key: Annotated[str | None, Form(description="Needed if the service asks for API keys.")] = None,
    ) -> Any:  # fmt: skip
        access.check_request(request, api_key or _deepl_key(request))
        name = PurePath(filename or file.filename or "").name
        text = await read_upload(name, file)
        limit = service.settings.max_document_bytes
        if (file.size or 0) > limit:
            raise RefusalError(413, f"The document is larger than {limit:,} bytes.")
        served, _ = service.catalogue.choose(source_lang, target_lang, [text[:2000]], tag or None)
        log_texts(request, service.settings, [text], served.name)
        state = new_document(name, served.source, served.target, len(text), served.tag)
        try:
            key = await asyncio.to_thread(store.add, state, text.encode())
        except Full:
            raise RefusalError(503, "There are too many documents.", retry_after_s=60) from None
        except (OutputError, OSError):
            raise RefusalError(503, "The document could not be saved.", retry_after_s=60) from None
        jobs.wake()
        return {"document_id": state.id, "document_key": key}

    async def find(request: Request, document_id: str) -> DocumentState:
        asked = await read_fields(request, KeyRequest, KeyRequest)
        state = store.find(document_id, asked.document_key)
        if state is None:
            raise RefusalError(404, "There is no such document, or not any more, or this is not its key.")
        return state

    described = body(service.settings, dict.fromkeys((JSON, FORM, MULTIPART), KeyRequest), {})

    @router.post(
        "/document/{document_id}", summary="Say how far a document is", response_model=StatusAnswer,
        response_model_exclude_none=True, openapi_extra=described, responses=answers(400, 404, body=True),
    )  # fmt: skip
    async def tell(request: Request, document_id: str) -> Any:
        state = await find(request, document_id)
        return StatusAnswer(
            document_id=state.id, status=state.status, progress=round(jobs.progress(state), 3),
            seconds_remaining=jobs.seconds_remaining(state), error_message=state.error,
            billed_characters=state.characters if state.status == "done" else None,
        )  # fmt: skip

    @router.post(
        "/document/{document_id}/result", summary="Download a translated document", openapi_extra=described,
        response_class=Response,
        responses={
            200: {"content": {"application/octet-stream": {}}}, **answers(400, 404, 503, body=True)
        },
    )  # fmt: skip
    async def download(request: Request, document_id: str) -> Response:
        state = await find(request, document_id)
        if state.status == "error":
            raise RefusalError(404, f"The document could not be translated: {state.error}")
        if state.status != "done":
            raise RefusalError(503, "The document is not translated yet.", retry_after_s=5)
        content = await asyncio.to_thread(store.read_result, state)
        path = PurePath(state.name)
        headers = {
            "Content-Disposition": name_attachment(f"{path.stem}_{state.target}{path.suffix}"),
            "Cache-Control": "no-store, private",
        }
        return Response(content, media_type="application/octet-stream", headers=headers)

    return router


def _deepl_key(request: Request) -> str | None:
    """The key of a client of DeepL's, which has a scheme of its own for it."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    return key.strip() or None if scheme.lower() == "deepl-auth-key" else None
