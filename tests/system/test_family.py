"""Every architecture is a full citizen: trained, resumed bit for bit, searched, scored and shown."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from interlingua.runs.run import start
from tests.tiny import last_checkpoint, resume_tiny, tiny_values, weights, write_reversals

from .conftest import call
from .served import Served

RECURRENT = {"architecture": "recurrent", "dim": 16, "encoder_layers": 1, "decoder_layers": 1}
FAMILY: dict[str, dict[str, Any]] = {
    "rnn": {**RECURRENT, "cell": "rnn"},
    "gru": {**RECURRENT, "cell": "gru", "attention": "additive"},
    "lstm": {**RECURRENT, "cell": "lstm", "input_feeding": True},
    "lstm without attention": {**RECURRENT, "cell": "lstm", "attention": "none"},
    "modern transformer": {
        "dim": 16, "heads": 2, "feed_forward": 32, "encoder_layers": 1, "decoder_layers": 1,
        "embeddings": "separate", "positions": "rotary", "activation": "swiglu", "normalisation": "rms",
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_reversals(tmp_path_factory.mktemp("data") / "pairs.tsv", 300)


@pytest.fixture(scope="module", params=FAMILY)
def run(request: pytest.FixtureRequest, pairs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out: Path = tmp_path_factory.mktemp("runs") / "undisturbed"
    for _ in start(values(FAMILY[request.param], pairs), out):
        pass
    return out


def values(model: dict[str, Any], pairs: Path) -> dict[str, Any]:
    return {**tiny_values(pairs, max_steps=12), "model": model}


def config(out: Path) -> dict[str, Any]:
    result = call("info", out, "--json")
    assert result.code == 0, result.err
    loaded: dict[str, Any] = json.loads(result.out)["config"]
    return loaded


def test_a_stopped_run_ends_like_an_undisturbed_one(
    run: Path, pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interlingua.runs.trainer.PROGRESS_EVERY_S", 0.0)
    again = values(config(run)["model"], pairs)
    again["training"]["checkpoint_every_s"] = 1e-9
    events = start(again, tmp_path / "run")
    for event in events:
        if getattr(event, "step", 0) >= 7:
            events.close()
    resume_tiny(tmp_path / "run")
    for read in (last_checkpoint, weights):
        found, expected = read(tmp_path / "run"), read(run)
        assert found.keys() == expected.keys()
        assert all((found[name] == expected[name]).all() for name in expected)


@pytest.mark.parametrize(
    "search", ["--beam 1", "--beam 3 --n-best 2", "--sample", "--precision bf16", "--precision int8"]
)
def test_it_translates_with_every_search(run: Path, search: str) -> None:
    result = call("translate", run, *search.split(), "--json", stdin=b"abc\nhg\n")
    assert result.code == 0, result.err
    assert len(result.out.splitlines()) == 2


def test_it_evaluates_and_scores(run: Path, pairs: Path, tmp_path: Path) -> None:
    few = tmp_path / "few.tsv"
    few.write_text("".join(pairs.read_text().splitlines(keepends=True)[:5]))
    assert call("evaluate", run, few).code == 0
    scored = call("score", run, few)
    assert scored.code == 0
    assert all(float(line.split("\t")[0]) < 0 for line in scored.out.splitlines())


def test_it_shows_its_attention_or_says_that_it_has_none(run: Path) -> None:
    result = call("translate", run, "--alignment", "--json", stdin=b"abc\n")
    if config(run)["model"].get("attention") == "none":
        assert result.code == 2
        assert "this model has no attention to show" in result.err
    else:
        assert result.code == 0, result.err
        answer = json.loads(result.out)
        assert [target for _, target in answer["alignment"]] == list(range(len(answer["tokens"])))


def test_it_is_looked_into_reported_and_served(run: Path, tmp_path: Path) -> None:
    looked = call("look", run, "abc", "--json")
    assert looked.code == 0, looked.err
    seen = json.loads(looked.out)
    assert bool(seen["attention"]) == (config(run)["model"].get("attention") != "none")
    assert len(seen["positions"]) == len(seen["target_out"])
    reported = call("report", run, "--json", "--out", tmp_path / "report.html")
    assert reported.code == 0, reported.err
    assert json.loads(reported.out)["quality"]["runs"][0]["worst"]
    plain = call("translate", run, stdin=b"abc\n").out
    named = tmp_path / "run"
    shutil.copytree(run, named)
    config_file = named / "config.toml"
    config_file.write_text('languages = ["en", "de"]\n' + config_file.read_text())
    service = Served(tmp_path / "log", named, "--precision", "fp32")
    try:
        assert service.translate("abc") == plain.rstrip("\n")
    finally:
        assert service.stop() == 0


@pytest.mark.parametrize("preset", ["rnn", "gru", "lstm", "fast"])
def test_a_preset_by_name(preset: str, pairs: Path, tmp_path: Path) -> None:
    options = [] if preset == "fast" else ["--set", "model.attention=additive"]
    result = call("train", "--train", pairs, "--out", tmp_path / "run", "--preset", preset, "--max-steps", 1,
                  "--set", "model.dim=16", *options)  # fmt: skip
    assert result.code == 0, result.err
    model = config(tmp_path / "run")["model"]
    assert model["dim"] == 16
    assert model.get("cell", preset) == preset
    assert model.get("attention", "additive") == "additive"
    further = call("train", "--from", tmp_path / "run", "--train", pairs, "--out", tmp_path / "more",
                   "--max-steps", 1, *options)  # fmt: skip
    assert further.code == 0, further.err
    assert config(tmp_path / "more")["model"] == model


def test_an_architecture_without_a_preset(pairs: Path, tmp_path: Path) -> None:
    result = call("train", "--train", pairs, "--out", tmp_path / "run", "--max-steps", 1, "--set",
                  "model.architecture=recurrent", "--set", "model.dim=16")  # fmt: skip
    assert result.code == 0, result.err
    assert config(tmp_path / "run")["model"]["cell"] == "lstm"


def test_options_of_another_architecture_are_refused(pairs: Path, tmp_path: Path) -> None:
    result = call(
        "train", "--train", pairs, "--out", tmp_path / "run", "--preset", "gru", "--set", "model.heads=4"
    )
    assert result.code == 2
    assert "unknown key 'model.heads'" in result.err
    assert not (tmp_path / "run").exists()
