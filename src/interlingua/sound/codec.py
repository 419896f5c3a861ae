"""Names of sound files to samples: what a tokenizer is to text."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal, Self

from interlingua.errors import DataError
from interlingua.sound.features import HEARD_DB, NUM_BANDS, PRIOR_FRAMES
from interlingua.sound.reading import SAMPLE_RATE, Samples, SoundReport, inspect_sound, read_sound

__all__ = ["POSITION_SAMPLES", "SoundCodec"]

POSITION_SAMPLES = 640
"""Samples of one position that an encoder reads: four frames, 40 ms."""
READERS = 4
"""Files read side by side."""


class SoundCodec:
    """The source side of a model of sound; it has no symbols that could be unknown."""

    kind: Literal["sound"] = "sound"
    normalisation: Any = "none"
    compared_by = None
    dtype = "int16"
    unit = POSITION_SAMPLES
    vocabulary = (
        f"{NUM_BANDS} bands of {SAMPLE_RATE} Hz, down to {HEARD_DB:g} dB, "
        f"normalised with {PRIOR_FRAMES} frames alike"
    )

    def __len__(self) -> int:
        """The bands of a frame."""
        return NUM_BANDS

    def with_normalisation(self, rule: Any) -> Self:
        """Returns itself: names of files are taken as they are."""
        return self

    def unknown(self, text: str) -> list[str]:
        """Returns nothing."""
        return []

    def normalise(self, text: str) -> str:
        """Returns the name as it is."""
        return text

    def encode(self, text: str) -> Any:
        """Returns the samples of a file, 16 kHz, one channel.

        Raises:
            DataError: it cannot be read, or there is nothing to hear.
        """
        return read_sound(text)

    def encode_batch(self, targets: Sequence[str]) -> list[Any]:
        """Reads several files, faster than one by one."""
        with ThreadPoolExecutor(READERS) as pool:
            return list(pool.map(self.encode, targets))

    def inspect_batch(self, names: Sequence[str]) -> list[tuple[Samples, SoundReport] | DataError]:
        """The samples of each file and what they are like, or why nothing can be learnt from it."""
        with ThreadPoolExecutor(READERS) as pool:
            return list(pool.map(_inspect, names))

    def decode(self, ids: Sequence[int]) -> str:
        """Sound is no target."""
        raise NotImplementedError

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """Returns nothing: positions of a sound have no names."""
        return []

    def length_limit(self, source_length: int, max_ratio: float, extra_tokens: float = 0.0) -> int:
        """Sound is no target."""
        raise NotImplementedError


def _inspect(name: str) -> tuple[Samples, SoundReport] | DataError:
    try:
        return inspect_sound(name)
    except DataError as error:
        return error
