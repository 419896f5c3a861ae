"""The part of OpenAI's API that transcribes, so that its clients work unchanged."""

from __future__ import annotations

import math
import secrets
import zlib
from typing import Annotated, Any, Literal, TypeVar

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field, ValidationError

from interlingua.documents.captions import format_captions, group_words
from interlingua.serving.http.limits import AccessControl
from interlingua.serving.models.catalogue import name_of
from interlingua.serving.models.sounds import SoundModel
from interlingua.serving.refusal import RefusalError
from interlingua.serving.routes.events import Tell, stream_events
from interlingua.serving.routes.schema import MULTIPART
from interlingua.serving.routes.transcription import OnSegment, Segment, Transcript, TranscriptionService
from interlingua.serving.routes.uploads import read_file_form

__all__ = ["log_sound", "routes", "validate_fields"]

LEAST_PROBABLE = 0.1
"""Of the most probable symbol, what a draw takes at least: the rest is hardly ever what was said."""
_COLDEST = 0.05
"""Below this temperature nothing is drawn at random: 0 is OpenAI's word for a search."""

Fields = TypeVar("Fields", bound=BaseModel)
Granularity = Literal["word", "segment"]


class TranscriptionForm(BaseModel):
    """What a request asks for, beside its file."""

    model: str | None = None
    language: str | None = None
    prompt: Annotated[str, Field(description="Not used.")] = ""
    response_format: Literal["json", "text", "srt", "vtt", "verbose_json"] = "json"
    temperature: Annotated[float, Field(ge=0, le=1, description="0 searches, more draws at random.")] = 0
    timestamp_granularities: Annotated[list[Granularity], Field(alias="timestamp_granularities[]")] = [
        "segment"
    ]
    stream: Annotated[bool, Field(description="Answer with server-sent events, of response_format json.")] = (
        False
    )


def routes(service: TranscriptionService, access: AccessControl) -> APIRouter:
    """OpenAI's route for models of sounds."""
    router = APIRouter(tags=["OpenAI"], prefix="/v1")
    schema = TranscriptionForm.model_json_schema()
    file = {"type": "string", "format": "binary"}
    schema |= {"properties": {"file": file, **schema["properties"]}, "required": ["file"]}

    @router.post(
        "/audio/transcriptions", summary="Transcribe a sound", response_class=JSONResponse,
        openapi_extra={"requestBody": {"required": True, "content": {MULTIPART: {"schema": schema}}}},
    )  # fmt: skip
    async def transcribe(request: Request) -> Response:
        access.check_request(request, None)
        upload = await read_file_form(request)
        fields: dict[str, Any] = {name: values[-1] for name, values in upload.fields.items()}
        for name in ("timestamp_granularities[]", "timestamp_granularities"):
            if name in fields:
                fields["timestamp_granularities[]"] = upload.fields[name]
        asked = validate_fields(TranscriptionForm, fields)
        if asked.stream and asked.response_format != "json":
            raise RefusalError(400, "stream goes with response_format json.", field="stream")
        served = service.catalogue.choose(asked.model, asked.language)

        async def work(on_segment: OnSegment | None = None) -> Transcript:
            found = await service.transcribe(
                upload.content, served, _search(asked, service), arrived_at=request.state.arrived_at,
                on_segment=on_segment,
            )  # fmt: skip
            log_sound(request, service, served, found)
            return found

        async def tell_all(tell: Tell) -> dict[str, Any]:
            told = ""

            def tell_more(so_far: Transcript) -> None:
                nonlocal told
                if more := so_far.text[len(told) :]:
                    told = so_far.text
                    tell({"type": "transcript.text.delta", "delta": more})

            return {"type": "transcript.text.done", "text": (await work(tell_more)).text}

        if asked.stream:
            service.pool.admit()  # while the answer can still be a 503
            return stream_events(tell_all, for_openai=True)
        return _answer(await work(), asked, served)

    return router


def validate_fields(model: type[Fields], fields: dict[str, Any]) -> Fields:
    """The fields of a form as a model; empty ones are not given.

    Raises:
        RefusalError: with 400, about the first that is wrong.
    """
    try:
        return model.model_validate({name: value for name, value in fields.items() if value != ""})
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        raise RefusalError(400, f"Invalid request: {name}: {first['msg']}", field=name) from None


def log_sound(request: Request, service: TranscriptionService, served: SoundModel, found: Transcript) -> None:
    """Adds to the request's line in the log: how long the sound is; what was said if texts are logged."""
    fields = {"model": served.name, "seconds": round(found.seconds, 2), "characters": len(found.text)}
    request.state.log_fields = fields | ({"text": found.text} if service.settings.log_texts else {})


def _search(asked: TranscriptionForm, service: TranscriptionService) -> dict[str, Any]:
    if asked.temperature >= _COLDEST:
        seed = secrets.randbelow(2**31)  # who asks again wants another answer
        return {"sample": True, "temperature": asked.temperature, "min_p": LEAST_PROBABLE, "seed": seed}
    return {} if service.settings.beam is None else {"beam": service.settings.beam}


def _answer(found: Transcript, asked: TranscriptionForm, served: SoundModel) -> Response:
    if asked.response_format == "text":
        return Response(found.text + "\n", media_type="text/plain; charset=utf-8")
    if asked.response_format in ("srt", "vtt"):
        kind: Literal["srt", "vtt"] = "srt" if asked.response_format == "srt" else "vtt"
        media_type = "application/x-subrip" if kind == "srt" else "text/vtt"
        captions = "".join(format_captions(group_words(found.words, lambda: found.seconds), kind))
        return Response(captions, media_type=f"{media_type}; charset=utf-8")
    usage = {"type": "duration", "seconds": math.ceil(found.seconds)}
    if asked.response_format == "json":
        return JSONResponse({"text": found.text, "usage": usage})
    language = served.source or asked.language or "unknown"
    answer: dict[str, Any] = {
        "task": "transcribe", "language": name_of(language).lower(), "duration": round(found.seconds, 3),
        "text": found.text, "usage": usage,
    }  # fmt: skip
    if "segment" in asked.timestamp_granularities:
        said = [segment for segment in found.segments if "empty" not in segment.answer["flags"]]
        answer["segments"] = [
            _describe_segment(number, segment, asked.temperature) for number, segment in enumerate(said)
        ]
    if "word" in asked.timestamp_granularities:
        answer["words"] = [
            {"word": word.text, "start": round(word.start_s, 3), "end": round(word.end_s, 3)}
            for word in found.words
        ]
    return JSONResponse(answer)


def _describe_segment(number: int, segment: Segment, temperature: float) -> dict[str, Any]:
    text, log_probs = segment.answer["text"], segment.answer["log_probs"]
    content = text.encode()
    return {
        "id": number, "seek": round(100 * segment.start_s), "start": round(segment.start_s, 3),
        "end": round(segment.end_s, 3), "text": text, "tokens": [], "temperature": temperature,
        "avg_logprob": round(sum(log_probs) / max(1, len(log_probs)), 4),
        "compression_ratio": round(len(content) / len(zlib.compress(content)), 3),
        "no_speech_prob": 0.0,
    }  # fmt: skip
