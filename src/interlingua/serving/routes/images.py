"""The part of OpenAI's API that paints, so that its clients work unchanged."""

from __future__ import annotations

import time
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import AfterValidator, BaseModel, Field

from interlingua.serving.http.fields import require_json
from interlingua.serving.http.limits import AccessControl
from interlingua.serving.routes.pictures import PaintFields, PictureService, log_caption, paint_body

__all__ = ["routes"]


def _in_answer(format: str | None) -> str | None:
    if format not in ("b64_json", None):
        raise ValueError(f"{format[:40]!r} is not given: pictures come with the answer, as b64_json")
    return format


class ImagesRequest(PaintFields):
    """What to paint; seed, guidance, temperature, top_k, top_p and min_p are not OpenAI's."""

    response_format: Annotated[
        str | None, AfterValidator(_in_answer), Field(json_schema_extra={"enum": ["b64_json", None]})
    ] = None
    output_format: Literal["png"] | None = None
    background: Literal["auto", "opaque"] | None = None
    stream: Annotated[Literal[False] | None, Field(description="POST /v1/paint streams.")] = None


class Image(BaseModel):
    """A picture."""

    b64_json: Annotated[str, Field(description="A PNG file in base64.")]
    seed: Annotated[int, Field(description="That paints it again.")]


class ImagesAnswer(BaseModel):
    """The pictures."""

    created: int
    data: list[Image]
    output_format: Literal["png"] = "png"


def routes(service: PictureService, access: AccessControl) -> APIRouter:
    """OpenAI's route for models that paint."""
    router = APIRouter(tags=["OpenAI"], prefix="/v1")

    @router.post(
        "/images/generations", summary="Paint pictures of a caption", response_model=ImagesAnswer,
        dependencies=[Depends(require_json)], openapi_extra=paint_body(service.settings, ImagesRequest),
    )  # fmt: skip
    async def generate(request: Request, asked: ImagesRequest) -> Any:
        access.check_request(request, None)
        task = service.prepare(asked)
        log_caption(request, service.settings, task)
        answers = await service.paint(task, arrived_at=request.state.arrived_at)
        data = [{"b64_json": answer["png"], "seed": answer["seed"]} for answer in answers]
        return {"created": int(time.time()), "data": data}

    return router
