"""What `interlingua transcribe` writes: a line a sound, JSON, or subtitles."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from interlingua.documents.captions import format_captions, group_words
from interlingua.errors import DataError

if TYPE_CHECKING:
    from interlingua.inference.translation import Translation

__all__ = ["STANDARD_INPUT", "Heard", "write_transcript"]

STANDARD_INPUT = "-"


@dataclass
class Heard:
    """A sound, as far as it was read."""

    name: str
    samples: int = 0

    @property
    def seconds(self) -> float:
        """How long it is."""
        from interlingua.sound.reading import SAMPLE_RATE

        return self.samples / SAMPLE_RATE

    def count(self, blocks: Iterable[Any]) -> Iterator[Any]:
        """The same blocks, counted as they come."""
        for block in blocks:
            self.samples += len(block)
            yield block


def write_transcript(
    heard: Heard, segments: Iterator[Translation], form: Literal["srt", "vtt", "json"] | None,
    write: Callable[[str], None], go_on: Callable[[DataError], None] | None = None,
) -> None:  # fmt: skip
    """Writes a sound's segments, as soon as the form allows.

    What comes before damage in the sound, or before Ctrl-C, is written; then that is raised.

    Args:
        heard: the sound.
        segments: of it, as they come.
        form: of what is written; None for a line of text.
        write: takes it.
        go_on: takes what is wrong with the sound instead, which then has its line in any case.
    """
    stopped: list[BaseException] = []
    segments = _until_stopped(segments, stopped)
    if form in ("srt", "vtt"):
        words = (word for segment in segments for word in segment.words)
        for text in format_captions(group_words(words, lambda: heard.seconds), form):
            write(text)
    elif heard.name == STANDARD_INPUT and form is None:
        for segment in segments:
            if segment.text:
                write(segment.text + "\n")
    else:
        found = list(segments)
        wrong = next((error for error in stopped if isinstance(error, DataError)), None)
        if found or not stopped or (wrong and go_on):
            record = _as_json(heard, found) | ({"error": str(wrong)} if wrong else {})
            write((json.dumps(record, ensure_ascii=False) if form else _text(found)) + "\n")
    if stopped:
        if go_on is None or not isinstance(stopped[0], DataError):
            raise stopped[0]
        go_on(stopped[0])


def _until_stopped(segments: Iterator[Translation], stopped: list[BaseException]) -> Iterator[Translation]:
    try:
        yield from segments
    except (DataError, KeyboardInterrupt) as error:
        stopped.append(error)


def _text(segments: Sequence[Translation]) -> str:
    return " ".join(segment.text for segment in segments if segment.text)


def _as_json(heard: Heard, segments: Sequence[Translation]) -> dict[str, Any]:
    """A sound's transcript as plain values; times are in seconds."""
    spans = [segment.span_s or (0.0, 0.0) for segment in segments]
    return {
        "file": heard.name,
        "text": _text(segments),
        "seconds": round(heard.seconds, 3),
        "flags": list(dict.fromkeys(flag for segment in segments for flag in segment.flags)),
        "segments": [
            {"start": round(start, 3), "end": round(end, 3), "text": segment.text}
            for (start, end), segment in zip(spans, segments, strict=True)
        ],
        "words": [
            {"word": word.text, "start": round(word.start_s, 3), "end": round(word.end_s, 3),
             "confidence": round(word.confidence, 3)}
            for segment in segments for word in segment.words
        ],
    }  # fmt: skip
