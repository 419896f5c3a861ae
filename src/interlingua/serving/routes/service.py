"""From the texts of a request to their translations: taken apart, queued, put together again."""

from __future__ import annotations

import asyncio
import functools
import itertools
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from interlingua.documents.document import Document, Format, Part
from interlingua.documents.projection import TranslatedPart
from interlingua.serving.models.catalogue import Languages, Served
from interlingua.serving.models.glossaries import Glossaries
from interlingua.serving.pool.pool import Engine
from interlingua.serving.pool.queue import Flow, Sentence
from interlingua.serving.refusal import RefusalError, too_late
from interlingua.serving.routes.drafts import Drafts, Progress
from interlingua.serving.settings import ServeSettings
from interlingua.terms.glossary import Glossary

__all__ = ["Service", "Translated", "Wanted"]

_WINDOW = 128  # sentences of one request that may wait at a time, so that it leaves room for others
_LONG = 2000  # characters; taking apart more than these is left to a thread
_WEIGHTS = 1 << 19  # attention weights of a request that are told: more would be megabytes of JSON
_SHARE = 0.9  # of the time that a request may take; the rest is for the way of the answer


class Wanted(NamedTuple):
    """What a request asks for beside the text."""

    search: dict[str, Any]
    """Fields of SearchSettings, and attention or alignment."""
    format: Format = "text"
    detail: bool = False
    """Whether tokens and log-probabilities are told."""
    since: float = math.inf
    """When the request arrived, by the monotonic clock, if not just now."""
    glossary: Glossary | None = None


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

    @property
    def terms(self) -> list[dict[str, Any]]:
        """The glossary's terms in the text: source, target, satisfied."""
        return [term for _, answer in self.sentences for term in answer.get("terms", ())]


class Service:
    """All that the routes need to translate.

    Args:
        languages: the models.
        engine: the workers.
        settings: limits.

    Raises:
        ConfigurationError: a glossary is not said to belong to a model.
        DataError: a file is not a glossary.
    """

    def __init__(self, languages: Languages, engine: Engine, settings: ServeSettings) -> None:
        self.languages, self.engine, self.settings = languages, engine, settings
        self.glossaries = Glossaries(languages, settings)

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
            served: the model; none is needed for a language into itself.
            wanted: how.
            progress: told how each plain text gets on, from the event loop.

        Raises:
            RefusalError: too much is waiting already, the deadline has passed, or decoding failed.
        """
        if served.unchanged:
            return [Translated(text, [], [], []) for text in texts]
        limit, attends = self.engine.limits[served.name], self.engine.maps[served.name] > 0
        deadline = min(wanted.since, time.monotonic()) + _SHARE * self.settings.timeout_s
        long = sum(map(len, texts)) > _LONG
        find_terms = wanted.glossary.find if wanted.glossary else None

        def prepare() -> list[Document]:
            return [
                Document(
                    text, wanted.format, served.tokenizer, limit, can_align=attends, find_terms=find_terms
                )
                for text in texts
            ]

        def finish() -> list[Translated]:
            return [_finish(document, [done[part] for part in document.parts]) for document in prepared]

        try:
            async with asyncio.timeout(deadline - time.monotonic()):
                prepared = await asyncio.to_thread(prepare) if long else prepare()
                drafts = None
                if progress and wanted.format == "text":
                    wholes = [(document.parts, document.fill) for document in prepared]
                    drafts = Drafts(wholes, progress, self.settings.draft_ms / 1000)
                done = await self._parts(prepared, served, wanted, deadline, drafts)
                translated = await asyncio.to_thread(finish) if long else finish()
                if time.monotonic() > deadline:  # the event loop itself may be late
                    raise TimeoutError
        except TimeoutError:
            self.engine.metrics.refused.labels("deadline").inc()
            raise too_late() from None
        return translated

    async def _parts(
        self,
        texts: Sequence[Document],
        served: Served,
        wanted: Wanted,
        deadline: float,
        drafts: Drafts | None,
    ) -> dict[Part, dict[str, Any]]:
        """A worker's answer to each part of some texts."""
        parts = list(dict.fromkeys(part for text in texts for part in text.parts))
        at_once = min(len(parts), _WINDOW, self.settings.queue)
        efforts = (self._effort(part, served, wanted.search) for part in parts)
        self.engine.admit(max(efforts, default=0), at_once)
        window, flow = asyncio.Semaphore(0), Flow()

        def submit(part: Part, search: dict[str, Any]) -> asyncio.Future[dict[str, Any]]:
            effort = self._effort(part, served, search)
            tell = functools.partial(drafts.tell, part) if drafts else None
            return self.engine.submit(
                Sentence(part.text, part.terms, effort, served.name, search, wanted.detail, deadline, tell),
                flow,
            )

        async def one(
            part: Part, search: dict[str, Any], job: asyncio.Future[dict[str, Any]] | None
        ) -> dict[str, Any]:
            if job is None:  # others of this request are to be done first
                await window.acquire()
                job = submit(part, search)
            answer = await job
            window.release()
            if drafts:
                drafts.tell(part, answer["text"])
            return answer

        searches = self._searches(parts, served, wanted)
        # The first ones join the queue at once, so that nobody is admitted to their places.
        jobs = [submit(part, search) for part, search in zip(parts[:at_once], searches, strict=False)]
        tasks = [
            asyncio.create_task(one(part, search, job))
            for part, search, job in itertools.zip_longest(parts, searches, jobs)
        ]
        try:
            answers = await asyncio.gather(*tasks)
        finally:
            for each in (*tasks, *jobs):
                each.cancel()
        return dict(zip(parts, answers, strict=True))

    def _searches(self, parts: Sequence[Part], served: Served, wanted: Wanted) -> list[dict[str, Any]]:
        """How each part is searched: alignment where it is needed, attention while it is not too much."""
        maps, weights, searches = self.engine.maps[served.name], 0, []
        for part in parts:
            search = {**wanted.search, "alignment": True} if part.align else wanted.search
            if search.get("attention"):
                weights += maps * part.num_tokens**2
                search = {**search, "attention": weights <= _WEIGHTS}
            searches.append(search)
        return searches

    def _effort(self, part: Part, served: Served, search: dict[str, Any]) -> float:
        return self.engine.effort(served.name, part.num_tokens, search, len(part.terms))


def _finish(document: Document, answers: Sequence[dict[str, Any]]) -> Translated:
    translated = document.finish([_translated_part(answer) for answer in answers])
    parts = [part.text for part in document.parts]
    return Translated(*translated, list(zip(parts, answers, strict=True)))


def _translated_part(answer: dict[str, Any]) -> TranslatedPart:
    return TranslatedPart(
        answer["text"], [each["text"] for each in answer["alternatives"]], answer["flags"],
        answer.get("alignment") or (), answer.get("tokens", ()), answer.get("source_tokens", ()),
    )  # fmt: skip
