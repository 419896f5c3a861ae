"""Several corpora with weights and tags, from the command line to what a model says of itself."""

from __future__ import annotations

import io
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from interlingua.api import load
from interlingua.api import train as train_model
from interlingua.errors import CheckpointError, ConfigurationError, DataError, OutputError
from interlingua.inference.bundle import read_config
from interlingua.runs.events import Ended, Event, Note, Progress, Raced
from interlingua.runs.run import start
from interlingua.settings import merge
from tests.tiny import last_checkpoint, resume_tiny, tiny_values, train_tiny, write_reversals

from .conftest import TINY_OPTIONS, call
from .served import Served


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    directory = tmp_path_factory.mktemp("data")
    counts = {"mine": 60, "others": 200, "v": 20, "w": 10}
    return [write_reversals(directory / f"{name}.tsv", count, seed=seed)
            for seed, (name, count) in enumerate(counts.items())]  # fmt: skip


def values(*tables: dict[str, Any], **training: Any) -> dict[str, Any]:
    values = tiny_values(Path("unused"), **training)
    return {**values, "data": {"corpora": [*tables]}}


def tagged(files: list[Path], **training: Any) -> dict[str, Any]:
    mine, others, v, w = map(str, files)
    return values({"files": mine, "tag": "mine", "weight": 2.5, "valid": v},
                  {"files": [others], "tag": "theirs", "weight": 0.4, "valid": [w]}, **training)  # fmt: skip


@pytest.fixture(scope="module")
def run(files: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("runs") / "run"
    list(start(tagged(files, max_steps=30), out))
    return out


def told(events: list[Event]) -> str:
    return "\n".join(event.text for event in events if isinstance(event, Note))


@pytest.mark.parametrize("step", [7, 20])
def test_a_stopped_run_ends_like_an_undisturbed_one(
    step: int, files: list[Path], run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interlingua.runs.trainer.PROGRESS_EVERY_S", 0.0)
    events = start(tagged(files, max_steps=30, checkpoint_every_s=1e-9), tmp_path / "run")
    for event in events:
        if isinstance(event, Progress) and event.step >= step:
            events.close()
    *_, ended = resume_tiny(tmp_path / "run")
    assert isinstance(ended, Ended)
    assert ended.step == 30
    one, other = last_checkpoint(tmp_path / "run"), last_checkpoint(run)
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_race_over_tagged_corpora_goes_on(
    files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interlingua.runs.candidates.MIN_TURN_STEPS", 2)
    given = tagged(files)
    given |= {"model": {}, "tokenizer": {}, "training": {**given["training"], "max_steps": 40}}
    events = start(given, tmp_path / "run")
    for event in events:
        if isinstance(event, Raced):
            events.close()
    *_, ended = resume_tiny(tmp_path / "run")
    assert isinstance(ended, Ended)
    assert ended.finished
    info = json.loads((tmp_path / "run" / "info.json").read_text())
    assert info["race"]["racers"].keys() > {info["race"]["winner"]}
    assert info["scores_by_corpus"].keys() == {"mine", "theirs"}


def test_weights_decide_what_is_trained_on(files: list[Path], tmp_path: Path) -> None:
    checkpoints = []
    for number, weight in enumerate((1.0, 1.0, 3.0)):
        tables = [
            {"files": str(files[0]), "weight": weight},
            {"files": str(files[1]), "valid": str(files[2])},
        ]
        list(start(values(*tables, max_steps=6), tmp_path / str(number)))
        checkpoints.append(last_checkpoint(tmp_path / str(number)))
    plain = {"data": {"train": [str(file) for file in files[:2]], "valid": str(files[2])}}
    train_tiny(tmp_path / "plain", files[0], more=plain, max_steps=6)
    checkpoints.append(last_checkpoint(tmp_path / "plain"))
    same = [all(torch.equal(each[name], checkpoints[0][name]) for name in each) for each in checkpoints]
    assert same == [True, True, False, True]


@pytest.mark.parametrize("part", ["mine.tsv", "others.tsv", "v.tsv", "w.tsv"])
def test_every_file_is_hashed_and_found_again(part: str, files: list[Path], tmp_path: Path) -> None:
    (tmp_path / "here" / "data").mkdir(parents=True)
    moved = [Path(shutil.copy(file, tmp_path / "here" / "data")) for file in files]
    list(start(tagged(moved, max_steps=2), tmp_path / "here" / "run"))
    (tmp_path / "here").rename(tmp_path / "there")
    assert resume_tiny(tmp_path / "there" / "run", max_steps=3)[-1].step == 3  # type: ignore[union-attr]
    (tmp_path / "far" / "away").mkdir(parents=True)
    (tmp_path / "far" / "away" / "link").symlink_to(tmp_path / "there" / "run")
    assert resume_tiny(tmp_path / "far" / "away" / "link", max_steps=4)[-1].step == 4  # type: ignore[union-attr]
    (tmp_path / "there" / "data" / part).write_text("changed\tdegnahc\n")
    kind = "validation" if part in ("v.tsv", "w.tsv") else "training"
    with pytest.raises(CheckpointError, match=rf"{part}: the {kind} data has changed"):
        resume_tiny(tmp_path / "there" / "run", max_steps=5)


def test_a_corpus_without_validation_pairs_is_named(files: list[Path], tmp_path: Path) -> None:
    tables = [{"files": str(files[0]), "tag": "mine"},
              {"files": str(files[1]), "tag": "theirs", "valid": str(files[3])}]  # fmt: skip
    events = list(start(values(*tables, max_steps=1), tmp_path / "run"))
    assert "no validation pairs of mine:" in told(events)
    for both in ({"valid": str(files[2])}, {}):
        tables[0] |= both
        tables[1] = {**tables[1], "valid": both.get("valid", ())}
        events = list(start(values(*tables, max_steps=1), tmp_path / "run", force=True))
        assert "no validation pairs" not in told(events)
        tables[0].pop("valid", None)


def test_what_can_be_read_once_is_kept_and_called_what_it_was(
    files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(files[0].read_bytes())))
    tables = [{"files": "-", "weight": 2, "valid": str(files[2])},
              {"files": str(files[1]), "valid": str(files[3])}]  # fmt: skip
    events = list(start(values(*tables, max_steps=2), tmp_path / "run"))
    assert "  standard input: 60 training pairs, weight 2, 120 seen an epoch" in told(events)
    *_, ended = resume_tiny(tmp_path / "run", max_steps=3)
    assert isinstance(ended, Ended)
    info = (tmp_path / "run" / "info.json").read_text()
    assert json.loads(info)["scores_by_corpus"].keys() == {"standard input", str(files[1])}
    assert ".copy" not in info
    assert [each["weight"] for each in read_config(tmp_path / "run")["data"]["corpora"]] == [2.0, 1.0]


def test_a_file_of_a_corpus_is_not_overwritten(files: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "run"
    train_tiny(out, files[0], max_steps=1)
    shutil.copy(files[2], out / "v.tsv")
    table = {"files": str(files[0]), "tag": "a", "valid": str(out / "v.tsv")}
    with pytest.raises(OutputError, match="a file of the data"):
        list(start(values(table, max_steps=2), out, force=True))


def test_corpora_are_accounted_for_and_scored_each(run: Path) -> None:
    info = json.loads((run / "info.json").read_text())
    assert [(each["name"], each["pairs"], each["seen"]) for each in info["data"]["corpora"]] == [
        ("mine", 60, 150), ("theirs", 200, 80)]  # fmt: skip
    assert info["scores_by_corpus"].keys() == {"mine", "theirs"}
    (headline, *_), by_corpus = info["scores"], info["scores_by_corpus"]
    first = [of_corpus[0]["score"] for of_corpus in by_corpus.values()]
    assert headline["name"] == by_corpus["mine"][0]["name"]
    # an error rate of whole sequences is the mean of those of 20 and of 10 pairs
    assert headline["score"] == pytest.approx((20 * first[0] + 10 * first[1]) / 30)
    assert "| corpus | sequence_error |" in (run / "README.md").read_text()
    shown = call("info", run).out
    assert f"  theirs: sequence_error {first[1]:.2f}, " in shown
    assert "mine.tsv): 60 training pairs, weight 2.5, 150 seen an epoch" in shown


def test_translating_with_a_tag(run: Path) -> None:
    with_tag = call("translate", run, "--tag", "theirs", "--json", stdin=b"abc\n\nbad\n")
    assert with_tag.code == 0, with_tag.err
    records = [json.loads(line) for line in with_tag.out.splitlines()]
    assert [record["source"] for record in records] == ["abc", "", "bad"]
    assert records[1]["text"] == ""
    expected = load(run).translate(["theirs\tabc", "theirs\tbad"])
    assert [records[0]["text"], records[2]["text"]] == [each.text for each in expected]
    by_hand = call("translate", run, stdin=b"theirs\tabc\n\ntheirs\tbad\n")
    assert by_hand.out.splitlines() == [record["text"] for record in records]


@pytest.mark.parametrize("verb", ["evaluate", "score"])
def test_test_files_of_one_tag(verb: str, run: Path, files: list[Path], tmp_path: Path) -> None:
    with_tags = tmp_path / "tagged.tsv"
    with_tags.write_text("".join(f"theirs\t{line}\n" for line in files[3].read_text().splitlines()))
    results = [call(verb, run, *rest, "--json")
               for rest in ([files[3], "--tag", "theirs"], [with_tags, "--columns", "1+2,3"])]  # fmt: skip
    key = "score" if verb == "evaluate" else "log_prob"
    by_option, by_column = (re.findall(f'"{key}": (.*?),', result.out) for result in results)
    assert by_option == by_column != []
    refused = call(verb, run, files[3], "--tag", "yours")
    assert (refused.code, "One of: mine, theirs" in refused.err) == (2, True)


def test_tags_that_are_refused(run: Path, files: list[Path], tmp_path: Path) -> None:
    unknown = call("translate", run, "--tag", "yours", stdin=b"abc\n")
    assert unknown.code == 2
    assert "--tag: the model knows no such tag (found: 'yours')\n  One of: mine, theirs" in unknown.err
    without = call("translate", run, stdin=b"abc\n")
    assert without.code == 2
    assert "The first one is a tag: mine, theirs. On the command line: --tag TAG" in without.err
    untold = call("evaluate", run, files[3])
    assert (untold.code, f"{files[3]}, for {run}: the text has 1 column" in untold.err) == (2, True)
    later = call("translate", run, stdin=b"theirs\tabc\n\nabc\nmine\tabc\n")
    assert (later.code, later.out.count("\n")) == (2, 2)  # what is before it is written
    assert "standard input:3: the text has 1 column" in later.err
    train_tiny(tmp_path / "plain", files[0], max_steps=1)
    plain = call("translate", tmp_path / "plain", "--tag", "mine", stdin=b"abc\n")
    assert plain.code == 2
    assert "have no tag" in plain.err


def test_a_tagged_model_is_fine_tuned_with_its_tags(files: list[Path], run: Path, tmp_path: Path) -> None:
    more = {"base_model": str(run), "training": {"max_steps": 2}}
    table = {"files": str(files[0]), "tag": "theirs"}
    *_, ended = start({**more, "data": {"corpora": [table]}}, tmp_path / "fine")
    assert isinstance(ended, Ended)
    assert ended.step == 2
    with pytest.raises(ConfigurationError, match=r"no such tag.*\n.*One of: mine, theirs"):
        list(start({**more, "data": {"corpora": [{**table, "tag": "new"}]}}, tmp_path / "other"))
    assert not (tmp_path / "other").exists()


def test_sources_of_other_columns_than_the_base_models_are_refused(
    files: list[Path], run: Path, tmp_path: Path
) -> None:
    train_tiny(tmp_path / "plain", files[0], max_steps=1)
    rows = [line.split("\t") for line in files[0].read_text().split("\n")[:-1]]
    (tmp_path / "three.tsv").write_text("".join(f"mine\t{source}\t{target}\n" for source, target in rows))
    (tmp_path / "lists.jsonl").write_text(
        "".join(json.dumps({"source": ["mine", source], "target": target}) + "\n" for source, target in rows)
    )
    three = {"train": str(tmp_path / "three.tsv"), "columns": "1+2,3"}
    refused = [(tmp_path / "plain", three), (tmp_path / "plain", {"train": str(tmp_path / "lists.jsonl")}),
               (run, {"train": str(files[0])})]  # fmt: skip
    for base, data in refused:
        what = "reads 1 column .*\n.*--columns 1,2" if base != run else "reads 2 columns .*\n.*mine, theirs"
        with pytest.raises(
            DataError, match=rf"{Path(data['train']).name}:1: the sources have . column.*{what}"
        ):
            list(start({"base_model": str(base), "data": data}, tmp_path / "out"))
        assert not (tmp_path / "out").exists()
    list(start({"base_model": str(run), "data": three, "training": {"max_steps": 1}}, tmp_path / "out"))


def test_an_export_is_compared_on_pairs_with_a_tag(run: Path, files: list[Path], tmp_path: Path) -> None:
    valid, tagged = files[2], tmp_path / "tagged.tsv"
    tagged.write_text("".join(f"mine\t{line}\n" for line in valid.read_text().split("\n")[:-1]))
    for number, options in enumerate([(valid, "--tag", "mine"), (tagged,)]):
        done = call("export", run, "--to", "ctranslate2", tmp_path / str(number), "--valid", *options)
        assert "20 of 20 pairs of the file given" in done.out, done.err
    one, other = (json.loads((tmp_path / name / "comparison.json").read_text()) for name in "01")
    assert one["score"] == other["score"]
    untagged = call("export", run, "--to", "ctranslate2", tmp_path / "no", "--valid", valid)
    assert (untagged.code, "Without --tag, the first of three columns" in untagged.err) == (2, True)
    assert call("export", run, "--to", "ctranslate2", tmp_path / "no", "--tag", "mine").code == 2
    assert not (tmp_path / "no").exists()


def test_a_report_on_a_tagged_run(run: Path, tmp_path: Path) -> None:
    result = call("report", run, "--out", tmp_path / "report.html", "--json")
    assert result.code == 0, result.err
    assert json.loads(result.out)["quality"]["pairs"] == 30


def test_a_report_and_a_look_with_a_tag(run: Path, files: list[Path], tmp_path: Path) -> None:
    with_tags = tmp_path / "tagged.tsv"
    with_tags.write_text("".join(f"theirs\t{line}\n" for line in files[3].read_text().splitlines()))
    found = [call("report", run, *rest, "--json")
             for rest in (["--test", files[3], "--tag", "theirs"],
                          ["--test", with_tags, "--columns", "1+2,3"])]  # fmt: skip
    by_option, by_column = (json.loads(result.out)["quality"]["runs"] for result in found)
    assert by_option == by_column
    page = ["--out", tmp_path / "page.html"]
    looked = [call("look", run, *rest, "--json") for rest in (["abc", "--tag", "mine"], ["mine\tabc"])]
    assert looked[0].out == looked[1].out != ""
    for command in (["report", run, "--test", files[3]], ["look", run, "abc"]):
        refused = call(*command, "--tag", "yours", *page)
        assert (refused.code, "One of: mine, theirs" in refused.err) == (2, True)
    refused = call("report", run, "--tag", "mine", *page)
    assert (refused.code, "--test" in refused.err) == (2, True)
    assert not (tmp_path / "page.html").exists()


def test_serving_a_tagged_run(run: Path, tmp_path: Path) -> None:
    served = tmp_path / "served"
    shutil.copytree(run, served, ignore=shutil.ignore_patterns("training"))
    config = served / "config.toml"
    config.write_text('languages = ["fw", "bw"]\n' + config.read_text())
    service = Served(tmp_path / "log", served, "--workers", 1)
    expected = load(run).translate(["theirs\tabc", "theirs\tbad", "mine\tabc"])
    asked = {"q": "abc\nbad", "source": "fw", "target": "bw"}
    answer = service.post("/v1/translate", json={**asked, "tag": "theirs", "attention": True}).json()
    (found,) = answer["translations"]
    assert found["text"] == "\n".join(each.text for each in expected[:2])
    assert found["parts"][0]["source_tokens"] == ["theirs", "│", "a", "b", "c"]
    assert len(found["parts"][0]["attention"]["cross"][0][0][0]) == 6  # with the end sign
    other = service.post("/translate", data={**asked, "q": "abc", "tag": "mine"}).json()
    assert other["translatedText"] == expected[2].text
    refused = service.post("/translate", data=asked)
    assert (refused.status_code, "needs one of: mine, theirs" in refused.text) == (400, True)
    assert service.stop() == 0


def test_weights_on_the_command_line(files: list[Path], tmp_path: Path) -> None:
    experiment = tmp_path / "exp.toml"
    experiment.write_text('[data]\ntrain = "gone.tsv"\n[training]\nmax_steps = 2\n')
    mine, others, *_ = map(str, files)
    out = tmp_path / "run"
    command = ["--train", mine, "--weight", 3, "--train", others, "--weight", "0.5"]
    result = call("train", *command, *TINY_OPTIONS, "--out", out, experiment)
    assert result.code == 0, result.err
    corpora = read_config(out)["data"]["corpora"]
    assert [(each["files"], each["weight"]) for each in corpora] == [([mine], 3.0), ([others], 0.5)]
    refused = call("train", "--resume", out, "--train", mine, "--weight", 3)
    assert "found: '--weight'" in refused.err


def test_corpora_of_an_experiment_that_are_replaced_are_told(files: list[Path], tmp_path: Path) -> None:
    experiment, (mine, *_) = tmp_path / "exp.toml", files
    experiment.write_text(f'[[data.corpora]]\nfiles = "{mine}"\nweight = 3\n')
    (empty := tmp_path / "empty.tsv").touch()
    said = f"in place of all corpora of {experiment}"
    result = call("train", "--train", empty, "--out", tmp_path / "run", experiment)
    assert (result.code, said in result.out, str(empty) in result.err) == (2, True, True), result
    options = ["--set", "model.dim=0", "--out", tmp_path / "run"]
    assert said not in call("train", *options, experiment).out


@pytest.mark.parametrize(("command", "said"), [
    ("--train mine.tsv --weight 3 --train others.tsv", ["--weight", "2 files and 1 weights"]),
    ("mine.tsv --weight 3 --weight 2", ["--weight", "1 files and 2 weights"]),
    ("--weight 3", ["--weight", "0 files and 1 weights"]),
    ("--train mine.tsv --weight 0", ["weight", "greater than 0"]),
    ("--train mine.tsv --weight -2", ["weight", "greater than 0"]),
    ("--train mine.tsv --weight inf", ["weight", "finite number"]),
    ("--train mine.tsv --weight nan", ["weight", "finite number"]),
    ("--train mine.tsv --weight 1e-9", ["data.corpora", "epoch of no usable size"]),
    ("--train mine.tsv --weight often", ["--weight"]),
    ("--train mine.tsv --set data.corpora=[{files='a'}]", ["train and corpora both"]),
])  # fmt: skip
def test_weights_that_are_refused(
    command: str, said: list[str], files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for file in files:
        shutil.copy(file, tmp_path)
    monkeypatch.chdir(tmp_path)
    result = call("train", *command.split(), "--out", "run", "--max-steps", 2)
    assert result.code == 2, result
    assert "Traceback" not in result.out + result.err
    for part in said:
        assert part in result.err, result.err
    assert not (tmp_path / "run").exists()


def test_corpora_from_python(files: list[Path], tmp_path: Path) -> None:
    sections = merge(tagged(files, max_steps=2), {})
    model = train_model(None, tmp_path / "run", **sections)
    assert len(model.translate(["mine\tabc"])) == 1
    with pytest.raises(ConfigurationError, match="not a file name"):
        train_model(None, tmp_path / "other")
