"""Our own API for models that paint: everything about a picture, and the picture while it is painted."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field

from interlingua.serving.http.fields import require_json
from interlingua.serving.http.limits import AccessControl
from interlingua.serving.routes.events import Tell, stream_events
from interlingua.serving.routes.pictures import PaintFields, PictureService, log_caption, paint_body
from interlingua.serving.routes.schema import ApiKey, answers

__all__ = ["routes"]

_EVENT = {
    "type": "object",
    "description": "progress: {index, painted, b64_json}, a picture so far, of which so many tokens are "
    "painted; done: the whole answer; error: {error, retryAfter}, in seconds, if that may help.",
    "properties": {
        "event": {"type": "string", "enum": ["progress", "done", "error"]},
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
    "required": ["event", "data"],
}


class PaintRequest(PaintFields):
    """What to paint, how, and what to answer with."""

    attention: Annotated[bool, Field(description="Add how much each token looked at the caption's.")] = False
    stream: Annotated[bool, Field(description="Answer with server-sent events.")] = False
    api_key: ApiKey = None


class PaintedPicture(BaseModel):
    """A picture, and how it came about."""

    b64_json: Annotated[str, Field(description="A PNG file in base64.")]
    seed: Annotated[int, Field(description="With the caption and the search, what decides it.")]
    tokens: Annotated[list[int], Field(description="Codes, row by row.")]
    log_prob: Annotated[float, Field(description="Of all tokens together.")]
    attention: Annotated[
        list[list[float]] | None,
        Field(description="For each token how much it looked at each source token and the end, the mean of "
                          "all heads."),
    ] = None  # fmt: skip


class PaintAnswer(BaseModel):
    """The pictures of a caption."""

    model: str
    prompt: str
    size: Annotated[str, Field(description="Of the pictures, in pixels.")]
    grid: Annotated[int, Field(description="Tokens on an edge.")]
    unknown: Annotated[list[str], Field(description="What of the caption the model does not know.")]
    source_tokens: Annotated[list[str] | None, Field(description="Of the caption, with attention only.")] = (
        None
    )
    pictures: list[PaintedPicture]


def routes(service: PictureService, access: AccessControl) -> APIRouter:
    """Our own route for models that paint."""
    router = APIRouter(tags=["interlingua"], prefix="/v1")

    @router.post(
        "/paint", summary="Paint, with all that the model says", response_model=PaintAnswer,
        response_model_exclude_unset=True, dependencies=[Depends(require_json)],
        openapi_extra=paint_body(service.settings, PaintRequest),
        responses={
            200: {"content": {"text/event-stream": {"schema": _EVENT}}},
            **answers(400, 403, 404, 429, 500, 503, body=True),
        },
    )  # fmt: skip
    async def paint(request: Request, asked: PaintRequest) -> Any:
        access.check_request(request, asked.api_key)
        task = service.prepare(asked, attention=asked.attention)
        log_caption(request, service.settings, task)
        about = service.pool.about[task.served.name]
        edge = about.picture_size * task.orders[0].scale

        async def work(tell: Tell | None = None) -> dict[str, Any]:
            def tell_draft(index: int, draft: dict[str, Any]) -> None:
                assert tell is not None
                tell({"index": index, "painted": draft["painted"], "b64_json": draft["png"]})

            found = await service.paint(
                task, arrived_at=request.state.arrived_at, on_draft=tell_draft if tell else None
            )
            answer = {
                "model": task.served.name, "prompt": asked.prompt, "size": f"{edge}x{edge}",
                "grid": about.picture_grid, "unknown": found[0]["unknown"],
                "pictures": [_describe(answer) for answer in found],
            }  # fmt: skip
            return answer | ({"source_tokens": found[0]["source_tokens"]} if asked.attention else {})

        if asked.stream:
            service.pool.admit()  # while the answer can still be a 503
            return stream_events(work)
        return await work()

    return router


def _describe(answer: dict[str, Any]) -> dict[str, Any]:
    names = ["seed", "tokens", "log_prob", "attention"]
    return {"b64_json": answer["png"], **{name: answer[name] for name in names if name in answer}}
