"""Utterances in long recordings: found whatever the blocks, none too long, no speech lost."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlingua.inference.translation import Word
from interlingua.inference.words import widen
from interlingua.sound.utterances import find_utterances

RATE = 16_000


def speech(seconds: float, seed: int = 0, loud: float = 0.2) -> np.ndarray:
    """Noise that goes up and down, as syllables do."""
    count = int(seconds * RATE)
    syllables = 0.6 + 0.4 * np.sin(2 * np.pi * 4 * np.arange(count) / RATE)
    return loud * syllables * np.random.default_rng(seed).standard_normal(count)


def recording(lengths: list[float], pauses: list[float], noise: float = 0.001) -> np.ndarray:
    """Utterances of these lengths, a pause before each and after the last; in steady noise."""
    parts = []
    for number, (pause, length) in enumerate(zip(pauses, [*lengths, 0.0], strict=True)):
        parts += [np.zeros(int(pause * RATE)), speech(length, number)]
    sound = np.concatenate(parts)
    sound = sound + noise * np.random.default_rng(99).standard_normal(len(sound))
    return np.round(32767 * np.clip(sound, -1, 1)).astype(np.int16)


def test_each_utterance_between_long_pauses_is_one() -> None:
    lengths, pauses = [1.0, 2.5, 0.6, 3.0], [0.7, 1.0, 0.9, 2.0, 0.9]
    found = list(find_utterances([recording(lengths, pauses)], max_seconds=6))
    starts = np.cumsum([0, *lengths[:-1]]) + np.cumsum(pauses[:-1])
    assert [each.start / RATE for each in found] == pytest.approx(list(starts - 0.3), abs=0.15)
    assert [each.end / RATE for each in found] == pytest.approx(list(starts + lengths + 0.2), abs=0.15)


@settings(max_examples=25, deadline=None)
@given(
    lengths=st.lists(st.floats(0.2, 5.0), min_size=1, max_size=5),
    pauses=st.lists(st.floats(0.4, 1.5), min_size=6, max_size=6),
    block=st.integers(500, 60_000),
    most=st.sampled_from([1.0, 2.0, 8.0]),
)
def test_blocks_do_not_matter_and_no_speech_is_lost(
    lengths: list[float], pauses: list[float], block: int, most: float
) -> None:
    sound = recording(lengths, pauses[: len(lengths) + 1])
    blocks = [sound[start : start + block] for start in range(0, len(sound), block)]
    found, whole = list(find_utterances(blocks, most)), list(find_utterances([sound], most))
    assert [(each.start, each.end) for each in found] == [(each.start, each.end) for each in whole]
    covered = np.zeros(len(sound), bool)
    for each in found:
        assert len(each.samples) == each.end - each.start <= most * RATE
        assert (each.samples == sound[each.start : each.end]).all()
        assert not covered[each.start : each.end].any()  # in order, and nothing twice
        covered[each.start : each.end] = True
    start = 0.0
    for pause, length in zip(pauses, lengths, strict=False):
        start += pause
        inner = slice(int((start + 0.15) * RATE), int((start + length - 0.15) * RATE))
        assert covered[inner].all()
        start += length


def test_nothing_is_said_in_silence_in_noise_and_in_clicks() -> None:
    assert not list(find_utterances([np.zeros(5 * RATE, np.int16)], 5))
    clicks = recording([], [6.0])
    clicks[[RATE, 3 * RATE]] = 20_000
    assert not [each for each in find_utterances([clicks], 5) if len(each.samples) < 2 * RATE]
    assert not list(find_utterances([], 5))


def test_an_utterance_is_told_soon_after_its_end() -> None:
    sound = recording([1.0, 1.0], [2.5, 3.0, 1.0])
    blocks = [sound[start : start + 1600] for start in range(0, len(sound), 1600)]
    heard = 0

    def coming():  # type: ignore[no-untyped-def]
        nonlocal heard
        for each in blocks:
            heard += len(each)
            yield each

    first = next(find_utterances(coming(), 5, seconds_ahead=2))
    assert first.end / RATE == pytest.approx(3.7, abs=0.15)
    assert heard / RATE <= 3.5 + 0.7 + 0.3


@pytest.mark.parametrize("size", [1600, 1700, 2454, 12_145])
def test_no_word_ends_after_its_sound(size: int) -> None:
    samples = recording([1.0], [0.0, 0.0])[:size]
    last_position_s = -(-size // 640) * 0.04
    (word,) = widen([Word("la", 0.04, last_position_s, 0.9)], samples)
    assert 0 <= word.start_s < word.end_s <= size / RATE


def test_words_that_stand_in_silence_move_into_the_speech_beside() -> None:
    samples = recording([0.6, 0.4], [0.3, 1.2, 0.2])
    spoken = [(0.0, 0.12), (0.2, 0.28), (0.4, 0.6), (1.5, 1.56), (2.55, 2.64)]
    words = widen([Word("la", start, end, 0.9) for start, end in spoken], samples)
    for word in words:
        assert word.start_s < word.end_s
        assert (word.start_s >= 0.28 and word.end_s <= 0.92) or (
            word.start_s >= 2.08 and word.end_s <= 2.52
        ), word
    assert all(before.end_s <= after.start_s for before, after in pairwise(words))
    assert words[0].start_s == pytest.approx(0.3, abs=0.03)
    assert words[-1].end_s == pytest.approx(2.5, abs=0.03)


def test_words_of_a_sound_in_which_nothing_is_heard_stay() -> None:
    (word,) = widen([Word("la", 0.2, 0.4, 0.9)], np.zeros(RATE, np.int16))
    assert (word.start_s, word.end_s) == (0.2, 0.4)
