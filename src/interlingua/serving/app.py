"""The application: its routes, its errors, its description."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any, Literal, NamedTuple

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

import interlingua
from interlingua.serving.http.fields import explain
from interlingua.serving.http.limits import AccessControl
from interlingua.serving.http.reception import Reception, path_of
from interlingua.serving.metrics import Metrics
from interlingua.serving.models.catalogue import Catalogue
from interlingua.serving.models.corrections import Corrections
from interlingua.serving.models.documents import DocumentStore
from interlingua.serving.models.sounds import SoundCatalogue
from interlingua.serving.pool.pool import Pool
from interlingua.serving.refusal import RefusalError
from interlingua.serving.routes import (
    corrections,
    describe,
    files,
    images,
    libretranslate,
    models,
    native,
    openai,
    page,
    paint,
    transcribe,
)
from interlingua.serving.routes import documents as document_routes
from interlingua.serving.routes.pictures import Pictures, PictureService
from interlingua.serving.routes.schema import answers
from interlingua.serving.routes.service import Service
from interlingua.serving.routes.transcription import TranscriptionService
from interlingua.serving.settings import ServeSettings

__all__ = ["Sounds", "build_app"]

PAGE = Path(__file__).parent / "page"
"""What is shown at /: plain files, served as they are."""


class Sounds(NamedTuple):
    """What transcribing takes."""

    catalogue: SoundCatalogue
    directory: Path
    """A private one, for sounds while they are transcribed."""


class Health(BaseModel):
    """That all is well."""

    status: Literal["ok"]


def build_app(
    catalogue: Catalogue, pool: Pool, settings: ServeSettings, metrics: Metrics,
    store: Corrections | None = None, documents: DocumentStore | None = None, sounds: Sounds | None = None,
    pictures: Pictures | None = None,
) -> ASGIApp:  # fmt: skip
    """Puts the application together; with routes for texts only where there are models of texts.

    Raises:
        ConfigurationError: the API keys or a glossary cannot be used.
        DataError: a file is not a glossary.
    """
    # No pages of FastAPI's own: they load scripts from elsewhere.
    app = FastAPI(
        title="interlingua", version=interlingua.__version__, docs_url=None, redoc_url=None,
        description="Translation by your own models. Speaks LibreTranslate's API, and one of its own.",
    )  # fmt: skip
    service, access = Service(catalogue, pool, settings), AccessControl(settings)
    of_sounds = [*sounds.catalogue.models.values()] if sounds else []
    app.include_router(page.routes(service, access, of_sounds, pictures.models if pictures else []))
    if catalogue.models:
        app.include_router(libretranslate.routes(service, access))
        app.include_router(files.routes(service, access))
        app.include_router(native.routes(service, access))
        app.include_router(corrections.routes(service, access, store))
    if documents and catalogue.models:
        app.include_router(document_routes.routes(service, access, documents))
    if sounds:
        transcription = TranscriptionService(sounds.catalogue, pool, settings, sounds.directory)
        app.include_router(openai.routes(transcription, access))
        app.include_router(transcribe.routes(transcription, access))
    if pictures:
        picture_service = PictureService(pictures, pool, settings)
        if pictures.painters.models:
            app.include_router(images.routes(picture_service, access))
            app.include_router(paint.routes(picture_service, access))
        if pictures.describers.models:
            app.include_router(describe.routes(picture_service, access))
    catalogues = [*((sounds.catalogue,) if sounds else ()), *(pictures.catalogues if pictures else ())]
    if catalogues:
        app.include_router(models.routes(catalogues, access))

    @app.get("/health", tags=["operation"], response_model=Health, responses=answers(503))
    async def health() -> Any:
        if not pool.alive:
            raise RefusalError(503, "No worker is up.", retry_after_s=5)
        return {"status": "ok"}

    @app.get(
        "/metrics", tags=["operation"], response_class=Response,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    )  # fmt: skip
    async def prometheus() -> Response:
        return Response(metrics.page(), media_type="text/plain; version=0.0.4; charset=utf-8")

    app.add_exception_handler(RefusalError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _failed)
    _add_page(app)
    guarded: ASGIApp = Reception(
        app, settings, metrics, pool, with_sounds=sounds is not None,
        with_pictures=pictures is not None and bool(pictures.describers.models),
    )  # fmt: skip
    if settings.cors:  # around it, so that other sites' pages can read its refusals as well
        guarded = CORSMiddleware(
            guarded, allow_origins=settings.cors, allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type"], expose_headers=["Retry-After"],
        )  # fmt: skip
    return guarded


def _add_page(app: FastAPI) -> None:
    """Adds a route for each file of the page: a mount at / would take every unknown path and method."""
    files = StaticFiles(directory=PAGE)
    for name in ("", *sorted(file.name for file in PAGE.iterdir())):
        endpoint = functools.partial(_show, files, name or "index.html")
        app.add_route(f"/{name}", endpoint, methods=["GET"], include_in_schema=False)


async def _show(files: StaticFiles, name: str, request: Request) -> Response:
    response = await files.get_response(name, request.scope)
    response.headers["Cache-Control"] = "no-cache"  # after an upgrade, no old module beside a new one
    return response


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusalError)
    return error.response(path_of(request.scope))


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    message, field = explain(error)
    return RefusalError(400, message, field=field).response(path_of(request.scope))


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    refusal = RefusalError(error.status_code, str(error.detail))
    refusal.headers |= error.headers or {}
    return refusal.response(path_of(request.scope))


async def _failed(request: Request, error: Exception) -> Response:
    return RefusalError(500, "Something went wrong here.").response(path_of(request.scope))
