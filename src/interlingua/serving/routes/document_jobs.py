"""The translation of documents in the background: one at a time, a few sentences at a time."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import PurePath
from typing import Any

from interlingua.documents.document import Part
from interlingua.documents.file_formats import read_file
from interlingua.errors import OutputError
from interlingua.serving.logs import describe_error, log_event
from interlingua.serving.models.catalogue import ServedModel
from interlingua.serving.models.documents import DocumentState, DocumentStore
from interlingua.serving.refusal import RefusalError
from interlingua.serving.routes.service import (
    Service,
    TranslationOptions,
    finish_all,
    search_options,
)

__all__ = ["BOM", "DocumentJobs"]

BOM = "\ufeff"  # a mark at the beginning of a file that it is UTF-8; one that has it keeps it
_AT_ONCE = 16  # sentences in the queue at a time, so that requests need not wait for a document
_MAX_ATTEMPTS = 4  # to translate some sentences
_PAUSE_S = 2.0  # while the service is busy
_LOOK_S = 600.0  # between looks for documents to remove
_FIRST_LOOK_S = 0.05  # until the workers are up

log = logging.getLogger(__name__)


class DocumentJobs:
    """Translates the documents of a store, the oldest first."""

    def __init__(self, service: Service, store: DocumentStore) -> None:
        self.service, self.store = service, store
        self._progress: tuple[str, float, float] = "", 0.0, 0.0  # id, share that is done, since when
        self._added = asyncio.Event()
        self.running = asyncio.create_task(self._run())

    def wake(self) -> None:
        """Says that there is a new document."""
        self._added.set()

    def progress(self, state: DocumentState) -> float:
        """The share of a document that is translated."""
        document_id, share, _ = self._progress
        return 1.0 if state.status == "done" else share if state.id == document_id else 0.0

    def seconds_remaining(self, state: DocumentState) -> int | None:
        """About how long a document takes still, once that can be said."""
        document_id, share, since = self._progress
        if state.status != "translating" or state.id != document_id or not share:
            return None
        return round((time.monotonic() - since) * (1 - share) / share)

    async def _run(self) -> None:
        while not self.service.pool.alive:
            await asyncio.sleep(_FIRST_LOOK_S)
        while True:
            self._added.clear()
            while state := self.store.next_queued():
                await self._translate(state)
            try:
                await asyncio.wait_for(self._added.wait(), _LOOK_S)
            except TimeoutError:
                await asyncio.to_thread(self.store.remove_old)

    async def _translate(self, state: DocumentState) -> None:
        """Translates a document; whatever happens is written down, unless the service itself ends."""
        self._progress = state.id, 0.0, time.monotonic()
        started = time.monotonic()
        try:
            state.status, state.attempts = "translating", state.attempts + 1
            self.store.save(state)
            content = await self._make(state)
            writing = asyncio.ensure_future(asyncio.to_thread(self.store.write_result, state, content))
            try:
                await asyncio.shield(writing)
            except asyncio.CancelledError:  # not to be given up halfway
                await asyncio.wait({writing})
                raise
        except asyncio.CancelledError:  # the service is told to stop: no fault of the document's
            if state.status == "translating":
                state.status, state.attempts = "queued", state.attempts - 1
                self.store.save(state)
            raise
        except RefusalError as refusal:
            self._fail(state, refusal.message)
        except (OutputError, OSError) as error:
            self._fail(state, "There is no room for the translation on the disk.", error)
        except Exception as error:  # one document must not keep the others from their turn
            self._fail(state, "Something went wrong here.", error)
        seconds = round(time.monotonic() - started, 1)
        log_event(log, "document", status=state.status, characters=state.characters, seconds=seconds)

    def _fail(self, state: DocumentState, reason: str, error: Exception | None = None) -> None:
        if error is not None:
            log_event(log, "document_failed", **describe_error(error))
        try:
            self.store.end(state, "error", reason)
        except (OutputError, OSError):  # it is known here, and will be tried again by the next service
            state.status, state.error, state.ended_at = "error", reason, time.time()

    async def _make(self, state: DocumentState) -> bytes:
        service = self.service
        text = (await asyncio.to_thread(self.store.read_source, state)).decode()
        content = text.removeprefix(BOM)
        served, _ = service.catalogue.choose(state.source, state.target, [content[:2000]], state.tag)
        file = await asyncio.to_thread(read_file, PurePath(state.name).suffix.lower(), content)
        translations = {}
        total = sum(map(len, (text for texts in file.texts.values() for text in texts))) or 1
        before = 0.0
        for format, texts in file.texts.items():
            weight = sum(map(len, texts)) / total
            options = TranslationOptions(search_options(service.settings, 0), format)

            def on_share(share: float, before: float = before, weight: float = weight) -> None:
                self._progress = state.id, before + share * weight, self._progress[2]

            translations[format] = await self._translate_texts(texts, served, options, on_share)
            before += weight
        filled = await asyncio.to_thread(file.fill, translations)
        return (text[: len(text) - len(content)] + filled).encode()

    async def _translate_texts(
        self, texts: Sequence[str], served: ServedModel, options: TranslationOptions,
        on_share: Callable[[float], object],
    ) -> list[str]:  # fmt: skip
        """Translates texts of any length, a few sentences at a time, and tells the share that is done.

        Raises:
            RefusalError: some sentence cannot be translated.
        """
        steps = served.steps or (() if served.same_language else (served,))
        for number, step in enumerate(steps):
            its = options._replace(glossary=self.service.glossaries.choose(step, None))
            prepared = await asyncio.to_thread(self.service.prepare, texts, step, its)
            parts = list(dict.fromkeys(part for document in prepared for part in document.parts))
            done: dict[Part, dict[str, Any]] = {}
            for start in range(0, len(parts), _AT_ONCE):
                done |= await self._insist(parts[start : start + _AT_ONCE], step, its)
                on_share((number + len(done) / len(parts)) / len(steps))
            texts = [text.text for text in await asyncio.to_thread(finish_all, prepared, done)]
        return list(texts)

    async def _insist(
        self, parts: Sequence[Part], served: ServedModel, options: TranslationOptions
    ) -> dict[Part, dict[str, Any]]:
        """A worker's answer to each part, however busy the service is meanwhile."""
        service, timeout_s = self.service, self.service.settings.timeout_s
        for attempt in range(_MAX_ATTEMPTS):
            if attempt:
                await asyncio.sleep(_PAUSE_S)
            while not self._admitted(parts, served, options):
                await asyncio.sleep(_PAUSE_S)
            try:
                async with asyncio.timeout(timeout_s):
                    return await service.translate_parts(
                        parts, served, options, time.monotonic() + timeout_s, None
                    )
            except (RefusalError, TimeoutError) as error:
                if isinstance(error, RefusalError) and error.status != 503:
                    raise
        if len(parts) == 1:
            raise RefusalError(503, "A sentence took too long, again and again.")
        answers: dict[Part, dict[str, Any]] = {}
        for part in parts:  # perhaps together they take too long
            answers |= await self._insist([part], served, options)
        return answers

    def _admitted(self, parts: Sequence[Part], served: ServedModel, options: TranslationOptions) -> bool:
        service = self.service
        try:
            service.pool.admit(max(service.cost(part, served, options.search) for part in parts), len(parts))
        except RefusalError:
            return False
        return True
