"""Samples of any rate and number of channels to what models hear: one channel, 16 kHz, 16 bits."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from interlingua.errors import DataError
from interlingua.sound.opening import require_sound

__all__ = ["ABSURD", "SAMPLE_RATE", "Conversion"]

SAMPLE_RATE = 16_000
"""In Hz, of all samples within the package."""
ABSURD = 100.0
"""Floats beyond this, with full scale 1, were meant on another scale."""
AUDIBLE = 10 ** (-50 / 20)
"""A channel whose loudest value is less is silent."""
CANCELLED = 0.01
"""Of a channel's loudest value, what mixing leaves at the most where phases are opposite."""
LIKELY_CLIPPED = 3
"""So many equal samples at full scale in a row were cut off."""


class Conversion:
    """Converts a recording block by block; what is louder than full scale is clipped.

    Args:
        rate: of the recording, in Hz.
        full_scale: the largest value that the recording's coding has, with 1 for full scale.
        place: for messages.
    """

    def __init__(self, rate: int, full_scale: float, place: str) -> None:
        self._place, self._full_scale = place, full_scale
        self._resampler = None
        if rate != SAMPLE_RATE:
            _, soxr = require_sound()
            self._resampler = soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32", quality="HQ")
        self._values = self._clipped = 0
        self._loudest_channel = self._loudest_mixed = 0.0  # with 1 for full scale

    @property
    def clipped(self) -> float:
        """The share of values, of all channels, that were cut off at full scale."""
        return self._clipped / max(1, self._values)

    def add(
        self, block: npt.NDArray[np.float32] | npt.NDArray[np.int16], last: bool = False
    ) -> npt.NDArray[np.int16]:
        """The samples that are ready, perhaps none.

        Args:
            block: the next ones, as `read_native` yields them.
            last: whether nothing comes after; the block may be empty.

        Raises:
            DataError: values that are no numbers, or of another scale.
        """
        if len(block):
            self._look_at(block)
        if block.dtype == np.int16 and self._resampler is None:
            self._loudest_mixed = self._loudest_channel
            return block.astype(np.int16, copy=False)
        floats = _as_floats(block)
        mono = floats.mean(axis=1) if floats.ndim == 2 else floats
        if len(mono):
            self._loudest_mixed = max(self._loudest_mixed, -float(mono.min()), float(mono.max()))
        if self._resampler is not None:
            mono = self._resampler.resample_chunk(mono, last=last)
        # Resampling goes beyond full scale where a recording touches it: 16 bits would wrap around.
        scaled: npt.NDArray[np.float32] = np.rint(mono * np.float32(32_768))
        return scaled.clip(-32_768, 32_767).astype(np.int16)

    def refuse_cancelled(self) -> None:
        """Raises a DataError, once all was added, when channels of opposite phase left nothing to hear."""
        if self._loudest_channel > AUDIBLE and self._loudest_mixed < CANCELLED * self._loudest_channel:
            raise DataError(
                "the channels cancel each other out when they are mixed", where=self._place,
                accepted="Keep one of them: ffmpeg -i FILE -af 'pan=mono|c0=c0' FILE.flac",
            )  # fmt: skip

    def _look_at(self, block: npt.NDArray[np.float32] | npt.NDArray[np.int16]) -> None:
        loudest = max(-float(block.min()), float(block.max())) / (32_768 if block.dtype == np.int16 else 1)
        if not np.isfinite(loudest):
            raise DataError("there are samples that are no numbers (NaN or infinite)", where=self._place)
        if loudest > ABSURD:
            raise DataError(
                "the samples are on another scale", where=self._place, found=loudest,
                accepted="Samples that are stored as floats lie between -1 and 1.",
            )  # fmt: skip
        self._loudest_channel = max(self._loudest_channel, loudest)
        self._values += block.size
        if loudest >= self._full_scale:
            self._clipped += _count_clipped(block, self._full_scale)


def _as_floats(block: npt.NDArray[np.float32] | npt.NDArray[np.int16]) -> npt.NDArray[np.float32]:
    """With 1 for full scale."""
    if block.dtype == np.int16:
        return block.astype(np.float32) / np.float32(32_768)
    return block.astype(np.float32, copy=False)


def _count_clipped(block: npt.NDArray[np.float32] | npt.NDArray[np.int16], full_scale: float) -> int:
    """How many values are beyond full scale, or lie in a run of equal ones there."""
    loud = np.abs(_as_floats(block))
    run = loud[LIKELY_CLIPPED - 1 :] >= full_scale
    for offset in range(1, LIKELY_CLIPPED):
        earlier = slice(LIKELY_CLIPPED - 1 - offset, len(block) - offset)
        run &= block[earlier] == block[LIKELY_CLIPPED - 1 :]
    inside = np.zeros(loud.shape, bool)
    for offset in range(LIKELY_CLIPPED):
        inside[offset : len(block) - (LIKELY_CLIPPED - 1) + offset] |= run
    return int((inside | (loud > 1)).sum())
