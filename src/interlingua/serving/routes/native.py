"""Our own API: everything that a translation holds, and the translation while it is being made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from interlingua.flags import FLAGS
from interlingua.serving.http.fields import INTEGRAL, require_json
from interlingua.serving.http.limits import AccessControl
from interlingua.serving.http.reception import log_texts
from interlingua.serving.models.catalogue import ServedModel
from interlingua.serving.models.detection import DetectedLanguage
from interlingua.serving.refusal import RefusalError
from interlingua.serving.routes.detected import names_of, translate_each
from interlingua.serving.routes.drafts import OnProgress
from interlingua.serving.routes.events import Tell, stream_events
from interlingua.serving.routes.schema import (
    JSON,
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

__all__ = ["FLAGS_DESCRIPTION", "routes"]

_SEARCH_FIELDS = {"beam", "length_penalty", "sample", "temperature", "top_k", "top_p", "min_p", "seed"}
_SAMPLE_WITH_GLOSSARY = {
    "properties": {"sample": {"const": True}, "glossary": {"type": "object", "minProperties": 1}},
    "required": ["sample", "glossary"],
}
FLAGS_DESCRIPTION = "; ".join(f"{flag}: {meaning}" for flag, meaning in FLAGS.items())
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
    """Texts to translate, how to search, and what to answer with."""

    model_config = ConfigDict(strict=True)

    q: Text | Annotated[list[str], Field(min_length=1)]
    source: LanguageCode = "auto"
    target: str
    tag: Tag = ""
    format: Literal["text", "html"] = "text"
    alternatives: Annotated[int, Field(ge=0, le=20, description="How many beside the best."), INTEGRAL] = 0
    beam: Annotated[int, Field(ge=1, le=50, description="Beam size."), INTEGRAL] | None = None
    length_penalty: Annotated[float, Field(ge=0, le=10)] | None = None
    sample: Annotated[bool, Field(description="Draw at random instead of searching.")] = False
    temperature: Annotated[float, Field(ge=0.05, le=10)] | None = None
    top_k: Annotated[int, Field(ge=0, le=1_000_000), INTEGRAL] | None = None
    top_p: Annotated[float, Field(ge=0.01, le=1)] | None = None
    min_p: Annotated[float, Field(ge=0, le=1)] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**31), INTEGRAL] | None = None
    glossary: Terms = None
    alignment: Annotated[bool, Field(description="Add each token's source token.")] = False
    attention: Annotated[bool, Field(description="Add all attention weights.")] = False
    stream: Annotated[bool, Field(description="Answer with server-sent events.")] = False
    api_key: ApiKey = None


class Hypothesis(BaseModel):
    """One way to translate a part."""

    text: str
    score: Annotated[float, Field(description="Log-probability over the length penalty.")]
    tokens: list[str]
    log_probs: Annotated[list[float], Field(description="Of each token, then of the end.")]
    flags: Annotated[list[str], Field(description=FLAGS_DESCRIPTION)]
    unknown: Annotated[
        list[str],
        Field(description="Characters of the source that are not in the vocabulary, and got lost."),
    ] = []
    terms: Annotated[
        list[TermAnswer],
        Field(description="The glossary's terms in the source, for each time that one occurs."),
    ] = []


class Attention(BaseModel):
    """Weights as layers, heads, queries, keys; each side with its end or begin sign."""

    encoder: list[list[list[list[float]]]]
    decoder: list[list[list[list[float]]]]
    cross: list[list[list[list[float]]]]


class Part(Hypothesis):
    """A part that went through the model as a whole: a line or a sentence."""

    source: str
    source_tokens: list[str]
    alternatives: list[Hypothesis]
    alignment: Annotated[
        list[tuple[int, int]] | None, Field(description="(source token, token) for each token.")
    ] = None
    attention: Attention | None = None


class TextAnswer(BaseModel):
    """A translated text."""

    model: str
    source: str
    detected: Annotated[DetectedLanguage | None, Field(description="Only for source auto.")] = None
    text: str
    alternatives: list[str]
    flags: Annotated[list[str], Field(description=FLAGS_DESCRIPTION)]
    not_kept: Annotated[
        list[str], Field(description="Addresses, numbers and placeholders that did not come through.")
    ]
    terms: list[TermAnswer]
    parts: list[Part]


class TranslateAnswer(BaseModel):
    """The translations, one for each text; model, source and detected are of the first."""

    model: str
    source: str
    target: str
    detected: DetectedLanguage | None = None
    translations: list[TextAnswer]


def routes(service: Service, access: AccessControl) -> APIRouter:
    """Our own routes for some models."""
    router = APIRouter(tags=["interlingua"], prefix="/v1")

    @router.post(
        "/translate", summary="Translate, with all that the model says", response_model=TranslateAnswer,
        response_model_exclude_unset=True, dependencies=[Depends(require_json)],
        openapi_extra=body(
            service.settings, {JSON: TranslateRequest},
            {**pairs(service.catalogue), "not": _SAMPLE_WITH_GLOSSARY},
        ),
        responses={
            200: {"content": {"text/event-stream": {"schema": _EVENT}}},
            **answers(400, 403, 429, 500, 503, body=True),
        },
    )  # fmt: skip
    async def translate(request: Request, asked: TranslateRequest) -> Any:
        access.check_request(request, asked.api_key)
        texts = asked.q if isinstance(asked.q, list) else [asked.q]
        service.check(texts)
        chosen = service.catalogue.choose_each(asked.source, asked.target, texts, asked.tag or None)
        models = [served for served, _ in chosen]
        if (asked.alignment or asked.attention) and not all(_attends(service, served) for served in models):
            raise RefusalError(400, "Invalid request: this model has no attention to tell of.")
        log_texts(request, service.settings, texts, names_of(models))
        options = TranslationOptions(
            _search(asked, service), asked.format, detail=True, arrived_at=request.state.arrived_at
        )

        async def work(on_progress: OnProgress | None = None) -> dict[str, Any]:
            done = await translate_each(service, texts, models, options, asked.glossary, on_progress)
            return _answer(chosen, done)

        async def tell_all(tell: Tell) -> dict[str, Any]:
            def tell_draft(index: int, text: str) -> None:
                tell({"index": index, "text": text})

            answer = await work(tell_draft)
            return TranslateAnswer.model_validate(answer).model_dump(exclude_unset=True)

        if asked.stream:
            service.pool.admit()  # while the answer can still be a 503
            for served in {served.name: served for served in models}.values():
                service.glossaries.choose(served, asked.glossary)  # or a 400
            return stream_events(tell_all)
        return await work()

    return router


def _search(asked: TranslateRequest, service: Service) -> dict[str, Any]:
    search = search_options(service.settings, asked.alternatives)
    if asked.sample and asked.glossary:
        raise RefusalError(400, "Invalid request: glossary: does not go with sample")
    given = asked.model_dump(include=_SEARCH_FIELDS, exclude_none=True)
    return {**search, **given, "alignment": asked.alignment, "attention": asked.attention}


def _attends(service: Service, served: ServedModel) -> bool:
    models = () if served.same_language else served.steps or (served,)
    return all(service.pool.about[model.name].attention_heads > 0 for model in models)


def _of(served: ServedModel, detected: DetectedLanguage | None) -> dict[str, Any]:
    found = {} if detected is None else {"detected": detected}
    return {"model": served.name, "source": served.source, **found}


def _answer(
    chosen: Sequence[tuple[ServedModel, DetectedLanguage | None]], done: Sequence[TranslatedText]
) -> dict[str, Any]:
    first = chosen[0]
    answer: dict[str, Any] = {**_of(*first), "target": first[0].target}
    answer["translations"] = [
        {
            **_of(*of_text), "text": text.text, "alternatives": text.alternatives, "flags": text.flags,
            "not_kept": text.not_kept, "terms": text.terms,
            "parts": [{"source": source, **worker_answer} for source, worker_answer in text.sentences],
        }
        for of_text, text in zip(chosen, done, strict=True)
    ]  # fmt: skip
    return answer
