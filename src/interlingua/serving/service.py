"""From the texts of a request to their translations: taken apart, queued, put together again."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from interlingua.serving.batching import Flow
from interlingua.serving.engine import Engine
from interlingua.serving.languages import Languages, Served
from interlingua.serving.markup import Segment, cut, render
from interlingua.serving.passage import Passage, take_apart
from interlingua.serving.projection import Projection, project
from interlingua.serving.protect import changed, needs_alignment, restore
from interlingua.serving.refusal import RefusalError
from interlingua.serving.settings import ServeSettings

__all__ = ["Format", "Progress", "Service", "Translated", "Wanted"]

Format = Literal["text", "html"]
Progress = Callable[[int, str], None]
"""Called with the number of a text and its translation so far."""

Part = tuple[str, bool]
"""A part to translate, and whether its alignment is needed."""
Answering = asyncio.Task[dict[str, Any]]

_WINDOW = 128  # sentences of one request that may wait at a time, so that it leaves room for others
_LONG = 2000  # characters; taking apart more than these is left to a thread
_PROGRESS_S = 0.05


class Wanted(NamedTuple):
    """What a request asks for beside the text."""

    search: dict[str, Any]
    """Fields of SearchSettings, and attention or alignment."""
    format: Format = "text"
    detail: bool = False
    """Whether tokens and log-probabilities are told."""


@dataclass
class Translated:
    """A translated text."""

    text: str
    alternatives: list[str]
    flags: list[str]
    not_kept: list[str]
    """Addresses, numbers and placeholders of the source that are missing or changed."""
    sentences: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """Each part and a worker's answer to it."""


class _Text:
    """A text on its way: HTML as pieces, plain text as a single one."""

    def __init__(self, text: str, format: Format, served: Served, limit: int) -> None:
        self.text = text
        self.pieces: list[str | Segment] = cut(text) if format == "html" else [Segment(text)]
        self.html = format == "html"
        self.passages = [
            take_apart(piece.plain, served.tokenizer, limit)
            for piece in self.pieces
            if isinstance(piece, Segment)
        ]

    def parts(self) -> list[Part]:
        """The parts to translate."""
        tagged = [bool(piece.elements) for piece in self.pieces if isinstance(piece, Segment)]
        return [
            (part, tags or needs_alignment(part))
            for passage, tags in zip(self.passages, tagged, strict=True)
            for part in passage.parts
        ]

    def so_far(self, answers: Sequence[dict[str, Any]]) -> str:
        """The translation from the answers to the first parts; of plain text only."""
        return self.passages[0].fill([answer["text"] for answer in answers])

    def finish(self, answers: Sequence[dict[str, Any]]) -> Translated:
        """The translation from the answers to all parts."""
        left = list(answers)
        out = ""
        kept_source, kept_target = [], []
        alternatives: list[str] = []
        passages = iter(self.passages)
        for piece in self.pieces:
            if isinstance(piece, str):
                out += piece
                continue
            passage = next(passages)
            own, left = left[: len(passage.parts)], left[len(passage.parts) :]
            projection = _joined(passage, own)
            out += render(piece, projection) if self.html else projection.text
            kept_source.append(piece.plain)
            kept_target.append(projection.text)
            if not self.html:
                alternatives = _alternatives(passage, own, projection.text)
        flags = [flag for answer in answers for flag in answer["flags"]]
        if any(passage.split for passage in self.passages):
            flags.insert(0, "split")
        parts = [part for part, _ in self.parts()]
        return Translated(
            out, alternatives, list(dict.fromkeys(flags)),
            changed("\n".join(kept_source), "\n".join(kept_target)),
            list(zip(parts, answers, strict=True)),
        )  # fmt: skip


class Service:
    """All that the routes need to translate.

    Args:
        languages: the models.
        engine: the workers.
        settings: limits.
    """

    def __init__(self, languages: Languages, engine: Engine, settings: ServeSettings) -> None:
        self.languages, self.engine, self.settings = languages, engine, settings

    def check(self, texts: Sequence[str], most: int | None = None) -> None:
        """Refuses texts beyond the limits.

        Args:
            texts: of one request.
            most: characters, if not the usual.

        Raises:
            RefusalError: with 400, as LibreTranslate does.
        """
        if len(texts) > self.settings.max_texts:
            raise RefusalError(400, f"{len(texts)} texts exceed the limit of {self.settings.max_texts}.")
        characters, most = sum(map(len, texts)), most or self.settings.max_characters
        if characters > most:
            raise RefusalError(400, f"{characters} characters exceed the limit of {most}.")

    async def translate(
        self, texts: Sequence[str], served: Served, wanted: Wanted, progress: Progress | None = None
    ) -> list[Translated]:
        """Translates the texts of a request, within its deadline.

        Args:
            texts: any.
            served: the model.
            wanted: how.
            progress: told how each plain text gets on, from the event loop.

        Raises:
            RefusalError: too much is waiting already, the deadline has passed, or decoding failed.
        """
        self.engine.admit()
        limit = self.engine.limits[served.name]

        def prepare() -> list[_Text]:
            return [_Text(text, wanted.format, served, limit) for text in texts]

        whole = sum(map(len, texts))
        prepared = prepare() if whole <= _LONG else await asyncio.to_thread(prepare)
        parts = [part for text in prepared for part in text.parts()]
        window, flow = asyncio.Semaphore(_WINDOW), Flow()

        async def one(part: str, align: bool) -> dict[str, Any]:
            async with window:
                search = {**wanted.search, "alignment": True} if align else wanted.search
                return await self.engine.translate(served.name, part, search, wanted.detail, flow)

        tasks = {part: asyncio.create_task(one(*part)) for part in dict.fromkeys(parts)}
        if progress is not None and wanted.format == "text":
            _report(prepared, tasks, progress)
        try:
            async with asyncio.timeout(self.settings.timeout_s):
                await asyncio.gather(*tasks.values())
        except TimeoutError:
            self.engine.metrics.refused.labels("deadline").inc()
            raise RefusalError(503, "This took too long. Please try again.", retry_after_s=5) from None
        finally:
            for task in tasks.values():
                task.cancel()
        return [text.finish([tasks[part].result() for part in text.parts()]) for text in prepared]


def _joined(passage: Passage, answers: Sequence[dict[str, Any]]) -> Projection:
    """The parts of a passage put together, still knowing where the words come from."""
    text = passage.frame[0]
    units: list[tuple[int, int]] = []
    origins: list[int | None] = []
    for part, start, answer, gap in zip(
        passage.parts, passage.starts, answers, passage.frame[1:], strict=True
    ):
        one = restore(part, project(part, answer)).moved(len(text), start)
        units += one.units
        origins += one.origins
        text += one.text + gap
    return Projection(text, units, origins)


def _alternatives(passage: Passage, answers: Sequence[dict[str, Any]], best: str) -> list[str]:
    count = max((len(answer["alternatives"]) for answer in answers), default=0)
    found = []
    for i in range(count):
        each = [answer["alternatives"][i : i + 1] or [answer] for answer in answers]
        found.append(passage.fill([one["text"] for (one,) in each]))
    return [text for text in dict.fromkeys(found) if text != best]


def _report(texts: Sequence[_Text], tasks: Mapping[Part, Answering], progress: Progress) -> None:
    """Has each text's translation so far told whenever one of its parts is done, but not too often."""
    for number, text in enumerate(texts):
        own = [tasks[part] for part in text.parts()]
        told = 0.0

        def tell(_: Any, number: int = number, text: _Text = text, own: list[Answering] = own) -> None:
            nonlocal told
            if time.monotonic() - told < _PROGRESS_S:
                return
            done = list(itertools.takewhile(_succeeded, own))
            if done:
                told = time.monotonic()
                progress(number, text.so_far([task.result() for task in done]))

        for task in own:
            task.add_done_callback(tell)


def _succeeded(task: Answering) -> bool:
    return task.done() and not task.cancelled() and task.exception() is None
