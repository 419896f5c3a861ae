"""LibreTranslate's API, so that its clients and plug-ins work unchanged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from pydantic.json_schema import SkipJsonSchema

from interlingua.documents.file_formats import SUFFIXES
from interlingua.serving.http.fields import INTEGRAL, read_fields
from interlingua.serving.http.limits import AccessControl
from interlingua.serving.http.reception import log_texts
from interlingua.serving.models.catalogue import name_of
from interlingua.serving.models.detection import DetectedLanguage
from interlingua.serving.models.sounds import SoundModel
from interlingua.serving.routes.detected import names_of, translate_each
from interlingua.serving.routes.schema import (
    FORM,
    JSON,
    MULTIPART,
    ApiKey,
    LanguageCode,
    TermAnswer,
    Terms,
    Text,
    answers,
    body,
    pairs,
)
from interlingua.serving.routes.service import Service, TranslatedText, TranslationOptions, search_options

__all__ = ["page_routes", "routes"]

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
    api_key: ApiKey = None


class TranslateForm(BaseModel):
    """The same as a form, which holds texts only; a glossary in it is refused."""

    q: Text | Annotated[list[Text], Field(min_length=1)]
    source: LanguageCode
    target: str
    format: Literal["text", "html", ""] = "text"
    alternatives: Digits = "0"
    glossary: SkipJsonSchema[Terms] = None
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


class Language(BaseModel):
    """A language and what it can be translated to."""

    code: str
    name: str
    targets: list[str]
    pivots: Annotated[
        dict[str, str], Field(description="The targets that a third language leads to, and which one.")
    ] = {}


class LanguageName(BaseModel):
    """A language."""

    code: str
    name: str


class LanguageChoice(BaseModel):
    """What a page shows first."""

    source: LanguageName
    target: LanguageName


class SoundModelName(BaseModel):
    """A model of sounds, and what is spoken and written, if it says so."""

    model: str
    source: str | None
    target: str | None


class FrontendSettings(BaseModel):
    """What a web page must know of the service."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    char_limit: int
    frontend_timeout: Annotated[int, Field(description="Milliseconds to wait while typing.")] = 500
    api_keys: bool
    key_required: bool
    suggestions: Annotated[bool, Field(description="Whether POST /suggest saves them.")]
    files_translation: bool = True
    supported_files_format: list[str] = list(SUFFIXES)
    max_file_characters: int
    max_body_bytes: int
    file_minutes: float
    max_alternatives: int
    max_terms: Annotated[int, Field(description="The most terms of a glossary.")]
    max_term_characters: int
    corrections: Annotated[bool, Field(description="Whether POST /v1/corrections saves them.")]
    language: Annotated[LanguageChoice | None, Field(description="None without a model of texts.")]
    sounds: Annotated[list[SoundModelName], Field(description="The models of sounds.")]
    max_sound_seconds: float
    max_sound_bytes: int


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


def page_routes(service: Service, access: AccessControl, sounds: Sequence[SoundModel]) -> APIRouter:
    """The routes that say what there is; they are there even without a model of texts."""
    router = APIRouter(tags=["LibreTranslate"])
    catalogue, settings = service.catalogue, service.settings

    @router.get("/languages", summary="List the languages", response_model=list[Language])
    async def list_languages() -> Any:
        return [
            {
                "code": code, "name": name_of(code), "targets": catalogue.targets(code),
                "pivots": {
                    way.target: way.steps[0].target
                    for way in catalogue.pivots.values()
                    if way.source == code
                },
            }
            for code in catalogue.codes
        ]  # fmt: skip

    @router.get("/frontend/settings", summary="Say what a page must know", response_model=FrontendSettings)
    async def show_settings() -> Any:
        source, target = next(iter(catalogue.models), ("", ""))
        language = {
            side: {"code": code, "name": name_of(code)}
            for side, code in (("source", source), ("target", target))
        }
        return {
            **settings.model_dump(), "char_limit": settings.max_characters,
            "api_keys": access.key_required, "key_required": access.key_required,
            "corrections": settings.corrections is not None,
            "suggestions": settings.corrections is not None,
            "language": language if source else None, "files_translation": bool(source),
            "sounds": [
                {"model": model.name, "source": model.source and name_of(model.source),
                 "target": model.target and name_of(model.target)}
                for model in sounds
            ],
        }  # fmt: skip

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
        chosen = service.catalogue.choose_each(asked.source, asked.target, texts)
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
