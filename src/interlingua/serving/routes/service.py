"""From the texts of a request to their translations: taken apart, queued, put together again."""

from __future__ import annotations

import asyncio
import functools
import itertools
import time
from collections.abc import Mapping, Sequence
from typing import Any

from interlingua.documents.document import Document, Part
from interlingua.documents.projection import TranslatedPart
from interlingua.errors import DataError
from interlingua.serving.models.catalogue import Catalogue, ServedModel
from interlingua.serving.models.glossaries import Glossaries
from interlingua.serving.pool.pool import Pool
from interlingua.serving.pool.queue import Job, RequestTurn
from interlingua.serving.refusal import RefusalError, deadline_missed
from interlingua.serving.routes.answer_cache import AnswerCache, cache_key
from interlingua.serving.routes.drafts import Drafts, OnProgress
from interlingua.serving.routes.options import TranslatedText, TranslationOptions, search_options
from interlingua.serving.settings import ServeSettings
from interlingua.terms.glossary import Term
from interlingua.text.columns import add_tag
from interlingua.text.facts import TextFacts

__all__ = ["Service", "TranslatedText", "TranslationOptions", "finish_all", "search_options"]

_MAX_QUEUED = 128  # sentences of one request that may wait at a time, so that it leaves room for others
_MAX_INLINE_CHARACTERS = 2000  # taking apart more than these is left to a thread
_MAX_WEIGHTS = 1 << 19  # attention weights of a request that are sent: more would be megabytes of JSON
_DEADLINE_SHARE = 0.9  # of the time that a request may take; the rest is for the way of the answer


class Service:
    """All that the routes need to translate.

    Raises:
        ConfigurationError: a glossary is not said to belong to a model.
        DataError: a file is not a glossary.
    """

    def __init__(self, catalogue: Catalogue, pool: Pool, settings: ServeSettings) -> None:
        self.catalogue, self.pool, self.settings = catalogue, pool, settings
        self.glossaries = Glossaries(catalogue, settings)
        self._cache = AnswerCache(settings.cache_bytes)

    def check(self, texts: Sequence[str], max_characters: int | None = None) -> None:
        """Refuses the texts of a request beyond the limits.

        Raises:
            RefusalError: with 400, as LibreTranslate does.
        """
        if len(texts) > self.settings.max_texts:
            raise RefusalError(400, f"{len(texts)} texts exceed the limit of {self.settings.max_texts}.")
        limit = max_characters or self.settings.max_characters
        characters = max(map(len, texts), default=0)
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
        if served.steps:
            return await self._translate_through(texts, served.steps, options, on_progress)
        deadline = min(options.arrived_at, time.monotonic()) + _DEADLINE_SHARE * self.settings.timeout_s
        in_thread = sum(map(len, texts)) > _MAX_INLINE_CHARACTERS

        try:
            async with asyncio.timeout(deadline - time.monotonic()):
                if in_thread:
                    prepared = await asyncio.to_thread(self.prepare, texts, served, options)
                else:
                    prepared = self.prepare(texts, served, options)
                drafts = None
                if on_progress and options.format == "text":
                    wholes = [(document.parts, document.fill) for document in prepared]
                    drafts = Drafts(wholes, on_progress, self.settings.draft_ms / 1000)
                parts = list(dict.fromkeys(part for document in prepared for part in document.parts))
                done = await self.translate_parts(parts, served, options, deadline, drafts)
                if in_thread:
                    translated = await asyncio.to_thread(finish_all, prepared, done)
                else:
                    translated = finish_all(prepared, done)
                if time.monotonic() > deadline:  # the event loop itself may be late
                    raise TimeoutError
        except TimeoutError:
            self.pool.metrics.refused.labels("deadline").inc()
            raise deadline_missed() from None
        return translated

    async def _translate_through(
        self, texts: Sequence[str], steps: Sequence[ServedModel], options: TranslationOptions,
        on_progress: OnProgress | None,
    ) -> list[TranslatedText]:  # fmt: skip
        """Translates with one model after the other; all of it within the deadline of the request."""
        first, last = steps
        arrived_at = min(options.arrived_at, time.monotonic())
        search = {
            name: value for name, value in options.search.items() if name not in ("n_best", "attention")
        }
        sample = options.search.get("sample")
        glossaries = [None if sample else self.glossaries.choose(step, None) for step in steps]
        there = options._replace(search=search, detail=False, arrived_at=arrived_at, glossary=glossaries[0])
        between = await self.translate(texts, first, there)
        on = options._replace(arrived_at=arrived_at, glossary=glossaries[1])
        done = await self.translate([text.text for text in between], last, on, on_progress)
        return [
            TranslatedText(
                end.text, end.alternatives, list(dict.fromkeys(["pivot", *start.flags, *end.flags])),
                [*start.not_kept, *end.not_kept], pivot=first.target,
            )
            for start, end in zip(between, done, strict=True)
        ]  # fmt: skip

    def prepare(
        self, texts: Sequence[str], served: ServedModel, options: TranslationOptions
    ) -> list[Document]:
        """Takes texts apart for a model.

        Raises:
            RefusalError: with 400, the model cannot read one of them.
        """
        about, glossary = self.pool.about[served.name], options.glossary
        columns = getattr(served.tokenizer, "columns", None)  # a tag is one of them, where there are any
        one = columns is None or len(columns) - (served.tag is not None) == 1
        facts = about.facts if one else TextFacts()  # of texts with columns all goes line by line

        def find_terms(text: str) -> list[Term]:
            return [each.term for each in glossary.find(text)] if glossary else []

        try:
            return [
                Document(
                    text, options.format, served.tokenizer, about.max_source_length,
                    can_align=about.attention_heads > 0, check_numbers=served.numbers_copied,
                    find_terms=find_terms, facts=facts, others=served.others,
                )
                for text in texts
            ]  # fmt: skip
        except DataError as error:  # such as another number of columns
            raise RefusalError(
                400, f"Invalid request: q: {error.what}. {error.accepted or ''}".strip()
            ) from error

    async def translate_parts(
        self, parts: Sequence[Part], served: ServedModel, options: TranslationOptions, deadline: float,
        drafts: Drafts | None,
    ) -> dict[Part, dict[str, Any]]:  # fmt: skip
        """A worker's answer to each part; the same as before to one that came before."""
        workers = self.pool.processes
        searches = dict(zip(parts, self._searches(parts, served, options), strict=True))
        keys = {
            part: cache_key(add_tag(served.tag, served.name), part, search, detail=options.detail)
            for part, search in searches.items()
        }
        known = {part: answer for part in parts if (answer := self._cache.get(keys[part], workers))}
        if drafts:
            for part, answer in known.items():
                drafts.update(part, answer["text"])
        new = [part for part in parts if part not in known]
        answers = await self._decode(new, [searches[part] for part in new], served, options, deadline, drafts)
        for part, answer in answers.items():
            self._cache.put(keys[part], answer, workers)
        return {**known, **answers}

    async def _decode(
        self, parts: Sequence[Part], searches: Sequence[dict[str, Any]], served: ServedModel,
        options: TranslationOptions, deadline: float, drafts: Drafts | None,
    ) -> dict[Part, dict[str, Any]]:  # fmt: skip
        """A worker's answer to each part, from the queue."""
        if not parts:
            return {}
        at_once = min(len(parts), _MAX_QUEUED, self.settings.queue)
        costs = (self.cost(part, served, search) for part, search in zip(parts, searches, strict=True))
        self.pool.admit(max(costs, default=0), at_once)
        window, turn = asyncio.Semaphore(0), RequestTurn()

        def submit(part: Part, search: dict[str, Any]) -> Job:
            # Only the terms that occur, so that a file of tens of thousands need not go to a worker with each
            # batch; it finds them once more.
            glossary = dict(part.terms)
            job = Job(
                add_tag(served.tag, part.text), self.cost(part, served, search), served.name, search,
                options.detail, glossary, deadline,
                functools.partial(drafts.update, part) if drafts else None,
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
        _limit_attention(answers)
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

    def cost(self, part: Part, served: ServedModel, search: dict[str, Any]) -> float:
        """What a part takes to decode, as the pool counts."""
        return self.pool.cost(served.name, part.num_tokens, search, len(part.terms))


def finish_all(documents: Sequence[Document], answers: Mapping[Part, dict[str, Any]]) -> list[TranslatedText]:
    """Puts texts together again from the answers to their parts."""
    return [_finish(document, [answers[part] for part in document.parts]) for document in documents]


def _limit_attention(answers: Sequence[dict[str, Any]]) -> None:
    """Leaves attention out where it came to more than expected: outputs may be longer than sources."""
    weights = 0
    for answer in answers:
        for maps in answer.get("attention", {}).values():
            weights += sum(len(rows) * len(rows[0]) for layer in maps for rows in layer if rows)
        if weights > _MAX_WEIGHTS:
            answer.pop("attention", None)


def _finish(document: Document, answers: Sequence[dict[str, Any]]) -> TranslatedText:
    translated = document.finish([_translated_part(answer) for answer in answers])
    parts = [part.text for part in document.parts]
    return TranslatedText(*translated, list(zip(parts, answers, strict=True)))


def _translated_part(answer: dict[str, Any]) -> TranslatedPart:
    return TranslatedPart(
        answer["text"], [each["text"] for each in answer["alternatives"]], answer["flags"],
        answer.get("alignment") or (), answer.get("tokens", ()), answer.get("source_tokens", ()),
    )  # fmt: skip
