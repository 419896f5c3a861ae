"""Files that translators have, from the command line: trained on, evaluated, scored and found again."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from interlingua.errors import CheckpointError
from interlingua.inference.bundle import read_config
from interlingua.runs.events import Ended, Event, Progress
from interlingua.runs.run import start
from tests.tiny import resume_tiny, tiny_values
from tests.unit.test_formats import (
    as_csv,
    as_parquet,
    as_po,
    as_tmx,
    as_translation,
    as_xliff,
    as_zip,
    tmx,
    unit,
    write,
)
from tests.unit.test_sentencepiece_model import train as train_sentencepiece

from .conftest import TINY_OPTIONS, call


def pairs(count: int, seed: int) -> list[tuple[str, str]]:
    chance = random.Random(seed)
    digits = [[chance.choice("0123456789") for _ in range(chance.randint(1, 5))] for _ in range(count)]
    return [(" ".join(each), " ".join(reversed(each))) for each in digits]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("formats")
    write_as = [as_tmx, as_po, as_xliff, as_zip, as_translation]
    files = [each(pairs(60, seed), directory) for seed, each in enumerate(write_as)]
    table = write(directory / "named.csv", "de,en\n" + "".join(f"{t},{s}\n" for s, t in pairs(60, 9)))
    result = call("train", *files, table, "--columns", "en,de", "--languages", "en", "de", "--out",
                  directory / "run", "--max-steps", 6, *TINY_OPTIONS)  # fmt: skip
    assert result.code == 0, result
    assert "360 pairs read" in result.out
    assert "commas are between the columns" in result.out
    return directory / "run"


def test_models_are_evaluated_on_every_format(run: Path, tmp_path: Path) -> None:
    assert read_config(run)["data"]["languages"] == ["en", "de"]
    test = pairs(5, 20)
    for write_as in (as_tmx, as_po, as_xliff, as_zip, as_csv, as_parquet, as_translation):
        path = write_as(test, tmp_path)
        result = call("evaluate", run, path)
        assert result.code == 0, (path, result)
        assert "5 pairs" in " ".join(result.out.split())
        assert len(call("score", run, path).out.split("\n")) == 6
    lines = write(tmp_path / "few.tsv", "a\tb\nc\t\nd\te\n")
    scored = call("score", run, lines, "--on-empty", "skip", "--with-pairs").out.splitlines()
    assert [line.split("\t")[2:] for line in scored] == [["a", "b"], ["d", "e"]]


@pytest.mark.parametrize(
    ("option", "value", "name", "instead"),
    [("--columns", "2,1", "a.jsonl", "--keys"), ("--columns", "2,1", "a.tmx", "--languages"),
     ("--keys", "en,de", "a.tsv.gz", "--columns"), ("--keys", "en,de", "-", "--columns")],
)  # fmt: skip
def test_options_by_which_no_file_is_read_are_refused(
    option: str, value: str, name: str, instead: str, run: Path, tmp_path: Path
) -> None:
    path = "-" if name == "-" else write(tmp_path / name, "")
    commands = [["train", path, "--out", tmp_path / "run"], ["score", run, path], ["evaluate", run, path]]
    if name != "-":  # these read no pairs from the standard input
        commands += [
            ["report", run, "--test", path],
            ["improve", run, "--test", path],
            ["export", run, "--to", "ctranslate2", tmp_path / "ct2", "--valid", path],
        ]
    for command in commands:
        refused = call(*command, option, value, stdin=b"a\tb\n")
        assert (refused.code, f"{option}: no file that is named here is read by" in refused.err) == (2, True)
        assert instead in refused.err
    both = call("train", path, write(tmp_path / "b.csv", ""), write(tmp_path / "b.jsonl", ""), option, value,
                "--out", tmp_path / "run", stdin=b"a\tb\n")  # fmt: skip
    assert "is read by" not in both.err
    unnamed = call("report", run, "--columns", "2,1", "--out", tmp_path / "report.html")
    assert (unnamed.code, "that --test and --train name" in unnamed.err) == (2, True)


def test_what_is_left_out_is_told(run: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "a.tmx", tmx(unit(("en", "1"), ("de", "1")) + unit(("en", "2"))))
    for verb in ("evaluate", "score"):
        result = call(verb, run, path)
        assert "left out: 1 (units without de)" in result.err, result
        assert result.code == 0
    result = call("score", run, path, "--languages", "en", "fr")
    assert result.code == 2
    assert "there is no text in fr" in result.err


@pytest.mark.parametrize("change", ["moved", "changed"])
def test_a_run_finds_a_directory_again(change: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("interlingua.runs.trainer.PROGRESS_EVERY_S", 0.0)
    tree = tmp_path / "tree"
    tree.mkdir()
    saved = as_translation(pairs(60, 1), tree)
    values = tiny_values(saved, max_steps=20, checkpoint_every_s=1e-9)
    values["data"] = {"train": [str(saved)]}
    events = start(values, tree / "run")
    for event in events:
        if isinstance(event, Progress) and event.step >= 3:
            events.close()
    if change == "changed":
        as_translation(pairs(60, 2), tree)
        with pytest.raises(CheckpointError, match="data has changed since this run"):
            resume_tiny(tree / "run")
        return
    shutil.move(tree, tmp_path / "elsewhere")
    *_, ended = list[Event](resume_tiny(tmp_path / "elsewhere" / "run"))
    assert isinstance(ended, Ended)


def test_own_sentencepiece_models(tmp_path: Path) -> None:
    own = write(tmp_path / "own.model", train_sentencepiece())
    data = as_tmx(pairs(60, 1), tmp_path)
    out = tmp_path / "run"
    arguments = ["train", data, "--out", out, "--max-steps", 4, *TINY_OPTIONS]
    for options, message in (
        (["--tokenizer", own, "--source-tokenizer", own], "for both sides already"),
        (["--tokenizer", data], "no SentencePiece model"),
        (["--target-tokenizer", tmp_path / "none.model"], "cannot be read"),
        (["--tokenizer", own, "--set", "tokenizer.source=bpe"], "source_model"),
    ):
        result = call(*arguments, *options)
        assert result.code == 2, (options, result)
        assert message in result.err
        assert not out.exists()
    assert call(*arguments, "--tokenizer", own).code == 0
    own.unlink()  # the run has it
    assert call("translate", out, "1 2").code == 0
    result = call("train", data, "--from", out, "--out", tmp_path / "finer", "--max-steps", 2, "--threads", 1)
    assert result.code == 0, result


def test_an_experiment_and_files_of_pairs(tmp_path: Path) -> None:
    experiment = write(tmp_path / "e.toml", "[data]\ntrain = 'a.tsv'\n")
    result = call("train", experiment, as_tmx(pairs(5, 1), tmp_path), "--out", tmp_path / "run")
    assert result.code == 2
    assert "an experiment names its files itself" in result.err
