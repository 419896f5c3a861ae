"""Every verb on one tiny model, as a user would call it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from .conftest import TINY_OPTIONS, Result, call

VERBS = ("quickstart", "train", "translate", "evaluate", "score", "info", "look", "report")


@pytest.mark.parametrize("verb", VERBS)
def test_help_has_an_example(verb: str) -> None:
    result = call(verb, "--help")
    assert result.code == 0
    assert f"Example: interlingua {verb}" in result.out


def test_help_and_import_leave_torch_alone() -> None:
    code = """
import sys
import interlingua
sys.argv = ["interlingua", "--help"]
from interlingua.cli.main import main
try:
    main()
except SystemExit as ended:
    assert not ended.code
loaded = {"torch", "numpy", "sentencepiece", "sacrebleu"} & sys.modules.keys()
sys.exit(f"loaded: {loaded}" if loaded else 0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_info_leaves_torch_alone(model: Path) -> None:
    code = f"""
import sys
sys.argv = ["interlingua", "info", {str(model)!r}]
from interlingua.cli.main import main
try:
    main()
except SystemExit as ended:
    assert not ended.code
sys.exit("torch was loaded" if "torch" in sys.modules else 0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "fw to bw" in done.stdout


def test_training_tells_what_it_does(trained: tuple[Path, Result]) -> None:
    directory, result = trained
    for expected in ("1,500 pairs read", "source: words", "parameters", "validation loss", "best so far"):
        assert expected in result.out
    assert f"interlingua translate {directory}" in result.out
    log = [json.loads(line) for line in (directory / "training" / "log.jsonl").read_text().splitlines()]
    assert {"progress", "validated", "ended"} == {record["event"] for record in log}


def test_the_length_penalty_is_chosen_unless_given(
    trained: tuple[Path, Result], data: Path, tmp_path: Path
) -> None:
    directory, result = trained
    chosen = tomllib.loads((directory / "config.toml").read_text())["search"]["length_penalty"]
    assert f"length penalty {chosen:g} suits the validation pairs best" in result.out
    out = tmp_path / "given"
    given = call("train", "--train", data / "train.tsv", "--out", out, "--max-steps", 2,
                 "--set", "search.length_penalty=0.7", *TINY_OPTIONS)  # fmt: skip
    assert given.code == 0, given.err
    assert "length penalty" not in given.out
    assert tomllib.loads((out / "config.toml").read_text())["search"]["length_penalty"] == 0.7


def test_a_line_out_for_each_line_in(model: Path) -> None:
    result = call("translate", model, "--threads", 1, stdin="1 2 3\r\n\n   \n4 5\u2028\n7 8".encode())
    lines = result.out.split("\n")
    assert result.code == 0
    assert len(lines) == 6
    assert lines[0] == "3 2 1"
    assert lines[1] == lines[2] == ""
    assert lines[4] == "8 7"
    assert lines[5] == ""


def test_files_instead_of_streams(model: Path, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_bytes(b"\xef\xbb\xbf1 2 3\n4 5\n")
    result = call("translate", model, "--input", tmp_path / "in.txt", "--output", tmp_path / "out.txt")
    assert (result.code, result.out) == (0, "")
    assert (tmp_path / "out.txt").read_bytes() == b"3 2 1\n5 4\n"


def test_n_best_is_a_line_of_json_a_source(model: Path) -> None:
    result = call("translate", model, "--n-best", 3, stdin=b"1 2 3\n\n4 5\n")
    records = [json.loads(line) for line in result.out.splitlines()]
    assert [record["source"] for record in records] == ["1 2 3", "", "4 5"]
    assert records[0]["text"] == "3 2 1"
    assert len(records[0]["alternatives"]) == 2
    scores = [records[0]["score"], *(other["score"] for other in records[0]["alternatives"])]
    assert scores == sorted(scores, reverse=True)
    assert records[1]["flags"] == ["empty"]


def test_scores_and_alignment_are_columns(model: Path) -> None:
    result = call("translate", model, "--scores", "--alignment", "--beam", 1, stdin=b"1 2 3\n")
    score, text, alignment = result.out.rstrip("\n").split("\t")
    assert float(score) < 0
    assert text == "3 2 1"
    assert len(alignment.split()) == 3


def test_a_seed_settles_what_is_drawn(model: Path) -> None:
    draw = ("translate", model, "--sample", "--temperature", 2, "--n-best", 3)
    first, again, other = (call(*draw, "--seed", seed, stdin=b"1 2 3 4 5\n").out for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_lower_precision_works(model: Path) -> None:
    for precision in ("bf16", "int8", "auto"):
        assert call("translate", model, "--precision", precision, stdin=b"1 2 3\n").out == "3 2 1\n"


def test_evaluate_shows_model_and_baselines(model: Path, data: Path) -> None:
    result = call("evaluate", model, model, data / "test.tsv", "--train", data / "train.tsv")
    assert result.code == 0, result.err
    for expected in ("sequence_error", "symbol_error", "copy the source", "look up", "±", "(p 1.000)"):
        assert expected in result.out


def test_a_direction_that_was_told_is_kept(data: Path, tmp_path: Path) -> None:
    backwards = tmp_path / "backwards.tsv"
    backwards.write_text("".join(f"{i % 7} {i % 5}\tx{i}\n" for i in range(200)))
    out = tmp_path / "run"
    trained = call(
        "train", "--train", backwards, "--columns", "2,1", "--out", out, "--max-steps", 2, *TINY_OPTIONS
    )
    assert trained.code == 0, trained.err
    scored = call("score", out, backwards)
    assert scored.code == 0, scored.err
    assert "columns 2,1 as in the training (else: --columns 1,2)" in scored.err
    for options, source in (((), "x0"), (("--columns", "1,2"), "0 0")):
        first = call("score", out, backwards, "--json", *options).out.split("\n")[0]
        assert json.loads(first)["source"] == source
        (report, *_) = json.loads(call("evaluate", out, backwards, "--json", *options).out)
        assert report["repeated"] == ("references" if options else None)


REFERENCES, CASES = "1 2\t2 1\n1 2\t1 2\n3\t3\n", "1 2\t2 1\n1 2\t2 1\n3\t3\n"


@pytest.mark.parametrize(
    ("pairs", "options", "counted", "nrefs"),
    [
        (REFERENCES, (), "references", "var"),
        (REFERENCES, ("--repeated", "cases"), "cases", "1"),
        (CASES, (), "cases", "1"),
        (CASES, ("--multi-reference",), "references", "1"),
        (CASES, ("--multi-reference", "--repeated", "references"), "references", "1"),
        ("1 2\t2 1\n", (), None, "1"),
    ],
)
def test_evaluate_says_what_repeated_sources_are(
    model: Path, tmp_path: Path, pairs: str, options: tuple[str, ...], counted: str | None, nrefs: str
) -> None:
    file = tmp_path / "test.tsv"
    file.write_text(pairs)
    metrics = ("--metric", "BLEU", "--metric", "sequence_error")
    (record, error) = json.loads(call("evaluate", model, file, "--json", *metrics, *options).out)
    assert record["repeated"] == error["repeated"] == counted
    assert record["nrefs"] == error["nrefs"] == nrefs
    shown = call("evaluate", model, file, *options).out
    assert ("1 source is repeated" in shown) is (counted is not None)
    if counted:
        assert f"--repeated {'cases' if counted == 'references' else 'references'}" in shown


def test_evaluate_refuses_two_opinions_on_repeated_sources(model: Path, data: Path) -> None:
    result = call("evaluate", model, data / "test.tsv", "--multi-reference", "--repeated", "cases")
    assert result.code == 2
    assert "contradict" in result.err


def test_evaluate_gives_a_json_list_a_model(model: Path, data: Path) -> None:
    result = call(
        "evaluate", model, model, data / "test.tsv", "--json", "--metric", "BLEU", "--metric", "chrF"
    )
    lists = [json.loads(line) for line in result.out.splitlines()]
    assert len(lists) == 2
    for scores in lists:
        assert [score["name"] for score in scores] == ["BLEU", "chrF2"]
        assert all({"score", "signature", "confidence", "version"} <= score.keys() for score in scores)
    assert lists[0][0]["score"] > lists[0][0]["baselines"]["copy the source"]


def test_score_gives_a_line_a_pair(model: Path, data: Path) -> None:
    result = call("score", model, data / "test.tsv")
    assert len(result.out.splitlines()) == 60
    total, per_token = map(float, result.out.splitlines()[0].split("\t"))
    assert total <= per_token <= 0
    record = json.loads(call("score", model, data / "test.tsv", "--json").out.splitlines()[0])
    assert record["log_prob"] == pytest.approx(total, abs=1e-3)
    assert sum(record["log_probs"]) == pytest.approx(total, abs=1e-3)


def test_score_prefers_the_truth(model: Path) -> None:
    result = call("score", model, "-", stdin=b"1 2 3\t3 2 1\n1 2 3\t1 2 3\n")
    right, wrong = (float(line.split("\t")[0]) for line in result.out.splitlines())
    assert right > wrong


def test_info_as_json(model: Path) -> None:
    found = json.loads(call("info", model, "--json").out)
    assert found["config"]["languages"] == ["fw", "bw"]
    assert found["info"]["steps"] == 300
    assert found["info"]["scores"][0]["name"] == "sequence_error"


def test_a_model_without_its_training_can_be_moved(model: Path, tmp_path: Path) -> None:
    moved = shutil.copytree(model, tmp_path / "elsewhere", ignore=shutil.ignore_patterns("training"))
    assert not (moved / "training").exists()
    assert call("translate", moved, stdin=b"1 2 3\n").out == "3 2 1\n"
    assert call("info", moved).code == 0


def test_an_experiment_file_with_overrides(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "experiment.toml").write_text(
        f'out = "made"\nlanguages = ["a", "b"]\n[data]\ntrain = "{data}/train.tsv"\n'
        "[training]\nminutes = 60\nseed = 3\n"
    )
    result = call("train", "experiment.toml", *TINY_OPTIONS, "--set", "training.seed=4", "--max-steps", 3)
    assert result.code == 0, result.err
    assert "held out for validation" in result.out
    config = json.loads(call("info", "made", "--json").out)["config"]
    assert config["training"]["seed"] == 4
    assert config["training"]["max_steps"] == 3
    assert "minutes" not in config["training"]


def test_resuming_goes_on_longer_and_fine_tuning_starts_from_it(data: Path, tmp_path: Path) -> None:
    source, target = tmp_path / "a.txt", tmp_path / "b.txt"
    source.write_text("1 2\n2 3\n3 4\n" * 20)
    target.write_text("2 1\n3 2\n4 3\n" * 20)
    files = ("--train", source, "--train-target", target, "--valid", data / "valid.tsv")
    first = call("train", *files, "--out", tmp_path / "run", "--max-steps", 3, *TINY_OPTIONS)
    assert first.code == 0, first.err
    longer = call("train", "--resume", tmp_path / "run", "--max-steps", 5)
    assert longer.code == 0, longer.err
    assert "going on after step 3" in longer.out
    assert json.loads(call("info", tmp_path / "run", "--json").out)["info"]["steps"] == 5
    tuned = call(
        "train",
        "--from",
        tmp_path / "run",
        *files,
        "--out",
        tmp_path / "mine",
        "--max-steps",
        2,
        "--threads",
        1,
    )
    assert tuned.code == 0, tuned.err
    assert json.loads(call("info", tmp_path / "mine", "--json").out)["config"]["model"]["dim"] == 32


def test_an_experiment_names_its_base_model_and_the_option_goes_before_it(
    data: Path, model: Path, tmp_path: Path
) -> None:
    shared = ("--train", data / "train.tsv", "--valid", data / "valid.tsv", "--max-steps", 1, "--threads", 1)
    for key in ("base_model", "start"):  # the second is the key of earlier versions
        experiment = tmp_path / f"{key}.toml"
        experiment.write_text(f"{key} = {str(model)!r}\n")
        out = tmp_path / key
        tuned = call("train", experiment, *shared, "--out", out, "--set", "search.beam=2")
        assert tuned.code == 0, tuned.err
        other = call("train", experiment, *shared, "--out", tmp_path / f"{key}-2", "--from", out)
        assert other.code == 0, other.err
        config = json.loads(call("info", tmp_path / f"{key}-2", "--json").out)["config"]
        assert (config["base_model"], config["model"]["dim"]) == (str(out), 32)
    assert str(out) in call("info", tmp_path / "start-2").out


def test_a_broken_pipe_is_quiet(model: Path) -> None:
    translate = f"{sys.executable} -m interlingua translate {model} --threads 1"
    command = f"yes '1 2 3' | head -n 20000 | {translate} | head -n 1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.stdout == "3 2 1\n"
    assert done.stderr == ""


def test_texts_are_translated_as_arguments(model: Path) -> None:
    piped = call("translate", model, stdin=b"1 2 3\n4 5\n")
    assert call("translate", model, "1 2 3", "4 5").out == piped.out
    assert call("translate", model, "1 2 3\n4 5").out == piped.out


def test_a_model_is_compared_with_another_on_all_tests_in_one_table(
    model: Path, data: Path, tmp_path: Path
) -> None:
    tests = data / "test.tsv", data / "valid.tsv"
    other = tmp_path / "other"
    shutil.copytree(model, other)
    shown = call("evaluate", other, "--against", model, *tests)
    assert shown.code == 0, shown.err
    table = shown.out[shown.out.index("95% interval") :]
    rows = [line for line in table.split("\n") if "tsv" in line]
    assert len(rows) == 4  # by two metrics
    assert all("+0.00 to +0.00" in row and "1.000" in row for row in rows)
    for line in call("evaluate", other, "--against", model, *tests, "--json").out.splitlines():
        assert json.loads(line)[0]["system"] in (str(model), str(other))
    refused = call("evaluate", other, "--against", tmp_path / "gone", *tests)
    assert (refused.code, "gone" in refused.err) == (2, True)


def test_models_and_tests_are_told_apart(model: Path, data: Path) -> None:
    test, valid = data / "test.tsv", data / "valid.tsv"
    usual = call("evaluate", model, test, "--json")
    assert call("evaluate", test, model, "--json").out == usual.out
    both = call("evaluate", model, test, valid, "--json").out.splitlines()
    assert [{record["test"] for record in json.loads(line)} for line in both] == [{str(test)}, {str(valid)}]
    assert json.loads(both[0])[0]["score"] == json.loads(usual.out)[0]["score"]
    shown = call("evaluate", model, test, valid).out
    assert "test.tsv: 60 pairs" in shown
    assert "valid.tsv: 100 pairs" in shown
