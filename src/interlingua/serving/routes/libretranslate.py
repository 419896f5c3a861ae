"""LibreTranslate's API, so that its clients and plug-ins work unchanged."""

from __future__ import annotations

from pathlib import PurePath
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from interlingua.documents.document import Format
from interlingua.documents.file_formats import SUFFIXES, read_file
from interlingua.serving.http.fields import WHOLE, read_fields, read_upload
from interlingua.serving.http.limits import Gate
from interlingua.serving.http.visitor import address, arrived, key_of, note
from interlingua.serving.models.catalogue import Detection, name_of
from interlingua.serving.models.glossaries import UsedTerm
from interlingua.serving.refusal import RefusalError
from interlingua.serving.routes.schema import answers, body, pairs
from interlingua.serving.routes.service import Service, Translated, Wanted
from interlingua.serving.routes.shelf import Shelf
from interlingua.serving.settings import ServeSettings

__all__ = ["routes"]

Key = Annotated[str | None, Field(description="Needed if the service asks for API keys.")]


class TranslateRequest(BaseModel):
    """One or several texts to translate."""

    q: Annotated[str, Field(min_length=1)] | Annotated[list[str], Field(min_length=1)]
    source: Annotated[str, Field(description="A language code, or auto.")]
    target: str
    format: Literal["text", "html", ""] | None = "text"
    alternatives: Annotated[int, Field(ge=0), WHOLE] | Annotated[str, Field(pattern="^(0|[1-9][0-9]?)$")] = 0
    glossary: dict[str, str] | None = None
    api_key: Key = None


class DetectedLanguage(BaseModel):
    """A language that a text may be in."""

    language: str
    confidence: Annotated[float, Field(ge=0, le=100)]


class TranslateAnswer(BaseModel):
    """The translations, in the form of the request: one, or a list."""

    translatedText: str | list[str]  # noqa: N815
    detectedLanguage: Annotated[  # noqa: N815
        DetectedLanguage | list[DetectedLanguage] | None, Field(description="Only for source auto.")
    ] = None
    alternatives: Annotated[list[str] | list[list[str]] | None, Field(description="If asked for.")] = None
    notKept: Annotated[  # noqa: N815
        list[str] | list[list[str]] | None,
        Field(description="Addresses, numbers and placeholders that did not come through, if any."),
    ] = None
    terms: Annotated[
        list[UsedTerm] | list[list[UsedTerm]] | None,
        Field(description="The glossary's terms in the text, for each time that one occurs, if any."),
    ] = None


class DetectRequest(BaseModel):
    """A text of unknown language."""

    q: Annotated[str, Field(min_length=1)]
    api_key: Key = None


class Language(BaseModel):
    """A language and what it can be translated to."""

    code: str
    name: str
    targets: list[str]


class FileRequest(BaseModel):
    """What is said of a file to translate."""

    source: str
    target: str
    api_key: Key = None


class FileAnswer(BaseModel):
    """Where the translation can be downloaded, for some minutes."""

    translatedFileUrl: str  # noqa: N815


class LanguageName(BaseModel):
    """A language."""

    code: str
    name: str


class LanguageChoice(BaseModel):
    """What a page shows first."""

    source: LanguageName
    target: LanguageName


class FrontendSettings(BaseModel):
    """What a web page must know of the service."""

    charLimit: int  # noqa: N815
    frontendTimeout: Annotated[int, Field(description="Milliseconds to wait while typing.")]  # noqa: N815
    apiKeys: bool  # noqa: N815
    keyRequired: bool  # noqa: N815
    suggestions: bool
    filesTranslation: bool  # noqa: N815
    supportedFilesFormat: list[str]  # noqa: N815
    maxFileCharacters: int  # noqa: N815
    maxBodyBytes: int  # noqa: N815
    fileMinutes: float  # noqa: N815
    maxAlternatives: int  # noqa: N815
    maxTerms: Annotated[int, Field(description="The most terms of a glossary.")]  # noqa: N815
    maxTermCharacters: int  # noqa: N815
    corrections: Annotated[bool, Field(description="Whether POST /v1/corrections saves them.")]
    language: LanguageChoice


def routes(service: Service, gate: Gate, settings: ServeSettings) -> APIRouter:
    """LibreTranslate's routes for some models."""
    router = APIRouter(tags=["LibreTranslate"])
    languages = service.languages
    _translating(router, service, gate)
    _files(router, service, gate, Shelf(settings.file_minutes * 60), settings)

    @router.post(
        "/detect", summary="Say which language a text is in", openapi_extra=body(DetectRequest, settings),
        response_model=list[DetectedLanguage], responses=answers(400, 403, 429, body=True),
    )  # fmt: skip
    async def detect(request: Request) -> Any:
        asked = await read_fields(request, DetectRequest)
        gate.check(key_of(request, asked.api_key), address(request))
        service.check([asked.q])
        return [each._asdict() for each in languages.detect(asked.q)]

    @router.get("/languages", summary="List the languages", response_model=list[Language])
    async def all_languages() -> Any:
        return [
            {"code": code, "name": name_of(code), "targets": languages.targets(code)}
            for code in languages.codes
        ]

    @router.get("/frontend/settings", summary="Tell what a page must know", response_model=FrontendSettings)
    async def frontend_settings() -> Any:
        source, target = next(iter(languages.models))
        return {
            "charLimit": settings.max_characters, "frontendTimeout": 500, "apiKeys": gate.key_required,
            "keyRequired": gate.key_required, "suggestions": False, "filesTranslation": True,
            "supportedFilesFormat": list(SUFFIXES), "maxFileCharacters": settings.max_file_characters,
            "maxBodyBytes": settings.max_body_bytes, "fileMinutes": settings.file_minutes,
            "maxAlternatives": settings.max_alternatives,
            "maxTerms": settings.max_terms, "maxTermCharacters": settings.max_term_characters,
            "corrections": settings.corrections is not None,
            "language": {
                side: {"code": code, "name": name_of(code)}
                for side, code in (("source", source), ("target", target))
            },
        }  # fmt: skip

    return router


def _translating(router: APIRouter, service: Service, gate: Gate) -> None:
    @router.post(
        "/translate", summary="Translate a text or several",
        openapi_extra=body(TranslateRequest, service.settings, also=pairs(service.languages)),
        response_model=TranslateAnswer, response_model_exclude_unset=True,
        responses=answers(400, 403, 429, 500, 503, body=True),
    )  # fmt: skip
    async def translate(request: Request) -> Any:
        asked = await read_fields(request, TranslateRequest, lists=("q",))
        gate.check(key_of(request, asked.api_key), address(request))
        several = isinstance(asked.q, list)
        texts = asked.q if isinstance(asked.q, list) else [asked.q]
        service.check(texts)
        count = int(asked.alternatives)
        if count > service.settings.max_alternatives:
            raise RefusalError(
                400, f"Invalid request: alternatives must be <= {service.settings.max_alternatives}"
            )
        served, detected = service.languages.choose(asked.source, asked.target, texts)
        note(request, service.settings, texts, served.name)
        wanted = Wanted(
            beams(service.settings, count), asked.format or "text", since=arrived(request),
            glossary=service.glossaries.choose(served, asked.glossary),
        )  # fmt: skip
        done = await service.translate(texts, served, wanted)
        return _answer(done, detected, several, count)


def _answer(done: list[Translated], detected: Detection | None, several: bool, count: int) -> dict[str, Any]:
    answer: dict[str, Any] = {"translatedText": [each.text for each in done]}
    if detected is not None:
        answer["detectedLanguage"] = [detected._asdict() for _ in done]
    if count:
        answer["alternatives"] = [each.alternatives for each in done]
    if any(each.not_kept for each in done):
        answer["notKept"] = [each.not_kept for each in done]
    if any(each.terms for each in done):
        answer["terms"] = [each.terms for each in done]
    return answer if several else {name: values[0] for name, values in answer.items()}


def beams(settings: ServeSettings, alternatives: int) -> dict[str, Any]:
    """The search settings for so many alternatives."""
    search: dict[str, Any] = {} if settings.beam is None else {"beam": settings.beam}
    if alternatives:
        search |= {"n_best": alternatives + 1, "beam": max(settings.beam or 5, alternatives + 1)}
    return search


def _files(router: APIRouter, service: Service, gate: Gate, shelf: Shelf, settings: ServeSettings) -> None:
    file = {"file": {"type": "string", "format": "binary", "description": f"One of {', '.join(SUFFIXES)}."}}

    @router.post(
        "/translate_file", summary="Translate a file", response_model=FileAnswer,
        openapi_extra=body(
            FileRequest, settings, also=pairs(service.languages), kinds=("multipart/form-data",), more=file
        ),
        responses=answers(400, 403, 429, 500, 503, body=True),
    )  # fmt: skip
    async def translate_file(request: Request) -> Any:
        asked, name, content = await read_upload(request, FileRequest)
        gate.check(key_of(request, asked.api_key), address(request))
        suffix = PurePath(name).suffix.lower()
        if suffix not in SUFFIXES:
            raise RefusalError(
                400, f"Invalid request: file format not supported. Known: {', '.join(SUFFIXES)}"
            )
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise RefusalError(400, "Invalid request: the file is not UTF-8") from None
        service.check([text], settings.max_file_characters)
        served, _ = service.languages.choose(asked.source, asked.target, [text])
        note(request, settings, [text], served.name)
        search = beams(settings, 0)

        async def translate(texts: list[str], format: Format) -> list[str]:
            wanted = Wanted(
                search, format, since=arrived(request),
                glossary=service.glossaries.choose(served, None),
            )  # fmt: skip
            return [each.text for each in await service.translate(texts, served, wanted)]

        file = read_file(suffix, text)
        translations = {format: await translate(texts, format) for format, texts in file.texts.items()}
        done = file.fill(translations)
        key = shelf.put(f"{PurePath(name).stem}_{served.target}{suffix}", done.encode())
        return {"translatedFileUrl": str(request.url_for("download_file", name=key))}

    @router.get(
        "/download_file/{name}", summary="Download a translated file", response_class=Response,
        responses={200: {"content": {"application/octet-stream": {}}}, **answers(404)},
    )  # fmt: skip
    async def download_file(name: str) -> Response:
        content = shelf.get(name)
        if content is None:
            raise RefusalError(404, "There is no such file, or not any more.")
        shown = name.partition(".")[2]
        headers = {
            "Content-Disposition": f'attachment; filename="{shown}"', "Cache-Control": "no-store, private"
        }  # fmt: skip
        return Response(content, media_type="application/octet-stream", headers=headers)
