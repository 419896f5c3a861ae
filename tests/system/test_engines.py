"""CTranslate2 on the command line and in the service."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

import httpx
import pytest

from .conftest import call
from .served import PATIENCE_S, Served

BUNDLES = Path(__file__).parent.parent / "bundles"
LINES = b"abc\n\nhgf\nab\n"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "model"
    shutil.copytree(BUNDLES / "joint-tied", path)
    config = path / "config.toml"
    config.write_text('languages = ["en", "de"]\n' + config.read_text())
    return path


def assert_alike(found: str, expected: str) -> None:
    """The same lines, but for the last digit of what is no whole number: processors round in many ways."""
    words, others = (re.split(r"(\s)", text) for text in (found, expected))
    for word, other in zip(words, others, strict=True):
        if re.fullmatch(r"-?\d+\.\d+", other):
            assert float(word) == pytest.approx(float(other), abs=2e-4)
        else:
            assert word == other


def test_translating_gives_the_same_and_says_who_did_it(model: Path, tmp_path: Path) -> None:
    foreign = ("--engine", "ctranslate2", "--beam", 1)
    own = call("translate", model, "--beam", 1, "--scores", "--alignment", stdin=LINES)
    found = call("translate", model, *foreign, "--scores", "--alignment", stdin=LINES)
    assert (found.code, found.err) == (0, own.err)
    assert_alike(found.out, own.out)
    answered = call("translate", model, *foreign, "--json", stdin=LINES).out
    records = [json.loads(line) for line in answered.rstrip("\n").split("\n")]
    assert [record.get("engine") for record in records] == ["ctranslate2", None, "ctranslate2", "ctranslate2"]
    assert all(len(record["log_probs"]) > len(record["tokens"]) for record in records if record["tokens"])
    drawn = json.loads(call("translate", model, *foreign[:2], "--sample", "--json", stdin=b"abc\n").out)
    assert drawn["engine"] == "interlingua"
    assert "engine" not in json.loads(call("translate", model, "--json", stdin=b"abc\n").out)
    (tmp_path / "terms.tsv").write_text("abc\thh\n")
    termed = call("translate", model, *foreign, "--glossary", tmp_path / "terms.tsv", stdin=b"abc\n")
    assert "hh" in termed.out


def test_evaluating_and_scoring(model: Path, tmp_path: Path) -> None:
    pairs = tmp_path / "test.tsv"
    pairs.write_text("abc\tcba\nhgf\tfgh\n")
    own, found = (
        json.loads(call("evaluate", model, pairs, "--beam", 1, "--json", "--engine", engine).out)
        for engine in ("interlingua", "ctranslate2")
    )
    assert [score.pop("engine") for score in found] == ["ctranslate2"] * len(found)
    assert [score.pop("engine") for score in own] == ["interlingua"] * len(own)
    assert found == own
    scored = [call("score", model, pairs, "--engine", engine) for engine in ("interlingua", "ctranslate2")]
    assert [each.code for each in scored] == [0, 0]
    assert_alike(scored[1].out, scored[0].out)


def test_info_says_which_engines_can_run_a_model(model: Path) -> None:
    assert "--engine ctranslate2" in call("info", model).out
    assert "not ctranslate2, for its architecture is recurrent" in call("info", BUNDLES / "recurrent").out


def test_mistakes_are_told(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unknown = call("translate", model, "--engine", "marian", stdin=LINES)
    assert (unknown.code, unknown.out) == (2, "")
    assert "no such engine" in unknown.err
    refused = call("translate", BUNDLES / "recurrent", "--engine", "ctranslate2", stdin=LINES)
    assert (refused.code, refused.out) == (2, "")
    assert "its architecture is recurrent" in refused.err
    monkeypatch.setitem(sys.modules, "ctranslate2", None)
    missing = call("translate", model, "--engine", "ctranslate2", stdin=LINES)
    assert (missing.code, missing.out) == (2, "")
    assert "pip install 'interlingua[ctranslate2]'" in missing.err


def test_a_service_computes_with_it(model: Path, tmp_path: Path) -> None:
    own = call("translate", model, "--beam", 1, stdin=LINES).out.split("\n")
    service = Served(tmp_path / "log", model, "--engine", "ctranslate2", "--beam", 1, "--workers", 2)
    try:
        assert service.started["engine"] == "ctranslate2"
        assert service.translate(["abc", "hgf", "ab"]) == [own[0], own[2], own[3]]
        answer = service.post("/v1/translate", json={
            "q": "hgf", "source": "en", "target": "de", "attention": True, "alternatives": 2,
        }).json()["translations"][0]  # fmt: skip
        (part,) = answer["parts"]
        assert answer["text"] == own[2]
        assert len(part["log_probs"]) >= len(part["tokens"])
        assert part["attention"]["cross"]
        assert len(answer["alternatives"]) == 2
        drawn = service.post(
            "/v1/translate", json={"q": "ab", "source": "en", "target": "de", "sample": True}
        )
        assert drawn.status_code == 200
        with httpx.stream("POST", service.url + "/v1/translate", timeout=PATIENCE_S, json={
            "q": "abc", "source": "en", "target": "de", "stream": True,
        }) as stream:  # fmt: skip
            assert own[0] in stream.read().decode()
        metrics = service.get("/metrics").text
        assert 'interlingua_engine{engine="ctranslate2"} 1.0' in metrics
    finally:
        assert service.stop() == 0
