"""From an uploaded sound to its transcript: read by a worker, queued piece by piece, put together again."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from interlingua.serving.models.sounds import SoundCatalogue, SoundModel
from interlingua.serving.pool.pool import Pool
from interlingua.serving.pool.queue import SHORT_COST, Job, RequestTurn, SoundPiece
from interlingua.serving.pool.sounds import SAMPLES_SUFFIX
from interlingua.serving.refusal import RefusalError, deadline_missed
from interlingua.serving.routes.uploads import overwrite
from interlingua.serving.settings import ServeSettings
from interlingua.sound.reading import SAMPLE_RATE

__all__ = ["OnSegment", "Segment", "SpokenWord", "Transcript", "TranscriptionService"]

_SECOND_COST = 10
"""Of a second: about so many tokens are said in it."""
_READING_COST = 1 / 32_000
"""Of a byte that is read."""
_MAX_QUEUED = 4
"""Pieces of a sound that may wait at a time, for each worker: others have room, and batches are short."""
_READERS = 2
"""Small files, and so many large ones, that are read at a time, for each worker: only then is known how long
they are."""
_DEADLINE_SHARE = 0.9  # of the time that a request may take; the rest is for the way of the answer

OnSegment = Callable[["Transcript"], object]
"""Called with the transcript so far, of a sound as long as it says."""


class SpokenWord(NamedTuple):
    """A word, and when it is said."""

    text: str
    start_s: float
    end_s: float
    confidence: float


class Segment(NamedTuple):
    """A part of a sound that went through the model as a whole."""

    start_s: float
    end_s: float
    answer: dict[str, Any]
    """A worker's."""

    @property
    def words(self) -> list[SpokenWord]:
        """Its words, with times from the beginning of the sound."""
        return [
            SpokenWord(text, self.start_s + start, self.start_s + end, confidence)
            for text, start, end, confidence in self.answer.get("words", ())
        ]


class Transcript(NamedTuple):
    """All that is known of a sound."""

    seconds: float
    segments: Sequence[Segment]

    @property
    def text(self) -> str:
        """What was said."""
        return " ".join(text for segment in self.segments if (text := segment.answer["text"]))

    @property
    def words(self) -> list[SpokenWord]:
        """What was said, word by word."""
        return [word for segment in self.segments for word in segment.words]

    @property
    def flags(self) -> list[str]:
        """What is odd about any part; "empty" only of the whole."""
        flags = dict.fromkeys(flag for segment in self.segments for flag in segment.answer["flags"])
        return [flag for flag in flags if flag != "empty" or not self.text]


_SILENT: dict[str, Any] = {
    "text": "", "flags": ["empty"], "tokens": [], "log_probs": [], "score": 0.0
}  # fmt: skip


class TranscriptionService:
    """All that the routes need to transcribe.

    Args:
        catalogue: the models.
        pool: computes.
        settings: of the service.
        directory: a private one, for sounds while they are transcribed.
    """

    def __init__(
        self, catalogue: SoundCatalogue, pool: Pool, settings: ServeSettings, directory: Path
    ) -> None:
        self.catalogue, self.pool, self.settings, self.directory = catalogue, pool, settings, directory
        workers = len(settings.worker_devices())
        self._reading_short, self._reading = (asyncio.Semaphore(_READERS * workers) for _ in range(2))
        self._max_queued = _MAX_QUEUED * workers
        self._kept_s = 0.0
        pool.metrics.kept_seconds.set_function(lambda: self._kept_s)

    async def transcribe(
        self, sound: bytes, served: SoundModel, search: dict[str, Any], *, arrived_at: float,
        on_segment: OnSegment | None = None,
    ) -> Transcript:  # fmt: skip
        """Transcribes a file of sound, within the deadline of its request.

        Raises:
            RefusalError: it is too large, too long or no sound, too much is waiting already, the deadline has
                passed, or it could not be transcribed.
        """
        if len(sound) > self.settings.max_sound_bytes:
            raise RefusalError(413, f"The sound is larger than {self.settings.max_sound_bytes:,} bytes.",
                               field="file")  # fmt: skip
        deadline = min(arrived_at, time.monotonic()) + _DEADLINE_SHARE * self.settings.sound_timeout_s
        upload = self.directory / secrets.token_hex(16)
        samples = upload.with_name(upload.name + SAMPLES_SUFFIX)
        kept_s = 0.0
        try:
            async with asyncio.timeout(deadline - time.monotonic()):
                # Who writes late, after the request has gone, finds no file to write to.
                upload.touch(mode=0o600)
                samples.touch(mode=0o600)
                await asyncio.to_thread(overwrite, upload, sound)
                cost = 1 + len(sound) * _READING_COST
                async with self._reading_short if cost <= SHORT_COST else self._reading:
                    pieces = await self._read(upload, cost, served, deadline)
                    kept_s = pieces[-1][1] / SAMPLE_RATE if pieces else 0.0
                    self._kept_s += kept_s
                upload.unlink()
                segments = await self._decode(samples, pieces, served, search, deadline, on_segment)
        except TimeoutError:
            self.pool.metrics.refused.labels("deadline").inc()
            raise deadline_missed() from None
        except OSError as error:  # no room, most likely
            raise RefusalError(503, "The sound could not be kept.", retry_after_s=60) from error
        finally:
            self._kept_s -= kept_s
            for path in (upload, samples):
                path.unlink(missing_ok=True)
        self.pool.metrics.sounds.inc()
        self.pool.metrics.sound_seconds.inc(kept_s)
        return Transcript(kept_s, segments)

    async def _read(
        self, upload: Path, cost: float, served: SoundModel, deadline: float
    ) -> list[tuple[int, int, bool]]:
        """The pieces of a sound: the first sample, the end, and whether it is silent."""
        if self._kept_s > self.settings.queue_seconds:
            self.pool.metrics.refused.labels("queue full").inc()
            raise RefusalError(503, "Too many sounds are waiting. Please try again.", retry_after_s=10)
        job = Job(
            str(upload), cost, served.name, {"max_seconds": self.settings.max_sound_seconds}, reads=True,
            deadline=deadline,
        )  # fmt: skip
        self.pool.queue.add(job, RequestTurn())
        try:
            answer = await job.done
        finally:
            job.done.cancel()
        if answer.get("too_long"):
            limit = f"{self.settings.max_sound_seconds:,g}"
            raise RefusalError(422, f"The sound is longer than {limit} seconds.", field="file")
        if "unreadable" in answer:
            raise RefusalError(400, answer["unreadable"], field="file")
        pieces: list[tuple[int, int, bool]] = answer["pieces"]
        return pieces

    async def _decode(
        self, samples: Path, pieces: Sequence[tuple[int, int, bool]], served: SoundModel,
        search: dict[str, Any], deadline: float, on_segment: OnSegment | None,
    ) -> list[Segment]:  # fmt: skip
        """The pieces with what was said in them, in order."""
        costs = [self._cost(start, end, served, search) for start, end, silent in pieces if not silent]
        if costs:
            self.pool.admit(max(costs), min(len(costs), self._max_queued))
        window, turn = asyncio.Semaphore(self._max_queued), RequestTurn()

        async def decode(start: int, end: int) -> dict[str, Any]:
            async with window:
                job = Job(
                    SoundPiece(str(samples), start, end), self._cost(start, end, served, search), served.name,
                    search, detail=True, deadline=deadline,
                )  # fmt: skip
                self.pool.queue.add(job, turn)
                try:
                    return await job.done
                finally:
                    job.done.cancel()

        async def be_silent() -> dict[str, Any]:
            return _SILENT

        tasks = [
            asyncio.create_task(be_silent() if silent else decode(start, end))
            for start, end, silent in pieces
        ]
        segments: list[Segment] = []
        try:
            for (start, end, _), task in zip(pieces, tasks, strict=True):
                segments.append(Segment(start / SAMPLE_RATE, end / SAMPLE_RATE, await task))
                if on_segment:
                    on_segment(Transcript(pieces[-1][1] / SAMPLE_RATE, tuple(segments)))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return segments

    def _cost(self, start: int, end: int, served: SoundModel, search: dict[str, Any]) -> float:
        return self.pool.cost(served.name, 1, search) * (1 + _SECOND_COST * (end - start) / SAMPLE_RATE)
