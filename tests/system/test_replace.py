"""What is a run and what is not; a run that is replaced is whole until the new one has weights."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from interlingua.data import tensors
from interlingua.errors import BundleError, ConfigurationError, InterlinguaError, OutputError
from interlingua.inference.bundle import load_bundle
from interlingua.runs.events import EARLIER_STAYS, Ended, Note, Progress, Validated
from interlingua.runs.run import start
from tests.tiny import resume_tiny, tiny_values, train_tiny, write_reversals

BUNDLES = Path(__file__).parent.parent / "bundles"


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_reversals(tmp_path_factory.mktemp("data") / "pairs.tsv", 200)


@pytest.fixture(scope="module")
def finished(pairs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("runs") / "finished"
    train_tiny(out, pairs, max_steps=3)
    return out


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    """A copy of a finished run."""
    return Path(shutil.copytree(finished, tmp_path / "run"))


def contents(directory: Path) -> dict[str, bytes]:
    """All files but the lock, and what is in them."""
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in directory.rglob("*") if path.is_file() and path.name != "lock"
    }  # fmt: skip


def replace(out: Path, pairs: Path, **training: Any) -> list[Any]:
    return list(start(tiny_values(pairs, **{"max_steps": 2, "seed": 9, **training}), out, force=True))


PROJECTS: dict[str, dict[str, str]] = {
    "a configuration of its own": {"config.toml": "[data]\ntrain = 'training/pairs.tsv'\n",
                                   "training/pairs.tsv": "a\tb\n"},
    "an experiment": {"config.toml": "[data]\n[model]\n[training]\n[search]\n", "training/a.tsv": "a\tb\n"},
    "only training data": {"training/pairs.tsv": "a\tb\n"},
    "a notebook's checkpoints": {"training/checkpoints/step-1.safetensors": "x", "README.md": "mine"},
    "a readme": {"README.md": "mine"},
    "another run.json": {"training/run.json": "{}", "config.toml": "x = 5\n"},
    "a tokenizer": {"joint.json": "{}"},
}  # fmt: skip


@pytest.mark.parametrize("project", PROJECTS)
@pytest.mark.parametrize("force", [True, False])
def test_what_no_run_wrote_is_never_removed(project: str, force: bool, pairs: Path, tmp_path: Path) -> None:
    out = tmp_path / "project"
    for name, content in PROJECTS[project].items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text(content)
    before = contents(out)
    with pytest.raises(OutputError, match="not a run") as refused:
        list(start(tiny_values(pairs, max_steps=1), out, force=force))
    assert "--force" not in str(refused.value)
    assert contents(out) == before


def test_files_of_others_in_a_run_stay_and_are_named(run: Path, pairs: Path) -> None:
    for name in ("training/pairs.tsv", "training/checkpoints/mine.safetensors", "notes.txt"):
        (run / name).write_text("precious")
    events = replace(run, pairs)
    for name in ("training/pairs.tsv", "training/checkpoints/mine.safetensors", "notes.txt"):
        assert (run / name).read_text() == "precious"
    notes = " ".join(event.text for event in events if isinstance(event, Note))
    assert "training/pairs.tsv" in notes
    assert "mine.safetensors" in notes


@pytest.mark.parametrize("name", ["transformer", "joint-tied"])
def test_runs_and_models_of_earlier_versions_are_known(name: str, pairs: Path, tmp_path: Path) -> None:
    out = Path(shutil.copytree(BUNDLES / name, tmp_path / "run"))
    with pytest.raises(OutputError, match="--force"):
        train_tiny(out, pairs, max_steps=2)
    replace(out, pairs)
    assert not (out / "joint.json").exists()
    assert not list(out.glob("training/checkpoints/step-000000120*"))
    load_bundle(out)


MISTAKES: dict[str, dict[str, Any]] = {
    "device": {"training": {"device": "cuda:99"}},
    "preset": {"preset": "smal"},
    "sizes": {"model": {"heads": 3}},
    "data": {"data": {"train": "gone.tsv"}},
    "not UTF-8": {"data": {"train": "\udcff.tsv"}},
    "key": {"training": {"max_step": 3}},
    "base": {"base_model": "gone"},
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_leaves_the_earlier_run(mistake: str, run: Path, pairs: Path) -> None:
    before, values = contents(run), tiny_values(pairs, max_steps=2)
    for key, value in MISTAKES[mistake].items():
        values[key] = {**values.get(key, {}), **value} if isinstance(value, dict) else value
    with pytest.raises(InterlinguaError):
        list(start(values, run, force=True))
    assert contents(run) == before


def test_a_base_model_is_not_replaced_by_what_starts_from_it(run: Path, pairs: Path) -> None:
    before, values = contents(run), tiny_values(pairs, max_steps=2)
    with pytest.raises(OutputError, match="model to start from"):
        list(start({"data": values["data"], "base_model": str(run)}, run, force=True))
    assert contents(run) == before


@pytest.mark.parametrize("inside", [".", "sub"])
def test_data_in_the_directory_is_not_trained_over(inside: str, run: Path, pairs: Path) -> None:
    (run / inside).mkdir(exist_ok=True)
    data = Path(shutil.copy(pairs, run / inside / "pairs.tsv"))
    link = run.with_name("link")
    link.symlink_to(run)
    for out in (run, link):
        with pytest.raises(OutputError, match="a file of the data lies in"):
            replace(out, data)
    assert data.read_bytes() == pairs.read_bytes()


def test_the_cache_is_not_trained_over(pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTERLINGUA_CACHE", str(tmp_path / "out" / "cache"))
    with pytest.raises(OutputError, match="cache"):
        train_tiny(tmp_path / "out", pairs, max_steps=2)
    assert not (tmp_path / "out").exists()


def test_the_earlier_run_goes_when_the_new_one_has_weights(run: Path, pairs: Path) -> None:
    before = contents(run)
    for event in start(tiny_values(pairs, max_steps=4, seed=9), run, force=True):
        if isinstance(event, Validated):
            break
        assert contents(run).items() >= before.items()
    assert contents(run)["model.safetensors"] != before["model.safetensors"]
    assert not (run / "info.json").exists()
    *_, ended = resume_tiny(run)
    assert isinstance(ended, Ended)
    assert (ended.step, ended.finished) == (4, True)
    assert not (run / "training" / ".replacement").exists()


def test_a_stop_before_the_first_weights_keeps_the_earlier_run(
    run: Path, pairs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interlingua.runs.trainer.PROGRESS_EVERY_S", 0.0)
    before, seen = contents(run), []
    for event in start(tiny_values(pairs, max_steps=20, seed=9), run, force=True):
        if isinstance(event, Progress) and not any(isinstance(each, Progress) for each in seen):
            signal.raise_signal(signal.SIGINT)
        seen.append(event)
    assert isinstance(seen[-1], Ended)
    assert seen[-1].reason == EARLIER_STAYS
    assert contents(run) == before
    events = start(tiny_values(pairs, max_steps=20, seed=9), run, force=True)
    next(iter(events))
    events.close()  # type: ignore[attr-defined]
    assert contents(run) == before


def test_a_full_disk_keeps_the_earlier_run(run: Path, pairs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    before = contents(run)
    monkeypatch.setattr("interlingua.data.tensors.save_file", full)
    with pytest.raises(OutputError, match="No space left"):
        replace(run, pairs)
    assert contents(run) == before


def test_what_was_half_moved_is_moved_before_it_is_replaced(run: Path, pairs: Path, tmp_path: Path) -> None:
    train_tiny(tmp_path / "new", pairs, max_steps=2, seed=9)
    moved = run / "training" / ".replacement"
    shutil.copytree(tmp_path / "new", moved)
    names = [name for name in contents(moved) if "info" not in name]
    (moved / "moves.json").write_text(json.dumps(names))
    (moved / names[0]).replace(run / names[0])
    events = start(tiny_values(pairs, max_steps=2), run, force=True)
    next(iter(events))
    events.close()  # type: ignore[attr-defined]
    assert contents(run).keys() == {*names}
    assert contents(run)["model.safetensors"] == contents(tmp_path / "new")["model.safetensors"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_killed_replacement_leaves_the_earlier_run_or_the_new_one(
    run: Path, pairs: Path, tmp_path: Path
) -> None:
    values = tiny_values(pairs, max_steps=1, validations=1, seed=9)
    moment, ended, kept = 0, False, set[int]()
    while not ended:
        moment += 2
        out = Path(shutil.copytree(run, tmp_path / f"killed-{moment}"))
        ended = not _killed_at(moment, lambda out=out: list(start(values, out, force=True)))
        if moment % 4 == 1:  # a mistake may come between
            with pytest.raises(InterlinguaError):
                list(start(tiny_values(Path("gone.tsv")), out, force=True))
        resume_tiny(out, max_steps=4)
        load_bundle(out)
        assert not (out / "training" / ".replacement").exists()
        kept.add((out / "config.toml").read_text().count("seed = 9"))
    assert moment > 10
    assert kept == {0, 1}


def _killed_at(moment: int, function: Any) -> bool:
    """Calls the function in a fork that dies at a moment of its writing; whether it came to that."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    count = 0

    def counted(operation: Any) -> Any:
        def wrapper(*arguments: Any, **options: Any) -> Any:
            nonlocal count
            count += 1
            if count == moment:
                os._exit(9)
            return operation(*arguments, **options)

        return wrapper

    status = 1
    try:
        tensors.save_file = counted(tensors.save_file)
        for name in ("replace", "unlink", "write_text"):
            setattr(Path, name, counted(getattr(Path, name)))
        function()
        status = 0
    finally:
        os._exit(status)


def test_a_run_that_came_meanwhile_is_not_replaced(
    finished: Path, pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from interlingua.runs import run as module

    out, make_plans = tmp_path / "run", module.make_plans

    def slow(*arguments: Any) -> Any:
        plan = make_plans(*arguments)
        shutil.copytree(finished, out)
        return plan

    monkeypatch.setattr(module, "make_plans", slow)
    with pytest.raises(OutputError, match="exists"):
        train_tiny(out, pairs, max_steps=2)
    assert contents(out) == contents(finished)


@pytest.mark.parametrize(
    "name", ["x" * 300, "\udcff", "a\nb", "~nobody-of-this-name/run", "pairs.tsv/run", "/"]
)
def test_a_place_that_cannot_be_is_refused_first(
    name: str, pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(pairs, "pairs.tsv")
    monkeypatch.setattr("interlingua.runs.run.make_plans", None)  # it does not come to that
    with pytest.raises((ConfigurationError, OutputError)):
        train_tiny(Path(name), pairs, max_steps=2)
    assert [path.name for path in tmp_path.iterdir()] == ["pairs.tsv"]


def test_home_and_here_are_places(pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    train_tiny(Path("~/run/"), pairs, max_steps=1)
    load_bundle(tmp_path / "home" / "run")
    train_tiny(Path(), pairs, max_steps=1)
    assert (tmp_path / "here" / "README.md").read_text().startswith("# here")
    with pytest.raises(BundleError):
        resume_tiny(tmp_path)
