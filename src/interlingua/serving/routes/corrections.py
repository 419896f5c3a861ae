"""Better translations from users, saved to train on."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from interlingua.serving.http.fields import read_fields, require_json
from interlingua.serving.http.limits import AccessControl
from interlingua.serving.http.reception import log_texts
from interlingua.serving.models.corrections import Corrections, to_pairs
from interlingua.serving.refusal import RefusalError
from interlingua.serving.routes.schema import (
    FORM,
    JSON,
    MULTIPART,
    ApiKey,
    LanguageCode,
    Tag,
    Text,
    answers,
    body,
    pairs,
)
from interlingua.serving.routes.service import Service
from interlingua.text.columns import add_tag

__all__ = ["routes"]


class CorrectionRequest(BaseModel):
    """A text and how it should be translated."""

    model_config = ConfigDict(strict=True)

    q: Annotated[str, Field(min_length=1, description="The text that was translated.")]
    translation: Annotated[str, Field(min_length=1, description="What it should be.")]
    source: LanguageCode
    target: str
    tag: Tag = ""
    api_key: ApiKey = None


class CorrectionAnswer(BaseModel):
    """What was saved."""

    saved: Annotated[int, Field(description="How many pairs: one for each line that has a translation.")]


class SuggestRequest(BaseModel):
    """The same as LibreTranslate calls it."""

    q: Text
    s: Annotated[str, Field(min_length=1, description="What the translation should be.")]
    source: LanguageCode
    target: str
    tag: Tag = ""
    api_key: ApiKey = None


class SuggestAnswer(BaseModel):
    """That it was saved."""

    success: bool


def routes(service: Service, access: AccessControl, corrections: Corrections | None) -> APIRouter:
    """The routes for corrections; without a place to save them they answer 404, or 403 as LibreTranslate."""
    router = APIRouter()

    @router.post(
        "/suggest", summary="Suggest a better translation", tags=["LibreTranslate"],
        response_model=SuggestAnswer,
        openapi_extra=body(
            service.settings, dict.fromkeys((JSON, FORM, MULTIPART), SuggestRequest),
            pairs(service.catalogue, same=False),
        ),
        responses=answers(400, 403, 429, 500, 503, body=True),
    )  # fmt: skip
    async def suggest(request: Request) -> Any:
        if request.headers.get("sec-fetch-site") == "cross-site":
            require_json(request)  # any web site could send a form without asking
        asked = await read_fields(request, SuggestRequest, SuggestRequest)
        access.check_request(request, asked.api_key)
        if corrections is None:
            raise RefusalError(403, "Suggestions are disabled on this server.")
        await _save(request, service, corrections, asked, (asked.q, asked.s))
        return {"success": True}

    @router.post(
        "/v1/corrections", tags=["interlingua"], summary="Save a better translation, to train on later",
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
        texts = asked.q, asked.translation
        return {"saved": await _save(request, service, corrections, asked, texts)}

    return router


async def _save(
    request: Request, service: Service, corrections: Corrections, asked: CorrectionRequest | SuggestRequest,
    texts: tuple[str, str],
) -> int:  # fmt: skip
    """Saves a text and its translation; gives the number of pairs that they make."""
    service.check(texts)
    served, _ = service.catalogue.choose(asked.source, asked.target, texts[:1], asked.tag or None)
    if served.same_language:
        raise RefusalError(400, f"The text is in {served.target} already.")
    log_texts(request, service.settings, texts, served.name)
    found = [(add_tag(served.tag, source), target) for source, target in to_pairs(*texts)]
    try:
        await corrections.save(served.name, found)
    except OSError:
        raise RefusalError(503, "The correction could not be saved.", retry_after_s=60) from None
    return len(found)
