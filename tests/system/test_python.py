"""The package's functions for Python programs."""

from __future__ import annotations

import copy
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch

import interlingua
from interlingua.errors import ConfigurationError, DataError
from interlingua.inference.translator import Translator
from interlingua.runs.events import Progress, Validated
from tests.tiny import tiny_values, write_reversals

BUNDLES = Path(__file__).parent.parent / "bundles"
WORDS = ["abc", "hgfe", "a", "cd", "bad"]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    shutil.copytree(BUNDLES / "transformer", tmp_path / "model")
    return tmp_path / "model"


def outputs(model: Translator) -> list[str]:
    return [translation.text for translation in model.translate(WORDS)]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_loaded_model_does_not_change_with_its_files(directory: Path, precision: str) -> None:
    """They may be overwritten by a copy or by another training while a service or a notebook goes on."""
    model = interlingua.load(directory, precision=precision)
    expected = outputs(model)
    for path in filter(Path.is_file, directory.iterdir()):
        with path.open("rb+") as file:
            file.write(bytes(path.stat().st_size))
    assert outputs(model) == expected
    for path in filter(Path.is_file, directory.iterdir()):
        path.write_bytes(b"")
    assert outputs(model) == expected


def test_the_number_of_threads_belongs_to_the_call(directory: Path) -> None:
    torch.set_num_threads(3)
    two = interlingua.load(directory, threads=2)
    one = interlingua.load(directory, threads=1)
    assert torch.get_num_threads() == 3
    for model, expected in ((two, {2}), (one, {1})):
        assert threads_within(model, ["abc"]) == expected
        model.translate(WORDS)
        list(model.score_pairs([("abc", "cba")]))
        assert torch.get_num_threads() == 3
    with ThreadPoolExecutor(1) as pool:  # what the workers of a call use is not for threads that begin later
        assert pool.submit(torch.get_num_threads).result() == 3
    with pytest.raises(ConfigurationError, match="threads"):
        interlingua.load(directory, threads=0)


def test_pytorch_and_the_machine_say_how_many_threads(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    model = interlingua.load(directory)
    for given, quota, expected in ((3, [], 3), (3, [2], 2), (1, [2], 1), (9, [], 8)):
        monkeypatch.setattr("interlingua.engine.cpus._quotas", lambda quota=quota: quota)
        torch.set_num_threads(given)
        assert threads_within(model, ["abc"]) == {expected}


def threads_within(model: Translator, texts: list[str]) -> set[int]:
    found = set()
    model.translate(texts, observe=lambda drafts: found.add(torch.get_num_threads()))
    return found


@pytest.mark.parametrize("precision", ["fp32", "bf16", "int8"])
def test_a_loaded_model_can_be_handed_over(directory: Path, precision: str) -> None:
    model = interlingua.load(directory, precision=precision, threads=1)
    expected = [(each.text, each.score) for each in model.translate(WORDS)]
    pickled = pickle.dumps(model)
    shutil.rmtree(directory)
    for other in (pickle.loads(pickled), copy.deepcopy(model), pickle.loads(pickle.dumps(copy.copy(model)))):
        assert [(each.text, each.score) for each in other.translate(WORDS)] == expected


def test_many_threads_may_use_a_model_at_once(directory: Path) -> None:
    model = interlingua.load(directory, threads=2)
    words = [word for word in WORDS for _ in range(20)]
    expected = {word: model.translate([word])[0].text for word in WORDS}
    with ThreadPoolExecutor(6) as pool:
        for word, found in zip(words, pool.map(lambda word: model.translate([word]), words), strict=True):
            assert found[0].text == expected[word]


FORKED = """
import os, pathlib, sys
import torch
import interlingua
from tests.tiny import tiny_values, write_reversals

torch.set_num_threads(2)
words, model = ["abc", "hgfe", "a"], interlingua.load(sys.argv[1], threads=2)
big = torch.randn(600, 600)
big @ big  # OpenMP's threads work for this one now
expected = [each.text for each in model.translate(words)]
for _ in range(2):
    if child := os.fork():
        ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        sys.exit(ended)
    assert [each.text for each in model.translate(words)] == expected  # and again in a child of the child
    assert len(list(model.score_pairs([("abc", "cba"), ("a", "a")]))) == 2
again = interlingua.load(sys.argv[1], threads=2)
assert [each.text for each in again.translate(words)] == expected
here = pathlib.Path(sys.argv[1]).parent
pairs = write_reversals(here / "pairs.tsv", 300)
values = tiny_values(pairs, max_steps=2)
sections = {name: values[name] for name in ("tokenizer", "model", "training")}
trained = interlingua.train(pairs, here / "run", data={"valid_share": 0.05}, **sections)
trained.translate(words)
os._exit(0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_forked_process_translates_loads_and_trains(directory: Path) -> None:
    """As under Celery, or gunicorn with its preload."""
    environment = {**os.environ, "OMP_NUM_THREADS": "2", "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(
        [sys.executable, "-c", FORKED, str(directory)], env=environment, start_new_session=True
    )
    try:
        assert process.wait(timeout=120) == 0
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.parametrize("wrong", [None, 5, "", ["a.tsv"], [("a", "b")], b"a.tsv"], ids=str)
def test_what_is_no_file_name_is_told(directory: Path, tmp_path: Path, wrong: Any) -> None:
    with pytest.raises(ConfigurationError, match="path: this is not a file name"):
        interlingua.load(wrong)
    with pytest.raises(ConfigurationError, match="train: this is not a file name"):
        interlingua.train(wrong, tmp_path / "run")
    with pytest.raises(ConfigurationError, match="out: this is not a file name"):
        interlingua.train(tmp_path / "pairs.tsv", wrong)
    with pytest.raises(ConfigurationError, match="model: this is not a loaded model"):
        interlingua.evaluate(wrong, [("a", "b")])
    with pytest.raises(DataError, match="there are no pairs"):
        interlingua.evaluate(interlingua.load(str(directory), device=torch.device("cpu")), [])


def test_minutes_count_from_the_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A notebook may have been open for hours before it trains."""
    monkeypatch.setattr(interlingua, "STARTED", time.monotonic() - 3600)
    monkeypatch.setattr("interlingua.runs.trainer.PROGRESS_EVERY_S", 0.0)
    seen: list[Progress] = []

    def stop_after_three(journal: object, event: object) -> None:
        if isinstance(event, Progress):
            seen.append(event)
            if event.step == 3:
                signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("interlingua.runs.journal.Journal.record", stop_after_three)
    pairs = write_reversals(tmp_path / "pairs.tsv", 300)
    values = tiny_values(pairs)
    with pytest.raises(KeyboardInterrupt):
        interlingua.train(
            pairs, tmp_path / "run", model=values["model"], tokenizer=values["tokenizer"],
            data={"valid_share": 0.05}, training={**values["training"], "minutes": 30},
        )  # fmt: skip
    assert seen[-1].step > 2  # it was one when an hour had gone already
    assert seen[-1].elapsed_s < 30 * 60


def test_a_stop_is_not_swallowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pairs, values, out = write_reversals(tmp_path / "pairs.tsv", 100), tiny_values(Path()), tmp_path / "run"
    monkeypatch.setattr(
        "interlingua.runs.journal.Journal.record",
        lambda self, event: isinstance(event, Validated) and signal.raise_signal(signal.SIGINT),
    )
    with pytest.raises(KeyboardInterrupt):
        interlingua.train(pairs, out, model=values["model"], training={**values["training"], "max_steps": 9})
    assert list((out / "training" / "checkpoints").iterdir())


def test_data_is_not_given_twice(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"data\.train is given twice"):
        interlingua.train("a.tsv", tmp_path / "run", data={"train": "b.tsv"})
