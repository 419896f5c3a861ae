"""Long recordings cut where nobody speaks: by how loud 10 ms are, compared with the recording itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from interlingua.sound.conversion import SAMPLE_RATE

__all__ = [
    "HOP",
    "MEMORY",
    "Segment",
    "choose_cut",
    "cut",
    "cut_blocks",
    "find_pauses",
    "measure_levels",
    "quiet_below",
]

Samples = npt.NDArray[np.int16]

HOP = 160
"""Samples whose loudness is measured together."""
SMOOTHED = 5
"""Measurements whose median counts: a click does not end a pause."""
DIGITAL_SILENCE_DB = -100.0
"""Less than 16 bits can hold: zeros, or a constant, that say nothing of the noise of a room."""
NOISE_QUANTILE, SPEECH_QUANTILE = 0.1, 0.95
ABOVE_NOISE_DB = 6.0
"""A pause is not louder than this above the noise of the recording..."""
BELOW_SPEECH_DB = 35.0
"""... or is so much quieter than its speech, where the noise is still less, as in digital silence."""
LEAST_CONTRAST_DB = 9.0
"""A recording whose loud and quiet parts differ by less has no pauses that could be told from it."""
LEAST_SPEECH = 25
"""So many measurements, a quarter of a second, are a word."""
LEAST_PAUSE = 10
"""Measurements of a pause within an utterance that is too long."""
MEMORY = 6_000
"""Measurements from before a cut that still count for noise and speech: a minute."""
LONG_PAUSE = 100
"""Measurements, a second: of pauses that are longer than this the latest is as good as the longest."""


class Segment(NamedTuple):
    """A part of a recording."""

    start: int
    """In samples since the recording began."""
    end: int
    """Where the next one begins."""
    samples: Samples


def find_pauses(samples: Samples, min_seconds: float = 0.2) -> list[tuple[int, int]]:
    """The stretches without speech, as (start, end) in samples.

    How loud the recording is does not matter, nor does steady noise that speech is at least some 10 dB
    louder than.

    Args:
        samples: mono, 16 kHz.
        min_seconds: shorter ones belong to speech.
    """
    levels = measure_levels(samples)
    least = max(1, round(min_seconds * SAMPLE_RATE / HOP))
    return [
        (start * HOP, min(end * HOP, len(samples)))
        for start, end in _quiet_runs(levels, quiet_below(levels))
        if end - start >= least
    ]


def cut(samples: Samples, max_seconds: float, min_pause_seconds: float = 0.2) -> list[tuple[int, int]]:
    """Cuts a recording into parts, as (start, end) in samples, that together are the whole recording.

    Args:
        samples: mono, 16 kHz.
        max_seconds: no part is longer; at least 0.1.
        min_pause_seconds: a cut goes through the middle of a pause that is at least as long, a long one
            rather than a short one; where there is none, through the quietest place.
    """
    segments = cut_blocks([samples] if len(samples) else [], max_seconds, min_pause_seconds)
    return [(segment.start, segment.end) for segment in segments]


def cut_blocks(
    blocks: Iterable[Samples], max_seconds: float, min_pause_seconds: float = 0.2
) -> Iterator[Segment]:
    """As `cut`, for a recording that comes in blocks; a part is yielded once the next ones cannot change it.

    The parts are the same however the recording is divided into blocks. Memory is that of a part and a block.

    Args:
        blocks: of any length, such as `read_blocks` yields.
        max_seconds: see `cut`.
        min_pause_seconds: see `cut`.
    """
    limit = max(4 * HOP, int(max_seconds * SAMPLE_RATE))
    longest = limit - limit % (4 * HOP)  # cuts lie between hops
    least = max(1, round(min_pause_seconds * SAMPLE_RATE / HOP))
    before = np.zeros(0, np.float32)
    waiting: list[Samples] = []
    start = count = 0
    for block in blocks:
        waiting.append(block)
        count += len(block)
        if count <= limit + longest // 4:
            continue
        buffer, at = np.concatenate(waiting), 0
        while len(buffer) - at > limit + longest // 4:
            size, before = _choose(buffer[at : at + limit + longest // 4], longest, least, before)
            yield Segment(start, start + size, buffer[at : at + size])
            start, at = start + size, at + size
        waiting, count = [buffer[at:]], len(buffer) - at
    if not count:
        return
    buffer = np.concatenate(waiting)
    while len(buffer) > limit:
        size, before = _choose(buffer, longest, least, before)
        yield Segment(start, start + size, buffer[:size])
        start, buffer = start + size, buffer[size:]
    yield Segment(start, start + len(buffer), buffer)


def choose_cut(samples: Samples, longest: int, before: npt.NDArray[np.float32]) -> int:
    """Where to cut what is too long: through a pause if there is one, else where it is quietest.

    Args:
        samples: more than `longest`.
        longest: the most samples of the first part, a multiple of four hops.
        before: levels of what came before.
    """
    size, _ = _choose(samples, longest, LEAST_PAUSE, before)
    return size


def _choose(
    samples: Samples, longest: int, least: int, before: npt.NDArray[np.float32]
) -> tuple[int, npt.NDArray[np.float32]]:
    """Where to cut: the length of the first part, and the levels that the next choice compares with.

    Args:
        samples: more than `longest`, but not by much more than a quarter.
        longest: the most samples of the part; it and what remains have at least a quarter of that.
        least: hops of a pause.
        before: levels of what came before the samples.
    """
    levels = measure_levels(samples)
    first = longest // 4 // HOP
    last = min(longest, len(samples) - longest // 4) // HOP
    threshold = quiet_below(np.concatenate([before, levels]))
    best, place = 0, 0
    for run_start, run_end in _quiet_runs(levels, threshold):
        middle = min(max((run_start + run_end) // 2, first), last)
        if run_start <= middle <= run_end and run_end - run_start >= max(least, best):
            best, place = min(run_end - run_start, LONG_PAUSE), middle
    if not best:
        half = max(first, last // 2)
        place = last - int(np.argmin(levels[half : last + 1][::-1]))  # the latest of equally quiet ones
    return place * HOP, np.concatenate([before, levels[:place]])[-MEMORY:]


def measure_levels(samples: Samples) -> npt.NDArray[np.float32]:
    """How loud each hop is, in dB of full scale, smoothed; the last one may be of fewer samples."""
    whole = len(samples) // HOP * HOP
    parts = samples[:whole].reshape(-1, HOP).astype(np.float32) / 32_768
    power = parts.var(axis=1)  # without a constant offset
    if whole < len(samples):
        power = np.append(power, (samples[whole:].astype(np.float32) / 32_768).var())
    levels: npt.NDArray[np.float32] = 10 * np.log10(np.maximum(power, 1e-12)).astype(np.float32)
    if len(levels) >= SMOOTHED:
        around = np.pad(levels, SMOOTHED // 2, mode="edge")
        levels = np.median(np.lib.stride_tricks.sliding_window_view(around, SMOOTHED), axis=1)
    return levels


def quiet_below(levels: npt.NDArray[np.float32]) -> float:
    """The level below which nobody speaks; when that cannot be told, only digital silence is."""
    heard = levels[levels > DIGITAL_SILENCE_DB]
    if not len(heard):
        return DIGITAL_SILENCE_DB
    noise, speech = np.quantile(heard, [NOISE_QUANTILE, SPEECH_QUANTILE])
    # A few words in a long silence are no large share of it.
    loudest = np.partition(heard, -LEAST_SPEECH)[-LEAST_SPEECH] if len(heard) > LEAST_SPEECH else speech
    if max(speech, loudest) - noise < LEAST_CONTRAST_DB:
        return DIGITAL_SILENCE_DB
    return float(max(noise + ABOVE_NOISE_DB, speech - BELOW_SPEECH_DB))


def _quiet_runs(levels: npt.NDArray[np.float32], threshold: float) -> Iterable[tuple[int, int]]:
    """The runs of hops below a level, as (first, after the last)."""
    quiet = np.concatenate([[False], levels < threshold, [False]])
    edges = np.flatnonzero(quiet[1:] != quiet[:-1])
    return zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
