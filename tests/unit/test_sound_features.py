"""From samples to what a model reads: features, augmentation."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor
from transformers.audio_utils import mel_filter_bank, spectrogram, window_function

from interlingua.data.loader import SoundAugmentation
from interlingua.errors import ConfigurationError
from interlingua.kinds import EOS, PAD
from interlingua.sound.augmentation import AugmentationSettings, augment, noise_alone, spec_augment
from interlingua.sound.features import (
    NUM_BANDS,
    WINDOW,
    drop_background,
    frame_count,
    log_mel,
    normalise,
    pad_frames,
)
from interlingua.sound.reading import SAMPLE_RATE, Samples

NOTHING = AugmentationSettings(
    speeds=(1,),
    gain_probability=0,
    noise_probability=0,
    noise_alone_probability=0,
    silence_probability=0,
    frequency_masks=0,
    time_masks=0,
)


def speech_like(seconds: float = 1.5, seed: int = 0, peak: float = 0.5) -> Samples:
    """Noise of changing loudness and colour."""
    rng = np.random.default_rng(seed)
    size = round(seconds * SAMPLE_RATE)
    sound = np.convolve(rng.normal(size=size), np.ones(4), "same") * (1.2 + np.sin(np.arange(size) / 700))
    return (sound / np.abs(sound).max() * peak * 32_767).astype(np.int16)


def decibels(sound: npt.NDArray[Any]) -> float:
    return float(10 * np.log10(np.square(sound.astype(np.float64)).mean()))


def with_settings(**changes: Any) -> AugmentationSettings:
    return NOTHING.model_copy(update=changes)


def features_of(samples: Samples) -> Tensor:
    return normalise(log_mel(torch.from_numpy(samples)))


@pytest.mark.parametrize("samples", [speech_like(), speech_like(peak=0.0001), np.zeros(5000, np.int16)])
def test_features_are_those_of_a_well_known_library(samples: Samples) -> None:
    filters = mel_filter_bank(
        num_frequency_bins=201, num_mel_filters=80, min_frequency=0, max_frequency=8000, sampling_rate=16_000,
        norm="slaney", mel_scale="slaney",
    )  # fmt: skip
    expected = spectrogram(
        samples / 32_768, window_function(400, "hann"), 400, 160, power=2.0, center=False,
        mel_filters=filters, mel_floor=1e-10, log_mel="log",
    ).T  # fmt: skip
    features = log_mel(torch.from_numpy(samples))
    assert features.dtype == torch.float32
    torch.testing.assert_close(features, torch.from_numpy(expected).float(), atol=1e-3, rtol=0)
    torch.testing.assert_close(log_mel(torch.from_numpy(samples / 32_768)), features, atol=1e-3, rtol=0)


@pytest.mark.parametrize("size", [1, 2, 159, 399, 400, 401, 559, 560, 720, 16_000])
def test_frames_are_counted_before_they_are_made(size: int) -> None:
    frames = log_mel(torch.from_numpy(speech_like(2)[:size]))
    assert frames.shape == (frame_count(size), NUM_BANDS)
    assert frames.isfinite().all()
    assert normalise(frames).isfinite().all()


def test_what_comes_later_changes_no_earlier_frame() -> None:
    samples = torch.from_numpy(speech_like())
    part = log_mel(samples[:8000])
    torch.testing.assert_close(part, log_mel(samples)[: len(part)], atol=1e-5, rtol=0)


def test_how_loud_a_recording_is_does_not_matter() -> None:
    quieter = normalise(log_mel(torch.from_numpy(speech_like()) / 327_680))
    torch.testing.assert_close(quieter, features_of(speech_like()), atol=0.01, rtol=0)


def test_what_is_far_quieter_than_the_speech_is_all_alike() -> None:
    speech = torch.from_numpy(speech_like()) / 32_768
    speech[: len(speech) // 3] = 0
    noise = torch.randn(len(speech), generator=torch.Generator().manual_seed(0)) * speech.std()
    quiet, quieter = (log_mel(speech + noise * 10 ** (-db / 20)) for db in (65, 75))
    assert (quiet - quieter).abs().max() > 2
    torch.testing.assert_close(drop_background(quiet), drop_background(quieter), atol=0.1, rtol=0)


def test_a_click_does_not_drown_the_speech() -> None:
    speech = log_mel(torch.from_numpy(speech_like()))
    clicked = speech.clone()
    clicked[7] += 12
    elsewhere = torch.arange(len(speech)) != 7
    torch.testing.assert_close(
        drop_background(clicked)[elsewhere], drop_background(speech)[elsewhere], atol=0.5, rtol=0
    )


def test_the_bands_of_a_long_recording_have_about_mean_0_and_variance_1() -> None:
    tilt = torch.linspace(-8, 3, NUM_BANDS)  # of a microphone
    scale = torch.linspace(0.5, 2, NUM_BANDS)
    long = torch.randn(20_000, NUM_BANDS, generator=torch.Generator().manual_seed(0)) * scale + tilt
    frames = normalise(long)
    assert frames.mean(0).abs().max() < 0.1
    assert (frames.var(0) - 1).abs().max() < 0.05
    torch.testing.assert_close(normalise(long / scale), frames, atol=0.2, rtol=0)


def test_a_short_recording_keeps_which_bands_are_loud() -> None:
    shape = 3 * torch.sin(torch.arange(NUM_BANDS) / 5)
    word = shape + 0.1 * torch.randn(30, NUM_BANDS, generator=torch.Generator().manual_seed(0))
    kept = normalise(word).mean(0)
    assert float(torch.corrcoef(torch.stack([kept, shape]))[0, 1]) > 0.99
    assert kept.std() > 0.5
    assert normalise(word.repeat(500, 1)).std(0).mean() > 0.5  # and a long one what changes in it


def test_normalising_is_safe_where_nothing_changes() -> None:
    constant = torch.full((50, NUM_BANDS), -23.02585)
    assert normalise(constant).abs().max() < 0.01
    lone = normalise(torch.randn(1, NUM_BANDS))
    assert lone.isfinite().all()
    assert lone.abs().max() < 10


def test_padding_is_zeros_and_masked() -> None:
    rows = [torch.randn(length, NUM_BANDS) for length in (3, 7, 1)]
    source = pad_frames(rows)
    assert source.values.shape == (3, 7, NUM_BANDS)
    assert source.values.dtype == torch.float32
    assert source.mask.sum(1).tolist() == [3, 7, 1]
    for row, values, mask in zip(rows, *source, strict=True):
        assert torch.equal(values[: len(row)], row)
        assert mask[: len(row)].all()
        assert not values[len(row) :].any()


def test_equal_seeds_give_equal_sounds_and_others_do_not() -> None:
    samples, settings = speech_like(), AugmentationSettings(gain_probability=1, noise_probability=1)
    before = samples.copy()
    drawn = [augment(samples, (1, 2, number), settings) for number in range(30)]
    for number, sound in enumerate(drawn):
        assert sound.dtype == np.float32
        assert np.array_equal(sound, augment(samples, (1, 2, number), settings))
    for one in range(30):
        for other in range(one):
            assert len(drawn[one]) != len(drawn[other]) or not np.array_equal(drawn[one], drawn[other])
    assert np.array_equal(samples, before)
    frames = features_of(samples)
    masked = [spec_augment(frames, (1, 2, number), settings) for number in range(30)]
    assert all(torch.equal(each, spec_augment(frames, (1, 2, n), settings)) for n, each in enumerate(masked))
    assert len({each.numpy().tobytes() for each in masked}) > 25


def test_seeds_of_another_order_or_number_are_others() -> None:
    settings = with_settings(gain_probability=1)
    seeds = [(1,), (1, 0), (0, 1), (1, 2), (2, 1), (1, 0, 0), (0, 0, 1)]
    levels = [decibels(augment(speech_like(), each, settings)) for each in seeds]
    assert len({round(level, 6) for level in levels}) >= 5
    assert len({round(level, 6) for level in levels[2:5]}) == 3


def test_nothing_is_changed_when_nothing_is_asked_for() -> None:
    samples = speech_like()
    assert np.array_equal(augment(samples, (1,), NOTHING), samples.astype(np.float32) / 32_768)
    frames = features_of(samples)
    assert torch.equal(spec_augment(frames, (1,), NOTHING), frames)


def test_speed_changes_length_and_pitch() -> None:
    tone = (8000 * np.sin(2 * np.pi * 1000 * np.arange(SAMPLE_RATE) / SAMPLE_RATE)).astype(np.int16)
    settings = AugmentationSettings(gain_probability=0, noise_probability=0, silence_probability=0)
    lengths = []
    for seed in range(60):
        sound = augment(tone, (seed,), settings)
        lengths.append(len(sound))
        peak = np.abs(np.fft.rfft(sound)).argmax() * SAMPLE_RATE / len(sound)
        assert peak == pytest.approx(1000 * SAMPLE_RATE / len(sound), rel=0.01)
    assert {round(SAMPLE_RATE / length, 2) for length in lengths} == {0.9, 1.0, 1.1}
    assert min(map(lengths.count, set(lengths))) > 8


def test_gain_keeps_within_its_limits() -> None:
    samples = speech_like(peak=0.1)
    gains = [
        decibels(augment(samples, (seed,), with_settings(gain_probability=1))) - decibels(samples / 32_768)
        for seed in range(100)
    ]
    assert -10.01 < min(gains) < -8
    assert 8 < max(gains) < 10.01


@pytest.mark.parametrize("snr", [0.0, 20.0])
def test_noise_is_as_loud_as_the_settings_say(snr: float) -> None:
    samples = speech_like(3)
    settings = with_settings(noise_probability=1, min_snr_db=snr, max_snr_db=snr)
    slopes = set()
    for seed in range(10):
        clean = samples.astype(np.float32) / 32_768
        noise = augment(samples, (seed,), settings) - clean
        assert decibels(clean) - decibels(noise) == pytest.approx(snr, abs=1)
        power = np.square(np.abs(np.fft.rfft(noise)))
        low, high = power[300:3000].mean(), power[-3000:].mean()
        slopes.add(bool(low > 3 * high))
    assert slopes == {True, False}  # pink and white


def test_silence_stands_around_a_sound_within_its_limits() -> None:
    samples = speech_like()
    settings = with_settings(silence_probability=1, max_silence_s=0.2)
    clean, lengths = samples.astype(np.float32) / 32_768, set()
    for seed in range(10):
        longer = augment(samples, (seed,), settings)
        assert 0 <= len(longer) - len(clean) <= 2 * 0.2 * 16_000
        windows = np.lib.stride_tricks.sliding_window_view(longer, 100)
        first = int((windows == clean[:100]).all(axis=1).argmax())
        assert (longer[first : first + len(clean)] == clean).all()
        around = np.concatenate([longer[:first], longer[first + len(clean) :]])
        assert np.sqrt(np.square(around).mean()) < 10 ** (-50 / 20)
        lengths.add(len(longer))
    assert len(lengths) > 5


def test_noise_of_any_length_is_added_to_silence_and_speech_alike() -> None:
    settings = AugmentationSettings(noise_probability=1)
    for size in (1, 100, WINDOW, 2**19, 2**19 + 7):
        assert np.isfinite(augment(np.ones(size, np.int16), (1,), settings)).all()
    assert not augment(np.zeros(1000, np.int16), (1,), settings).any()


@pytest.mark.parametrize("length", [1, 3, 20, 40, 300, 3000])
def test_masks_hide_a_limited_part_of_any_recording(length: int) -> None:
    frames = torch.ones(length, NUM_BANDS)
    hidden_bands, hidden_frames = [], []
    for seed in range(100):
        masked = spec_augment(frames, (seed,), AugmentationSettings())
        hidden_bands.append(int((masked.sum(0) == 0).sum()))
        hidden_frames.append(int((masked.sum(1) == 0).sum()))
        assert ((masked == 0) | (masked == 1)).all()
    assert max(hidden_bands) <= 54
    assert max(hidden_frames) <= 5 * int(0.05 * length)
    assert min(hidden_bands) < 10
    assert 20 < np.mean(hidden_bands) < 30
    if length >= 40:
        assert 0 < np.mean(hidden_frames) <= 0.13 * length
    touched = sum(int((spec_augment(frames, (s,), AugmentationSettings())[0] == 0).any()) for s in range(50))
    assert touched > 25  # the edges, too


def test_settings_out_of_order_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="min_snr_db"):
        AugmentationSettings.parse({"min_snr_db": 30, "max_snr_db": 20})
    with pytest.raises(ConfigurationError, match="speeds"):
        AugmentationSettings.parse({"speeds": [0.0]})


def test_noise_alone_is_steady_as_long_and_at_most_as_loud() -> None:
    always = AugmentationSettings(noise_alone_probability=1)
    tone = (8000 * np.sin(2 * np.pi * 1000 * np.arange(SAMPLE_RATE) / SAMPLE_RATE)).astype(np.int16)
    tone[SAMPLE_RATE // 4 :] = 0
    drawn = [noise_alone(tone, (seed,), always) for seed in range(40)]
    quieter, slopes = [], set()
    for seed, noise in enumerate(drawn):
        assert noise is not None
        assert (noise.dtype, noise.shape) == (np.float32, tone.shape)
        assert np.array_equal(noise, noise_alone(tone, (seed,), always))
        quieter.append(decibels(tone / 32_768) - decibels(noise))
        quarters = [decibels(quarter) for quarter in noise.reshape(4, -1)]
        assert max(quarters) - min(quarters) < 3  # the tone's end is nowhere to be heard
        power = np.square(np.abs(np.fft.rfft(noise)))
        assert power.max() < 0.05 * power.sum()  # nor is it a tone
        slopes.add(bool(power[:2000].sum() > 0.5 * power.sum()))
    assert -0.01 < min(quieter) < 5
    assert 25 < max(quieter) < 30.01
    assert slopes == {True, False}  # pink and white


def test_noise_alone_is_rare_and_of_any_length() -> None:
    samples = speech_like()
    assert all(noise_alone(samples, (seed,), NOTHING) is None for seed in range(100))
    often = [noise_alone(samples, (seed,), AugmentationSettings()) is not None for seed in range(2000)]
    assert 20 < sum(often) < 60
    always = AugmentationSettings(noise_alone_probability=1)
    for size in (1, 2, 100, 2**19 + 7):
        for seed in range(5):
            for level in (0, 1000):
                noise = noise_alone(np.full(size, level, np.int16), (seed,), always)
                assert noise is not None
                assert len(noise) == size
                assert np.isfinite(noise).all()
    assert noise_alone(np.zeros(0, np.int16), (1,), always) is None


def test_nothing_is_said_in_noise_alone() -> None:
    class Sounds:
        def source(self, _: int) -> Samples:
            return speech_like(0.2)

        def target(self, _: int) -> list[int]:
            return [7, 8]

    settings = with_settings(noise_alone_probability=0.3)
    seeds = (3, 1, 4)
    batch = SoundAugmentation(settings).make_batch(Sounds(), range(60), seeds)  # type: ignore[arg-type]
    replaced = [noise_alone(speech_like(0.2), (*seeds, row), settings) is not None for row in range(60)]
    assert 8 < sum(replaced) < 30
    said = [[token for token in row if token not in (PAD, EOS)] for row in batch.target_out.tolist()]
    assert said == [[] if noise else [7, 8] for noise in replaced]
    assert batch.target_tokens == 60 + 2 * (60 - sum(replaced))
