"""Our own API for sounds: everything that a transcript holds, and the transcript while it is being made."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from interlingua.serving.http.limits import AccessControl
from interlingua.serving.routes.events import Tell, stream_events
from interlingua.serving.routes.native import FLAGS_DESCRIPTION
from interlingua.serving.routes.openai import log_sound, validate_fields
from interlingua.serving.routes.schema import MULTIPART, answers
from interlingua.serving.routes.transcription import Segment, SpokenWord, Transcript, TranscriptionService
from interlingua.serving.routes.uploads import read_uploaded_file

__all__ = ["routes"]


class TranscribeRequest(BaseModel):
    """What to transcribe with, and how to answer: fields of the form or of the query."""

    model: str | None = None
    language: Annotated[str | None, Field(description="That is spoken, where several models are.")] = None
    beam: Annotated[int, Field(ge=1, le=50, description="Beam size.")] | None = None
    stream: Annotated[bool, Field(description="Answer with server-sent events.")] = False
    api_key: Annotated[str | None, Field(description="Needed if the service asks for API keys.")] = None


class Word(BaseModel):
    """A word of what was said."""

    word: str
    start: float
    end: float
    confidence: Annotated[float, Field(description="The mean probability of its tokens, 0 to 1.")]


class SegmentAnswer(BaseModel):
    """A part of a sound that went through the model as a whole."""

    start: float
    end: float
    text: str
    flags: Annotated[list[str], Field(description=FLAGS_DESCRIPTION)]
    score: Annotated[float, Field(description="Log-probability over the length penalty.")]
    tokens: list[str]
    log_probs: Annotated[list[float], Field(description="Of each token, then of the end.")]
    words: list[Word]


class TranscriptAnswer(BaseModel):
    """A transcript; times are in seconds."""

    model: str
    source: Annotated[str | None, Field(description="The language that is spoken, if the model says so.")]
    target: str | None
    duration: float
    text: str
    flags: list[str]
    words: list[Word]
    segments: list[SegmentAnswer]


def routes(service: TranscriptionService, access: AccessControl) -> APIRouter:
    """Our own route for models of sounds."""
    router = APIRouter(tags=["interlingua"], prefix="/v1")
    schema = TranscribeRequest.model_json_schema()
    sound = {"type": "string", "format": "binary"}
    form = {**schema, "properties": {"file": sound, **schema["properties"]}, "required": ["file"]}
    content = {"application/octet-stream": {"schema": sound}, MULTIPART: {"schema": form}}

    @router.post(
        "/transcribe", summary="Transcribe, with all that the model says", response_model=TranscriptAnswer,
        openapi_extra={"requestBody": {"required": True, "content": content}},
        responses=answers(400, 403, 404, 422, 429, 500, 503, body=True),
    )  # fmt: skip
    async def transcribe(request: Request) -> Any:
        upload = await read_uploaded_file(request, "sound")
        asked = validate_fields(TranscribeRequest, {name: each[-1] for name, each in upload.fields.items()})
        access.check_request(request, asked.api_key)
        served = service.catalogue.choose(asked.model, asked.language)
        beam = asked.beam or service.settings.beam
        search = {} if beam is None else {"beam": beam}

        async def work(tell: Tell | None = None) -> dict[str, Any]:
            found = await service.transcribe(
                upload.content, served, search, arrived_at=request.state.arrived_at,
                on_segment=(lambda so_far: tell(_progress(so_far))) if tell else None,
            )  # fmt: skip
            log_sound(request, service, served, found)
            return {
                "model": served.name, "source": served.source, "target": served.target,
                "duration": _rounded(found.seconds), "text": found.text, "flags": found.flags,
                "words": [_describe_word(word) for word in found.words],
                "segments": [_describe_segment(segment) for segment in found.segments],
            }  # fmt: skip

        if asked.stream:
            service.pool.admit()  # while the answer can still be a 503
            return stream_events(work)
        return await work()

    return router


def _progress(so_far: Transcript) -> dict[str, Any]:
    return {
        "text": so_far.text, "seconds": _rounded(so_far.segments[-1].end_s),
        "duration": _rounded(so_far.seconds),
    }  # fmt: skip


def _describe_segment(segment: Segment) -> dict[str, Any]:
    known = {name: segment.answer[name] for name in ("text", "flags", "score", "tokens", "log_probs")}
    words = [_describe_word(word) for word in segment.words]
    return {"start": _rounded(segment.start_s), "end": _rounded(segment.end_s), **known, "words": words}


def _describe_word(word: SpokenWord) -> dict[str, Any]:
    start, end = _rounded(word.start_s), _rounded(word.end_s)
    return {"word": word.text, "start": start, "end": end, "confidence": _rounded(word.confidence)}


def _rounded(value: float) -> float:
    return round(value, 3)
