"""The part of OpenAI's API that lists models: those of sounds and of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from fastapi import APIRouter, Request

from interlingua.serving.http.limits import AccessControl
from interlingua.serving.models.pictures import PictureCatalogue, PictureModel
from interlingua.serving.models.sounds import SoundCatalogue, SoundModel
from interlingua.serving.refusal import RefusalError, unknown_model

__all__ = ["routes"]


def routes(catalogues: Sequence[SoundCatalogue | PictureCatalogue], access: AccessControl) -> APIRouter:
    """OpenAI's routes that say which models there are."""
    router = APIRouter(tags=["OpenAI"], prefix="/v1")

    @router.get("/models", summary="List the models of sounds and pictures")
    async def list_models(request: Request) -> Any:
        access.check_request(request, None)
        models = [model for catalogue in catalogues for model in catalogue.models.values()]
        return {"object": "list", "data": [_describe(model) for model in models]}

    @router.get("/models/{name}", summary="Describe a model of sounds or pictures")
    async def show_model(request: Request, name: str) -> Any:
        access.check_request(request, None)
        for catalogue in catalogues:
            with suppress(RefusalError):
                return _describe(catalogue.choose(name))
        raise unknown_model(name, [known for catalogue in catalogues for known in catalogue.models])

    return router


def _describe(model: SoundModel | PictureModel) -> dict[str, Any]:
    return {"id": model.name, "object": "model", "created": model.created, "owned_by": "interlingua"}
