"""What a user can get wrong: each mistake ends with exit code 2 and a message that names the place."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from filelock import FileLock

from interlingua.cli.stopping import stoppable
from interlingua.runs.interrupt import Interrupted

from .conftest import TINY_OPTIONS, call


def write(name: str, content: bytes) -> Callable[[Path], None]:
    """Makes a file in the test's directory."""
    return lambda here: (here / name).write_bytes(content) and None


def damage(name: str, change: Callable[[Path], object]) -> Callable[[Path], None]:
    """Makes a copy of the model, "broken", in which one file is changed."""

    def make(here: Path) -> None:
        shutil.copytree(here / "model", here / "broken", ignore=shutil.ignore_patterns("training"))
        change(here / "broken" / name)

    return make


def append(content: str) -> Callable[[Path], object]:
    return lambda path: path.write_text(path.read_text() + content)


def shorten(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def alter(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))


def nothing(here: Path) -> None:
    pass


TRAIN = "train --train train.tsv --out new --max-steps 2"
A_TSV = "train --train a.tsv --out new"
BROKEN = "translate broken"
MISTAKES: dict[str, tuple[Callable[[Path], None], str, list[str]]] = {
    # Files
    "no such file": (nothing, "train --train gone.tsv --out new", ["gone.tsv", "cannot be read"]),
    "a directory": (nothing, "train --train model --out new", ["model", "cannot be read"]),
    "no tab": (write("a.tsv", b"1\t1\n1 2\n"), A_TSV, ["a.tsv:2", "no tab"]),
    "third column": (write("a.tsv", b"1\t1\t1\n"), A_TSV, ["a.tsv:1", "--columns"]),
    "few columns": (
        nothing, "train --train train.tsv --columns 1,5 --out new", ["train.tsv:1", "2 columns"]
    ),
    "not UTF-8": (write("a.tsv", b"1\t1\n\xff\t1\n"), A_TSV, ["a.tsv:2", "UTF-8"]),
    "UTF-16": (write("a.tsv", "1\t1\n2\t2\n".encode("utf-16")), A_TSV, ["a.tsv", "iconv -f UTF-16 -t UTF-8"]),
    "CSV": (write("a.tsv", b"1,1\n2,2\n3,3\n"), A_TSV, ["a.tsv:1", "looks like CSV", "data.format=csv"]),
    "a workbook": (write("a.tsv", b"PK\x03\x04\x14\0\x06\0xl/a.xml"), A_TSV, ["a.tsv", "Excel workbook"]),
    "an experiment as data": (
        write("a.toml", b"[data]\ntrain = 'train.tsv'\n"), "train --train a.toml --out new",
        ["a.toml:1", "interlingua train a.toml"],
    ),
    "other alphabet": (
        write("a.tsv", "".join(f"ж {i}\tщ\n" for i in range(99)).encode()),
        "train --from model --train a.tsv --out new --max-steps 2",
        ["a.tsv", "unknown to the model to start from", "ж"],
    ),
    "other alphabet to validate": (
        write("a.tsv", "жщ\tщж\n".encode()),
        f"{TRAIN} --valid a.tsv", ["a.tsv", "unknown to the vocabulary of the training pairs", "щ"],
    ),
    "what to clear": (nothing, "cache --older-than 5", ["--older-than", "--clear"]),
    "empty side": (write("a.tsv", b"1\t1\n2\t\n"), A_TSV, ["a.tsv:2", "--on-empty"]),
    "no pairs": (write("a.tsv", b""), A_TSV, ["a.tsv", "no pairs"]),
    "no pairs to report on": (
        write("a.tsv", b""), "report model --test a.tsv --out new", ["a.tsv", "no pairs"]
    ),
    "report of nothing and a test": (
        nothing, "report model --test test.tsv --curves-only --out new", ["--curves-only", "--test"]
    ),
    "not JSON": (write("a.jsonl", b"{\n"), "train --train a.jsonl --out new", ["a.jsonl:1", "JSON"]),
    "missing key": (
        write("a.jsonl", b'{"en": "1"}\n'),
        "train --train a.jsonl --keys en,de --out new",
        ["a.jsonl:1", "'de'"],
    ),
    "damaged gzip": (write("a.tsv.gz", b"1\t1\n"), "train --train a.tsv.gz --out new", ["a.tsv.gz"]),
    "unequal lengths": (
        write("a.txt", b"1\n"),
        "train --train a.txt --train-target train.tsv --out new",
        ["a.txt:1", "unequal"],
    ),
    "stdin not UTF-8": (nothing, "translate model", ["standard input:2", "UTF-8"]),
    "test file": (nothing, "evaluate model gone.tsv", ["gone.tsv"]),
    "look-up file": (nothing, "evaluate model test.tsv --train gone.tsv", ["gone.tsv"]),
    "pairs to score": (write("a.tsv", b"1\t1\n1"), "score model a.tsv", ["a.tsv:2", "no tab"]),
    # Flags
    "unknown option": (nothing, "train --tran train.tsv", ["--tran"]),
    "unknown verb": (nothing, "trian", ["trian"]),
    "no data": (nothing, "train --out new", ["--train"]),
    "no out": (nothing, "train --train train.tsv", ["--out"]),
    "half of parallel": (
        nothing, "train --train a --train b --train-target c --out new", ["--train-target"]
    ),
    "setting without value": (nothing, f"{TRAIN} --set model.dim", ["--set", "model.dim"]),
    "mistyped setting": (nothing, f"{TRAIN} --set training.max_step=5", ["max_step", "'max_steps'"]),
    "mistyped section": (nothing, f"{TRAIN} --set modle.dim=5", ["modle", "'model'"]),
    "wrong value": (nothing, f"{TRAIN} --set model.dim=wide", ["model.dim", "wide"]),
    "heads do not divide": (nothing, f"{TRAIN} --set model.heads=7", ["heads", "7"]),
    "no such device": (nothing, f"{TRAIN} --device gpu", ["device", "gpu", "cpu"]),
    "no such precision": (nothing, f"{TRAIN} --precision fp8", ["precision", "fp8"]),
    "no such preset": (nothing, f"{TRAIN} --preset smal", ["preset", "'small'"]),
    "no minutes": (nothing, "train --train train.tsv --out new --minutes 0", ["minutes", "0"]),
    "two budgets": (nothing, f"{TRAIN} --minutes 5", ["--minutes", "--max-steps"]),
    "two budgets in a setting": (nothing, f"{TRAIN} --set training.minutes=5", ["one budget", "minutes"]),
    "two budgets in a file": (
        write("e.toml", b"[training]\nminutes = 5\nmax_steps = 5\n"), "train e.toml", ["e.toml", "one budget"]
    ),
    "a setting against an option": (
        nothing, f"{TRAIN} --seed 2 --set training.seed=3", ["training.seed", "contradict", "2", "3"]
    ),
    "resuming another way": (
        nothing, "train --resume model --set model.dim=5", ["--resume", "--set", "--max-steps", "--device"]
    ),
    "resuming with data": (nothing, "train --resume model --train test.tsv", ["test.tsv", "own data"]),
    "resuming with a weight": (
        nothing, "train --resume model --train train.tsv --weight 2", ["(found: '--weight')"],
    ),
    "one column": (nothing, "train --train train.tsv --out new --columns 2", ["should be two", "1,2"]),
    "column 0": (nothing, "train --train train.tsv --out new --columns 0,1", ["number of a column, from 1"]),
    "columns without names": (
        nothing, "train --train train.tsv --out new --columns word,form", ["train.tsv:1", "'word'", "1,2"]
    ),
    "resuming with force": (nothing, "train --resume model --force", ["--resume", "--force"]),
    "resuming with a seed": (nothing, "train --resume model --seed 3", ["--resume", "--seed"]),
    "resuming with pairs": (nothing, "train test.tsv --resume model", ["test.tsv", "own data", "--from"]),
    "a preset beside a model": (nothing, f"{TRAIN} --from model --preset gru", ["preset gru", "recurrent"]),
    "sizes beside a model": (nothing, f"{TRAIN} --from model --set model.dim=64", ["model.dim", "64", "32"]),
    "depth beside a model": (
        nothing, f"{TRAIN} --from model --set model.encoder_layers=3", ["model.encoder_layers", "3", "1"]
    ),
    "tokenizers beside a model": (
        nothing, f"{TRAIN} --from model --set tokenizer.target=bytes", ["tokenizer.target", "bytes"]
    ),
    "a directory as a file": (nothing, "train model --out new", ["model", "directory", "--resume", "--from"]),
    "no pairs as a file": (write("a.tsv", b"1 2\n"), "train a.tsv --out new", ["a.tsv:1", "no tab"]),
    "an experiment by another name": (
        write("e.cfg", b"# mine\n[training]\nminuts = 5\n"), "train e.cfg --out new", ["e.cfg", "'minutes'"]
    ),
    "too long a name": (nothing, f"train --train train.tsv --out {'x' * 300}", ["too long"]),
    "nobody's home": (nothing, "train --train train.tsv --out ~nobody-such/run", ["home"]),
    "no directory": (nothing, "train train.tsv --out train.tsv/run", ["train.tsv", "not a directory"]),
    "twice standard input": (nothing, "train --train - --valid - --out new", ["standard input", "once"]),
    "quickstart over a model": (nothing, "quickstart --out model", ["model", "another model"]),
    "used up": (nothing, "train --resume model", ["used up its budget", "--max-steps"]),
    "existing out": (nothing, "train --train train.tsv --out model", ["model", "--force"]),
    "foreign out": (write("own/file", b"1"), "train --train train.tsv --out own --force", ["own"]),
    "many of few": (nothing, "translate model --n-best 9 --beam 2", ["n_best", "9"]),
    "no beam": (nothing, "translate model --beam 0", ["beam", "0"]),
    "cold sampling": (nothing, "translate model --sample --temperature 0", ["temperature"]),
    "top-k without sampling": (nothing, "translate model --top-k 5", ["--sample"]),
    "model's device": (nothing, "translate model --device cuda:99", ["device", "cuda:99"]),
    "model's precision": (nothing, "translate model --precision half", ["precision", "half"]),
    "in is out": (nothing, "translate model --input test.tsv --output test.tsv", ["--output"]),
    "out cannot be": (nothing, "translate model --output gone/out.txt", ["gone/out.txt"]),
    "unknown metric": (nothing, "evaluate model test.tsv --metric BLUE", ["BLUE", "'BLEU'"]),
    "unknown way to repeat": (nothing, "evaluate model test.tsv --repeated case", ["case", "'cases'"]),
    "only a model": (nothing, "evaluate model", ["model", "test"]),
    "swapped for evaluate": (nothing, "evaluate test.tsv gone", ["gone", "no such model"]),
    "only a test": (nothing, "evaluate test.tsv", ["no model", "test.tsv"]),
    "second test": (nothing, "evaluate model test.tsv gone.tsv", ["gone.tsv", "cannot be read"]),
    "a test without pairs": (
        write("a.tsv", b""), "evaluate model test.tsv a.tsv", ["a.tsv", "there are no pairs"]
    ),
    "swapped for score": (nothing, "score test.tsv model", ["test.tsv", "a file, not a model", "first"]),
    "a file to look into": (nothing, "look test.tsv 1", ["test.tsv", "a file, not a model"]),
    "a file to report on": (nothing, "report test.tsv", ["test.tsv", "a file, not a model"]),
    "a file to describe": (nothing, "info test.tsv", ["test.tsv", "a file, not a model"]),
    "a file to serve": (nothing, "serve test.tsv", ["test.tsv", "a file, not a model"]),
    "a model's file": (nothing, "translate model/info.json", ["a file", "Did you mean model?"]),
    "a model's part": (nothing, "translate model/training", ["holds no model", "Did you mean model?"]),
    "around a model": (nothing, "translate .", ["holds no model", "Did you mean model?"]),
    "a model's name": (nothing, "info modl", ["no such model", "Did you mean model?"]),
    "a long name": (nothing, f"info {'a' * 300}", ["too long"]),
    "a file as a text": (nothing, "translate model test.tsv", ["test.tsv", "a file", "--input test.tsv"]),
    "texts and a file": (nothing, "translate model 1 --input test.tsv", ["--input", "test.tsv"]),
    "a text of bytes": (nothing, "translate model \udcff", ["not UTF-8"]),
    "too many threads": (nothing, "translate model --threads 5000", ["--threads", "1024"]),
    # Configuration
    "no such experiment": (nothing, "train gone.toml", ["gone.toml"]),
    "not TOML": (write("e.toml", b"preset = \n"), "train e.toml", ["e.toml", "line 1"]),
    "unknown key": (
        write("e.toml", b"[training]\nminuts = 5\n"),
        "train e.toml",
        ["e.toml", "'training.minuts'", "'minutes'"],
    ),
    "unknown key beside sections": (
        write("e.toml", b"output = 'run'\n"), "train e.toml", ["e.toml", "'output'", "Did you mean 'out'?"]
    ),
    "wrong type": (write("e.toml", b"[model]\ndim = 'x'\n"), "train e.toml", ["e.toml", "model.dim", "'x'"]),
    "out is no text": (write("e.toml", b"out = 5\n"), "train e.toml", ["e.toml", "out", "5"]),
    "not a section": (write("e.toml", b"training = 5\n"), "train e.toml", ["e.toml", "training", "5"]),
    # Models
    "no such model": (nothing, "translate gone", ["gone", "no such model"]),
    "no such info": (nothing, "info gone", ["gone", "no such model"]),
    "not a model": (nothing, "score . test.tsv", ["holds no model"]),
    "fine-tune nothing": (nothing, "train --from gone --train train.tsv --out new", ["gone"]),
    "set on nothing": (nothing, f"{TRAIN} --from gone --set model.dim=5", ["gone", "no such model"]),
    "a file of nothing": (write("e.toml", b"base_model = 'gone'\n"), "train e.toml", ["gone", "no such"]),
    "nothing by its old key": (write("e.toml", b"start = 'gone'\n"), "train e.toml", ["gone", "no such"]),
    "base is no text": (write("e.toml", b"start = 5\n"), "train e.toml", ["e.toml", "base_model", "5"]),
    "the model is a text": (write("e.toml", b"model = 'gru'\n"), "train e.toml", ["e.toml", "model", "gru"]),
    "the model is a number": (write("e.toml", b"model = 5\n"), "train e.toml", ["e.toml", "model", "5"]),
    "resume nothing": (nothing, "train --resume gone", ["gone"]),
    "shortened weights": (
        damage("model.safetensors", shorten), BROKEN, ["broken/model.safetensors", "damaged"]
    ),
    "altered weights": (
        damage("model.safetensors", alter), BROKEN, ["broken/model.safetensors", "hash"]
    ),
    "no weights": (damage("model.safetensors", Path.unlink), BROKEN, ["broken/model.safetensors"]),
    "no weights to score": (
        damage("model.safetensors", Path.unlink), "score broken test.tsv",
        ["no weights yet", "--resume broken"],
    ),
    "no weights to serve": (
        damage("model.safetensors", Path.unlink), "serve broken", ["no weights yet", "--resume broken"]
    ),
    "no tokenizer": (damage("source.json", Path.unlink), BROKEN, ["broken/source"]),
    "damaged tokenizer": (damage("target.json", shorten), BROKEN, ["broken/target.json"]),
    "other sizes": (
        damage("config.toml", lambda path: path.write_text(path.read_text().replace("dim = 32", "dim = 64"))),
        BROKEN,
        ["broken/model.safetensors", "do not fit"],
    ),
    "damaged config": (damage("config.toml", append("[model\n")), BROKEN, ["broken/config.toml"]),
    "for info": (damage("config.toml", append("[model\n")), "info broken", ["broken/config.toml"]),
    "newer config": (damage("config.toml", append("new = 1\n")), BROKEN, ["broken/config.toml"]),
    "changed info": (damage("info.json", lambda path: path.write_text("[1]")), "info broken", ["broken"]),
    "damaged info": (damage("info.json", shorten), "info broken", ["broken/info.json"]),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_explained(
    mistake: str, model: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for file in data.iterdir():
        (tmp_path / file.name).symlink_to(file)
    (tmp_path / "model").symlink_to(model)
    (tmp_path / "own").mkdir()
    monkeypatch.chdir(tmp_path)
    make, command, expected = MISTAKES[mistake]
    make(tmp_path)
    result = call(*command.split(), stdin=b"1 2\n\xff\n" if mistake == "stdin not UTF-8" else b"1 2\n")
    assert result.code == 2, result
    assert result.err.startswith("interlingua: ") or "Error" in result.err
    assert "Traceback" not in result.out + result.err
    for part in expected:
        assert part in result.err, result.err
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("command", [
    "trian", "translate model --bem 3", "translate gone", "score test.tsv model", "evaluate test.tsv",
    "look gone 1", "report gone", "info gone", "serve gone",
])  # fmt: skip
def test_a_mistake_on_the_command_line_is_told_before_pytorch_is_loaded(
    command: str, data: Path, tmp_path: Path
) -> None:
    (tmp_path / "test.tsv").symlink_to(data / "test.tsv")
    program = (
        "import sys; from interlingua.cli.main import main\n"
        "try: main()\n"
        "finally: print('torch' in sys.modules)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, *command.split()], cwd=tmp_path, capture_output=True, text=True
    )
    assert ended.returncode == 2, ended.stderr
    assert ended.stdout == "False\n"


def test_two_processes_cannot_train_into_one_directory(data: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    (run / "training").mkdir(parents=True)
    with FileLock(run / "training" / "lock"):
        command = ["train", "--train", data / "train.tsv", "--out", run, "--force", "--max-steps", 1]
        result = call(*command, *TINY_OPTIONS)
    assert result.code == 2
    assert "another process is training into this directory" in result.err
    assert str(run) in result.err


@pytest.mark.parametrize("at", ["interlingua.cli.main", "torch"])
def test_ctrl_c_while_a_program_is_loaded_leaves_no_traceback(at: str, data: Path) -> None:
    program = (
        "import builtins; load = builtins.__import__\n"
        "def interrupted(name, *rest):\n"
        f"    if name == {at!r}: raise KeyboardInterrupt\n"
        "    return load(name, *rest)\n"
        "builtins.__import__ = interrupted\n"
        "from interlingua.__main__ import main; main()"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, "train", "--train", "train.tsv", "--out", "run", "--max-steps", "1"],
        cwd=data, capture_output=True, text=True,
    )  # fmt: skip
    assert ended.returncode == 130
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_run_that_was_stopped_before_it_began_leaves_the_earlier_one(
    wrapped: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "training" / "log.jsonl"
    log.parent.mkdir()
    log.touch()

    def interrupted(anew: bool, began: bool) -> None:
        with stoppable(tmp_path, anew=anew):
            if began:
                log.write_text("another one")
            if wrapped:  # as by Python 3.11, of what happens while a class is made
                raise RuntimeError from Interrupted()
            raise Interrupted

    def stop(*, anew: bool, began: bool = False) -> str:
        with pytest.raises(typer.Exit):
            interrupted(anew, began)
        return capsys.readouterr().err

    assert "stays as it was" in (said := stop(anew=True))
    assert "--resume" not in said
    assert f"--resume {tmp_path}" in stop(anew=True, began=True)
    assert f"--resume {tmp_path}" in stop(anew=False)
    with pytest.raises(RuntimeError, match="other"), stoppable(tmp_path):
        raise RuntimeError("other")


@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
def test_ctrl_c_saves_and_says_how_to_resume(data: Path, tmp_path: Path) -> None:
    command = ["train", "--train", data / "train.tsv", "--out", tmp_path / "run", "--max-steps", 10**6]
    settings = [*TINY_OPTIONS, "--set", "training.validations=100000"]
    process = subprocess.Popen(
        [sys.executable, "-m", "interlingua", *map(str, command), *settings],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    log = tmp_path / "run" / "training" / "log.jsonl"
    while process.poll() is None and not (log.exists() and '"validated"' in log.read_text()):
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert f"interlingua train --resume {tmp_path / 'run'}" in out
    assert "Traceback" not in err
    steps = json.loads(log.read_text().splitlines()[-1])["step"]
    resumed = call("train", "--resume", tmp_path / "run", "--max-steps", steps + 2)
    assert resumed.code == 0, resumed.err
    assert f"going on after step {steps:,}" in resumed.out


def test_a_file_of_pairs_may_come_first(data: Path, tmp_path: Path) -> None:
    result = call("train", data / "train.tsv", "--out", tmp_path / "run", "--max-steps", 1, *TINY_OPTIONS)
    assert result.code == 0, result.err
    assert str(data / "train.tsv") in result.out


def test_a_device_is_honoured_when_going_on(data: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    command = ["train", "--train", data / "train.tsv", "--out", run, "--max-steps", 1, "--precision", "bf16"]
    assert call(*command, *TINY_OPTIONS).code == 0
    config = run / "config.toml"
    config.write_text(config.read_text().replace('device = "auto"', 'device = "cuda:99"'))
    result = call("train", "--resume", run, "--max-steps", 2, "--device", "cpu", "--precision", "fp32")
    assert result.code == 0, result.err
    assert "this run began on cpu, bfloat16 and goes on on cpu, float32" in result.out


def test_an_option_replaces_the_budget_of_a_file(data: Path, tmp_path: Path) -> None:
    experiment = tmp_path / "e.toml"
    experiment.write_text(
        f"out = '{tmp_path / 'run'}'\n[training]\nminutes = 50\n[data]\ntrain = '{data / 'train.tsv'}'\n"
    )
    result = call("train", experiment, "--set", "training.max_steps=1", *TINY_OPTIONS)
    assert result.code == 0, result.err
    assert "1 steps" in result.out
