"""Sound files of all kinds, good, odd and bad, and pipes."""

from __future__ import annotations

import io
import os
import struct
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from interlingua.errors import ConfigurationError, DataError
from interlingua.sound.reading import (
    SAMPLE_RATE,
    Samples,
    decode_sound,
    inspect_sound,
    read_blocks,
    read_sound,
)

Floats = npt.NDArray[np.float64]


def tone(seconds: float = 1.0, rate: int = SAMPLE_RATE, hertz: float = 440.0, peak: float = 0.5) -> Floats:
    return peak * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


def noise(seconds: float = 2.0, peak: float = 0.1) -> Floats:
    return peak * np.random.default_rng(1).uniform(-1, 1, round(seconds * SAMPLE_RATE))


def encode(sound: Any, rate: int = SAMPLE_RATE, form: str = "WAV", coding: str | None = None) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, sound, rate, format=form, subtype=coding)
    return file.getvalue()


def with_size(wav: bytes, size: int) -> bytes:
    """The same WAV file with another size of its samples in the header."""
    at = wav.index(b"data") + 4
    return wav[:at] + struct.pack("<I", size) + wav[at + 4 :]


def with_field(offset: int, form: str, value: int) -> bytes:
    wav = bytearray(encode(tone()))
    struct.pack_into(form, wav, offset, value)
    return bytes(wav)


def with_chunk(before: bytes = b"", after: bytes = b"") -> bytes:
    wav = encode(tone())
    at = wav.index(b"data")
    return wav[:at] + before + wav[at:] + after


def correlation(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> float:
    size = min(len(one), len(other))
    return float(np.corrcoef(one[:size], other[:size])[0, 1])


WAV, FLAC = encode(noise()), encode(noise(), form="FLAC")
VORBIS, OPUS = encode(noise(4), form="OGG", coding="VORBIS"), encode(noise(4), form="OGG", coding="OPUS")
MP3 = encode(noise(), form="MP3")
PICTURE_TAG = b"ID3\x03\0\0\0\0\x20\0" + bytes(4096)

GOOD: dict[str, tuple[bytes, float]] = {
    "plain": (encode(tone()), 1),
    "8 bits": (encode(tone(), coding="PCM_U8"), 1),
    "24 bits": (encode(tone(), coding="PCM_24"), 1),
    "32 bits": (encode(tone(), coding="PCM_32"), 1),
    "floats": (encode(tone(), coding="FLOAT"), 1),
    "doubles": (encode(tone(), coding="DOUBLE"), 1),
    "a-law": (encode(tone(), coding="ALAW"), 1),
    "mu-law": (encode(tone(), coding="ULAW"), 1),
    "8 kHz": (encode(tone(rate=8000), 8000), 1),
    "11.025 kHz": (encode(tone(rate=11_025), 11_025), 1),
    "44.1 kHz stereo": (encode(np.stack([tone(rate=44_100)] * 2, 1), 44_100), 1),
    "96 kHz, 8 channels, 24 bits": (encode(np.stack([tone(rate=96_000)] * 8, 1), 96_000, coding="PCM_24"), 1),
    "extensible": (encode(np.stack([tone()] * 6, 1), form="WAVEX"), 1),
    "flac": (encode(tone(), form="FLAC"), 1),
    "flac of 24 bits at 48 kHz": (encode(tone(rate=48_000), 48_000, "FLAC", "PCM_24"), 1),
    "vorbis": (encode(tone(rate=44_100), 44_100, "OGG", "VORBIS"), 1),
    "opus": (encode(tone(rate=48_000), 48_000, "OGG", "OPUS"), 1),
    "mp3": (encode(tone(rate=44_100), 44_100, "MP3"), 1),
    "mp3 with a picture in its tag": (PICTURE_TAG + encode(tone(), form="MP3"), 1),
    "mp3 with a tag at the end": (encode(tone(), form="MP3") + b"TAG" + bytes(125), 1),
    "aiff": (encode(tone(), form="AIFF"), 1),
    "au": (encode(tone(), form="AU"), 1),
    "caf": (encode(tone(), form="CAF"), 1),
    "sphere": (encode(tone(), form="NIST"), 1),
    "wave64": (encode(tone(), form="W64"), 1),
    "chunks before the samples": (with_chunk(before=b"LIST" + struct.pack("<I", 5) + b"INFOx\0"), 1),
    "chunks after the samples": (with_chunk(after=b"bext" + struct.pack("<I", 602) + bytes(602)), 1),
    "a cut-off chunk after the samples": (with_chunk(after=b"LIST" + struct.pack("<I", 600) + b"INFO"), 1),
    "a streamed file, by ffmpeg": (with_size(encode(tone()), 0xFFFFFFFF), 1),
    "a streamed file, by sox": (with_size(encode(tone()), 0x7FFFF000), 1),
    "a streamed file, by arecord": (with_size(encode(tone()), 0x80000000), 1),
    "a recorder that was stopped": (with_size(encode(tone()), 0), 1),
    "an app that crashed": (
        with_size(with_chunk(before=b"FLLR" + struct.pack("<I", 4008) + bytes(4008)), 0),
        1,
    ),
    "a tag after the samples": (encode(tone()) + PICTURE_TAG + bytes(5000), 1),
    "zeros after the samples": (encode(tone()) + bytes(100_000), 1),
    "the least that is accepted": (encode(tone(0.025)), 0.025),
}


@pytest.mark.parametrize("name", GOOD)
def test_every_usual_kind_gives_the_same_sound(name: str, tmp_path: Path) -> None:
    data, seconds = GOOD[name]
    (path := tmp_path / "sound").write_bytes(data)
    samples, report = inspect_sound(path, max_seconds=10)
    assert samples.dtype == np.int16
    assert abs(len(samples) - seconds * SAMPLE_RATE) <= 2
    inner = slice(len(samples) // 8, -len(samples) // 8)  # at the ends a filter or an encoder hears silence
    assert correlation(samples[inner], tone(seconds)[: len(samples)][inner]) > 0.99
    assert np.abs(samples[inner]).max() == pytest.approx(16_384, rel=0.05)
    assert not report.warnings()
    assert not report.silent
    assert np.array_equal(decode_sound(data), samples)
    assert np.array_equal(read_sound(path), samples)


def test_flac_of_unknown_length_is_read_whole() -> None:
    streamed = bytearray(FLAC)
    streamed[21] &= 0xF0
    streamed[22:26] = bytes(4)
    assert np.array_equal(decode_sound(bytes(streamed)), decode_sound(FLAC))


@pytest.mark.parametrize("rate", [8000, 22_050, 44_100])
@pytest.mark.parametrize("channels", [1, 2])
def test_mp3_that_does_not_tell_its_length_is_read_whole(rate: int, channels: int) -> None:
    sound = np.concatenate([tone(1, rate), np.zeros(rate), tone(1, rate, peak=0.01), tone(1, rate)])
    file = io.BytesIO()
    with soundfile.SoundFile(
        file, "w", rate, channels, format="MP3", bitrate_mode="VARIABLE", compression_level=0.5
    ) as writer:
        writer.write(np.stack([sound] * channels, 1))
    whole = file.getvalue()
    assert b"Xing" in whole[:60]
    bare = whole[_second_frame(whole) :]
    tags = [b"", b"APETAGEX" + bytes(20_000), b"TAG" + bytes(125), b"\xff\xfb\x90"]
    for data in [bare, PICTURE_TAG + bare, *(bare + tag for tag in tags)]:
        assert len(decode_sound(data)) / SAMPLE_RATE == pytest.approx(4, abs=0.2)
    for data in [whole + whole, whole + PICTURE_TAG + whole, bare + bare]:
        assert len(decode_sound(data)) / SAMPLE_RATE == pytest.approx(8, abs=0.5)
    damaged = bare[: len(bare) // 2] + bytes(9000) + bare[len(bare) // 2 :]
    with pytest.raises(DataError, match="damaged after"):
        decode_sound(damaged)


def _second_frame(mp3: bytes) -> int:
    """Where it begins: the first place from which the header of the first one comes again."""
    return next(
        i for i in range(60, 2000) if mp3[i] == 0xFF and mp3[i + 1] == mp3[1] and mp3[i + 3] == mp3[3]
    )


def test_mp3_in_a_wav_file_is_read_whole() -> None:
    sound = np.concatenate([tone(1), np.zeros(SAMPLE_RATE), tone(1, peak=0.01), tone(1)])
    file = io.BytesIO()
    with soundfile.SoundFile(
        file, "w", SAMPLE_RATE, 1, format="MP3", bitrate_mode="VARIABLE", compression_level=0.5
    ) as writer:
        writer.write(sound)
    whole = file.getvalue()
    bare = whole[_second_frame(whole) :]
    form = struct.pack("<HHIIHHHHIHHH", 0x55, 1, SAMPLE_RATE, 4000, 576, 0, 12, 1, 0, 1152, 1, 0)
    for mp3 in (whole, bare):
        chunks = b"fmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(mp3)) + mp3
        wav = b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks
        assert len(decode_sound(wav)) / SAMPLE_RATE == pytest.approx(4, abs=0.2)
        piped = through_pipe(wav, lambda stream: list(read_blocks(stream)))
        assert np.array_equal(np.concatenate(piped), decode_sound(wav))
        with pytest.raises(DataError, match="cut off"):
            decode_sound(wav[:-500])


def test_16_bits_at_16_khz_are_kept_as_they_are() -> None:
    samples = np.random.default_rng(0).integers(-32_768, 32_768, 40_000).astype(np.int16)
    for form in ("WAV", "FLAC", "AIFF"):
        assert np.array_equal(decode_sound(encode(samples, form=form)), samples)


def test_channels_are_averaged_and_nothing_wraps_around() -> None:
    loud = np.full((20_000, 2), 32_767, np.int16)
    assert decode_sound(encode(loud)).min() == 32_767
    left = np.stack([tone(), np.zeros(SAMPLE_RATE)], 1)
    assert np.abs(decode_sound(encode(left)).astype(int) - decode_sound(encode(tone(peak=0.25)))).max() <= 1
    square = np.sign(tone(rate=44_100))  # resampling overshoots at its edges
    samples = decode_sound(encode(square, 44_100)).astype(int)
    assert samples.max() == 32_767
    assert samples.min() == -32_768
    assert np.abs(np.diff(samples)).max() < 60_000


def test_floats_beyond_full_scale_are_clipped() -> None:
    samples = decode_sound(encode(tone(peak=3.0), coding="FLOAT"))
    assert samples.max() == 32_767
    assert samples.min() == -32_768
    assert correlation(samples, tone()) > 0.9


BAD: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "empty"),
    "one byte": (b"R", "not a sound file"),
    "text": (b"Hello, this is no sound at all.\n" * 500, "not a sound file"),
    "random bytes": (np.random.default_rng(3).bytes(50_000), "not a sound file"),
    "a web page": (b"<!DOCTYPE html><html>404</html>", "web page"),
    "a Git LFS pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
    "a ZIP archive": (b"PK\x03\x04" + bytes(1000), "ZIP"),
    "a gzip file": (b"\x1f\x8b\x08" + bytes(1000), "gzip"),
    "MP4": (b"\0\0\0\x20ftypM4A " + bytes(1000), "MP4"),
    "WebM": (b"\x1aE\xdf\xa3" + bytes(1000), "WebM"),
    "AAC": (b"\xff\xf1\x50\x80" + bytes(1000), "AAC"),
    "text in UTF-16": ("Hello, this is no sound.".encode("utf-16"), "not a sound file"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(1000), "picture"),
    "a WAV header only": (b"RIFF\0\0\0\0WAVE", "damaged, cut off"),
    "a WAV file cut within its header": (WAV[:30], "damaged, cut off"),
    "a WAV file cut in half": (WAV[: len(WAV) // 2], "cut off"),
    "a WAV file that lacks two samples": (WAV[:-4], "cut off"),
    "a WAV file of floats cut off": (encode(noise(), coding="FLOAT")[:-999], "cut off"),
    "a mu-law file cut off": (encode(noise(), coding="ULAW")[:-999], "cut off"),
    "a FLAC file cut in half": (FLAC[: len(FLAC) // 2], "damaged or cut off"),
    "a FLAC file damaged in the middle": (FLAC[:30_000] + bytes(300) + FLAC[30_300:], "damaged or cut off"),
    "a FLAC header only": (FLAC[:60], "cut off"),
    "a Vorbis file cut off": (VORBIS[: len(VORBIS) * 4 // 5], "cut off"),
    "a Vorbis file with a hole": (VORBIS[:9000] + VORBIS[10_000:], "damaged"),
    "an Opus file cut off": (OPUS[: len(OPUS) * 4 // 5], "cut off"),
    "an MP3 file cut off": (MP3[: len(MP3) // 2], "cut off"),
    "an AIFF file cut off": (encode(noise(), form="AIFF")[:30_000], "cut off"),
    "an AU file cut off": (encode(noise(), form="AU")[:30_000], "cut off"),
    "a CAF file cut off": (encode(noise(), form="CAF")[:30_000], "cut off"),
    "a SPHERE file cut off": (encode(noise(), form="NIST")[:30_000], "cut off"),
    "a Wave64 file cut off": (encode(noise(), form="W64")[:30_000], "cut off"),
    "more samples than the header tells of": (with_size(WAV, len(WAV) // 2), "more follows than the samples"),
    "two WAV files joined": (WAV + WAV, "another WAV file begins"),
    "two Vorbis files joined": (VORBIS + encode(tone(4), form="OGG"), "several recordings"),
    "two Opus files joined": (OPUS + encode(tone(4), form="OGG", coding="OPUS"), "several recordings"),
    "no samples, but a chunk": (encode(np.zeros(0)) + b"LIST" + struct.pack("<I", 4) + b"INFO", "no samples"),
    "no samples": (encode(np.zeros(0)), "no samples"),
    "no samples, Vorbis": (encode(np.zeros(0), form="OGG"), "no samples"),
    "a rate of 0": (with_field(24, "<I", 0), "cannot be decoded"),
    "a rate of 1": (with_field(24, "<I", 1), "not plausible"),
    "a rate of billions": (with_field(24, "<I", 2**31 - 1), "not plausible"),
    "no channels": (with_field(22, "<H", 0), "cannot be decoded"),
    "thousands of channels": (with_field(22, "<H", 60_000), "cannot be decoded"),
    "an unknown coding": (with_field(20, "<H", 0x1234), "cannot be decoded"),
    "NaN": (encode(np.append(tone(), np.nan), coding="FLOAT"), "no numbers"),
    "infinite": (encode(np.append(-np.inf, tone()), coding="DOUBLE"), "no numbers"),
    "channels that cancel out": (encode(np.stack([tone(), -tone()], 1)), "cancel each other out"),
    "channels that cancel out, resampled": (
        encode(np.stack([tone(rate=48_000), -0.999 * tone(rate=48_000)], 1), 48_000),
        "cancel each other out",
    ),
    "floats on the scale of 16 bits": (encode(tone(peak=20_000), coding="FLOAT"), "another scale"),
}
USELESS: dict[str, tuple[bytes, str]] = {
    "24 ms": (encode(tone(0.024)), "too short"),
    "one sample": (encode(tone(1 / SAMPLE_RATE) + 0.5), "too short"),
    "nothing but zeros": (encode(np.zeros(SAMPLE_RATE)), "nothing but zeros"),
    "zeros as Opus": (encode(np.zeros(SAMPLE_RATE), form="OGG", coding="OPUS"), "silent"),
    "the least bit only": (
        encode(np.random.default_rng(0).integers(-1, 2, SAMPLE_RATE).astype(np.int16)),
        "silent",
    ),
    "a constant": (encode(np.full(SAMPLE_RATE, 0.3)), "silent"),
    "eleven seconds": (encode(tone(11)), "too long"),
    "eleven seconds of MP3": (encode(tone(11), form="MP3"), "too long"),
}


@pytest.mark.parametrize("name", [*BAD, *USELESS])
def test_what_cannot_be_used_is_refused_with_its_place(name: str, tmp_path: Path) -> None:
    data, what = {**BAD, **USELESS}[name]
    (path := tmp_path / "ünlesbar.wav").write_bytes(data)
    with pytest.raises(DataError, match=what) as caught:
        inspect_sound(path, where="pairs.tsv:12", max_seconds=10)
    assert str(caught.value).startswith(f"pairs.tsv:12: {path}: ")
    if name in BAD:
        for read in (
            lambda: decode_sound(data, "upload"),
            lambda: list(read_blocks(io.BytesIO(data), 0.5, "upload")),
            lambda: list(read_blocks(path, 0.5)),
        ):
            with pytest.raises(DataError):
                read()


def test_places_without_a_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "broken.wav").symlink_to(tmp_path / "nowhere.wav")
    os.mkfifo(tmp_path / "pipe")
    for path, what in [
        (tmp_path / "missing.wav", "no such file"),
        (tmp_path / "broken.wav", "no such file"),
        (tmp_path, "directory"),
        (tmp_path / "pipe", "not a regular file"),
        (tmp_path / ("x" * 300), "cannot be read"),
        (tmp_path / "nul\0.wav", "cannot be read"),
    ]:
        with pytest.raises(DataError, match=what):
            read_sound(path, "pairs.tsv:3")


def test_names_and_endings_decide_nothing(tmp_path: Path) -> None:
    expected = decode_sound(FLAC)
    for name in ["klänge/наука 声.wav", "a.raw", "a.gsm", "a.vox", "a.txt", "a", "a.mp3"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(FLAC)
        assert np.array_equal(read_sound(str(tmp_path / name)), expected)
    (tmp_path / "link.wav").symlink_to(tmp_path / "a.raw")
    assert np.array_equal(read_sound(tmp_path / "link.wav"), expected)


def test_odd_recordings_are_only_warned_of(tmp_path: Path) -> None:
    for sound, warning in [
        (np.clip(tone(peak=1.5), -1, 1), "cut off at full scale"),
        (tone(peak=0.002), "very quiet"),
        (tone(peak=0.3) + 0.1, "off centre"),
    ]:
        for coding in ("PCM_16", "PCM_24", "FLOAT"):
            (path := tmp_path / "odd.wav").write_bytes(encode(sound, coding=coding))
            report = inspect_sound(path)[1]
            assert len(report.warnings()) == 1
            assert warning in report.warnings()[0]
    (path := tmp_path / "loud.wav").write_bytes(
        encode(np.stack([tone(rate=48_000, peak=0.9999)] * 2, 1), 48_000)
    )
    report = inspect_sound(path)[1]
    assert not report.warnings()  # as loud as can be, yet whole
    assert (report.rate, report.channels, report.duration_s) == (48_000, 2, 1.0)
    assert report.level_db == pytest.approx(-3, abs=0.1)


def test_blocks_of_any_size_are_the_whole_file(tmp_path: Path) -> None:
    (path := tmp_path / "long.ogg").write_bytes(encode(tone(7.3, 44_100), 44_100, "OGG"))
    whole = read_sound(path)
    for seconds in (0.001, 0.7, 1, 100):
        blocks = list(read_blocks(path, seconds))
        assert {len(block) for block in blocks[:-1]} <= {round(seconds * SAMPLE_RATE)}
        assert 0 < len(blocks[-1]) <= round(seconds * SAMPLE_RATE)
        assert np.array_equal(np.concatenate(blocks), whole)


def through_pipe(data: bytes, use: Callable[[BinaryIO], list[Samples]]) -> list[Samples]:
    """What `use` makes of a pipe that gets the data in odd parts."""
    out, into = os.pipe()

    def write() -> None:
        with os.fdopen(into, "wb", buffering=0) as file:
            try:
                for start in range(0, len(data), 7001):
                    file.write(data[start : start + 7001])
            except BrokenPipeError:
                return

    writer = threading.Thread(target=write)
    writer.start()
    try:
        with os.fdopen(out, "rb") as stream:
            return use(stream)
    finally:
        writer.join()


@pytest.mark.parametrize("size", [None, 0, 0x7FFFF000, 0xFFFFFFFF])
@pytest.mark.parametrize(
    "wav",
    [encode(noise()), encode(np.stack([tone(2, 44_100)] * 2, 1), 44_100, coding="PCM_24"),
     encode(tone(2, 8000), 8000, coding="ALAW"), encode(tone(2), coding="FLOAT"),
     encode(np.stack([tone(2)] * 6, 1), form="WAVEX"), encode(tone(2), coding="IMA_ADPCM"),
     encode(tone(2.5), coding="GSM610")],
    ids=["plain", "24 bits stereo", "a-law", "floats", "extensible", "packed", "packed in odd blocks"],
)  # fmt: skip
def test_wav_from_a_pipe_is_read_as_from_a_file(wav: bytes, size: int | None) -> None:
    expected = decode_sound(wav)
    streamed = wav if size is None else with_size(wav, size)
    blocks = through_pipe(streamed, lambda stream: list(read_blocks(stream, 0.3)))
    assert all(len(block) == 4800 for block in blocks[:-1])
    assert np.abs(np.concatenate(blocks).astype(int) - expected).max() <= 1


def test_other_formats_and_bare_samples_come_from_a_pipe_as_well() -> None:
    for data in (FLAC, VORBIS, MP3):
        blocks = through_pipe(data, lambda stream: list(read_blocks(stream)))
        assert np.array_equal(np.concatenate(blocks), decode_sound(data))
    samples = (tone(2, 8000) * 32_768).astype("<i2")
    bare = samples.tobytes()
    blocks = through_pipe(bare + b"x", lambda stream: list(read_blocks(stream, bare_rate=8000)))
    assert np.array_equal(np.concatenate(blocks), decode_sound(encode(samples, 8000)))


def test_a_live_stream_gives_blocks_before_it_ends() -> None:
    out, into = os.pipe()
    with os.fdopen(out, "rb") as stream, os.fdopen(into, "wb", buffering=0) as writer:
        writer.write(with_size(encode(tone(0.5)), 0xFFFFFFFF))
        assert len(next(read_blocks(stream, 0.1))) == 1600


@pytest.mark.parametrize(
    ("data", "what"),
    [(b"", "empty"), (b"R", "not a sound file"), (WAV[:20], "cut off"), (WAV[:-100], "ended early"),
     (b"text " * 100, "not a sound file"), (with_size(WAV[: WAV.index(b"data") + 8], 0), "no samples"),
     (with_field(24, "<I", 0), "cannot be decoded|makes no sense"), (FLAC[:30_000], "cut off")],
)  # fmt: skip
def test_bad_pipes_are_refused(data: bytes, what: str) -> None:
    with pytest.raises(DataError, match=what):
        through_pipe(data, lambda stream: list(read_blocks(stream, where="standard input")))


@pytest.mark.parametrize(
    ("rest", "what"),
    [(WAV, "another WAV file begins"), (noise().tobytes(), "more follows"), (b"TAG" + bytes(125), None),
     (b"LIST" + struct.pack("<I", 6000) + bytes(6000), None)],
)  # fmt: skip
def test_nothing_after_the_samples_of_a_piped_wav_is_left_out_in_silence(
    rest: bytes, what: str | None
) -> None:
    def read(stream: BinaryIO) -> list[Samples]:
        return list(read_blocks(stream))

    if what is None:
        assert np.array_equal(np.concatenate(through_pipe(WAV + rest, read)), decode_sound(WAV))
    else:
        with pytest.raises(DataError, match=what):
            through_pipe(WAV + rest, read)


def test_a_file_damaged_late_gives_what_comes_before() -> None:
    long = encode(noise(60), form="FLAC")
    blocks = read_blocks(io.BytesIO(long[: len(long) * 3 // 4]), 1)
    taken = [next(blocks) for _ in range(30)]
    assert np.array_equal(np.concatenate(taken), decode_sound(long)[: 30 * SAMPLE_RATE])
    with pytest.raises(DataError, match="cut off"):
        list(blocks)
    large = read_blocks(io.BytesIO(long[: len(long) * 3 // 4]), 600)  # of more than there is
    assert len(next(large)) > 30 * SAMPLE_RATE
    with pytest.raises(DataError, match="cut off"):
        next(large)


@pytest.mark.parametrize("data", [noise().tobytes(), b"no sound\n" * 9000], ids=["bare samples", "text"])
def test_a_pipe_that_is_no_sound_is_refused_before_it_ends(data: bytes) -> None:
    """Nobody ends a microphone's stream: who waits for that hears nothing."""
    out, into = os.pipe()
    os.write(into, data[:50_000])  # and it stays open
    try:
        with os.fdopen(out, "rb") as stream, pytest.raises(DataError) as caught:
            next(read_blocks(stream, where="standard input"))
    finally:
        os.close(into)
    assert "standard input: the file is not a sound file" in str(caught.value)
    assert ("ffmpeg -f s16le" in str(caught.value)) == (data != b"no sound\n" * 9000)


def test_hours_from_a_pipe_are_never_in_memory_at_once() -> None:
    header = with_size(encode(np.zeros(0, np.int16)), 0xFFFFFFFF)

    class Endless(io.RawIOBase):
        """An hour of a stream, made as they are read."""

        left = 3600 * SAMPLE_RATE * 2
        largest = 0

        def read(self, size: int = -1) -> bytes:
            nonlocal header
            if header:
                part, header = header[:size], header[size:]
                return part
            size = min(size, self.left)
            self.left -= size
            self.largest = max(self.largest, size)
            return bytes(size)

        def seekable(self) -> bool:
            return False

    stream = Endless()
    total = sum(map(len, read_blocks(cast(BinaryIO, stream), 10, "stream")))
    assert total == 3600 * SAMPLE_RATE
    assert stream.largest < 2**20


def test_without_the_extra_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(ConfigurationError, match=r"interlingua\[sound\]"):
        decode_sound(WAV)


@pytest.mark.parametrize("form", ["WAV", "FLAC", "OGG", "MP3", "AIFF", "CAF", "NIST", "W64"])
def test_damage_of_any_kind_gives_sound_or_an_error_of_ours(form: str) -> None:
    rng = np.random.default_rng(5)
    whole = encode(noise(0.5), form=form)
    for _ in range(60):
        data = bytearray(whole)
        for _ in range(rng.integers(1, 6)):
            at = int(rng.integers(min(len(data), int(rng.choice([64, 200, len(data)])))))
            data[at : at + int(rng.integers(0, 40))] = rng.bytes(int(rng.integers(0, 40)))
        data = data[: int(rng.integers(1, 2 * len(data)))]
        for read in (decode_sound, lambda content: list(read_blocks(io.BytesIO(content), 0.2))):
            with suppress(DataError):
                assert len(read(bytes(data)))
