"""What a recording is like: what nothing can be learnt from is refused, what is only odd is said."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from interlingua.errors import DataError
from interlingua.sound.conversion import SAMPLE_RATE

__all__ = ["SoundReport", "describe_sound", "is_silent"]

MIN_SECONDS = 0.025
"""A window of the features."""
SILENT_BELOW_DB = -70.0
"""A recording without a louder 25 ms is silent: all that is left is the noise of the recorder."""
QUIET_BELOW_DB = -50.0
CLIPPED_FROM = 0.001
"""The share of samples cut off at full scale from which it can be heard."""
OFFSET_FROM = 0.02
_FLOOR_DB = -120.0


class SoundReport(NamedTuple):
    """A recording in a few numbers."""

    duration_s: float
    rate: int
    """In Hz, of the file."""
    channels: int
    clipped: float
    """The share of samples that were cut off at full scale."""
    level_db: float
    """Of its loud parts, below full scale: 95% of it is not louder. Speech has -40 to -10."""
    loudest_db: float
    """Of its loudest 25 ms."""
    offset: float
    """The mean of the samples, with 1 for full scale; 0 but for faults in the recorder."""

    @property
    def silent(self) -> bool:
        """Whether there is nothing to hear."""
        return self.loudest_db < SILENT_BELOW_DB

    def warnings(self) -> list[str]:
        """What is odd, in words; training goes on."""
        found = []
        if self.clipped >= CLIPPED_FROM:
            found.append(f"{self.clipped:.1%} of the samples are cut off at full scale: recorded too loud")
        if self.level_db < QUIET_BELOW_DB:
            found.append(f"very quiet: {-self.level_db:.0f} dB below full scale")
        if abs(self.offset) >= OFFSET_FROM:
            found.append(f"the samples are off centre by {abs(self.offset):.0%} of full scale (DC offset)")
        return found

    def refuse_useless(self, place: str) -> None:
        """Raises an error for a recording that nothing can be learnt from.

        Args:
            place: for the message.

        Raises:
            DataError: it is shorter than a window, or silent.
        """
        if self.duration_s < MIN_SECONDS:
            raise DataError(
                "the recording is too short", where=place, found=f"{1000 * self.duration_s:.1f} ms",
                accepted=f"At least {1000 * MIN_SECONDS:g} ms are needed.",
            )  # fmt: skip
        if not self.silent:
            return
        found = "nothing but zeros" if self.loudest_db <= _FLOOR_DB else f"{self.loudest_db:.0f} dB"
        raise DataError(
            "the recording is silent", where=place, found=found,
            accepted=f"Its loudest part should have {SILENT_BELOW_DB:g} dB of full scale or more.",
        )  # fmt: skip


def is_silent(samples: npt.NDArray[np.int16]) -> bool:
    """Whether there is nothing to hear in a recording: a model would make something up."""
    return len(samples) < MIN_SECONDS * SAMPLE_RATE or describe_sound(samples, SAMPLE_RATE, 1, 0.0).silent


def describe_sound(samples: npt.NDArray[np.int16], rate: int, channels: int, clipped: float) -> SoundReport:
    """Measures the samples of a recording.

    Args:
        samples: mono, 16 kHz, at least one.
        rate: of the file, in Hz.
        channels: of the file.
        clipped: the share of samples cut off at full scale.
    """
    width = round(MIN_SECONDS * SAMPLE_RATE)
    offset = float(samples.mean(dtype=np.float64)) / 32_768
    frames = (
        samples[: len(samples) // width * width].reshape(-1, width)
        if len(samples) >= width
        else samples[None]
    )
    centred = frames.astype(np.float32) / 32_768 - np.float32(offset)
    power = np.maximum(np.square(centred).mean(axis=1, dtype=np.float64), 10 ** (_FLOOR_DB / 10))
    levels = 10 * np.log10(power)
    return SoundReport(
        len(samples) / SAMPLE_RATE, rate, channels, clipped,
        float(np.quantile(levels, 0.95)), float(levels.max()), offset,
    )  # fmt: skip
