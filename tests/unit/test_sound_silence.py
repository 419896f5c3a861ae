"""Pauses, and recordings cut at them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlingua.sound.reading import SAMPLE_RATE, Samples
from interlingua.sound.silence import HOP, choose_cut, measure_levels, quiet_below, quiet_runs


def recording(
    parts: list[tuple[str, float]], gain: float = 0.3, noise: float = 0.0005, seed: int = 0
) -> Samples:
    """Speech-like syllables ("s") and pauses ("p") of some seconds each, with noise under all of it."""
    rng = np.random.default_rng(seed)
    sound = []
    for kind, seconds in parts:
        time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
        voice = np.sin(2 * np.pi * 150 * time) + 0.5 * np.sin(2 * np.pi * 1700 * time)
        syllables = 0.15 + np.abs(np.sin(2 * np.pi * 2 * time))
        sound.append(voice * syllables / 2 if kind == "s" else 0 * time)
    joined = np.concatenate(sound)
    joined = gain * (joined + noise * rng.normal(size=len(joined)))
    return np.clip(np.rint(joined * 32_768), -32_768, 32_767).astype(np.int16)


def find_pauses(samples: Samples) -> list[tuple[int, int]]:
    """The stretches of .2 s and more without speech, as (start, end) in samples."""
    levels = measure_levels(samples)
    runs = quiet_runs(levels, quiet_below(levels))
    return [(start * HOP, min(end * HOP, len(samples))) for start, end in runs if end - start >= 20]


def cut(samples: Samples, max_seconds: float) -> list[tuple[int, int]]:
    """A recording in parts, as (start, end) in samples, cut one by one from the beginning."""
    longest, parts, start = int(max_seconds * SAMPLE_RATE) // (4 * HOP) * (4 * HOP), [], 0
    while len(samples) - start > longest:
        ahead = samples[start : start + longest + longest // 4]
        size = choose_cut(ahead, longest, measure_levels(samples[:start]))
        parts.append((start, start + size))
        start += size
    return [*parts, (start, len(samples))]


PARTS = [("s", 2.0), ("p", 0.5), ("s", 3.0), ("p", 1.0), ("s", 1.5), ("p", 0.3), ("s", 2.5)]
PAUSES = [(2.0, 2.5), (5.5, 6.5), (8.0, 8.3)]


@pytest.mark.parametrize("gain", [0.9, 0.3, 0.02])
@pytest.mark.parametrize("noise", [0.0, 0.001, 0.02, 0.06])
@pytest.mark.parametrize("offset", [0, 1500])
def test_pauses_are_found_at_any_loudness_and_in_noise(gain: float, noise: float, offset: int) -> None:
    samples = recording(PARTS, gain, noise)
    samples = (samples.astype(int) + offset).clip(-32_768, 32_767).astype(np.int16)
    found = find_pauses(samples)
    assert len(found) == len(PAUSES)
    for (start, end), expected in zip(found, PAUSES, strict=True):
        assert start / SAMPLE_RATE == pytest.approx(expected[0], abs=0.05)
        assert end / SAMPLE_RATE == pytest.approx(expected[1], abs=0.05)


def test_a_click_ends_no_pause() -> None:
    samples = recording(PARTS)
    samples[6 * SAMPLE_RATE : 6 * SAMPLE_RATE + 100] = 20_000
    assert len(find_pauses(samples)) == len(PAUSES)


def test_a_word_in_a_long_silence_is_told_from_it() -> None:
    found = find_pauses(recording([("p", 40.0), ("s", 0.6), ("p", 30.0)]))
    assert len(found) == 2
    assert found[0][1] / SAMPLE_RATE == pytest.approx(40, abs=0.05)


def test_where_all_is_alike_there_are_no_pauses() -> None:
    rng = np.random.default_rng(0)
    assert find_pauses((1000 * rng.normal(size=50_000)).astype(np.int16)) == []
    assert find_pauses(np.zeros(50_000, np.int16)) == [(0, 50_000)]  # but silence is one
    assert find_pauses(np.zeros(0, np.int16)) == []
    assert find_pauses(np.ones(1, np.int16)) == []


@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_cuts_go_through_pauses_long_ones_first(noise: float) -> None:
    samples = recording(PARTS, noise=noise)
    cuts = [end / SAMPLE_RATE for _, end in cut(samples, 9)[:-1]]
    assert cuts == pytest.approx([6.0], abs=0.1)  # the longest pause, though one after it is within reach
    for limit in (3.6, 5, 7):
        for place in [end / SAMPLE_RATE for _, end in cut(samples, limit)[:-1]]:
            assert any(start - 0.05 <= place <= end + 0.05 for start, end in PAUSES)


def test_without_pauses_the_quietest_place_is_taken() -> None:
    steady = recording([("s", 30.0)])
    for _, end in cut(steady, 7)[:-1]:
        around = np.abs(steady[end - 400 : end + 400].astype(int)).max()
        assert around < 0.5 * np.abs(steady.astype(int)).max()


def test_zeros_between_noisy_parts_say_nothing_of_their_noise() -> None:
    samples = recording(PARTS, noise=0.03)
    samples = np.concatenate([np.zeros(3 * SAMPLE_RATE, np.int16), samples])
    expected = [(0, 3), *((start + 3, end + 3) for start, end in PAUSES)]
    found = find_pauses(samples)
    assert np.abs(np.array(found) / SAMPLE_RATE - expected).max() < 0.05
    steady = (5000 * np.sin(np.arange(SAMPLE_RATE))).astype(np.int16)  # no noise at all
    assert len(find_pauses(np.concatenate([steady, 0 * steady, steady]))) == 1


@st.composite
def recordings(draw: st.DrawFn) -> Samples:
    parts = draw(st.lists(st.tuples(st.sampled_from("sp"), st.floats(0.0, 3.0)), max_size=6))
    level = draw(st.sampled_from([0.0, 0.001, 0.05]))
    if not parts:
        return np.zeros(draw(st.integers(0, 3)), np.int16)
    return recording(parts, draw(st.sampled_from([0.01, 0.5])), level)


@settings(deadline=None, max_examples=40)
@given(recordings(), st.floats(0.1, 6.0))
def test_no_part_is_too_long(samples: Samples, max_seconds: float) -> None:
    parts = cut(samples, max_seconds)
    assert all(end - start <= max_seconds * SAMPLE_RATE for start, end in parts)
    if len(parts) > 1:  # no splinters
        assert min(end - start for start, end in parts) >= max_seconds * SAMPLE_RATE / 4 - 640
