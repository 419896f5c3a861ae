"""Better translations from users, saved to train on."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from interlingua.serving.http.fields import require_json
from interlingua.serving.http.limits import AccessControl
from interlingua.serving.http.reception import log_texts
from interlingua.serving.models.corrections import Corrections, to_pairs
from interlingua.serving.refusal import RefusalError
from interlingua.serving.routes.schema import JSON, ApiKey, LanguageCode, answers, body, pairs
from interlingua.serving.routes.service import Service

__all__ = ["routes"]


class CorrectionRequest(BaseModel):
    """A text and how it should be translated."""

    model_config = ConfigDict(strict=True)

    q: Annotated[str, Field(min_length=1, description="The text that was translated.")]
    translation: Annotated[str, Field(min_length=1, description="What it should be.")]
    source: LanguageCode
    target: str
    api_key: ApiKey = None


class CorrectionAnswer(BaseModel):
    """What was saved."""

    saved: Annotated[int, Field(description="How many pairs: one for each line that has a translation.")]


def routes(service: Service, access: AccessControl, corrections: Corrections | None) -> APIRouter:
    """The route for corrections; without a place to save them it answers 404."""
    router = APIRouter(tags=["interlingua"], prefix="/v1")

    @router.post(
        "/corrections", summary="Save a better translation, to train on later",
        response_model=CorrectionAnswer, dependencies=[Depends(require_json)],
        openapi_extra=body(
            service.settings, {JSON: CorrectionRequest}, pairs(service.catalogue, same=False)
        ),
        responses=answers(400, 403, 404, 429, 500, 503, body=True),
    )  # fmt: skip
    async def correct(request: Request, asked: CorrectionRequest) -> Any:
        access.check_request(request, asked.api_key)
        if corrections is None:
            raise RefusalError(404, "Corrections are not saved here.")
        for text in (asked.q, asked.translation):
            service.check([text])
        served, _ = service.catalogue.choose(asked.source, asked.target, [asked.q])
        if served.same_language:
            raise RefusalError(400, f"The text is in {served.target} already.")
        log_texts(request, service.settings, [asked.q, asked.translation], served.name)
        found = to_pairs(asked.q, asked.translation)
        try:
            await corrections.save(served.name, found)
        except OSError:
            raise RefusalError(503, "The correction could not be saved.", retry_after_s=60) from None
        return {"saved": len(found)}

    return router
