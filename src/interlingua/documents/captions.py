"""Words with times as subtitles: SubRip (.srt) and WebVTT (.vtt)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Literal, NamedTuple, Protocol

__all__ = ["Caption", "TimedWord", "format_captions", "group_words"]

LINE_CHARACTERS, LINES = 42, 2
"""Of a caption, at most, as broadcasters' guidelines have it."""
MAX_SECONDS, MIN_SECONDS = 6.0, 1.0
PAUSE_S = 0.8
"""A longer one begins a new caption."""


class TimedWord(Protocol):
    """A word, and when it is said."""

    @property
    def text(self) -> str: ...  # noqa: D102

    @property
    def start_s(self) -> float: ...  # noqa: D102

    @property
    def end_s(self) -> float: ...  # noqa: D102


class Caption(NamedTuple):
    """What is shown for a while."""

    start_s: float
    end_s: float
    lines: tuple[str, ...]


def group_words(
    words: Iterable[TimedWord], seconds: Callable[[], float] = lambda: math.inf
) -> Iterator[Caption]:
    """Captions of words in the order of time: broken at pauses, and before they are too long to be read.

    A caption stays a second at least, unless the next one begins or the sound ends sooner; none begins before
    the last ends.

    Args:
        words: as they come.
        seconds: how long the sound is; asked once the words have ended.
    """
    waiting: Caption | None = None
    for group in _groups(words):
        start = group[0].start_s if waiting is None else max(group[0].start_s, waiting.start_s)
        caption = Caption(start, max(group[-1].end_s, start + MIN_SECONDS), tuple(_lines(group)))
        if waiting is not None:
            yield waiting._replace(end_s=max(waiting.start_s, min(waiting.end_s, start)))
        waiting = caption
    if waiting is not None:
        yield waiting._replace(end_s=max(waiting.start_s, min(waiting.end_s, seconds())))


def format_captions(captions: Iterable[Caption], kind: Literal["srt", "vtt"]) -> Iterator[str]:
    """The file's text, a caption at a time."""
    if kind == "vtt":
        yield "WEBVTT\n\n"
    for number, caption in enumerate(captions, start=1):
        times = " --> ".join(_time(each, "," if kind == "srt" else ".") for each in caption[:2])
        head = f"{number}\n" if kind == "srt" else ""
        lines = caption.lines if kind == "srt" else map(_escape, caption.lines)
        yield f"{head}{times}\n" + "".join(f"{line}\n" for line in lines) + "\n"


def _groups(words: Iterable[TimedWord]) -> Iterator[list[TimedWord]]:
    group: list[TimedWord] = []
    for word in words:
        if group and (
            word.start_s - group[-1].end_s > PAUSE_S
            or word.end_s - group[0].start_s > MAX_SECONDS
            or len(_lines([*group, word])) > LINES
        ):
            yield group
            group = []
        group.append(word)
    if group:
        yield group


def _lines(words: Iterable[TimedWord]) -> list[str]:
    lines: list[str] = []
    for word in words:
        if lines and len(lines[-1]) + 1 + len(word.text) <= LINE_CHARACTERS:
            lines[-1] += f" {word.text}"
        else:
            lines.append(word.text)
    return lines


def _time(seconds: float, mark: str) -> str:
    milliseconds = round(1000 * seconds)
    hours, rest = divmod(milliseconds, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    return f"{hours:02d}:{minutes:02d}:{rest // 1000:02d}{mark}{rest % 1000:03d}"


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
