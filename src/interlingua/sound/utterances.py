"""What is said in a recording of any length, utterance by utterance, as the recording comes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

import numpy as np
import numpy.typing as npt

from interlingua.sound.conversion import SAMPLE_RATE
from interlingua.sound.report import is_silent
from interlingua.sound.silence import HOP, MEMORY, Segment, choose_cut, measure_levels, quiet_below

__all__ = ["find_parts", "find_utterances"]

Samples = npt.NDArray[np.int16]

STRIDE = 25
"""Hops that are looked at together: a quarter of a second."""
PAUSE, BEFORE, AFTER = 70, 30, 20
"""Hops of silence that end an utterance, and of the silence before and after it that stays with it."""
LEAST_SPEECH = 5
"""Hops of an utterance that are speech; less is a click."""
NEVER_SPEECH_DB = -65.0
"""Of full scale: what is not louder is no speech, whatever else there is in the recording."""


def find_parts(blocks: Iterable[Samples], max_seconds: float) -> Iterator[Segment]:
    """Yields what of a recording goes through a model as a whole: all of it, or its utterances if it is long.

    Of a silent one nothing does. Memory is that of `find_utterances`.

    Args:
        blocks: consecutive samples: mono, 16 kHz.
        max_seconds: what is longer is divided.
    """
    blocks, begun, count = iter(blocks), list[Samples](), 0
    for block in blocks:
        begun.append(block)
        count += len(block)
        if count > max_seconds * SAMPLE_RATE:
            yield from find_utterances(chain(begun, blocks), max_seconds)
            return
    if count and not is_silent(whole := np.concatenate(begun)):
        yield Segment(0, count, whole)


def find_utterances(
    blocks: Iterable[Samples], max_seconds: float, seconds_ahead: float = 60.0
) -> Iterator[Segment]:
    """Yields what is said between pauses, with a little silence around, and leaves the pauses out.

    The same utterances are found however the recording is divided into blocks. Each is yielded .7 s after its
    end. Memory is that of the longest utterance, a block and `seconds_ahead`.

    Args:
        blocks: consecutive samples: mono, 16 kHz.
        max_seconds: what is longer is cut where it is quietest (see `choose_cut`); at least 0.1.
        seconds_ahead: by which the first decisions wait, to know what is noise.
    """
    longest = max(4 * HOP, int(max_seconds * SAMPLE_RATE))
    finder = _Finder(longest, max(1, round(seconds_ahead * SAMPLE_RATE / (STRIDE * HOP))))
    for strides in _strides(blocks):
        yield from finder.add(strides)
    yield from finder.end()


def _strides(blocks: Iterable[Samples]) -> Iterator[Samples]:
    """The same samples, a stride at a time; the last may be shorter."""
    waiting = np.zeros(0, np.int16)
    size = STRIDE * HOP
    for block in blocks:
        waiting = np.concatenate([waiting, block]) if len(waiting) else block
        whole = len(waiting) // size * size
        for start in range(0, whole, size):
            yield waiting[start : start + size]
        waiting = waiting[whole:]
    if len(waiting):
        yield waiting


class _Finder:
    """What is known of the recording so far. Positions are in samples from its beginning."""

    def __init__(self, longest: int, strides_ahead: int) -> None:
        self.longest, self.strides_ahead = longest, strides_ahead
        self.levels = np.zeros(0, np.float32)
        """Of the last minute that was decided on."""
        self.ahead: list[tuple[Samples, npt.NDArray[np.float32]]] = []
        """Strides that wait until the noise is known."""
        self.begun = False
        self.kept: list[Samples] = []
        """The samples from `kept_from` on: of the utterance, or of the margin before one."""
        self.kept_from = self.position = 0
        self.last_speech = -1
        """The end of the last hop with speech in the utterance; -1 when nobody speaks."""
        self.first_speech = self.speech = 0
        """Where speech began in the utterance, and its hops with speech."""

    def add(self, samples: Samples) -> Iterator[Segment]:
        """Takes the next stride."""
        self.ahead.append((samples, measure_levels(samples)))
        if self.begun or len(self.ahead) >= self.strides_ahead:
            yield from self._decide()

    def end(self) -> Iterator[Segment]:
        """There are no more strides."""
        yield from self._decide()
        if self.last_speech >= 0:
            yield from self._utterance(min(self.position, self.last_speech + AFTER * HOP))

    def _decide(self) -> Iterator[Segment]:
        waiting, self.ahead, self.begun = self.ahead, [], True
        known = np.concatenate([self.levels, *(levels for _, levels in waiting)])
        threshold = max(NEVER_SPEECH_DB, quiet_below(known[-MEMORY:]))
        for samples, levels in waiting:
            self.kept.append(samples)
            for hop, level in enumerate(levels.tolist()):
                start = self.position + hop * HOP
                if level >= threshold:
                    self.first_speech = start if self.last_speech < 0 else self.first_speech
                    self.last_speech = min(start + HOP, self.position + len(samples))
                    self.speech += 1
                elif self.last_speech >= 0 and start - self.last_speech >= PAUSE * HOP:
                    yield from self._utterance(self.last_speech + AFTER * HOP)
            self.position += len(samples)
            if self.last_speech < 0:
                self._forget(self.position - BEFORE * HOP)
            while self.last_speech - self.kept_from > self.longest + self.longest // 4:
                joined = np.concatenate(self.kept)[: self.longest + self.longest // 4]
                cut = self.kept_from + choose_cut(
                    joined, self.longest - self.longest % (4 * HOP), self.levels
                )
                said = self.last_speech
                yield from self._utterance(cut)
                self.first_speech, self.last_speech, self.speech = cut, said, LEAST_SPEECH  # it goes on
        self.levels = known[-MEMORY:]

    def _utterance(self, end: int) -> Iterator[Segment]:
        """Yields what is kept up to a position, in parts that are not too long, unless it is a click."""
        start, clicked = max(self.kept_from, self.first_speech - BEFORE * HOP), self.speech < LEAST_SPEECH
        if (too_long := end - start - self.longest) > 0:  # of the silence around it less will do
            before, after = max(0, self.first_speech - start), max(0, end - self.last_speech)
            start += min(before, max(too_long // 2, too_long - after))
            end -= min(after, max(0, end - start - self.longest))
        samples = np.concatenate(self.kept)[start - self.kept_from : end - self.kept_from]
        while len(samples) > self.longest:
            size = choose_cut(samples, self.longest - self.longest % (4 * HOP), self.levels)
            yield Segment(start, start + size, samples[:size])
            start, samples = start + size, samples[size:]
        if not clicked:
            yield Segment(start, start + len(samples), samples)
        self._forget(end)
        self.last_speech, self.speech = -1, 0

    def _forget(self, position: int) -> None:
        """Drops the samples before a position."""
        if position <= self.kept_from:
            return
        joined = np.concatenate(self.kept) if self.kept else np.zeros(0, np.int16)
        self.kept = [joined[position - self.kept_from :]]
        self.kept_from = position
