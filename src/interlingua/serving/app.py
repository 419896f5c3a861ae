"""The application: its routes, its errors, its description."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

import interlingua
from interlingua.serving.http.limits import Gate
from interlingua.serving.http.reception import Reception
from interlingua.serving.metrics import Metrics
from interlingua.serving.models.catalogue import Languages
from interlingua.serving.pool.pool import Engine
from interlingua.serving.refusal import RefusalError
from interlingua.serving.routes import corrections, libretranslate, native
from interlingua.serving.routes.corrections import Corrections
from interlingua.serving.routes.schema import answers
from interlingua.serving.routes.service import Service
from interlingua.serving.settings import ServeSettings

__all__ = ["build_app"]

PAGE = Path(__file__).parent / "page"
"""What is shown at /: plain files, served as they are."""


class Health(BaseModel):
    """That all is well."""

    status: Literal["ok"]


def build_app(
    languages: Languages, engine: Engine, settings: ServeSettings, metrics: Metrics,
    kept: Corrections | None = None,
) -> ASGIApp:  # fmt: skip
    """Puts the application together.

    Args:
        languages: the models.
        engine: the workers.
        settings: of the service.
        metrics: what is counted.
        kept: where corrections are saved, if they are.

    Raises:
        ConfigurationError: the API keys or a glossary cannot be used.
        DataError: a file is not a glossary.
    """
    # No pages of FastAPI's own: they load scripts from elsewhere.
    app = FastAPI(
        title="interlingua", version=interlingua.__version__, docs_url=None, redoc_url=None,
        description="Translation by your own models. Speaks LibreTranslate's API, and one of its own.",
    )  # fmt: skip
    service, gate = Service(languages, engine, settings), Gate(settings)
    app.include_router(libretranslate.routes(service, gate, settings))
    app.include_router(native.routes(service, gate))
    app.include_router(corrections.routes(service, gate, kept))

    @app.get("/health", tags=["operation"], response_model=Health, responses=answers(503))
    async def health() -> Any:
        if not engine.alive:
            raise RefusalError(503, "No worker is up.", retry_after_s=5)
        return {"status": "ok"}

    @app.get(
        "/metrics", tags=["operation"], response_class=Response,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    )  # fmt: skip
    async def prometheus() -> Response:
        return Response(metrics.page(), media_type="text/plain; version=0.0.4; charset=utf-8")

    app.add_exception_handler(RefusalError, _refused)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _failed)
    _add_page(app)
    whole: ASGIApp = Reception(app, settings, metrics, engine)
    if settings.cors:  # around it, so that other sites' pages can read its refusals as well
        whole = CORSMiddleware(
            whole, allow_origins=settings.cors, allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type"], expose_headers=["Retry-After"],
        )  # fmt: skip
    return whole


def _add_page(app: FastAPI) -> None:
    """Adds a route for each file of the page: a mount at / would take every unknown path and method."""
    files = StaticFiles(directory=PAGE)

    async def page(request: Request) -> Response:
        response = await files.get_response(request.scope["path"].lstrip("/") or "index.html", request.scope)
        response.headers["Cache-Control"] = "no-cache"  # after an upgrade, no old module beside a new one
        return response

    for path in ("/", *sorted(f"/{file.name}" for file in PAGE.iterdir())):
        app.add_route(path, page, methods=["GET"], include_in_schema=False)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusalError)
    return JSONResponse({"error": error.message}, error.status, headers=error.headers)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": str(error.detail)}, error.status_code, headers=error.headers)


async def _failed(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": "Something went wrong here."}, 500)
