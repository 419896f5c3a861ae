"""What the quickstart says, who says it, and the rooms it is heard in."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
import wave
from pathlib import Path

import numpy as np
import pytest

from interlingua.cli import commands, espeak, room, spoken
from interlingua.errors import DataError, OutputError

installed = pytest.mark.skipif(
    importlib.util.find_spec(espeak.PACKAGE) is None, reason="espeakng-loader is not installed"
)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spoken, "PARTS", {name: part._replace(size=6) for name, part in spoken.PARTS.items()})


def read_all(directory: Path) -> dict[str, bytes]:
    files = [file for file in directory.rglob("*") if file.is_file()]
    return {str(file.relative_to(directory)): file.read_bytes() for file in files}


def vocabulary(sentences: list[str]) -> set[str]:
    return {word for sentence in sentences for word in sentence.split()}


def test_sentences_have_one_to_six_known_words_in_lower_case() -> None:
    draw = np.random.default_rng(1)
    sentences = [commands.draw_sentence(draw) for _ in range(5000)]
    assert all(re.fullmatch("[a-z]+( [a-z]+){0,5}", sentence) for sentence in sentences)
    assert 50 <= len(vocabulary(sentences)) <= 65
    assert {len(sentence.split()) for sentence in sentences} == set(range(1, 7))


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (7, "seven"), (19, "nineteen"), (40, "forty"), (42, "forty two"), (100, "one hundred"),
        (306, "three hundred and six"), (990, "nine hundred and ninety"),
    ],
)  # fmt: skip
def test_numbers_are_spelt(number: int, words: str) -> None:
    assert commands._spell(number) == words


def test_every_word_occurs_often_enough_to_be_learnt() -> None:
    draw = np.random.default_rng(1)
    words = vocabulary([commands.draw_sentence(draw) for _ in range(20_000)])
    trained = [utterance.text.split() for utterance in spoken.draw_utterances("train", 1)]
    counts = {word: sum(word in said for said in trained) for word in words}
    assert min(counts.values()) >= 15, counts
    assert vocabulary([utterance.text for utterance in spoken.draw_utterances("test", 1)]) <= words


def test_no_part_hears_a_voice_of_another() -> None:
    heard = {
        part: {utterance.voice.partition("+")[2] for utterance in spoken.draw_utterances(part, 1)}
        for part in spoken.PARTS
    }
    assert {part: set(spoken.PARTS[part].variants) for part in spoken.PARTS} == heard
    assert sum(map(len, heard.values())) == len(set.union(*heard.values()))


@installed
def test_all_voices_exist() -> None:
    import espeakng_loader

    data = Path(espeakng_loader.get_data_path())
    variants = {file.name for file in (data / "voices" / "!v").iterdir()}
    assert {variant for part in spoken.PARTS.values() for variant in part.variants} <= variants
    voices = [f"{language}+m1" for language in spoken.LANGUAGES]
    sounds = [sound.tobytes() for sound in espeak.speak([espeak.Utterance("four cars", v) for v in voices])]
    assert len(set(sounds)) == len(voices)


@installed
@pytest.mark.usefixtures("few")
def test_the_seed_decides_every_byte(tmp_path: Path) -> None:
    for name, seed in (("first", 1), ("again", 1), ("other", 2)):
        spoken.make_parts(tmp_path / name, seed)
    first = read_all(tmp_path / "first")
    assert len(first) == 3 + 18
    assert first == read_all(tmp_path / "again")
    other = read_all(tmp_path / "other")
    assert all(first[name] != other[name] for name in first)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again", "first", "other"]


@installed
@pytest.mark.usefixtures("few")
def test_every_pair_names_a_sound_of_a_sane_length(tmp_path: Path) -> None:
    spoken.make_parts(tmp_path / "data")
    named = set()
    for part in spoken.PARTS:
        for line in (tmp_path / "data" / f"{part}.tsv").read_text(encoding="utf-8").strip().split("\n"):
            name, text = line.split("\t")
            named.add(name)
            with wave.open(str(tmp_path / "data" / name)) as file:
                assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 16_000)
                samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
            words = len(text.split())
            assert 0.1 + 0.1 * words < len(samples) / 16_000 < 2.0 + 0.8 * words
            assert 4_000 < np.abs(samples.astype(int)).max() < 32_000
    assert named == {f"sounds/{path.name}" for path in (tmp_path / "data" / "sounds").iterdir()}


@installed
@pytest.mark.usefixtures("few")
@pytest.mark.parametrize(
    ("fault", "raised"),
    [(OSError(28, "No space left on device"), OutputError), (KeyboardInterrupt(), KeyboardInterrupt)],
)
def test_what_was_begun_is_not_taken_for_whole(
    fault: BaseException, raised: type[BaseException], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    data, record = tmp_path / "data", room.record
    calls = []

    def fail_in_the_middle(*arguments: object) -> object:
        calls.append(arguments)
        if len(calls) == 9:
            raise fault
        return record(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(room, "record", fail_in_the_middle)
    with pytest.raises(raised):
        spoken.make_parts(data)
    assert not list(tmp_path.iterdir())
    (tmp_path / ".data.part" / "sounds").mkdir(parents=True)  # what a killed one leaves
    (tmp_path / ".data.part" / "sounds" / "stale.wav").touch()
    monkeypatch.setattr(room, "record", record)
    spoken.make_parts(data)
    whole = read_all(data)
    assert len(whole) == 3 + 18
    monkeypatch.setattr(room, "record", fail_in_the_middle)
    spoken.make_parts(data)  # whole, so that nothing is made anew
    assert read_all(data) == whole


def test_another_directory_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "test.tsv").write_text("mine")
    with pytest.raises(OutputError, match="something else"):
        spoken.make_parts(tmp_path / "data")
    assert read_all(tmp_path / "data") == {"test.tsv": b"mine"}


def test_without_the_synthesizer_the_error_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, espeak.PACKAGE, None)
    with pytest.raises(DataError, match=r"interlingua\[quickstart\].*espeakng-loader"):
        spoken.make_parts(tmp_path / "data")
    assert not list(tmp_path.iterdir())


@installed
def test_what_the_synthesizer_cannot_say_is_an_error_that_tells_why() -> None:
    utterances = [espeak.Utterance("one", "en-us"), espeak.Utterance("two", "zz-unknown")]
    sounds = espeak.speak(utterances)
    assert len(next(sounds)) > 1000
    with pytest.raises(DataError, match=r"'two'.*no voice zz-unknown"):
        next(sounds)


@installed
def test_who_stops_listening_leaves_no_process() -> None:
    sounds = espeak.speak([espeak.Utterance("one two three", "en-us")] * 200)
    next(sounds)
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    before = set(children.read_text().split()) if children.exists() else set()
    sounds.close()
    after = set(children.read_text().split()) if children.exists() else set()
    assert len(after) == max(0, len(before) - 1)


def test_a_room_adds_echoes_noise_and_pauses() -> None:
    tone = (8_000 * np.sin(np.arange(22_050) * 0.1)).astype(np.int16)
    heard = [room.record(tone, 22_050, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert np.array_equal(heard[0], heard[1])
    assert all(16_000 + 1_600 <= len(samples) <= 16_000 + 11_200 for samples in heard)
    assert len(heard[0]) != len(heard[2])
    for samples in heard:
        loudness = np.abs(np.fft.rfft(samples, 1 << 15))
        assert abs(int(loudness.argmax()) - 0.1 * 22_050 / (2 * np.pi) / 16_000 * (1 << 15)) < 3  # same pitch
        assert np.abs(samples[:400].astype(int)).max() > 0  # noise before the beginning
