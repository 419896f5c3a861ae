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
from interlingua.serving.models.catalogue import Catalogue, ServedModel
from interlingua.serving.models.glossaries import Glossaries
from interlingua.serving.pool.pool import Pool
from interlingua.serving.pool.queue import Job, RequestTurn
from interlingua.serving.refusal import RefusalError, deadline_missed
from interlingua.serving.routes.drafts import Drafts, OnProgress
from interlingua.serving.settings import ServeSettings
from interlingua.terms.glossary import Glossary, Term

__all__ = ["Service", "TranslatedText", "TranslationOptions", "search_options"]

_MAX_QUEUED = 128  # sentences of one request that may wait at a time, so that it leaves room for others
_MAX_INLINE_CHARACTERS = 2000  # taking apart more than these is left to a thread
_MAX_WEIGHTS = 1 << 19  # attention weights of a request that are sent: more would be megabytes of JSON
_DEADLINE_SHARE = 0.9  # of the time that a request may take; the rest is for the way of the answer


class TranslationOptions(NamedTuple):
    """What a request asks for beside the text."""

    search: dict[str, Any]
    """Fields of SearchSettings, and attention or alignment."""
    format: Format = "text"
    detail: bool = False
    """Whether tokens and log-probabilities are part of the answer."""
    arrived_at: float = math.inf
    """By the monotonic clock, if not just now."""
    glossary: Glossary | None = None


@dataclass
class TranslatedText:
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

    Raises:
        ConfigurationError: a glossary is not said to belong to a model.
        DataError: a file is not a glossary.
    """

    def __init__(self, catalogue: Catalogue, pool: Pool, settings: ServeSettings) -> None:
        self.catalogue, self.pool, self.settings = catalogue, pool, settings
        self.glossaries = Glossaries(catalogue, settings)

    def check(self, texts: Sequence[str], max_characters: int | None = None) -> None:
        """Refuses the texts of a request beyond the limits.

        Raises:
            RefusalError: with 400, as LibreTranslate does.
        """
        if len(texts) > self.settings.max_texts:
            raise RefusalError(400, f"{len(texts)} texts exceed the limit of {self.settings.max_texts}.")
        characters, limit = sum(map(len, texts)), max_characters or self.settings.max_characters
        if characters > limit:
            raise RefusalError(400, f"{characters} characters exceed the limit of {limit}.")

    async def translate(
        self, texts: Sequence[str], served: ServedModel, options: TranslationOptions,
        on_progress: OnProgress | None = None,
    ) -> list[TranslatedText]:  # fmt: skip
        """Translates the texts of a request, within its deadline.

        Raises:
            RefusalError: too much is waiting already, the deadline has passed, or decoding failed.
        """
        if served.same_language:
            return [TranslatedText(text, [], [], []) for text in texts]
        about = self.pool.about[served.name]
        deadline = min(options.arrived_at, time.monotonic()) + _DEADLINE_SHARE * self.settings.timeout_s
        in_thread = sum(map(len, texts)) > _MAX_INLINE_CHARACTERS

        def find_terms(text: str) -> list[Term]:
            return [each.term for each in options.glossary.find(text)] if options.glossary else []

        def prepare() -> list[Document]:
            return [
                Document(
                    text, options.format, served.tokenizer, about.max_source_length,
                    can_align=about.attention_heads > 0, find_terms=find_terms, facts=about.facts,
                )
                for text in texts
            ]  # fmt: skip

        def finish() -> list[TranslatedText]:
            return [_finish(document, [done[part] for part in document.parts]) for document in prepared]

        try:
            async with asyncio.timeout(deadline - time.monotonic()):
                prepared = await asyncio.to_thread(prepare) if in_thread else prepare()
                drafts = None
                if on_progress and options.format == "text":
                    wholes = [(document.parts, document.fill) for document in prepared]
                    drafts = Drafts(wholes, on_progress, self.settings.draft_ms / 1000)
                parts = list(dict.fromkeys(part for document in prepared for part in document.parts))
                done = await self._translate_parts(parts, served, options, deadline, drafts)
                translated = await asyncio.to_thread(finish) if in_thread else finish()
                if time.monotonic() > deadline:  # the event loop itself may be late
                    raise TimeoutError
        except TimeoutError:
            self.pool.metrics.refused.labels("deadline").inc()
            raise deadline_missed() from None
        return translated

    async def _translate_parts(
        self, parts: Sequence[Part], served: ServedModel, options: TranslationOptions, deadline: float,
        drafts: Drafts | None,
    ) -> dict[Part, dict[str, Any]]:  # fmt: skip
        """A worker's answer to each part."""
        at_once = min(len(parts), _MAX_QUEUED, self.settings.queue)
        costs = (self._cost(part, served, options.search) for part in parts)
        self.pool.admit(max(costs, default=0), at_once)
        window, turn = asyncio.Semaphore(0), RequestTurn()

        def submit(part: Part, search: dict[str, Any]) -> Job:
            # Only the terms that occur, so that a file of tens of thousands need not go to a worker with each
            # batch; it finds them once more.
            glossary = dict(part.terms)
            job = Job(
                part.text, self._cost(part, served, search), served.name, search, options.detail, glossary,
                deadline, functools.partial(drafts.update, part) if drafts else None,
            )  # fmt: skip
            self.pool.queue.add(job, turn)
            return job

        async def translate(part: Part, search: dict[str, Any], job: Job | None) -> dict[str, Any]:
            if job is None:  # others of this request are to be done first
                await window.acquire()
                job = submit(part, search)
            answer = await job.done
            window.release()
            if drafts:
                drafts.update(part, answer["text"])
            return answer

        searches = self._searches(parts, served, options)
        # The first ones join the queue at once, so that nobody is admitted to their places.
        jobs = [submit(part, search) for part, search in zip(parts[:at_once], searches, strict=False)]
        tasks = [
            asyncio.create_task(translate(part, search, job))
            for part, search, job in itertools.zip_longest(parts, searches, jobs)
        ]
        try:
            answers = await asyncio.gather(*tasks)
        finally:
            for future in (*tasks, *(job.done for job in jobs)):
                future.cancel()
        return dict(zip(parts, answers, strict=True))

    def _searches(
        self, parts: Sequence[Part], served: ServedModel, options: TranslationOptions
    ) -> list[dict[str, Any]]:
        """How each part is searched: alignment where it is needed, attention while it is not too much."""
        heads, weights, searches = self.pool.about[served.name].attention_heads, 0, []
        for part in parts:
            search = {**options.search, "alignment": True} if part.align else options.search
            if search.get("attention"):
                weights += heads * part.num_tokens**2
                search = {**search, "attention": weights <= _MAX_WEIGHTS}
            searches.append(search)
        return searches

    def _cost(self, part: Part, served: ServedModel, search: dict[str, Any]) -> float:
        return self.pool.cost(served.name, part.num_tokens, search, len(part.terms))


def _finish(document: Document, answers: Sequence[dict[str, Any]]) -> TranslatedText:
    translated = document.finish([_translated_part(answer) for answer in answers])
    parts = [part.text for part in document.parts]
    return TranslatedText(*translated, list(zip(parts, answers, strict=True)))


def _translated_part(answer: dict[str, Any]) -> TranslatedPart:
    return TranslatedPart(
        answer["text"], [each["text"] for each in answer["alternatives"]], answer["flags"],
        answer.get("alignment") or (), answer.get("tokens", ()), answer.get("source_tokens", ()),
    )  # fmt: skip


def search_options(settings: ServeSettings, alternatives: int) -> dict[str, Any]:
    """The search settings for so many alternatives.

    Raises:
        RefusalError: with 400, they are too many.
    """
    if alternatives > settings.max_alternatives:
        raise RefusalError(400, f"Invalid request: alternatives must be <= {settings.max_alternatives}")
    search: dict[str, Any] = {} if settings.beam is None else {"beam": settings.beam}
    if alternatives:
        search |= {"n_best": alternatives + 1, "beam": max(settings.beam or 5, alternatives + 1)}
    return search
