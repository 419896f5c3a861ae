"""From a caption to its pictures, and from an uploaded picture to its text: checked, queued, waited for."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field

from interlingua.serving.http.fields import INTEGRAL
from interlingua.serving.models.pictures import PictureCatalogue, PictureModel
from interlingua.serving.pool.pool import Pool
from interlingua.serving.pool.queue import Job, PaintOrder, PictureFile, RequestTurn
from interlingua.serving.refusal import RefusalError, deadline_missed
from interlingua.serving.routes.schema import JSON, Text
from interlingua.serving.routes.uploads import overwrite
from interlingua.serving.settings import ServeSettings
from interlingua.text.normalise import is_blank

__all__ = ["OnDraft", "PaintFields", "PaintTask", "PictureService", "Pictures", "log_caption", "paint_body"]

OnDraft = Callable[[int, dict[str, Any]], object]
"""Called with the number of a picture and what there is of it: `painted` tokens, and a `png`."""
_MAX_SIZE = 1024
"""Of the edge of a picture that is made larger than its model paints it, in pixels."""
_SEEDS = 2**31
_TEXT_COST = 24
"""Of describing a picture: about so many tokens."""
_READING_COST = 1 / 32_000
"""Of a byte that is read."""
_DEADLINE_SHARE = 0.9  # of the time that a request may take; the rest is for the way of the answer


class Pictures(NamedTuple):
    """What painting and describing take."""

    painters: PictureCatalogue
    describers: PictureCatalogue
    directory: Path
    """A private one, for pictures until they are described."""

    @property
    def catalogues(self) -> list[PictureCatalogue]:
        """Both."""
        return [self.painters, self.describers]

    @property
    def models(self) -> list[PictureModel]:
        """Of both."""
        return [model for catalogue in self.catalogues for model in catalogue.models.values()]


class PaintFields(BaseModel):
    """What to paint, and how."""

    model_config = ConfigDict(strict=True)

    prompt: Annotated[Text, Field(description="What to paint: a caption.")]
    model: Annotated[str | None, Field(description="Where several models are.")] = None
    n: Annotated[int | None, Field(ge=1, description="How many pictures; 1 by default."), INTEGRAL] = None
    size: Annotated[
        str | None, Field(description="auto, the model's own such as 32x32, or a whole multiple of that.")
    ] = None
    seed: Annotated[
        int | None,
        Field(ge=0, lt=_SEEDS, description="Of the first picture; the next ones have the next numbers."),
        INTEGRAL,
    ] = None
    guidance: Annotated[
        float | None, Field(ge=0, le=100, description="How much more the caption counts than by itself.")
    ] = None
    temperature: Annotated[float | None, Field(ge=0.05, le=10)] = None
    top_k: Annotated[int | None, Field(ge=0, le=1_000_000), INTEGRAL] = None
    top_p: Annotated[float | None, Field(ge=0.01, le=1)] = None
    min_p: Annotated[float | None, Field(ge=0, le=1)] = None


_DRAWING = {"guidance", "temperature", "top_k", "top_p", "min_p"}


class PaintTask(NamedTuple):
    """A request to paint that is in order."""

    served: PictureModel
    orders: Sequence[PaintOrder]
    search: dict[str, Any]


def paint_body(settings: ServeSettings, model: type[PaintFields]) -> dict[str, Any]:
    """The description of a route's body, with what the settings limit."""
    schema = model.model_json_schema()
    schema["properties"]["prompt"]["maxLength"] = settings.max_caption_characters
    schema["properties"]["n"]["maximum"] = settings.max_pictures
    return {"requestBody": {"required": True, "content": {JSON: {"schema": schema}}}}


def log_caption(request: Request, settings: ServeSettings, task: PaintTask) -> None:
    """Adds to the request's line in the log: how much is painted; the caption if texts are logged."""
    caption = task.orders[0].caption
    fields = {"model": task.served.name, "pictures": len(task.orders), "characters": len(caption)}
    request.state.log_fields = fields | ({"prompt": caption} if settings.log_texts else {})


class PictureService:
    """All that the routes need to paint and to describe.

    Args:
        pictures: the models.
        pool: computes.
        settings: of the service.
    """

    def __init__(self, pictures: Pictures, pool: Pool, settings: ServeSettings) -> None:
        self.painters, self.describers, self.directory = pictures
        self.pool, self.settings = pool, settings

    def prepare(self, asked: PaintFields, *, attention: bool = False) -> PaintTask:
        """Checks what is to be painted.

        Raises:
            RefusalError: there is no such model, or something is beyond the limits.
        """
        count, most = asked.n or 1, self.settings.max_pictures
        if count > most:
            raise _mistake("n", f"{count} pictures exceed the limit of {most}")
        characters, limit = len(asked.prompt), self.settings.max_caption_characters
        if characters > limit:
            raise _mistake("prompt", f"{characters} characters exceed the limit of {limit}")
        if is_blank(asked.prompt):
            raise _mistake("prompt", "there is nothing to see in it; a caption is needed")
        seed = secrets.randbelow(_SEEDS - count) if asked.seed is None else asked.seed
        if seed + count > _SEEDS:
            raise _mistake("seed", f"of {count} pictures the first seed is at most {_SEEDS - count}")
        served = self.painters.choose(asked.model)
        self.check_attention(served, attention)
        scale = self._scale(served, asked.size)
        orders = [PaintOrder(asked.prompt, seed + number, scale) for number in range(count)]
        search = asked.model_dump(
            include={"guidance", "temperature", "top_k", "top_p", "min_p"}, exclude_none=True
        )
        return PaintTask(served, orders, search | ({"attention": True} if attention else {}))

    def check_attention(self, served: PictureModel, wanted: bool) -> None:
        """Refuses to tell of an attention that a model does not have.

        Raises:
            RefusalError: with 400.
        """
        if wanted and not self.pool.about[served.name].attention_heads:
            raise _mistake("attention", "this model has no attention to tell of")

    async def paint(
        self, task: PaintTask, *, arrived_at: float, on_draft: OnDraft | None = None
    ) -> list[dict[str, Any]]:
        """A worker's answer to each order, within the deadline of the request.

        Raises:
            RefusalError: too much is waiting already, the deadline has passed, the model cannot read the
                caption, or it could not be painted.
        """
        about = self.pool.about[task.served.name]
        rows = 1 if task.search.get("guidance", about.guidance) == 1 else 2
        cost = float(rows * about.picture_grid**2)
        self.pool.admit(cost, len(task.orders))
        deadline = self._deadline(arrived_at)

        def job_of(number: int, order: PaintOrder) -> Job:
            draw = (lambda draft: on_draft(number, draft)) if on_draft else None
            return Job(order, cost, task.served.name, task.search, deadline=deadline, on_draft=draw)

        jobs = [job_of(number, order) for number, order in enumerate(task.orders)]
        async with self._timeout(deadline):
            answers = await self._work(jobs, "prompt")
        self.pool.metrics.painted.inc(len(answers))
        return answers

    async def describe(
        self, picture: bytes, served: PictureModel, search: dict[str, Any], *, arrived_at: float
    ) -> dict[str, Any]:
        """A worker's answer to an uploaded picture, within the deadline of the request.

        Raises:
            RefusalError: it is too large or no picture, too much is waiting already, the deadline has passed,
                or it could not be described.
        """
        if len(picture) > self.settings.max_picture_bytes:
            limit = f"{self.settings.max_picture_bytes:,}"
            raise RefusalError(413, f"The picture is larger than {limit} bytes.", field="file")
        cost = self.pool.cost(served.name, _TEXT_COST, search) + len(picture) * _READING_COST
        self.pool.admit(cost)
        deadline = self._deadline(arrived_at)
        upload = self.directory / secrets.token_hex(16)
        try:
            async with self._timeout(deadline):
                upload.touch(mode=0o600)  # who writes late, after the request has gone, finds no file
                await asyncio.to_thread(overwrite, upload, picture)
                file = PictureFile(str(upload), self.settings.max_picture_pixels)
                answers = await self._work([Job(file, cost, served.name, search, deadline=deadline)], "file")
        except OSError as error:  # no room, most likely
            raise RefusalError(503, "The picture could not be kept.", retry_after_s=60) from error
        finally:
            upload.unlink(missing_ok=True)
        self.pool.metrics.described.inc()
        return answers[0]

    async def _work(self, jobs: Sequence[Job], field: str) -> list[dict[str, Any]]:
        """The answers to some jobs, which end together when one fails or nobody waits any more."""
        turn = RequestTurn()
        for job in jobs:
            self.pool.queue.add(job, turn)
        try:
            answers = await asyncio.gather(*(job.done for job in jobs))
        finally:
            for job in jobs:
                job.done.cancel()
        for answer in answers:
            if "refused" in answer:
                raise RefusalError(400, answer["refused"], field=field)
        return answers

    @asynccontextmanager
    async def _timeout(self, deadline: float) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(deadline - time.monotonic()):
                yield
        except TimeoutError:
            self.pool.metrics.refused.labels("deadline").inc()
            raise deadline_missed() from None

    def _deadline(self, arrived_at: float) -> float:
        return min(arrived_at, time.monotonic()) + _DEADLINE_SHARE * self.settings.picture_timeout_s

    def _scale(self, served: PictureModel, size: str | None) -> int:
        edge = self.pool.about[served.name].picture_size
        most = max(1, _MAX_SIZE // edge)
        scales = {f"{edge * scale}x{edge * scale}": scale for scale in range(1, most + 1)}
        scale = 1 if size in (None, "auto") else scales.get(size or "")
        if scale is None:
            own, *others = scales
            more = f", or a whole multiple of that up to {others[-1]}" if others else ""
            raise _mistake("size", f"{str(size)[:40]!r} is not painted here; accepted: auto, {own}{more}")
        return scale


def _mistake(field: str, message: str) -> RefusalError:
    return RefusalError(400, f"Invalid request: {field}: {message}.", field=field)
