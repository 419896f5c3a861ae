"""Log-mel features: how loud each of 80 bands of the hearing range is, a hundred times a second."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from interlingua.kinds import Source
from interlingua.sound.conversion import SAMPLE_RATE

__all__ = [
    "HEARD_DB", "HOP", "NUM_BANDS", "PRIOR_FRAMES", "WINDOW", "band_centres", "drop_background",
    "frame_count", "log_mel", "normalise", "pad_frames",
]  # fmt: skip

NUM_BANDS = 80
WINDOW = 400
"""Samples that a frame is made from: 25 ms."""
HOP = 160
"""Samples from one frame to the next: 10 ms."""
FLOOR = 1e-10
"""The least power of a band, about that of 16-bit rounding; the logarithm of less would say nothing."""
_LEAST_VARIANCE = 1e-4
HEARD_DB, LOUD_FRAMES = 35.0, 0.95
"""So far below the loud frames' loudest band a sound is not told from silence; loud is the frame that 95% of
the recording's frames are no louder than."""
FALLS_FROM, FALLS_BY_DB = 500.0, 6.0
"""Hz, from which on speech gets quieter, and by how much with every octave."""
PRIOR_FRAMES = 100
"""A second of frames: so much counts that bands are alike, beside what a recording says of each."""


def frame_count(num_samples: int) -> int:
    """How many frames a recording gives: one for each whole window, and at least one."""
    return 1 + max(0, num_samples - WINDOW) // HOP


def log_mel(samples: Shaped[Tensor, " samples"]) -> Float[Tensor, "frames bands"]:
    """The natural logarithm of the power in each band of each frame.

    Windows are periodic Hann, without padding around the recording; bands are Slaney's mel filters, as
    librosa's and Whisper's.

    Args:
        samples: 16 kHz; whole numbers of 16 bits, or floats with 1 for full scale. What is shorter than a
            window is filled up with silence.
    """
    floats = samples.float() if samples.dtype.is_floating_point else samples.float() / 32_768
    if len(floats) < WINDOW:
        floats = torch.nn.functional.pad(floats, (0, WINDOW - len(floats)))
    windows = floats.unfold(0, WINDOW, HOP) * _window(samples.device)  # (frames, WINDOW)
    spectrum = torch.fft.rfft(windows)
    power = spectrum.real.square() + spectrum.imag.square()  # (frames, frequencies)
    bands: Tensor = power @ _filters(samples.device)
    return bands.clamp_(min=FLOOR).log_()


def drop_background(frames: Float[Tensor, "frames bands"]) -> Float[Tensor, "frames bands"]:
    """Raises all that is far quieter than the recording's speech to one level, a lower one for higher bands.

    What is heard below is the room, the microphone and the file's format, by which a model tells apart those
    whom it was trained on, and which is different for everyone else: without it, far fewer words of unknown
    speakers are wrong (benchmarks/results/sound.md, "The background"). A click does not decide what is loud.
    """
    loud = frames.amax(dim=1).quantile(LOUD_FRAMES)
    return torch.maximum(frames, loud + _background(frames.device))


def normalise(frames: Float[Tensor, "frames bands"]) -> Float[Tensor, "frames bands"]:
    """Gives each band about the mean 0 and the variance 1 over the recording.

    That takes away how loud the recording is and what the microphone and the room do to the sound, with
    nothing to learn and nothing to save. The shorter a recording, the more its bands share one mean and one
    variance: in a single word, which bands are loud is what it sounds like, not what the room does. A lone
    frame that is alike in all bands becomes 0.
    """
    own = len(frames) / (len(frames) + PRIOR_FRAMES)
    centred = frames - torch.lerp(frames.mean(), frames.mean(dim=0), own)
    squares = centred.square()
    variance = torch.lerp(squares.mean(), squares.mean(dim=0), own)
    return centred * (variance + _LEAST_VARIANCE).rsqrt()


def pad_frames(recordings: Sequence[Float[Tensor, "_ bands"]]) -> Source:
    """Several recordings' frames as a batch (batch, frames, bands), padded with zeros, and their mask."""
    values = torch.nn.utils.rnn.pad_sequence([frames.float() for frames in recordings], batch_first=True)
    lengths = torch.tensor([len(frames) for frames in recordings], device=values.device)
    return Source(values, torch.arange(values.shape[1], device=values.device) < lengths[:, None])


def band_centres() -> list[float]:
    """The frequency, in Hz, that each band answers to most."""
    centres: list[float] = _corners()[1:-1].tolist()
    return centres


@lru_cache(maxsize=8)
def _window(device: torch.device) -> Tensor:
    return torch.hann_window(WINDOW, periodic=True, device=device)


@lru_cache(maxsize=8)
def _background(device: torch.device) -> Tensor:
    """What counts as silence in each band, beside the loudest ones: (bands)."""
    octaves = (torch.tensor(band_centres()) / FALLS_FROM).clamp(min=1).log2()
    return (-(HEARD_DB + FALLS_BY_DB * octaves) / 10 * math.log(10)).to(device)


@lru_cache(maxsize=8)
def _filters(device: torch.device) -> Tensor:
    """Triangles that are equally wide on the mel scale, of the area 1 over Hz: (frequencies, bands)."""
    frequencies = torch.linspace(0, SAMPLE_RATE / 2, WINDOW // 2 + 1, dtype=torch.float64)
    corners = _corners()
    widths = corners.diff()
    distances = corners - frequencies[:, None]  # (frequencies, corners)
    rising = -distances[:, :-2] / widths[:-1]
    falling = distances[:, 2:] / widths[1:]
    triangles = torch.minimum(rising, falling).clamp(min=0)
    return (triangles * 2 / (corners[2:] - corners[:-2])).float().to(device)


def _corners() -> Tensor:
    """In Hz, where the triangles begin, peak and end: each peaks where its neighbours end and begin."""
    return _to_hertz(torch.linspace(0, _to_mel(SAMPLE_RATE / 2), NUM_BANDS + 2, dtype=torch.float64))


# Slaney's mel scale (Auditory Toolbox, 1998): linear up to 1000 Hz, logarithmic above.
_HERTZ_PER_MEL = 200 / 3
_LINEAR_UP_TO = 1000.0
_STEP = math.log(6.4) / 27


def _to_mel(hertz: float) -> float:
    if hertz < _LINEAR_UP_TO:
        return hertz / _HERTZ_PER_MEL
    return _LINEAR_UP_TO / _HERTZ_PER_MEL + math.log(hertz / _LINEAR_UP_TO) / _STEP


def _to_hertz(mel: Tensor) -> Tensor:
    knee = _LINEAR_UP_TO / _HERTZ_PER_MEL
    return torch.where(mel < knee, mel * _HERTZ_PER_MEL, _LINEAR_UP_TO * ((mel - knee) * _STEP).exp())
