"""What the page, and clients of LibreTranslate, must know of the service before they ask it for anything."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from interlingua.documents.file_formats import SUFFIXES
from interlingua.serving.http.limits import AccessControl
from interlingua.serving.models.catalogue import name_of
from interlingua.serving.models.pictures import PictureModel
from interlingua.serving.models.sounds import SoundModel
from interlingua.serving.pool.process import AboutModel
from interlingua.serving.routes.service import Service

__all__ = ["routes"]


class Language(BaseModel):
    """A language and what it can be translated to."""

    code: str
    name: str
    targets: list[str]
    pivots: Annotated[
        dict[str, str], Field(description="The targets that a third language leads to, and which one.")
    ] = {}
    tags: Annotated[
        dict[str, list[str]],
        Field(description="The targets for which a tag is to be chosen, and from which."),
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


class PictureModelName(BaseModel):
    """A model of pictures."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    model: str
    paints: Annotated[bool, Field(description="Whether it paints pictures, else it says what they show.")]
    size: Annotated[int, Field(description="The edge of its pictures, in pixels.")]
    grid: Annotated[int, Field(description="Tokens on an edge of what it paints.")]
    guidance: Annotated[
        float, Field(description="How much more a caption counts, unless one says otherwise.")
    ]
    attention: Annotated[bool, Field(description="Whether it has any to tell of.")]


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
    pictures: Annotated[list[PictureModelName], Field(description="The models of pictures.")]
    max_pictures: Annotated[int, Field(description="The most pictures that are painted at a time.")]
    max_caption_characters: int
    max_picture_bytes: int


def routes(
    service: Service, access: AccessControl, sounds: Sequence[SoundModel], pictures: Sequence[PictureModel]
) -> APIRouter:
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
                "tags": {
                    model.target: model.tags
                    for model in catalogue.models.values()
                    if model.source == code and model.needs_tag
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
            "pictures": [_describe(model, service.pool.about[model.name]) for model in pictures],
        }  # fmt: skip

    return router


def _describe(model: PictureModel, about: AboutModel) -> dict[str, Any]:
    return {
        "model": model.name, "paints": model.paints, "size": about.picture_size, "grid": about.picture_grid,
        "guidance": about.guidance, "attention": about.attention_heads > 0,
    }  # fmt: skip
