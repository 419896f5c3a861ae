"""Recordings as they might also have been made: faster, louder, noisier, with parts missing.

Each function draws from the seeds it is given alone, so that a resumed run gets the same as one in one go.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from jaxtyping import Float
from torch import Tensor

from interlingua.sound.conversion import SAMPLE_RATE
from interlingua.sound.opening import require_sound
from interlingua.sound.settings import AugmentationSettings

__all__ = ["AugmentationSettings", "augment", "noise_alone", "spec_augment"]

NOISE_LENGTH = 2**19
"""Samples of noise that are computed once, about half a minute; recordings get different parts of it."""
SILENCE_DB = -90.0, -55.0
"""Of full scale: how loud the silence around a recording may be."""
QUIETER_DB = 30.0
"""The most that noise alone is quieter than the recording in whose place it stands."""
_SOUND, _MASKS, _NOISE_ALONE = (0,), (1,), (2,)
"""What is drawn of the sound does not depend on what is drawn of the masks."""


def augment(
    samples: npt.NDArray[np.int16], seeds: Sequence[int], settings: AugmentationSettings
) -> npt.NDArray[np.float32]:
    """A recording at another speed, louder or quieter, with noise, with silence around.

    Args:
        samples: mono, 16 kHz; not changed.
        seeds: what decides, such as the experiment's seed, the epoch and the pair's number; none negative.
        settings: what may be done.

    Returns:
        Samples with 1 for full scale; they may go beyond, and be up to twice as many, silence not counted.
    """
    draw = _generator(seeds, _SOUND)
    # All that may be needed is drawn at once: a probability that changes leaves the other draws alone.
    which, with_gain, gain, with_noise, pink, snr, where, with_silence, *silence = draw.random(11).tolist()
    sound = samples.astype(np.float32) / np.float32(32_768)
    speed = settings.speeds[int(which * len(settings.speeds))]
    if speed != 1:
        _, soxr = require_sound()
        sound = soxr.resample(sound, SAMPLE_RATE * speed, SAMPLE_RATE, quality="MQ")
    if with_gain < settings.gain_probability:
        sound = sound * np.float32(10 ** ((2 * gain - 1) * settings.max_gain_db / 20))
    if with_noise < settings.noise_probability:
        snr_db = settings.min_snr_db + snr * (settings.max_snr_db - settings.min_snr_db)
        loudness = np.sqrt(np.square(sound).mean(dtype=np.float64)) if len(sound) else 0.0
        noise = _noise(pink < 0.5, int(where * NOISE_LENGTH), len(sound))
        sound = sound + noise * np.float32(loudness * 10 ** (-snr_db / 20))
    if with_silence < settings.silence_probability:
        before, after, level = silence
        first, last = (int(share * settings.max_silence_s * SAMPLE_RATE) for share in (before, after))
        lowest, highest = SILENCE_DB
        faint = _noise(False, int(where * NOISE_LENGTH), first + last)
        faint = faint * np.float32(10 ** ((lowest + level * (highest - lowest)) / 20))
        sound = np.concatenate([faint[:first], sound, faint[first:]])
    return sound


def noise_alone(
    samples: npt.NDArray[np.int16], seeds: Sequence[int], settings: AugmentationSettings
) -> npt.NDArray[np.float32] | None:
    """Steady noise in a recording's place, in which nothing is said; None where the recording stays.

    It is white or pink, and as loud as the recording, or quieter. With the recording's own rough spectrum,
    which was tried, voices that are not known yet were taken for noise (benchmarks/results/sound.md).

    Args:
        samples: the recording; not changed.
        seeds: see `augment`; the same ones may serve for both.
        settings: how often.
    """
    happens, kind, where, level = _generator(seeds, _NOISE_ALONE).random(4).tolist()
    if happens >= settings.noise_alone_probability or not len(samples):
        return None
    sound = samples.astype(np.float32) / np.float32(32_768)
    noise = _noise(kind < 0.5, int(where * NOISE_LENGTH), len(sound))
    loudness, own = (math.sqrt(np.square(each).mean(dtype=np.float64)) for each in (sound, noise))
    gain = loudness / own * 10 ** (-level * QUIETER_DB / 20) if own else 0.0
    return noise * np.float32(gain)


def spec_augment(
    frames: Float[Tensor, "frames bands"], seeds: Sequence[int], settings: AugmentationSettings
) -> Float[Tensor, "frames bands"]:
    """Hides some bands, and some stretches of time (SpecAugment, Park et al. 2019, 2, without time warping).

    Args:
        frames: normalised, so that 0, which hidden ones become, is the mean; not changed.
        seeds: see `augment`; the same ones may serve for both.
        settings: how much is hidden.
    """
    draw = _generator(seeds, _MASKS)
    length, bands = frames.shape
    masked = frames.clone()
    widest = min(settings.frequency_mask_bands, bands)
    for width_share, start_share in draw.random((settings.frequency_masks, 2)).tolist():
        start, end = _stretch(width_share, start_share, widest, bands)
        masked[:, start:end] = 0
    longest = int(settings.time_mask_share * length)
    for width_share, start_share in draw.random((settings.time_masks, 2)).tolist():
        start, end = _stretch(width_share, start_share, longest, length)
        masked[start:end] = 0
    return masked


def _stretch(width_share: float, start_share: float, widest: int, length: int) -> tuple[int, int]:
    """From 0 to `widest` neighbours anywhere among `length`; the shares are drawn from [0, 1)."""
    width = int(width_share * (widest + 1))
    start = int(start_share * (length - width + 1))
    return start, start + width


def _generator(seeds: Sequence[int], purpose: tuple[int, ...]) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(list(seeds), spawn_key=purpose))


def _noise(pink: bool, start: int, length: int) -> npt.NDArray[np.float32]:
    """Noise of power 1, from the table's sample `start`, over its end to its beginning."""
    table = _noise_table(pink)
    if start + length <= NOISE_LENGTH:
        return table[start : start + length]
    return np.resize(np.concatenate([table[start:], table[:start]]), length)


@lru_cache(maxsize=2)
def _noise_table(pink: bool) -> npt.NDArray[np.float32]:
    """White noise, or noise that has as much power in every octave from 20 Hz; it goes in a circle."""
    spectrum = np.fft.rfft(np.random.default_rng(1).standard_normal(NOISE_LENGTH))
    if pink:
        frequencies = np.fft.rfftfreq(NOISE_LENGTH, 1 / SAMPLE_RATE)
        spectrum /= np.sqrt(np.maximum(frequencies, 20.0))
        spectrum[frequencies < 20] = 0
    noise = np.fft.irfft(spectrum, NOISE_LENGTH)
    table: npt.NDArray[np.float32] = (noise / np.sqrt(np.square(noise).mean())).astype(np.float32)
    table.flags.writeable = False
    return table
