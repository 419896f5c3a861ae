"""Long recordings cut where nobody speaks: by how loud 10 ms are, compared with the recording itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = [
    "HOP",
    "MEMORY",
    "Segment",
    "choose_cut",
    "measure_levels",
    "quiet_below",
    "quiet_runs",
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
    """After its last sample."""
    samples: Samples


def choose_cut(samples: Samples, longest: int, before: npt.NDArray[np.float32]) -> int:
    """Where to cut what is too long: the length of the first part.

    A cut goes through the middle of a pause if there is one, a long one rather than a short one, else through
    the quietest place.

    Args:
        samples: more than `longest`, but not by much more than a quarter.
        longest: the most samples of the part, a multiple of four hops; it and what remains have at least a
            quarter of that.
        before: levels of what came before the samples.
    """
    levels = measure_levels(samples)
    first = longest // 4 // HOP
    last = min(longest, len(samples) - longest // 4) // HOP
    threshold = quiet_below(np.concatenate([before, levels]))
    best, place = 0, 0
    for run_start, run_end in quiet_runs(levels, threshold):
        middle = min(max((run_start + run_end) // 2, first), last)
        if run_start <= middle <= run_end and run_end - run_start >= max(LEAST_PAUSE, best):
            best, place = min(run_end - run_start, LONG_PAUSE), middle
    if not best:
        half = max(first, last // 2)
        place = last - int(np.argmin(levels[half : last + 1][::-1]))  # the latest of equally quiet ones
    return place * HOP


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


def quiet_runs(levels: npt.NDArray[np.float32], threshold: float) -> Iterable[tuple[int, int]]:
    """The runs of hops below a level, as (first, after the last)."""
    quiet = np.concatenate([[False], levels < threshold, [False]])
    edges = np.flatnonzero(quiet[1:] != quiet[:-1])
    return zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
