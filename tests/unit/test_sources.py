"""What a file of pairs, or a directory, holds: recognised, or told with what was probably meant."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from interlingua.cli.choices import is_experiment
from interlingua.data.corpus import Corpus
from interlingua.data.durations import place_error
from interlingua.data.settings import CorpusSettings
from interlingua.data.sources import recognise_kinds
from interlingua.data.usable import usable_pairs
from interlingua.errors import ConfigurationError, DataError


def kinds(path: Path, content: str, **settings: object) -> tuple[str, str]:
    path.write_text(content, encoding="utf-8")
    found = recognise_kinds(CorpusSettings.parse({"train": str(path), **settings}, where="test"))
    return found.source_kind, found.target_kind


@pytest.mark.parametrize("end", ["png", "wav"])
def test_names_of_columns_are_not_taken_for_the_name_of_a_file(end: str, tmp_path: Path) -> None:
    rows = "".join(f"{number}.{end},a cat\n" for number in range(3))
    with pytest.raises(DataError, match=r"pairs.csv:1: .*this one is not \(found: 'file_name'\)") as caught:
        kinds(tmp_path / "pairs.csv", f"file_name,text\n{rows}")
    assert "--columns file_name,text" in str(caught.value)
    kind = {"png": "picture", "wav": "sound"}[end]
    given = {"columns": "file_name,text"}
    assert kinds(tmp_path / "pairs.csv", f"file_name,text\n{rows}", **given) == (kind, "text")


def test_one_name_without_an_end_does_not_make_texts_of_all_pictures(tmp_path: Path) -> None:
    rows = "a.png\ta cat\nb\ta dog\nc.PNG\ta cow\n"
    assert kinds(tmp_path / "pairs.tsv", rows) == ("picture", "text")  # the odd one is told when it is read
    assert kinds(tmp_path / "pairs.tsv", rows, columns="2,1") == ("text", "picture")
    texts = {"source_kind": "text"}
    assert kinds(tmp_path / "pairs.tsv", rows, **texts) == ("text", "text")
    assert kinds(tmp_path / "pairs.tsv", rows, source_kind="picture") == ("picture", "text")


@pytest.mark.parametrize("end", ["png", "wav"])
def test_files_beside_another_column_do_not_become_texts(end: str, tmp_path: Path) -> None:
    rows = "".join(f"noto\t{number}.{end}\ta cat\n" for number in range(3))
    columns = {"columns": "1+2,3"}
    assert kinds(tmp_path / "pairs.tsv", rows, **columns) == ("text", "text")  # there are no such files
    for number in range(3):
        (tmp_path / f"{number}.{end}").touch()
    with pytest.raises(DataError, match=r"pairs.tsv:1: column 2 of the sources names \w+ files"):
        kinds(tmp_path / "pairs.tsv", rows, **columns)
    assert kinds(tmp_path / "pairs.tsv", rows, **columns, source_kind="text") == ("text", "text")


def test_texts_that_name_a_file_now_and_then_are_texts(tmp_path: Path) -> None:
    assert kinds(tmp_path / "pairs.tsv", "open a.png\tx\nSave.\ty\nClose.\tz\n") == ("text", "text")


def test_a_directory_is_told_what_it_lacks(tmp_path: Path) -> None:
    def told() -> str:
        with pytest.raises(ConfigurationError, match="this is a directory") as caught:
            is_experiment(tmp_path)
        return str(caught.value.accepted)

    assert told().startswith("A file of pairs is needed")
    for number, text in enumerate(("a cat\n", "a dog,\nasleep")):
        (tmp_path / f"{number} é.png").touch()
        (tmp_path / f"{number} é.txt").write_text(text)
    command = re.search(r"\(cd .*\)$", told())
    assert command is not None
    subprocess.run(["bash", "-c", command[0]], check=True)
    assert (tmp_path / "pairs.tsv").read_text() == "0 é.png\ta cat\n1 é.png\ta dog, asleep\n"
    assert told() == f"Name the file of pairs, such as {tmp_path / 'pairs.tsv'}"
    (tmp_path / "config.toml").touch()
    assert told().startswith("To go on with a run: --resume")


@pytest.mark.parametrize("name", ["{}#0", "{}#12", '"{}"', "'{}'"])
@pytest.mark.parametrize("kind", ["auto", "picture"])
def test_names_with_something_around_them_are_not_learnt_as_texts(
    name: str, kind: str, tmp_path: Path
) -> None:
    rows = "".join(f"{name.format(f'{number}.png')}\ta cat\n" for number in range(3))
    texts = {"source_kind": "text"}
    if kind == "auto":
        assert kinds(tmp_path / "pairs.tsv", rows) == ("text", "text")  # there are no such files
    for number in range(3):
        (tmp_path / f"{number}.png").touch()
    with pytest.raises(DataError, match=r"pairs.tsv:1: the sources are names of files with") as caught:
        kinds(tmp_path / "pairs.tsv", rows, source_kind=kind)
    if command := re.search("Write the names alone: (.*)", str(caught.value)):
        subprocess.run(["bash", "-c", command[1]], check=True)
        assert (tmp_path / "pairs-files.tsv").read_text() == "".join(f"{n}.png\ta cat\n" for n in range(3))
    elif '"' in name:
        assert "data.format=csv" in str(caught.value)
        assert kinds(tmp_path / "pairs.tsv", rows, format="csv") == ("picture", "text")
    assert kinds(tmp_path / "pairs.tsv", rows, **texts) == ("text", "text")


def test_names_of_utterances_before_names_of_files_are_told(tmp_path: Path) -> None:
    """As in Kaldi's wav.scp, given beside its list of texts."""
    for number in range(3):
        (tmp_path / f"{number}.wav").touch()
    (tmp_path / "wav.scp").write_text("".join(f"utt{number} {number}.wav\n" for number in range(3)))
    (tmp_path / "text").write_text("".join(f"utt{number} one two\n" for number in range(3)))
    settings = CorpusSettings(train=((str(tmp_path / "wav.scp"), str(tmp_path / "text")),))
    with pytest.raises(DataError, match=r"wav.scp .*text:1: names of utterances stand before") as caught:
        recognise_kinds(settings)
    assert "sed 's/^[^ ]* //'" in str(caught.value)
    (tmp_path / "utt0 0.wav").touch()  # a name with a space
    assert kinds(tmp_path / "pairs.tsv", "utt0 0.wav\ta cat\n") == ("sound", "text")


@pytest.mark.parametrize("text", ["a long text " * 50, "a/b" * 200, "nul\0"])
def test_texts_that_no_file_could_be_called_are_texts(text: str, tmp_path: Path) -> None:
    assert kinds(tmp_path / "pairs.tsv", f'"{text}"\t"x"\n' * 3) == ("text", "text")
    missing = place_error(DataError("no such file"), str(tmp_path / "a.png"), "pairs.tsv:1", text)
    assert missing.accepted is None
    (tmp_path / "list").write_text(f"{text.replace(' ', '')} x\n" * 3)
    with pytest.raises(DataError, match="no tab"):
        list(Corpus([str(tmp_path / "list")], CorpusSettings()))


def test_the_file_that_the_other_column_names_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    (pairs := tmp_path / "pairs.tsv").write_text("a green circle\ta.png\n")
    corpus = Corpus([str(pairs)], CorpusSettings(source_kind="picture", target_kind="text"))
    with pytest.raises(DataError, match=r"pairs.tsv:1: .*no such file\n.*--columns 2,1"):
        usable_pairs(corpus)
