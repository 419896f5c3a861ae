"""Our own API for models of pictures: what an uploaded picture shows."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from interlingua.serving.http.limits import AccessControl
from interlingua.serving.routes.native import FLAGS_DESCRIPTION
from interlingua.serving.routes.openai import validate_fields
from interlingua.serving.routes.pictures import PictureService
from interlingua.serving.routes.schema import MULTIPART, answers
from interlingua.serving.routes.uploads import read_uploaded_file

__all__ = ["routes"]


class DescribeRequest(BaseModel):
    """What to describe with, and what to answer with: fields of the form or of the query."""

    model: str | None = None
    beam: Annotated[int, Field(ge=1, le=50, description="Beam size.")] | None = None
    attention: Annotated[bool, Field(description="Add how much each token looked at each patch.")] = False
    api_key: Annotated[str | None, Field(description="Needed if the service asks for API keys.")] = None


class DescribeAnswer(BaseModel):
    """What a picture shows."""

    model: str
    text: str
    flags: Annotated[list[str], Field(description=FLAGS_DESCRIPTION)]
    score: Annotated[float, Field(description="Log-probability over the length penalty.")]
    tokens: list[str]
    log_probs: Annotated[list[float], Field(description="Of each token, then of the end.")]
    width: Annotated[int, Field(description="Of the file, in pixels.")]
    height: int
    size: Annotated[int, Field(description="Of the edge of the square that the model sees, in pixels.")]
    attention: Annotated[
        list[list[float]] | None,
        Field(description="For each token, then the end, how much it looked at each patch of a square grid, "
                          "row by row; the mean of all heads."),
    ] = None  # fmt: skip


def routes(service: PictureService, access: AccessControl) -> APIRouter:
    """Our own route for models of pictures."""
    router = APIRouter(tags=["interlingua"], prefix="/v1")
    schema = DescribeRequest.model_json_schema()
    picture = {"type": "string", "format": "binary"}
    form = {**schema, "properties": {"file": picture, **schema["properties"]}, "required": ["file"]}
    content = {"application/octet-stream": {"schema": picture}, MULTIPART: {"schema": form}}

    @router.post(
        "/describe", summary="Say what a picture shows", response_model=DescribeAnswer,
        response_model_exclude_unset=True,
        openapi_extra={"requestBody": {"required": True, "content": content}},
        responses=answers(400, 403, 404, 429, 500, 503, body=True),
    )  # fmt: skip
    async def describe(request: Request) -> Any:
        upload = await read_uploaded_file(request, "picture")
        asked = validate_fields(DescribeRequest, {name: each[-1] for name, each in upload.fields.items()})
        access.check_request(request, asked.api_key)
        served = service.describers.choose(asked.model)
        service.check_attention(served, asked.attention)
        beam = asked.beam or service.settings.beam
        search: dict[str, Any] = {} if beam is None else {"beam": beam}
        if asked.attention:
            search["attention"] = True
        found = await service.describe(upload.content, served, search, arrived_at=request.state.arrived_at)
        fields = {"model": served.name, "pixels": found["width"] * found["height"],
                  "characters": len(found["text"])}  # fmt: skip
        request.state.log_fields = fields | ({"text": found["text"]} if service.settings.log_texts else {})
        names = ("text", "flags", "score", "tokens", "log_probs", "width", "height", "attention")
        known = {name: found[name] for name in names if name in found}
        return {"model": served.name, "size": service.pool.about[served.name].picture_size, **known}

    return router
