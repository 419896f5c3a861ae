"""Synthetic speech as a microphone in a room might have heard it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from interlingua.sound.conversion import SAMPLE_RATE
from interlingua.sound.opening import require_sound

__all__ = ["record"]

REVERBERATION_S = (0.1, 0.6)
"""How long it takes until an echo is 60 dB quieter: from a car to a large room."""
DIRECT_DB = (3.0, 20.0)
"""How much louder the direct sound is than all its echoes together."""
SNR_DB = (8.0, 35.0)
PAUSE_S = (0.05, 0.35)
"""Before and after what is said."""
PEAK_DB = (-18.0, -1.0)
"""Of full scale."""


def record(speech: npt.NDArray[np.int16], rate: int, draw: np.random.Generator) -> npt.NDArray[np.int16]:
    """The speech at 16 kHz with echoes, noise and pauses, as loud as it happens to be.

    Args:
        speech: mono, not silent.
        rate: of the speech, in Hz.
        draw: decides on the room.
    """
    _, soxr = require_sound()
    sound = soxr.resample(speech.astype(np.float32) / 32_768, rate, SAMPLE_RATE)
    before, after = (round(SAMPLE_RATE * seconds) for seconds in draw.uniform(*PAUSE_S, 2))
    echo = _echo(draw)
    length = before + len(sound) + after
    size = 4096 * -(-(length + len(echo)) // 4096)
    spectrum = np.fft.rfft(np.concatenate([np.zeros(before, np.float32), sound]), size)
    spectrum *= np.fft.rfft(echo, size)
    noise = _noise(draw, size)
    snr = 10 ** (draw.uniform(*SNR_DB) / 20)
    spectrum += noise * np.float32(np.linalg.norm(spectrum) / np.linalg.norm(noise) / snr)
    heard = np.fft.irfft(spectrum, size)[:length]
    peak = 10 ** (draw.uniform(*PEAK_DB) / 20)
    samples: npt.NDArray[np.int16] = np.rint(heard * (32_767 * peak / np.abs(heard).max())).astype(np.int16)
    return samples


def _echo(draw: np.random.Generator) -> npt.NDArray[np.float32]:
    """The impulse response of a room: the direct sound, then noise that dies away exponentially."""
    seconds = draw.uniform(*REVERBERATION_S)
    times = np.arange(round(seconds * SAMPLE_RATE), dtype=np.float32) / SAMPLE_RATE
    echo = draw.standard_normal(len(times), np.float32) * np.exp(np.float32(-np.log(1000) / seconds) * times)
    echo *= np.float32(10 ** (-draw.uniform(*DIRECT_DB) / 20) / np.linalg.norm(echo))
    echo[0] = 1
    return echo


def _noise(draw: np.random.Generator, size: int) -> npt.NDArray[np.complex64]:
    """The spectrum of noise, from white to one that falls by 6 dB an octave; pink is in the middle."""
    frequencies = np.maximum(np.fft.rfftfreq(size, 1 / SAMPLE_RATE), 50).astype(np.float32)
    noise = draw.standard_normal(2 * len(frequencies), np.float32).view(np.complex64)
    noise *= frequencies ** np.float32(-draw.uniform(0, 1))
    return noise
