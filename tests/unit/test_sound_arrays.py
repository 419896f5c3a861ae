"""Arrays of samples as programs hold them: what is taken, and what is said of others."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from interlingua.errors import DataError
from interlingua.inference.transcriber import take_samples
from tests.tones import melody

SAMPLES = melody(["la", "do"])
FLOATS = SAMPLES / 32768


@pytest.mark.parametrize(
    "given",
    [
        SAMPLES, SAMPLES.astype(">i2"), SAMPLES[:, None], SAMPLES[None], FLOATS, FLOATS.astype(np.float32),
        FLOATS.astype(np.float32)[:, None], np.repeat(SAMPLES, 2)[::2],
    ],
)  # fmt: skip
def test_one_channel_is_taken_in_any_form(given: np.ndarray) -> None:
    taken = take_samples(given, "sounds[0]")
    assert taken.dtype == np.int16
    assert np.array_equal(taken, SAMPLES)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (SAMPLES.astype(np.float32), r"another scale.*samples / 32768"),
        (SAMPLES.astype(np.float16), r"another scale.*samples / 32768"),
        (np.stack([FLOATS, FLOATS], 1), r"several channels.*such as samples\.mean\(axis=1\)"),
        (np.stack([SAMPLES, SAMPLES]), r"several channels.*such as \(samples / 32768\)\.mean\(axis=0\)"),
        (np.array([0.1, np.nan]), r"no numbers"),
        (np.array([0.1, -np.inf]), r"no numbers"),
        (SAMPLES.astype(np.int32), r"no samples.*int32.*floats between -1 and 1"),
        (SAMPLES[:0], r"no sound"),
        (FLOATS[None, None], r"no sound"),
        (b"RIFF", r"no sound.*bytes"),
    ],
)
def test_what_would_be_misheard_is_refused(given: Any, said: str) -> None:
    with pytest.raises(DataError) as caught:
        take_samples(given, "sounds[0]")
    assert re.search(said, str(caught.value).replace("\n", " "))
    assert "sounds[0]" in str(caught.value)
