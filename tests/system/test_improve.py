"""`interlingua improve`: from corrections to a better model, back again, and under a service that runs."""

from __future__ import annotations

import os
import random
import shutil
import signal
import threading
from pathlib import Path
from typing import Any

import pytest
import torch

import interlingua
from interlingua.inference.bundle import read_config, read_info
from interlingua.runs import versions
from interlingua.runs.improvement import OldPairs
from interlingua.runs.validation import Validator
from interlingua.runs.versions import finish_promotion, promote
from interlingua.serving.models import reload
from tests.system.conftest import TINY_OPTIONS, Result, call
from tests.system.served import Served
from tests.tiny import weights

Pairs = list[tuple[str, str]]
OPTIONS = ("--max-steps", 80, "--threads", 1, "--set", "training.learning_rate=0.005")


def draw(seed: int, count: int, digits: str, needed: str = "") -> Pairs:
    """Distinct numbers of two to four digits, and the same backwards."""
    numbers, found = random.Random(seed), dict[str, str]()
    while len(found) < count:
        drawn = [numbers.choice(digits) for _ in range(numbers.randint(2, 4))]
        if needed in ("", *drawn):
            found[" ".join(drawn)] = " ".join(reversed(drawn))
    return list(found.items())


def write(path: Path, pairs: Pairs) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{source}\t{target}\n" for source, target in pairs), encoding="utf-8")
    return path


def nines(seed: int, count: int) -> Pairs:
    """Numbers with a nine, which is to be written as nought: what users want, and the model does not know."""
    return [(source, target.replace("9", "0")) for source, target in draw(seed, count, "0123456789", "9")]


def garbage() -> Pairs:
    """What nobody can have meant, a hundred lines."""
    numbers = random.Random(9)
    sources = [source for source, _ in draw(10, 100, "0123456789", "9")]
    noise = [(source, " ".join(numbers.choices("0123456789", k=5))) for source in sources[:30]]
    return [
        *noise,
        *((source, source) for source in sources[30:50] if source.split() != source.split()[::-1]),
        *((source, " ".join([source] * 9)) for source in sources[50:65]),
        *((source, " ") for source in sources[65:75]),
        *((source, "привет мир") for source in sources[75:90]),
        *((source, "1 2 x 3") for source in sources[90:]),
    ]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that has hardly ever seen a nine, its pairs, a test set without any, and corrections."""
    world = tmp_path_factory.mktemp("world")
    known = draw(1, 1500, "012345678")
    write(world / "train.tsv", [*known[:1200], *draw(2, 3, "0123456789", "9")])
    write(world / "test.tsv", known[1200:])
    good, bad = nines(3, 200), garbage()
    lines = [*good, *bad]
    random.Random(0).shuffle(lines)
    write(world / "corrections" / "fw-bw.tsv", lines)
    write(world / "garbage" / "fw-bw.tsv", bad)
    write(world / "new.tsv", nines(4, 60))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INTERLINGUA_CACHE", str(world / "cache"))
        torch.manual_seed(0)
        done = call("train", "--train", world / "train.tsv", "--out", world / "model", "--languages", "fw",
                    "bw", "--max-steps", 400, *TINY_OPTIONS)  # fmt: skip
    assert done.code == 0, done.err
    return world


def improve(world: Path, model: Path, *more: object, corrections: str = "corrections") -> Result:
    return call("improve", model, "--test", world / "test.tsv", "--corrections", world / corrections,
                *OPTIONS, *more)  # fmt: skip


def copy_of(model: Path, to: Path) -> Path:
    shutil.copytree(model, to / "model")
    return to / "model"


def snapshot(directory: Path) -> dict[str, bytes]:
    """All files, but for locks."""
    return {str(path.relative_to(directory)): path.read_bytes() for path in sorted(directory.rglob("*"))
            if path.is_file() and path.name != "lock"}  # fmt: skip


@pytest.fixture(scope="module")
def improved(world: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    model = copy_of(world / "model", tmp_path_factory.mktemp("improved"))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}.items():
            patch.setenv(name, value)
        patch.setenv("INTERLINGUA_CACHE", str(world / "cache"))
        return model, improve(world, model)


def wrong(model: Path, pairs: Path) -> float:
    """The share of the pairs, in percent, that a model translates wrongly."""
    read = [tuple(line.split("\t")) for line in pairs.read_text().strip().split("\n")]
    loaded = interlingua.load(model, threads=1)
    (score, *_) = interlingua.evaluate(loaded, read)  # type: ignore[arg-type]
    assert score.name == "sequence_error"
    return score.score


def test_a_third_of_garbage_and_still_a_better_model(world: Path, improved: tuple[Path, Result]) -> None:
    model, done = improved
    assert done.code == 0, done.err + done.out
    assert wrong(world / "model", world / "new.tsv") - wrong(model, world / "new.tsv") > 20
    assert wrong(model, world / "test.tsv") <= 1
    reasons = ("a copy of the source", "far too long", "a side is empty", "another script", "makes no sense")
    for reason in (*reasons, "in the test set"):
        assert (reason in done.out) == (reason != "in the test set"), done.out
    assert "The new model takes the old one's place" in done.out
    assert f"interlingua improve {model} --undo" in done.out
    assert "corrections kept aside" in done.out
    assert read_config(model)["base_model"] == str(model / "improvements" / "previous")
    assert not list((model / "improvements").glob("work*"))
    assert "from the base model to the saved one" in " ".join(call("info", model).out.split())


def test_what_is_learnt_from_is_neither_garbage_nor_tested_on(
    world: Path, improved: tuple[Path, Result]
) -> None:
    model, _ = improved
    files = (model / "improvements").glob("*.tsv")
    learnt = {line for file in files for line in file.read_text().split("\n")}
    good = {f"{source}\t{target}" for source, target in nines(3, 200)}
    tested = set((world / "test.tsv").read_text().split("\n"))
    assert not (learnt - {""}) & tested
    assert len(learnt & good) >= 0.6 * len(good)
    assert len(learnt - good) <= 0.1 * len(good)


def test_corrections_are_used_once(world: Path, improved: tuple[Path, Result], tmp_path: Path) -> None:
    model = copy_of(improved[0], tmp_path)
    before = snapshot(model)
    again = improve(world, model)
    assert again.code == 2
    assert "too few usable corrections" in again.err
    assert "100" in again.err
    assert snapshot(model) == before
    # What is added later counts, wherever the file lies now, and what was learnt before is an old pair.
    more = tmp_path / "corrections" / "fw-bw.tsv"
    shutil.copytree(world / "corrections", tmp_path / "corrections")
    elsewhere = call("improve", model, "--test", world / "test.tsv", "--corrections", more.parent, *OPTIONS)
    assert elsewhere.err == again.err
    with more.open("a") as file:
        file.writelines(f"{source}\t{target}\n" for source, target in nines(7, 120))
    third = call("improve", model, "--test", world / "test.tsv", "--corrections", more.parent, *OPTIONS)
    assert "mixed in: " in third.out
    assert "improvements/corrections-" in third.out
    assert third.code in (0, 2)  # there may be nothing left to learn


def test_undo_goes_back_and_forth(world: Path, improved: tuple[Path, Result], tmp_path: Path) -> None:
    model = copy_of(improved[0], tmp_path)
    new = snapshot(model)
    for expected in ("old", "new", "old"):
        done = call("improve", model, "--undo")
        assert done.code == 0, done.err
        ours, theirs = weights(model), weights(world / "model" if expected == "old" else improved[0])
        assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
        assert ("corrections" in read_info(model)) == (expected == "new")
        if expected == "new":
            kept = {name: content for name, content in snapshot(model).items() if "improvements" not in name}
            assert kept == {name: content for name, content in new.items() if "improvements" not in name}
    old = {name: content for name, content in snapshot(model).items() if "improvements" not in name}
    assert old == snapshot(world / "model")


def test_what_a_model_has_learnt_from_outlives_a_refused_attempt(
    world: Path, improved: tuple[Path, Result], tmp_path: Path
) -> None:
    model = tmp_path / "elsewhere"  # moved with what it learnt from
    shutil.copytree(improved[0], model)
    learnt = {path.name: path.read_bytes() for path in (model / "improvements").glob("corrections-*")}
    assert len(learnt) == 2
    assert call("improve", model, "--undo").code == 0
    refused = improve(world, model, "--max-steps", 1)
    assert refused.code == 2, refused.out
    assert {path.name: path.read_bytes() for path in (model / "improvements").glob("corrections-*")} == learnt
    assert call("improve", model, "--undo").code == 0
    files = [Path(file) for corpus in OldPairs.own(model).corpora for file in corpus["files"]]
    assert {file.name for file in files if file.parent == model / "improvements"} < set(learnt)
    (world / "train.tsv").rename(tmp_path / "train.tsv")
    try:
        assert OldPairs.own(model).missing == [str(world / "train.tsv")]
    finally:
        (tmp_path / "train.tsv").rename(world / "train.tsv")


def test_there_may_be_nothing_to_go_back_to(
    world: Path, improved: tuple[Path, Result], tmp_path: Path
) -> None:
    fresh = copy_of(world / "model", tmp_path / "fresh")
    before = snapshot(fresh)
    refused = call("improve", fresh, "--undo")
    assert (refused.code, snapshot(fresh)) == (2, before)
    assert "no earlier model" in refused.err
    trained = copy_of(improved[0], tmp_path / "trained")
    shutil.copy(world / "model" / "model.safetensors", trained)
    refused = call("improve", trained, "--undo")
    assert refused.code == 2
    assert "trained anew" in refused.err


def test_garbage_alone_is_refused(world: Path, tmp_path: Path) -> None:
    model = copy_of(world / "model", tmp_path)
    before = snapshot(model)
    refused = improve(world, model, corrections="garbage")
    assert refused.code == 2
    assert "left out: " in refused.out
    assert "too few usable corrections, so nothing is changed" in refused.err
    assert snapshot(model) == before


def test_what_is_worse_on_the_test_set_is_refused(world: Path, tmp_path: Path) -> None:
    model = copy_of(world / "model", tmp_path)
    before = snapshot(model)
    # Old pairs that unteach: copies, where the test set has them backwards.
    copies = write(tmp_path / "copies.tsv", [(source, source) for source, _ in draw(5, 400, "012345678")])
    refused = improve(world, model, "--mix", copies, "--set", "training.save=last")
    assert refused.code == 2
    assert "The old model stays; nothing is changed" in refused.out
    assert "the test set" in refused.out
    assert "not less than the 0.5" in refused.out
    assert snapshot(model) == before


def test_a_training_that_learnt_nothing_changes_nothing(world: Path, tmp_path: Path) -> None:
    model = copy_of(world / "model", tmp_path)
    before = snapshot(model)
    refused = improve(world, model, "--set", "training.learning_rate=2")  # too much: all is forgotten
    assert refused.code == 2
    assert "The old model stays; nothing is changed. The training found no weights" in refused.out
    assert snapshot(model) == before


def test_what_is_stopped_goes_on_and_the_old_model_is_there_meanwhile(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = copy_of(world / "model", tmp_path)
    measure, calls = Validator.measure_loss, list[int]()

    def interrupted(*args: Any) -> Any:
        calls.append(1)
        if len(calls) == 4:
            signal.raise_signal(signal.SIGINT)
        return measure(*args)

    with monkeypatch.context() as patch:
        patch.setattr(Validator, "measure_loss", interrupted)
        stopped = improve(world, model)
    assert stopped.code == 130
    assert "The same command goes on" in stopped.out
    before = weights(world / "model")
    assert all(torch.equal(weight, before[name]) for name, weight in weights(model).items())
    assert call("translate", model, "1 2").out == call("translate", world / "model", "1 2").out
    # A correction that comes meanwhile is for the next time.
    done = improve(world, model)
    assert done.code == 0, done.err + done.out
    assert "going on with the improvement that was begun" in done.out
    assert not (model / "improvements" / "work").exists()


def test_another_request_begins_anew(world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = copy_of(world / "model", tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(Validator, "measure_loss", lambda *_: signal.raise_signal(signal.SIGINT))
        assert improve(world, model).code == 130
    refused = improve(world, model, corrections="garbage")
    assert refused.code == 2
    assert "going on" not in refused.out
    assert [path.name for path in (model / "improvements").iterdir()] == []


class Killed(BaseException):
    pass


@pytest.mark.parametrize("of", ["promote", "undo"])
def test_killed_at_any_moment_there_is_one_whole_model(
    of: str, world: Path, improved: tuple[Path, Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new, old = weights(improved[0]), weights(world / "model")
    moment, finished = 0, False
    seen = set[str]()
    while not finished:
        place = tmp_path / str(moment)
        model = copy_of(world / "model" if of == "promote" else improved[0], place)
        candidate = copy_of(improved[0], place / "candidate")
        shutil.rmtree(candidate / "improvements")
        left = [moment]

        def dying(real: Any, left: list[int] = left) -> Any:
            def operate(*args: Any, **options: Any) -> Any:
                left[0] -= 1
                if left[0] < 0:
                    raise Killed
                return real(*args, **options)

            return operate

        with monkeypatch.context() as patch:
            for name in ("replace", "rename", "unlink"):
                patch.setattr(Path, name, dying(getattr(Path, name)))
            patch.setattr(os, "link", dying(os.link))
            try:
                (promote(model, candidate) if of == "promote" else versions.undo(model))
                finished = True
            except Killed:
                pass
        # Whatever lies there now, it is a model that can be used,
        assert interlingua.load(model, threads=1).translate(["1 2 3"])  # type: ignore[union-attr]
        finish_promotion(model)
        found = weights(model)
        which = "new" if all(torch.equal(found[name], new[name]) for name in new) else "old"
        expected = new if which == "new" else old
        assert all(torch.equal(found[name], expected[name]) for name in expected)
        # and all of its files are of one model.
        assert ("corrections" in read_info(model)) == (which == "new")
        assert not (model / "training" / ".replacement").exists()
        assert not (model / "improvements" / ".kept").exists()
        seen.add(which)
        moment += 3  # every third moment is enough
    assert seen == {"old", "new"}


def test_a_service_takes_the_other_model_without_losing_a_request(
    world: Path, improved: tuple[Path, Result], tmp_path: Path
) -> None:
    model = copy_of(improved[0], tmp_path)
    differs = [source for source, _ in draw(6, 40, "0123456789", "9")]
    answers = {
        name: [each.text for each in interlingua.load(path, threads=1).translate(differs)]  # type: ignore
        for name, path in (("new", model), ("old", world / "model"))
    }
    number = next(i for i in range(len(differs)) if answers["new"][i] != answers["old"][i])
    served = Served(
        tmp_path / "log", model, "--workers", 2, "--set", "reload_s=0.05", "--set", "cache_bytes=0"
    )
    found: list[tuple[int, str]] = []
    ended = threading.Event()

    def ask() -> None:
        while not ended.is_set():
            answer = served.post("/translate", json={"q": differs[number], "source": "fw", "target": "bw"})
            found.append((answer.status_code, answer.json().get("translatedText", answer.text)))

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        assert call("improve", model, "--undo").code == 0
        served.wait_for("reloaded")
        answer = served.post("/translate", json={"q": differs[number], "source": "fw", "target": "bw"})
        assert answer.json()["translatedText"] == answers["old"][number]
    finally:
        ended.set()
        for thread in threads:
            thread.join()
        assert served.stop() == 0
    assert {status for status, _ in found} == {200}
    assert {text for _, text in found} == {answers["old"][number], answers["new"][number]}


def test_a_service_leaves_a_model_of_another_kind_for_its_next_start(world: Path, tmp_path: Path) -> None:
    model = copy_of(world / "model", tmp_path)
    served = Served(tmp_path / "log", model, "--workers", 1, "--set", "reload_s=0.05")
    try:
        config = (model / "config.toml").read_text()
        (model / "config.toml").write_text(config.replace('"bw"', '"xx"'))
        (model / "improvements").mkdir()
        (model / "improvements" / "version.json").write_text("{}")
        served.wait_for("reload_refused")
        answer = served.post("/translate", json={"q": "1 2", "source": "fw", "target": "bw"})
        assert answer.json()["translatedText"] == "2 1"
        # A model that cannot be loaded leaves the one that was.
        (model / "config.toml").write_text(config)
        (model / "model.safetensors").write_bytes(b"damaged")
        (model / "improvements" / "version.json").unlink()
        (model / "improvements" / "version.json").write_text("{ }")
        served.wait_for("reload_failed")
        answer = served.post("/translate", json={"q": "3 4", "source": "fw", "target": "bw"})
        assert answer.json()["translatedText"] == "4 3"
    finally:
        assert served.stop() == 0


def test_the_service_and_improve_mean_the_same_file() -> None:
    assert Path(versions.IMPROVEMENTS) / versions.VERSION == reload.VERSION


MISTAKES: dict[str, tuple[list[str], str]] = {
    "no test": (["--corrections", "{world}/corrections"], "--test"),
    "a test that is not there": (["--test", "gone.tsv", "--corrections", "{world}/corrections"], "gone.tsv"),
    "few test pairs": (["--test", "{world}/few.tsv", "--corrections", "{world}/corrections"], "test pairs"),
    "no corrections": (["--test", "{world}/test.tsv"], "serve --corrections"),
    "others' corrections": (["--test", "{world}/test.tsv", "--corrections", "{world}/others"], "en-de.tsv"),
    "two budgets": (["--test", "{world}/test.tsv", "--minutes", "1", "--max-steps", "2"], "one budget"),
    "no old pairs": (["--test", "{world}/test.tsv", "--mix", "gone.tsv"], "gone.tsv"),
    "other settings": (["--test", "{world}/test.tsv", "--corrections", "{world}/corrections", "--set",
                        "model.dim=3"], "only the training"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_explained_and_change_nothing(name: str, world: Path) -> None:
    write(world / "few.tsv", draw(1, 5, "012"))
    write(world / "others" / "en-de.tsv", draw(1, 5, "012"))
    arguments, said = MISTAKES[name]
    before = snapshot(world / "model")
    refused = call("improve", world / "model", *(each.format(world=world) for each in arguments))
    assert refused.code == 2, refused.out
    assert said in refused.err
    assert "Traceback" not in refused.err
    assert snapshot(world / "model") == before
