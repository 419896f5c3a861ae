"""A run that was stopped ends as one that was not, bit for bit; damage is found; nothing else is lost."""

from __future__ import annotations

import dataclasses
import importlib.util
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from filelock import FileLock

from interlingua.api import load
from interlingua.data.batch import Batch
from interlingua.data.tensors import read_tensors, write_tensors
from interlingua.errors import BundleError, CheckpointError, ConfigurationError, DataError, OutputError
from interlingua.evaluation.metrics import metric_named
from interlingua.evaluation.scores import evaluate
from interlingua.inference.bundle import read_config
from interlingua.model.protocol import Model
from interlingua.runs.events import Ended, Note, Progress, Validated
from interlingua.runs.fine_tuning import LEARNING_RATE
from interlingua.runs.recipes import LEARNING_RATES
from interlingua.runs.run import resume, start
from interlingua.runs.validation import Validation, Validator
from interlingua.settings import merge
from interlingua.training.objective import CrossEntropy, Loss
from tests.tiny import last_checkpoint, resume_tiny, tiny_values, train_tiny, weights, write_reversals


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_reversals(tmp_path_factory.mktemp("data") / "pairs.tsv", 300)


@pytest.fixture(scope="module")
def undisturbed(pairs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("runs") / "undisturbed"
    train_tiny(out, pairs, max_steps=20)
    return out


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def stop_at(out: Path, pairs: Path, step: int, **training: object) -> None:
    """Trains, and dies without a word once the step is done."""
    events = start(tiny_values(pairs, max_steps=20, checkpoint_every_s=1e-9, **training), out)
    for event in events:
        if isinstance(event, Progress) and event.step >= step:
            events.close()


@pytest.mark.parametrize("step", [1, 10, 13])
def test_a_stopped_run_ends_like_an_undisturbed_one(
    step: int, pairs: Path, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interlingua.runs.trainer.PROGRESS_EVERY_S", 0.0)
    out = tmp_path / "run"
    stop_at(out, pairs, step)
    events = resume_tiny(out)
    if step > 1:
        assert any(isinstance(event, Note) and "going on after step" in event.text for event in events)
    assert same(last_checkpoint(out), last_checkpoint(undisturbed))
    assert same(weights(out), weights(undisturbed))
    logged = [json.loads(line) for line in (out / "training" / "log.jsonl").read_text().splitlines()]
    steps = [record["step"] for record in logged if record["event"] == "progress"]
    assert steps == sorted(set(steps))
    assert steps[-1] == 20


def test_muon_goes_on_as_it_would_have(pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("interlingua.runs.trainer.PROGRESS_EVERY_S", 0.0)
    train_tiny(tmp_path / "whole", pairs, max_steps=20, optimizer="muon")
    stop_at(tmp_path / "stopped", pairs, 10, optimizer="muon")
    resume_tiny(tmp_path / "stopped")
    assert same(last_checkpoint(tmp_path / "stopped"), last_checkpoint(tmp_path / "whole"))


def steady(validator: Validator, model: Model, *_: object) -> Validation:
    """A validation that finds the same score each time."""
    score = evaluate(["a"], [("a", "b")], metrics=[metric_named("sequence_error")], n_bootstrap=0)
    return Validation(1.0, 1.0, score, [], validator.search, 1, 0.0, ("a",))


def test_a_run_that_ran_out_of_patience_can_go_on(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Validator, "validate", steady)
    out = tmp_path / "run"
    *_, ended = train_tiny(out, pairs, max_steps=40, validations=20, patience=3)
    assert (ended.step, ended.reason) == (8, "no better score in 3 validations")
    events = resume_tiny(out, max_steps=80)
    assert sum(isinstance(event, Validated) for event in events) == 3
    ended = events[-1]
    assert ended.step > 9
    assert ended.reason == "no better score in 3 validations"


def test_a_run_killed_when_patience_ended_is_scored_where_it_was(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Validator, "validate", steady)
    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr("interlingua.runs.session._finish", killed)
        with pytest.raises(KeyboardInterrupt):
            train_tiny(out, pairs, max_steps=40, validations=20, patience=3)
    *_, ended = resume_tiny(out)
    assert (ended.step, ended.reason) == (8, "no better score in 3 validations")


def killed(*args: object) -> None:
    raise KeyboardInterrupt


class SometimesInfinite:
    """Cross entropy whose gradient is infinite for some batches, whenever they come."""

    def __call__(self, model: Model, batch: Batch) -> Loss:
        loss = CrossEntropy(0.1)(model, batch)
        if int(batch.target_out.sum()) % 5 == 0:
            loss.sums["loss"].register_hook(lambda gradient: gradient * float("inf"))
        return loss


def test_skipped_updates_are_told_and_stay_skipped(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interlingua.runs.trainer.PROGRESS_EVERY_S", 0.0)
    monkeypatch.setattr("interlingua.runs.trainer.build_objective", lambda settings: SometimesInfinite())
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    events = train_tiny(whole, pairs, max_steps=20)
    skipped = sum(event.skipped for event in events if isinstance(event, Progress))
    assert skipped > 0
    told = [event for event in events if isinstance(event, Note) and "skipped" in event.text]
    assert all(event.warning for event in told)
    assert 0 < len(told) <= skipped
    stop_at(stopped, pairs, 10)
    resume_tiny(stopped)
    assert same(last_checkpoint(stopped), last_checkpoint(whole))
    logged = [
        json.loads(line) for line in (stopped / "training" / "log.jsonl").read_bytes().split(b"\n")[:-1]
    ]
    assert sum(record.get("skipped", 0) for record in logged) == skipped


def test_a_model_whose_weights_are_no_numbers_is_refused(undisturbed: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(undisturbed, broken)
    tensors, about = read_tensors(broken / "model.safetensors")
    name = sorted(tensors)[0]
    tensors[name].flatten()[0] = float("nan")
    write_tensors(broken / "model.safetensors", tensors, about)
    with pytest.raises(BundleError, match=rf"model\.safetensors: .*not finite numbers.*{re.escape(name)}"):
        load(broken)


def test_another_process_cuts_subwords_alike(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interlingua.runs.trainer.PROGRESS_EVERY_S", 0.0)
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    values = merge(
        tiny_values(pairs, max_steps=20, subword_sampling=0.3, checkpoint_every_s=1e-9),
        {"tokenizer": {"source": "unigram", "target": "bpe", "vocabulary_size": 320, "joint": False}},
    )
    list(start(values, whole))
    events = start(values, stopped)
    for event in events:
        if isinstance(event, Progress) and event.step >= 10:
            events.close()
    subprocess.run([sys.executable, "-m", "interlingua", "train", "--resume", str(stopped)], check=True)
    assert same(last_checkpoint(stopped), last_checkpoint(whole))


def test_checkpoints_hold_the_default_precision(undisturbed: Path) -> None:
    assert {tensor.dtype for name, tensor in weights(undisturbed).items()} == {torch.float32}
    assert last_checkpoint(undisturbed)["master"].dtype == torch.float32


@pytest.mark.parametrize("damage", ["truncated", "altered"])
def test_a_damaged_checkpoint_is_passed_over_by_name(
    damage: str, pairs: Path, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interlingua.runs.trainer.PROGRESS_EVERY_S", 0.0)
    out = tmp_path / "run"
    stop_at(out, pairs, 12)
    _, newest = sorted((out / "training" / "checkpoints").glob("*.safetensors"))
    content = bytearray(newest.read_bytes())
    if damage == "truncated":
        del content[len(content) // 2 :]
    else:
        content[-5] ^= 1
    newest.write_bytes(content)
    events = resume_tiny(out)
    warnings = [event.text for event in events if isinstance(event, Note) and event.warning]
    damaged = [text for text in warnings if "damaged" in text]
    assert len(damaged) == 1
    assert newest.name in damaged[0]
    assert same(last_checkpoint(out), last_checkpoint(undisturbed))


def test_no_whole_checkpoint_is_an_error(pairs: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    train_tiny(out, pairs, max_steps=4)
    for path in (out / "training" / "checkpoints").glob("*.safetensors"):
        path.write_bytes(b"nonsense")
    with pytest.raises(CheckpointError, match="no whole checkpoint"):
        resume_tiny(out, max_steps=8)


def test_a_checkpoint_whose_weights_lie_in_the_old_order_is_refused(pairs: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    train_tiny(out, pairs, max_steps=4)
    for path in (out / "training" / "checkpoints").glob("*.safetensors"):
        tensors, about = read_tensors(path)
        write_tensors(path, {name.replace("AdamW.", "optimizer."): x for name, x in tensors.items()}, about)
    with pytest.raises(CheckpointError, match="earlier version"):
        resume_tiny(out, max_steps=8)


def test_going_on_for_longer(pairs: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    train_tiny(out, pairs, max_steps=6)
    with pytest.raises(ConfigurationError, match="used up its budget"):
        resume_tiny(out)
    *_, ended = resume_tiny(out, max_steps=9)
    assert isinstance(ended, Ended)
    assert ended.step == 9
    assert ended.finished


def test_pairs_from_standard_input_can_be_resumed(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    with pairs.open() as stream:
        monkeypatch.setattr("sys.stdin", stream)
        train_tiny(out, Path("-"), max_steps=4)
    *_, ended = resume_tiny(out, max_steps=6)
    assert isinstance(ended, Ended)
    assert ended.step == 6


def test_changed_training_data_is_an_error(tmp_path: Path) -> None:
    pairs = write_reversals(tmp_path / "pairs.tsv", 200)
    out = tmp_path / "run"
    train_tiny(out, pairs, max_steps=4)
    pairs.write_text(pairs.read_text().replace("a", "h"))
    with pytest.raises(CheckpointError, match="data has changed"):
        resume_tiny(out, max_steps=8)


def test_moved_data_is_found_where_it_is_said_to_be_and_from_then_on(tmp_path: Path) -> None:
    pairs, other = (
        write_reversals(tmp_path / name, n) for name, n in (("pairs.tsv", 200), ("other.tsv", 100))
    )
    out = tmp_path / "run"
    train_tiny(out, pairs, max_steps=4)
    moved = tmp_path / "elsewhere" / "renamed.tsv"
    moved.parent.mkdir()
    pairs.rename(moved)
    with pytest.raises(CheckpointError, match="is not where it was") as error:
        resume_tiny(out, max_steps=8)
    assert f"--resume {out} --train FILE. Or start a new run from the saved model: --from {out}" in str(
        error.value
    )
    with pytest.raises(CheckpointError, match="not started with this file") as error:
        list(resume(out, {"data": {"train": [str(other)]}}))
    assert error.value.where == str(other)
    again = {"training": {"max_steps": 8}, "data": {"train": [str(moved)]}}
    with pytest.raises(ConfigurationError, match="used up"):
        list(resume(out, {"training": {"max_steps": 2}, "data": {"train": str(moved)}}))
    assert read_config(out)["training"]["max_steps"] == 4
    with pytest.raises(ConfigurationError, match="standard input can be read only once"):
        list(resume(out, {"data": {"train": ["-"]}}))
    assert ended(list(resume(out, again))) == (8, True)
    assert ended(resume_tiny(out, max_steps=12)) == (12, True)
    whole = Path(shutil.copytree(tmp_path, tmp_path.with_name("whole")))  # and moved as a whole
    moved.unlink()
    shutil.rmtree(out)
    assert ended(resume_tiny(whole / "run", max_steps=14)) == (14, True)
    (whole / "run" / "training" / "run.json").unlink()
    with pytest.raises(CheckpointError, match="did not note"):
        list(resume(whole / "run", {"data": {"train": [str(whole / "elsewhere" / "renamed.tsv")]}}))


def test_moved_parallel_files_are_named_together_and_told_apart_by_what_they_hold(tmp_path: Path) -> None:
    pairs = write_reversals(tmp_path / "pairs.tsv", 200)
    sides = [tmp_path / "train.a", tmp_path / "train.b"]
    columns = zip(*(line.split("\t") for line in pairs.read_text().splitlines()), strict=True)
    for side, texts in zip(sides, columns, strict=True):
        side.write_text("".join(f"{text}\n" for text in texts))
    values = tiny_values(pairs, max_steps=4)
    values["data"] |= {"train": [[*map(str, sides)]], "valid": [str(pairs)]}
    list(start(values, tmp_path / "run"))
    moved = [side.rename(tmp_path / f"moved-{side.name}") for side in sides]
    with pytest.raises(CheckpointError, match="the training data is not where it was") as error:
        resume_tiny(tmp_path / "run", max_steps=6)
    assert error.value.where == ", ".join(map(str, sides))
    assert "--train FILE --train-target FILE. Or" in str(error.value)
    valid = pairs.rename(tmp_path / "moved.tsv")
    with pytest.raises(CheckpointError, match="the training and validation data is not where") as error:
        resume_tiny(tmp_path / "run", max_steps=6)
    assert "--train FILE --train-target FILE --valid FILE. Or" in str(error.value)
    again = {"training": {"max_steps": 6}, "data": {"train": [[*map(str, moved)]], "valid": [str(valid)]}}
    assert ended(list(resume(tmp_path / "run", again))) == (6, True)


def test_what_was_mixed_in_may_be_moved_too(undisturbed: Path, pairs: Path, tmp_path: Path) -> None:
    old, new = (write_reversals(tmp_path / name, n) for name, n in (("old.tsv", 150), ("new.tsv", 90)))
    values = {
        "base_model": str(undisturbed), "training": {"max_steps": 2, "threads": 1},
        "data": {"train": str(new), "valid": str(pairs), "mix": [str(old)]},
    }  # fmt: skip
    list(start(values, tmp_path / "run"))
    moved = old.rename(tmp_path / "moved.tsv")
    again = {"training": {"max_steps": 4}, "data": {"mix": [str(moved)]}}
    assert ended(list(resume(tmp_path / "run", again))) == (4, True)


def interrupted(out: Path, values: dict[str, Any]) -> None:
    """Starts a run that dies as soon as it has a configuration."""
    events = start(values, out)
    next(iter(events))
    events.close()  # type: ignore[attr-defined]


def ended(events: list[Any]) -> tuple[int, bool]:
    assert isinstance(events[-1], Ended)
    return events[-1].step, events[-1].finished


@pytest.mark.parametrize("gone", ["training", "training/checkpoints"])
def test_a_model_whose_checkpoints_are_gone_is_not_trained_anew(
    gone: str, undisturbed: Path, tmp_path: Path
) -> None:
    out = Path(shutil.copytree(undisturbed, tmp_path / "run"))
    shutil.rmtree(out / gone)
    before = sorted(out.rglob("*"))
    with pytest.raises(CheckpointError, match=f"--from {out}"):
        resume_tiny(out, max_steps=30)
    assert same(weights(out), weights(undisturbed))
    assert sorted(out.rglob("*")) == before


def test_killed_between_the_first_weights_and_the_first_checkpoint(pairs: Path, tmp_path: Path) -> None:
    for event in (events := start(tiny_values(pairs, max_steps=4), tmp_path / "run")):
        if isinstance(event, Validated):
            events.close()  # type: ignore[attr-defined]
    assert (tmp_path / "run" / "model.safetensors").exists()
    assert ended(resume_tiny(tmp_path / "run")) == (4, True)


@pytest.mark.parametrize("with_checkpoint", [True, False])
@pytest.mark.parametrize("part", ["train", "valid"])
def test_changed_or_missing_data_is_named(with_checkpoint: bool, part: str, tmp_path: Path) -> None:
    files = {
        name: write_reversals(tmp_path / f"{name}.tsv", 100, seed=n)
        for n, name in enumerate(("train", "valid"))
    }
    values = tiny_values(files["train"], max_steps=4)
    values["data"]["valid"] = str(files["valid"])
    out = tmp_path / "run"
    list(start(values, out)) if with_checkpoint else interrupted(out, values)
    content = files[part].read_text()
    files[part].write_text(content.replace("a", "h"))
    with pytest.raises(CheckpointError, match="data has changed") as changed:
        resume_tiny(out, max_steps=8)
    assert str(files[part]) in str(changed.value)
    files[part].unlink()
    with pytest.raises(CheckpointError, match="is not where it was") as missing:
        resume_tiny(out, max_steps=8)
    assert str(files[part]) in str(missing.value)
    files[part].write_text(content)
    assert ended(resume_tiny(out, max_steps=8)) == (8, True)


@pytest.mark.parametrize("with_checkpoint", [True, False])
def test_a_run_goes_on_with_its_own_tokenizers(
    with_checkpoint: bool, pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, values = tmp_path / "run", tiny_values(pairs, max_steps=4)
    values["tokenizer"] = {"source": "unigram", "target": "unigram", "vocabulary_size": 330}
    list(start(values, out)) if with_checkpoint else interrupted(out, values)
    before = (out / "joint.json").read_bytes()

    def learn(*_: object, **__: object) -> None:
        raise AssertionError("nothing is learnt anew")

    # Another version may learn others; and the cache may be deleted.
    monkeypatch.setattr("interlingua.data.preparation.sentencepiece.__version__", "9.9")
    monkeypatch.setattr("interlingua.data.preparation.train_codecs", learn)
    monkeypatch.setenv("INTERLINGUA_CACHE", str(tmp_path / "cache"))
    assert ended(resume_tiny(out, max_steps=6)) == (6, True)
    assert (out / "joint.json").read_bytes() == before


def test_going_on_encodes_nothing_again(pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "run"
    train_tiny(out, pairs, max_steps=4)
    monkeypatch.setattr("interlingua.data.preparation.StoreWriter", None)
    assert ended(resume_tiny(out, max_steps=6)) == (6, True)


def test_a_tree_of_data_and_runs_may_be_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here" / "data").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    write_reversals(Path("data/pairs.tsv"), 100)
    train_tiny(Path("runs/a"), Path("data/pairs.tsv"), max_steps=4)
    (tmp_path / "here").rename(tmp_path / "there")
    monkeypatch.chdir(tmp_path)
    assert ended(resume_tiny(tmp_path / "there/runs/a", max_steps=6)) == (6, True)


@pytest.mark.parametrize("stream", ["-", "pipe", "/dev/fd"])
def test_what_can_be_read_once_lies_in_the_run(
    stream: str, pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INTERLINGUA_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    out, name, reading = tmp_path / "run", stream, None
    if stream == "-":
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(pairs.read_bytes())))
    else:
        os.mkfifo("pairs.pipe")
        writer = threading.Thread(target=lambda: Path("pairs.pipe").write_bytes(pairs.read_bytes()))
        writer.start()
        if stream == "/dev/fd":
            reading = Path("pairs.pipe").open("rb")  # noqa: SIM115
            name = f"/dev/fd/{reading.fileno()}"
        else:
            name = "pairs.pipe"
    events = train_tiny(out, Path(name), max_steps=4)
    assert isinstance(events[0], Note)
    assert events[0].text.startswith(f"{'standard input' if stream == '-' else name}: 300 pairs read")
    assert not list((tmp_path / "cache").glob(".preparing*"))
    shutil.rmtree(tmp_path / "cache")
    if reading:
        reading.close()
    out.rename(tmp_path / "moved")
    assert ended(resume_tiny(tmp_path / "moved", max_steps=6)) == (6, True)


def test_errors_in_what_can_be_read_once_name_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INTERLINGUA_CACHE", str(tmp_path / "cache"))
    for content, message in (
        (b"a\tb\nno tab\n", r"^in\.pipe:2: the line has no tab"),
        (b"a\tb\n\xff\t1\n", r"^in\.pipe:2: the line is not UTF-8"),
        (b"", r"^in\.pipe: there are no pairs"),
    ):
        os.mkfifo("in.pipe")
        writer = threading.Thread(target=Path("in.pipe").write_bytes, args=[content])
        writer.start()
        with pytest.raises(DataError, match=message) as error:
            train_tiny(tmp_path / "run", Path("in.pipe"), max_steps=4)
        assert "copy" not in str(error.value)
        Path("in.pipe").unlink()
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("files", [("-", "-"), ("-", "/dev/stdin"), ("/dev/stdin", "-")])
def test_standard_input_is_one_file_only(files: tuple[str, str], pairs: Path, tmp_path: Path) -> None:
    values = tiny_values(pairs, max_steps=4)
    values["data"] = {"train": files[0], "valid": files[1]}
    with pytest.raises(ConfigurationError, match="standard input can be read only once"):
        list(start(values, tmp_path / "run"))


def test_an_existing_directory_is_not_overwritten(pairs: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    train_tiny(out, pairs, max_steps=2)
    with pytest.raises(OutputError, match="exists"):
        train_tiny(out, pairs, max_steps=2)
    before = weights(out)
    list(start(tiny_values(pairs, max_steps=3, seed=9), out, force=True))
    assert not same(before, weights(out))
    other = tmp_path / "mine"
    other.mkdir()
    (other / "thesis.txt").write_text("precious")
    with pytest.raises(OutputError, match="not a run"):
        list(start(tiny_values(pairs, max_steps=3), other, force=True))
    assert (other / "thesis.txt").read_text() == "precious"


def test_two_processes_cannot_train_into_one_directory(pairs: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    train_tiny(out, pairs, max_steps=2)
    with FileLock(out / "training" / "lock"), pytest.raises(OutputError, match="another process"):
        resume_tiny(out, max_steps=4)


def test_a_mistake_leaves_nothing_behind(pairs: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    with pytest.raises(ConfigurationError):
        train_tiny(out, pairs, max_step=2)
    with pytest.raises(ConfigurationError, match="heads"):
        train_tiny(out, pairs, more={"model": {"heads": 3}}, max_steps=2)
    with pytest.raises(ConfigurationError, match="device"):
        train_tiny(out, pairs, max_steps=2, device="gpu")
    assert not out.exists()


def test_fine_tuning_starts_from_a_model(pairs: Path, undisturbed: Path, tmp_path: Path) -> None:
    other = write_reversals(tmp_path / "other.tsv", 300, seed=3)
    values = tiny_values(other, max_steps=1, learning_rate=1e-9)
    values = {"data": values["data"], "training": values["training"], "base_model": str(undisturbed)}
    out = tmp_path / "tuned"
    list(start(values, out))
    for name, weight in weights(out).items():
        torch.testing.assert_close(weight, weights(undisturbed)[name], atol=1e-6, rtol=0)


@pytest.mark.parametrize("improves", [True, False])
def test_validations_of_fewer_pairs_are_compared_on_the_pairs_that_both_have(
    improves: bool, pairs: Path, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a limited time a later validation may be of fewer pairs than the base model's."""
    validate, seen = Validator.validate, list[Validation]()

    def with_less_time(self: Validator, *arguments: Any) -> Validation:
        right = tuple(self.store.target_text(i) for i in self.order[:4])
        wrong = ("?", "?", *right[2:])
        base, later = (wrong, right[:2]) if improves else (right, ("?", right[1]))
        outputs = later if seen else base
        found = validate(self, *arguments)._replace(by_loss=False)  # as if there were enough pairs
        seen.append(found._replace(outputs=outputs, pairs=len(outputs)))
        return seen[-1]

    monkeypatch.setattr(Validator, "validate", with_less_time)
    values = tiny_values(pairs, max_steps=4)
    values = {"data": values["data"], "training": values["training"], "base_model": str(undisturbed)}
    *_, ended = start(values, tmp_path / "tuned")
    assert isinstance(ended, Ended)
    assert len(seen) > 2
    assert ended.best_step == (4 if improves else 0)


def test_the_base_model_may_still_be_called_start(pairs: Path, undisturbed: Path, tmp_path: Path) -> None:
    values = tiny_values(pairs, max_steps=1, learning_rate=1e-9)
    out = tmp_path / "tuned"
    list(start({"data": values["data"], "training": values["training"], "start": str(undisturbed)}, out))
    for name, weight in weights(out).items():
        torch.testing.assert_close(weight, weights(undisturbed)[name], atol=1e-6, rtol=0)
    config = out / "config.toml"
    assert "base_model = " in config.read_text()
    config.write_text(config.read_text().replace("base_model = ", "start = "))  # as earlier versions wrote it
    *_, ended = resume_tiny(out, max_steps=2)
    assert isinstance(ended, Ended)
    assert (ended.step, ended.finished) == (2, True)


@pytest.mark.parametrize("model", [5, "recurrent", ["dim"]])
def test_a_model_section_that_is_none_is_a_clear_mistake(model: object, pairs: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="model"):
        list(start({**tiny_values(pairs), "preset": "gru", "model": model}, tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_fine_tuning_killed_before_its_first_checkpoint_still_starts_from_the_model(
    pairs: Path, undisturbed: Path, tmp_path: Path
) -> None:
    values = tiny_values(pairs, max_steps=1, learning_rate=1e-9)
    values = {"data": values["data"], "training": values["training"], "base_model": str(undisturbed)}
    out = tmp_path / "tuned"
    events = start(values, out)
    next(iter(events))
    events.close()  # type: ignore[attr-defined]
    checkpoints = out / "training" / "checkpoints"
    checkpoints.mkdir()
    (checkpoints / ".step-000000001.safetensors.part").write_bytes(b"killed while writ")
    resume_tiny(out)
    for name, weight in weights(out).items():
        torch.testing.assert_close(weight, weights(undisturbed)[name], atol=1e-6, rtol=0)


@pytest.mark.parametrize("at", [Progress, Validated])
def test_a_stop_while_an_event_is_handled_still_saves(
    at: type, pairs: Path, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interlingua.runs.trainer.PROGRESS_EVERY_S", 0.0)
    out = tmp_path / "run"
    seen: list[object] = []
    for event in start(tiny_values(pairs, max_steps=20), out):
        if isinstance(event, at) and not any(isinstance(each, at) for each in seen):
            signal.raise_signal(signal.SIGTERM)
        seen.append(event)
    ended = seen[-1]
    assert isinstance(ended, Ended)
    assert not ended.finished
    (newest, *_) = sorted((out / "training" / "checkpoints").glob("*.safetensors"), reverse=True)
    assert read_tensors(newest)[1]["step"] == ended.step
    resume_tiny(out)
    assert same(last_checkpoint(out), last_checkpoint(undisturbed))


def test_a_full_disk_stops_with_the_last_model_kept(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    events = start(tiny_values(pairs, max_steps=20), out)
    for event in events:
        if isinstance(event, Validated):
            break
    kept = weights(out)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("interlingua.data.tensors.save_file", full)
    with pytest.raises(OutputError, match="No space left"):
        list(events)
    assert same(weights(out), kept)
    assert not list(out.rglob("*.part"))
    monkeypatch.undo()
    *_, ended = resume_tiny(out)
    assert isinstance(ended, Ended)
    assert ended.finished


def test_curves_for_tensorboard(pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train_tiny(tmp_path / "run", pairs, max_steps=4, tensorboard=True)
    assert list((tmp_path / "run" / "training" / "tensorboard").glob("events.*"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"interlingua\[tensorboard\]"):
        train_tiny(tmp_path / "other", pairs, max_steps=4, tensorboard=True)
    assert not (tmp_path / "other").exists()


def test_nothing_worse_than_the_base_model_is_saved_unless_asked(
    pairs: Path, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    validate, scores = Validator.validate, iter([50.0, 40.0, 45.0] * 2)

    def pretend(self: Validator, *args: Any) -> Validation:
        found = validate(self, *args)
        score = dataclasses.replace(found.scores[0], score=next(scores), higher_is_better=True)
        return found._replace(scores=[score], by_loss=False)  # as if there were enough pairs

    monkeypatch.setattr(Validator, "validate", pretend)
    values = tiny_values(pairs, max_steps=10)
    values = {"data": values["data"], "training": values["training"], "base_model": str(undisturbed)}
    for save in ("best", "last"):
        out = tmp_path / save
        events = list(start(merge(values, {"training": {"save": save}}), out))
        first, *_, last = (event for event in events if isinstance(event, Validated))
        assert (first.step, first.best, last.step) == (0, True, 10)
        assert ended(events)[0] == 10
        assert same(weights(out), weights(undisturbed)) == (save == "best")
        said = [event.text for event in events if isinstance(event, Note) and "start from" in event.text]
        assert bool(said) == (save == "best")


def test_fine_tuning_is_gentle_unless_told_otherwise(pairs: Path, undisturbed: Path, tmp_path: Path) -> None:
    values = tiny_values(pairs, max_steps=1)
    values = {"data": values["data"], "training": values["training"], "base_model": str(undisturbed)}
    rates = []
    for name, training in {
        "usual": {},
        "given": {"learning_rate": 3e-3},
        "muon": {"optimizer": "muon"},
    }.items():
        list(start(merge(values, {"training": training}), tmp_path / name))
        rates.append(read_config(tmp_path / name)["training"]["learning_rate"])
    assert rates == [LEARNING_RATE["adamw"], 3e-3, LEARNING_RATE["muon"]]
    assert all(LEARNING_RATE[optimizer] < LEARNING_RATES[optimizer]["mini"] for optimizer in LEARNING_RATE)


def test_a_stop_in_the_middle_of_a_validation_leaves_it_to_the_next_process(
    pairs: Path, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, measure = tmp_path / "run", Validator.measure_loss

    def interrupted(*args: Any) -> float:
        signal.raise_signal(signal.SIGINT)
        return measure(*args)

    with monkeypatch.context() as patch:
        patch.setattr(Validator, "measure_loss", interrupted)
        events = train_tiny(out, pairs, max_steps=20)
    assert not any(isinstance(event, Validated) for event in events)
    assert ended(events)[1] is False
    assert any(isinstance(event, Validated) for event in resume_tiny(out))
    assert same(last_checkpoint(out), last_checkpoint(undisturbed))
    assert same(weights(out), weights(undisturbed))
