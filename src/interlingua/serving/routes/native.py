"""Our own API: everything that a translation holds, and the translation while it is being made."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from interlingua.serving.http.fields import WHOLE, read_fields
from interlingua.serving.http.limits import Gate
from interlingua.serving.http.visitor import address, arrived, key_of, note
from interlingua.serving.models.catalogue import Detection, Served
from interlingua.serving.models.glossaries import UsedTerm
from interlingua.serving.refusal import RefusalError
from interlingua.serving.routes.libretranslate import DetectedLanguage, beams
from interlingua.serving.routes.schema import answers, body, pairs
from interlingua.serving.routes.service import Service, Translated, Wanted

__all__ = ["routes"]

_SEARCH = ("beam", "length_penalty", "sample", "temperature", "top_k", "top_p", "seed")


_EVENT = {
    "type": "object",
    "description": "progress: {index, text}, where the text replaces all earlier ones of that index; "
    "done: the whole answer; error: {error, retryAfter}, in seconds, if that may help.",
    "properties": {
        "event": {"type": "string", "enum": ["progress", "done", "error"]},
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
    "required": ["event", "data"],
}


class TranslateRequest(BaseModel):
    """Texts to translate, how to search, and what to tell."""

    q: Annotated[str, Field(min_length=1)] | Annotated[list[str], Field(min_length=1)]
    source: Annotated[str, Field(description="A language code, or auto.")] = "auto"
    target: str
    format: Literal["text", "html"] = "text"
    alternatives: Annotated[int, Field(ge=0, le=20, description="How many beside the best."), WHOLE] = 0
    beam: Annotated[int, Field(ge=1, le=50, description="Hypotheses kept a sentence."), WHOLE] | None = None
    length_penalty: Annotated[float, Field(ge=0, le=10)] | None = None
    sample: Annotated[bool, Field(description="Draw at random instead of searching.")] = False
    temperature: Annotated[float, Field(ge=0.05, le=10)] | None = None
    top_k: Annotated[int, Field(ge=0, le=1_000_000), WHOLE] | None = None
    top_p: Annotated[float, Field(ge=0.01, le=1)] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**31), WHOLE] | None = None
    glossary: dict[str, str] | None = None
    alignment: Annotated[bool, Field(description="Tell each token's source token.")] = False
    attention: Annotated[bool, Field(description="Tell all attention weights.")] = False
    stream: Annotated[bool, Field(description="Answer with server-sent events.")] = False
    api_key: Annotated[str | None, Field(description="Needed if the service asks for API keys.")] = None


class Hypothesis(BaseModel):
    """One way to translate a part."""

    text: str
    score: Annotated[float, Field(description="Log-probability over the length penalty.")]
    tokens: list[str]
    log_probs: Annotated[list[float], Field(description="Of each token, then of the end.")]
    flags: Annotated[
        list[str],
        Field(description="limit: cut off at the length limit; control: control characters became spaces; "
              "repeated: the decoder went in circles; split: the text was too long and went in parts; "
              "unmet: a term of the glossary is missing."),
    ]  # fmt: skip
    terms: Annotated[
        list[UsedTerm],
        Field(description="The glossary's terms in the source, for each time that one occurs."),
    ] = []


class Attention(BaseModel):
    """Weights as layers, heads, queries, keys; each side with its end or begin sign."""

    encoder: list[list[list[list[float]]]]
    decoder: list[list[list[list[float]]]]
    cross: list[list[list[list[float]]]]


class Part(Hypothesis):
    """A part that went through the model as a whole: a line, or a sentence of a long one."""

    source: str
    source_tokens: list[str]
    alternatives: list[Hypothesis]
    alignment: Annotated[
        list[tuple[int, int]] | None, Field(description="(source token, token) for each token.")
    ] = None
    attention: Attention | None = None


class TextAnswer(BaseModel):
    """A translated text."""

    text: str
    alternatives: list[str]
    flags: list[str]
    not_kept: Annotated[
        list[str], Field(description="Addresses, numbers and placeholders that did not come through.")
    ]
    terms: list[UsedTerm]
    parts: list[Part]


class TranslateAnswer(BaseModel):
    """The translations, one for each text."""

    model: str
    source: str
    target: str
    detected: DetectedLanguage | None = None
    translations: list[TextAnswer]


def routes(service: Service, gate: Gate) -> APIRouter:
    """Our own routes for some models."""
    router = APIRouter(tags=["interlingua"], prefix="/v1")

    @router.post(
        "/translate", summary="Translate, with all that the model tells", response_model=TranslateAnswer,
        response_model_exclude_unset=True,
        openapi_extra=body(
            TranslateRequest, service.settings, also=pairs(service.languages), kinds=("application/json",)
        ),
        responses={
            200: {"content": {"text/event-stream": {"schema": _EVENT}}},
            **answers(400, 403, 429, 500, 503, body=True),
        },
    )  # fmt: skip
    async def translate(request: Request) -> Any:
        asked = await read_fields(request, TranslateRequest, lists=("q",))
        gate.check(key_of(request, asked.api_key), address(request))
        texts = asked.q if isinstance(asked.q, list) else [asked.q]
        service.check(texts)
        served, detected = service.languages.choose(asked.source, asked.target, texts)
        if (asked.alignment or asked.attention) and service.engine.maps.get(served.name) == 0:
            raise RefusalError(400, "Invalid request: this model has no attention to tell of.")
        note(request, service.settings, texts, served.name)
        wanted = Wanted(
            _search(asked, service), asked.format, detail=True, since=arrived(request),
            # A draw at random cannot be told what to hold.
            glossary=None if asked.sample else service.glossaries.choose(served, asked.glossary),
        )  # fmt: skip
        if asked.stream:
            service.engine.admit()  # while the answer can still be a 503
            events = _events(service, texts, served, detected, wanted)
            headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
            return StreamingResponse(events, media_type="text/event-stream", headers=headers)
        return _answer(served, detected, await service.translate(texts, served, wanted))

    return router


def _search(asked: TranslateRequest, service: Service) -> dict[str, Any]:
    most = service.settings.max_alternatives
    if asked.alternatives > most:
        raise RefusalError(400, f"Invalid request: alternatives must be <= {most}")
    if asked.sample and asked.glossary:
        raise RefusalError(400, "Invalid request: glossary: does not go with sample")
    search = beams(service.settings, asked.alternatives)
    given = {name: getattr(asked, name) for name in _SEARCH}
    given = {name: value for name, value in given.items() if value is not None}
    if asked.alternatives and not asked.sample:
        given["beam"] = max(asked.beam or search["beam"], search["n_best"])
    return {**search, **given, "alignment": asked.alignment, "attention": asked.attention}


def _answer(served: Served, detected: Detection | None, done: Sequence[Translated]) -> dict[str, Any]:
    answer: dict[str, Any] = {"model": served.name, "source": served.source, "target": served.target}
    if detected is not None:
        answer["detected"] = detected._asdict()
    answer["translations"] = [
        {
            "text": each.text, "alternatives": each.alternatives, "flags": each.flags,
            "not_kept": each.not_kept, "terms": each.terms,
            "parts": [{"source": source, **answer} for source, answer in each.sentences],
        }
        for each in done
    ]  # fmt: skip
    return answer


async def _events(
    service: Service, texts: list[str], served: Served, detected: Detection | None, wanted: Wanted
) -> AsyncIterator[str]:
    """The translation as it grows, then all about it."""
    queue: asyncio.Queue[str | None] = asyncio.Queue()

    def progress(index: int, text: str) -> None:
        queue.put_nowait(_event("progress", {"index": index, "text": text}))

    async def work() -> None:
        try:
            done = await service.translate(texts, served, wanted, progress)
            answer = TranslateAnswer.model_validate(_answer(served, detected, done))
            queue.put_nowait(_event("done", answer.model_dump(exclude_unset=True)))
        except RefusalError as refusal:
            retry = {"retryAfter": int(after)} if (after := refusal.headers.get("Retry-After")) else {}
            queue.put_nowait(_event("error", {"error": refusal.message, **retry}))
        finally:
            queue.put_nowait(None)

    task = asyncio.create_task(work())
    try:
        while (event := await queue.get()) is not None:
            yield event
        await task
    finally:
        task.cancel()


def _event(name: str, content: dict[str, Any]) -> str:
    return f"event: {name}\ndata: {json.dumps(content, ensure_ascii=False)}\n\n"
