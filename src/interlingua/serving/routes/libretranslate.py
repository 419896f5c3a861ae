"""LibreTranslate's API, so that its clients and plug-ins work unchanged."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from pydantic.json_schema import SkipJsonSchema

from interlingua.serving.http.fields import INTEGRAL, read_fields
from interlingua.serving.http.limits import AccessControl
from interlingua.serving.http.reception import log_texts
from interlingua.serving.models.detection import DetectedLanguage
from interlingua.serving.routes.detected import names_of, translate_each
from interlingua.serving.routes.schema import (
    FORM,
    JSON,
    MULTIPART,
    ApiKey,
    LanguageCode,
    Tag,
    TermAnswer,
    Terms,
    Text,
    answers,
    body,
    pairs,
)
from interlingua.serving.routes.service import Service, TranslatedText, TranslationOptions, search_options

__all__ = ["routes"]

_ALTERNATIVES = "How many beside the best; no more are given than the service allows."
Digits = Annotated[str, Field(pattern="^(0|[1-9][0-9]?)$")]


class TranslateRequest(BaseModel):
    """One or several texts to translate."""

    q: Text | Annotated[list[str], Field(min_length=1)]
    source: LanguageCode
    target: str
    format: Literal["text", "html", ""] | None = "text"
    alternatives: Annotated[int, Field(ge=0, description=_ALTERNATIVES), INTEGRAL] | Digits = 0
    glossary: Terms = None
    tag: Tag = ""
    api_key: ApiKey = None


class TranslateForm(BaseModel):
    """The same as a form, which holds texts only; a glossary in it is refused."""

    q: Text | Annotated[list[Text], Field(min_length=1)]
    source: LanguageCode
    target: str
    format: Literal["text", "html", ""] = "text"
    alternatives: Digits = "0"
    glossary: SkipJsonSchema[Terms] = None
    tag: Tag = ""
    api_key: Annotated[str, Field(description="Needed if the service asks for API keys.")] = ""


class TranslateAnswer(BaseModel):
    """The translations, in the form of the request: one, or a list."""

    translatedText: str | list[str]  # noqa: N815
    detectedLanguage: Annotated[  # noqa: N815
        DetectedLanguage | list[DetectedLanguage] | None, Field(description="Only for source auto.")
    ] = None
    alternatives: Annotated[list[str] | list[list[str]] | None, Field(description="If asked for.")] = None
    pivot: Annotated[
        str | list[str] | None, Field(description="The language between, where no model is direct.")
    ] = None
    notKept: Annotated[  # noqa: N815
        list[str] | list[list[str]] | None,
        Field(description="Addresses, numbers and placeholders that did not come through, if any."),
    ] = None
    terms: Annotated[
        list[TermAnswer] | list[list[TermAnswer]] | None,
        Field(description="The glossary's terms in the text, for each time that one occurs, if any."),
    ] = None


class DetectRequest(BaseModel):
    """A text of unknown language."""

    q: Text
    api_key: ApiKey = None


def routes(service: Service, access: AccessControl) -> APIRouter:
    """LibreTranslate's routes, but for those of files."""
    router = APIRouter(tags=["LibreTranslate"])
    _add_translation(router, service, access)
    catalogue, settings = service.catalogue, service.settings

    @router.post(
        "/detect", summary="Say which language a text is in", response_model=list[DetectedLanguage],
        openapi_extra=body(settings, dict.fromkeys((JSON, FORM, MULTIPART), DetectRequest), {}),
        responses=answers(400, 403, 429, body=True),
    )  # fmt: skip
    async def detect(request: Request) -> Any:
        asked = await read_fields(request, DetectRequest, DetectRequest)
        access.check_request(request, asked.api_key)
        service.check([asked.q])
        return catalogue.detector.detect(asked.q)

    return router


def _add_translation(router: APIRouter, service: Service, access: AccessControl) -> None:
    @router.post(
        "/translate", summary="Translate a text or several",
        openapi_extra=body(
            service.settings,
            {JSON: TranslateRequest, FORM: TranslateForm, MULTIPART: TranslateForm},
            pairs(service.catalogue), unlimited=["alternatives"],
        ),
        response_model=TranslateAnswer, response_model_exclude_unset=True,
        responses=answers(400, 403, 429, 500, 503, body=True),
    )  # fmt: skip
    async def translate(request: Request) -> Any:
        asked = await read_fields(request, TranslateRequest, TranslateForm, lists=("q",))
        access.check_request(request, asked.api_key)
        texts = asked.q if isinstance(asked.q, list) else [asked.q]
        service.check(texts)
        alternatives = min(int(asked.alternatives), service.settings.max_alternatives)
        search = search_options(service.settings, alternatives)
        chosen = service.catalogue.choose_each(asked.source, asked.target, texts, asked.tag or None)
        models = [served for served, _ in chosen]
        log_texts(request, service.settings, texts, names_of(models))
        options = TranslationOptions(search, asked.format or "text", arrived_at=request.state.arrived_at)
        done = await translate_each(service, texts, models, options, asked.glossary)
        answer = _answer(done, [found for _, found in chosen if found], alternatives)
        return answer if texts is asked.q else {name: values[0] for name, values in answer.items()}


def _answer(
    done: list[TranslatedText], detected: list[DetectedLanguage], alternatives: int
) -> dict[str, list[Any]]:
    answer: dict[str, list[Any]] = {"translatedText": [text.text for text in done]}
    if detected:
        answer["detectedLanguage"] = detected
    if alternatives:
        answer["alternatives"] = [text.alternatives for text in done]
    if any(text.pivot for text in done):
        answer["pivot"] = [text.pivot for text in done]
    if any(text.not_kept for text in done):
        answer["notKept"] = [text.not_kept for text in done]
    if any(text.terms for text in done):
        answer["terms"] = [text.terms for text in done]
    return answer
