"""Imported models are used like any other: every verb on them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import interlingua
from interlingua.inference.bundle import load_bundle
from interlingua.interchange.onnx_model import OnnxModel
from interlingua.serving.models.catalogue import Catalogue, read_model
from tests.marian import ENGLISH, GERMAN, write_hugging_face, write_marian

from .conftest import Result, call
from .served import Served

KINDS = ("marian", "hugging_face")


@pytest.fixture(scope="module", params=KINDS)
def imported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """A model directory, and what its import printed."""
    directory = tmp_path_factory.mktemp(request.param)
    {"marian": write_marian, "hugging_face": write_hugging_face}[request.param](directory / "opus-mt-en-de")
    return directory / "en-de", call("import", directory / "opus-mt-en-de", "--out", directory / "en-de")


@pytest.fixture(scope="module")
def model(imported: tuple[Path, Result]) -> Path:
    return imported[0]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pairs") / "pairs.tsv"
    lines = [f"{source}\t{target}\n" for source, target in zip(ENGLISH, GERMAN, strict=True)]
    path.write_text("".join(lines * 4), encoding="utf-8")
    return path


def test_importing_tells_what_was_taken_over(imported: tuple[Path, Result]) -> None:
    directory, result = imported
    assert result.code == 0, result.err
    assert "opus-mt-en-de: a " in result.out
    assert "length penalty: 1, of ((5 + length) / 6)^1" in result.out
    assert "compared with transformers" in result.out or "nothing here runs Marian itself" in result.out
    assert f"interlingua translate {directory}" in result.out


def test_help_has_an_example() -> None:
    result = call("import", "--help")
    assert result.code == 0
    assert "Example: interlingua import" in result.out


def test_a_mistake_ends_with_code_2_and_leaves_nothing(tmp_path: Path) -> None:
    result = call("import", tmp_path / "nowhere", "--out", tmp_path / "out")
    assert result.code == 2
    assert "there is no such file or directory" in result.err
    result = call("import", tmp_path, "--out", tmp_path / "out", "--languages", "en", "auto")
    assert result.code == 2
    assert "auto cannot be a language" in result.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("verb", [("translate",), ("info",), ("serve",), ("train", "--from")])
def test_a_model_that_was_not_imported_is_told_how(
    verb: tuple[str, ...], imported: tuple[Path, Result]
) -> None:
    foreign = imported[0].parent / "opus-mt-en-de"
    more = ("--train", "a.tsv", "--out", "b") if verb[0] == "train" else ()
    result = call(*verb, foreign, *more)
    assert result.code == 2
    assert f"interlingua import {foreign} --out" in result.err


def test_names_of_a_hub_are_told_how(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = call("translate", "Helsinki-NLP/opus-mt-en-de", "A dog runs.")
    assert result.code == 2
    assert "hf download Helsinki-NLP/opus-mt-en-de --local-dir opus-mt-en-de" in result.err
    Path("ct2").mkdir()
    Path("ct2/model.bin").touch()
    assert "a CTranslate2 model" in call("translate", "ct2", "A dog runs.").err


def test_translating(model: Path) -> None:
    result = call("translate", model, "A dog runs. The cat is not here!", "--beam", "2", "--json")
    assert result.code == 0, result.err
    assert json.loads(result.out)["text"]
    glossary = model.parent / "glossary.tsv"
    glossary.write_text("dog\tHund\n")
    result = call("translate", model, "A dog runs.", "--glossary", glossary)
    assert result.code == 0, result.err
    assert "Hund" in result.out


def test_evaluating_scoring_and_reporting(model: Path, pairs: Path, tmp_path: Path) -> None:
    result = call("evaluate", model, pairs, "--beam", "1")
    assert result.code == 0, result.err
    assert "pairs.tsv: 40 pairs" in result.out
    result = call("score", model, pairs)
    assert result.code == 0, result.err
    assert len(result.out.rstrip("\n").split("\n")) >= 4 * len(ENGLISH)
    page = tmp_path / "report.html"
    result = call("report", model, "--test", pairs, "--out", page, "--beam", "1")
    assert result.code == 0, result.err
    assert "imported from" in page.read_text()


def test_looking_inside(model: Path, tmp_path: Path) -> None:
    result = call("look", model, "A dog runs.", "--json", "--beam", "2")
    assert result.code == 0, result.err
    found = json.loads(result.out)
    assert found["source"][-1] == "</s>"
    assert len(found["attention"]["cross"]["weights"]) == 2
    assert found["position_code"]["kind"] == "sinusoidal"


def test_info_tells_where_it_came_from(model: Path) -> None:
    result = call("info", model)
    assert result.code == 0
    assert "opus-mt-en-de, a " in result.out
    assert "en to de" in result.out
    assert "cc-by-4.0" in result.out or "Attribution 4.0 International" in result.out
    assert "ORIGIN-README.md" in result.out
    assert json.loads(call("info", model, "--json").out)["info"]["imported"]["licence"]


def test_serving_knows_its_languages(model: Path) -> None:
    assert Catalogue([read_model(model)]).pairs == [("en", "de")]


def test_python_loads_it(model: Path) -> None:
    translator = interlingua.load(model)
    (one, nothing) = translator.translate(["A dog runs.", ""], beam=1)
    assert one.source_tokens
    assert nothing.text == ""


def test_ctranslate2_runs_it(model: Path) -> None:
    ours, theirs = (
        interlingua.load(model, threads=1, engine=engine) for engine in ("interlingua", "ctranslate2")
    )
    assert [one.text for one in theirs.translate(ENGLISH, beam=1)] == [
        one.text for one in ours.translate(ENGLISH, beam=1)
    ]
    pairs = [*zip(ENGLISH, GERMAN, strict=True)]
    for one, other in zip(ours.score_pairs(pairs), theirs.score_pairs(pairs), strict=True):
        assert one.log_prob == pytest.approx(other.log_prob, abs=1e-3)


@pytest.mark.parametrize("to", ["onnx", "ctranslate2", "argos"])
def test_it_goes_out_again(to: str, model: Path, pairs: Path, tmp_path: Path) -> None:
    out = tmp_path / ("out.argosmodel" if to == "argos" else "out")
    result = call("export", model, "--to", to, out, "--valid", pairs)
    assert result.code == 0, result.err
    assert "cut otherwise" not in result.out
    figures = json.loads((out.with_name(f"{out.name}.comparison.json") if to == "argos" else
                          out / "comparison.json").read_text())  # fmt: skip
    assert figures["worst_log_prob_difference"] < 1e-4


def test_onnx_knows_codes_of_target_languages(tmp_path: Path) -> None:
    write_hugging_face(tmp_path / "given", extra=(">>deu<<", ">>nds<<"))
    assert call("import", tmp_path / "given", "--out", tmp_path / "model").code == 0
    (tmp_path / "pairs.tsv").write_text(
        "".join(f">>nds<< {s}\t{t}\n{s}\t{t}\n" for s, t in zip(ENGLISH, GERMAN, strict=True))
    )
    done = call(
        "export", tmp_path / "model", "--to", "onnx", tmp_path / "out", "--valid", tmp_path / "pairs.tsv"
    )
    assert done.code == 0, done.err
    assert "cut otherwise" not in done.out
    tokens = json.loads((tmp_path / "out" / "model.json").read_text())
    exported, ours = OnnxModel(tmp_path / "out"), load_bundle(tmp_path / "model").tokenizers
    for text in (">>nds<< A dog runs.", "A dog runs.", ">>xyz<< A dog", ">>nds<<"):
        assert exported.source.encode(text) == ours.source.encode(text), text
    ids = ours.target.encode("Ein Hund läuft.")
    assert exported.target.decode(ids) == ours.target.decode(ids)
    assert tokens["by_name"] == ["source", "target"]


def test_training_goes_on_from_it(model: Path, pairs: Path, tmp_path: Path) -> None:
    out = tmp_path / "mine"
    result = call("train", "--from", model, "--train", pairs, "--out", out, "--max-steps", "4",
                  "--set", "training.validations=1", "--set", "training.label_smoothing=0.1",
                  "--set", "data.valid_share=0.2", "--threads", "1")  # fmt: skip
    assert result.code == 0, result.err
    before, after = load_bundle(model), load_bundle(out)
    assert after.config["model"] == before.config["model"]
    assert [*map(len, after.tokenizers)] == [*map(len, before.tokenizers)]
    assert after.tokenizers.joint
    assert (out / "ORIGIN-README.md").read_bytes() == (model / "ORIGIN-README.md").read_bytes()
    losses = [json.loads(line)["loss"] for line in (out / "training" / "log.jsonl").read_text().split("\n")
              if '"validated"' in line]  # fmt: skip
    assert max(losses) < 100  # what cannot come out does not spoil the mean
    assert call("info", out).code == 0
    assert call("translate", out, "A dog runs.").code == 0
    assert call("train", "--resume", out, "--max-steps", "5").code == 0


def test_a_source_says_its_target_language(tmp_path: Path, pairs: Path) -> None:
    write_marian(tmp_path / "opus-mt-en-gmw", extra=(">>deu<<", ">>nds<<"))
    result = call(
        "import", tmp_path / "opus-mt-en-gmw", "--out", tmp_path / "model", "--languages", "en", "mul"
    )
    assert result.code == 0, result.err
    assert "2 target languages (deu, nds): a source begins with >>deu<<, or --tag deu says it" in result.out
    model = interlingua.load(tmp_path / "model", threads=1)
    written, tagged = (
        model.translate([text], beam=1)[0]
        for text in (">>nds<< A dog runs. The cat is not here!", "nds\tA dog runs. The cat is not here!")
    )
    assert written.text == tagged.text
    assert written.source_tokens.count(">>nds<<") == 2  # each sentence says it
    (alone,) = model.translate([">>nds<< A dog runs."], beam=1)
    assert written.text.startswith(alone.text)
    assert model.translate([">>xyz<< A dog runs."])[0].unknown == (">>xyz<<",)
    by_tag = call("translate", tmp_path / "model", "A dog runs.", "--tag", "nds", "--beam", "1")
    assert by_tag.code == 0, by_tag.err
    assert by_tag.out.strip() == alone.text
    assert call("translate", tmp_path / "model", "A dog.", "--tag", "fra").code == 2
    assert Catalogue([read_model(tmp_path / "model")]).pairs == [("en", "deu"), ("en", "nds")]
    tuned = call("train", "--from", tmp_path / "model", "--out", tmp_path / "mine", "--max-steps", "2",
                 "--set", f'data.corpora=[{{files="{pairs}", tag="deu"}}]', "--threads", "1",
                 "--set", "data.valid_share=0.2")  # fmt: skip
    assert tuned.code == 0, tuned.err


def test_serving_an_imported_model_of_several_languages(tmp_path: Path) -> None:
    write_hugging_face(tmp_path / "en-gmw", extra=(">>deu<<", ">>nds<<"))
    made = call("import", tmp_path / "en-gmw", "--out", tmp_path / "model", "--languages", "en", "mul")
    assert made.code == 0, made.err
    model = interlingua.load(tmp_path / "model", threads=1)
    texts = ["A dog runs.", "The cat is not here! The water was cold."]
    service = Served(tmp_path / "log", tmp_path / "model", "--workers", 1)
    try:
        for code in ("deu", "nds"):
            expected = [each.text for each in model.translate([f">>{code}<< {text}" for text in texts])]
            assert service.translate(texts, target=code) == expected
        marked = service.translate("A <b>dog</b> runs.", target="deu", format="html")
        assert marked.count("<b>") == marked.count("</b>")
    finally:
        assert service.stop() == 0
