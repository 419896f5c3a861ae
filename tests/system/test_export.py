"""`interlingua export`: what it makes gives the same answers, and nothing else is ever kept."""

from __future__ import annotations

import json
import os
import random
import shutil
import zipfile
from pathlib import Path
from typing import Any

import ctranslate2
import pytest
import torch

import interlingua
from interlingua.errors import ExportError, OutputError
from interlingua.interchange import export as exporting
from interlingua.interchange.argos_model import ArgosModel
from interlingua.interchange.hugging_face_model import quiet
from interlingua.runs.run import start
from tests.system.conftest import call

WORDS = ["the", "a", "dog", "runs", "cat", "sleeps", "man", "walks", "big", "small", "über", "house", "it's"]
FIGURES = {
    "format", "interlingua", "runs_with", "pairs", "pairs_from", "tokens", "worst_log_prob_difference",
    "mean_log_prob", "exported_mean_log_prob", "sources_cut_otherwise", "equal_greedy_outputs",
    "equal_outputs", "searches", "quantization", "metric", "score", "exported_score", "usual_score",
    "higher_is_better", "p_value",
}  # fmt: skip


def write_sentences(file: Path, count: int, seed: int) -> None:
    numbers = random.Random(seed)
    lines = []
    for _ in range(count):
        chosen = numbers.choices(WORDS, k=numbers.randint(2, 6))
        lines.append(f"{' '.join(chosen)}.\t{' '.join(reversed(chosen))}!\n")
    file.write_text("".join(lines), encoding="utf-8")


@pytest.fixture(scope="module")
def translator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of subwords that reverses sentences, of the kind that other programs know."""
    directory = tmp_path_factory.mktemp("sentences")
    write_sentences(directory / "train.tsv", 800, 1)
    write_sentences(directory / "valid.tsv", 60, 2)
    values: dict[str, Any] = {
        "preset": "tiny", "languages": ["en", "de"],
        "data": {"train": str(directory / "train.tsv"), "valid": str(directory / "valid.tsv")},
        "tokenizer": {"source": "unigram", "target": "unigram", "joint": True, "vocabulary_size": 340},
        "model": {"dim": 32, "heads": 2, "feed_forward": 64, "encoder_layers": 1, "decoder_layers": 1},
        "training": {"max_steps": 150, "max_tokens": 512, "validations": 1, "decode_pairs": 5, "threads": 1,
                     "race": False, "learning_rate": 0.01},
    }  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INTERLINGUA_CACHE", str(directory / "cache"))
        torch.set_num_threads(1)
        torch.manual_seed(0)
        list(start(values, directory / "run"))
    return directory / "run"


def sentences_in(path: Path, run: Path) -> set[str]:
    """Lines of the data, of three words or more, that stand in an exported file or directory."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    contents = [file.read_bytes() for file in files]
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            contents += [archive.read(name) for name in archive.namelist()]
    pairs = "".join((run.parent / f"{name}.tsv").read_text(encoding="utf-8") for name in ("train", "valid"))
    lines = pairs.replace("\n", "\t").split("\t")
    every = b"\n".join(contents)
    return {line for line in lines if line.count(" ") > 1 and line.encode() in every}


def test_hugging_face(translator: Path, tmp_path: Path) -> None:
    import transformers

    out = tmp_path / "hub" / "en-de"
    result = call("export", translator, "--to", "huggingface", out, "--license", "cc-by-4.0")
    assert result.code == 0, result.err
    assert "60 of 60 validation pairs" in result.out
    figures = json.loads((out / "comparison.json").read_text())
    assert figures.keys() == FIGURES | {"files"}
    assert figures["files"].keys() == {path.name for path in out.iterdir()} - {"comparison.json"}
    assert figures["worst_log_prob_difference"] < 1e-4
    equal, of = figures["equal_greedy_outputs"]
    assert equal == of > 0
    card = (out / "README.md").read_text()
    for said in ("license: cc-by-4.0", "language:\n- en\n- de", "model-index:", "library_name: "):
        assert said in card
    assert not sentences_in(out, translator)
    assert {path.suffix for path in out.iterdir()} == {".json", ".safetensors", ".spm", ".md"}
    with quiet():
        tokenizer = transformers.AutoTokenizer.from_pretrained(out)
        model = transformers.AutoModelForSeq2SeqLM.from_pretrained(out)
        made = model.generate(**tokenizer(["the big dog runs."], return_tensors="pt"))
    (text,) = tokenizer.batch_decode(made, skip_special_tokens=True)
    assert text == interlingua.load(translator).translate(["the big dog runs."])[0].text


def test_ctranslate2_with_rounded_weights(translator: Path, tmp_path: Path) -> None:
    plain, rounded = tmp_path / "plain", tmp_path / "int8"
    assert call("export", translator, "--to", "ctranslate2", plain).code == 0
    result = call("export", translator, "--to", "ctranslate2", rounded, "--quantization", "int8")
    assert result.code == 0, result.err
    assert json.loads((plain / "comparison.json").read_text())["worst_log_prob_difference"] < 1e-3
    figures = json.loads((rounded / "comparison.json").read_text())
    assert figures["quantization"] == "int8"
    assert (rounded / "model.bin").stat().st_size < (plain / "model.bin").stat().st_size
    assert ctranslate2.contains_model(str(rounded))
    assert not sentences_in(rounded, translator)


def test_argos(translator: Path, tmp_path: Path) -> None:
    out = tmp_path / "en_de.argosmodel"
    result = call("export", translator, "--to", "argos", out, "--quantization", "int8")
    assert result.code == 0, result.err
    assert json.loads((tmp_path / "en_de.argosmodel.comparison.json").read_text())["format"] == "argos"
    with zipfile.ZipFile(out) as archive:
        names = archive.namelist()
        archive.extractall(tmp_path)
    (top,) = {name.split("/")[0] for name in names}
    assert {f"{top}/metadata.json", f"{top}/model/model.bin", f"{top}/sentencepiece.model"} <= {*names}
    metadata = json.loads((tmp_path / top / "metadata.json").read_text())
    assert (
        metadata | {"from_code": "en", "from_name": "English", "to_code": "de", "to_name": "German"}
        == metadata
    )
    assert not sentences_in(out, translator)
    (text,) = ArgosModel(tmp_path / top, 8.0).translate(["the big dog runs."], 50)
    assert text.endswith("!")
    assert {*text.rstrip("!").split()} <= {*WORDS}
    assert not [path for path in tmp_path.iterdir() if ".part" in path.name]


def test_argos_needs_languages_and_subwords(translator: Path, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "x.argosmodel"
    unknown = call("export", translator, "--to", "argos", out, "--languages", "en", "xxq")
    assert unknown.code == 2
    assert "no language has this code" in unknown.err
    assert "xxq" in unknown.err
    nameless = tmp_path / "nameless"
    shutil.copytree(translator, nameless)
    config = (nameless / "config.toml").read_text()
    (nameless / "config.toml").write_text(config.replace('languages = [\n    "en",\n    "de",\n]\n', ""))
    result = call("export", nameless, "--to", "argos", out)
    assert (result.code, "--languages en de" in result.err) == (2, True)
    assert call("export", nameless, "--to", "argos", out, "--languages", "pt-BR", "gsw").code == 0
    with zipfile.ZipFile(out) as archive:
        assert "translate-pb_gsw-1_0/metadata.json" in archive.namelist()
    words = call("export", model, "--to", "argos", tmp_path / "y.argosmodel", "--languages", "en", "de")
    assert words.code == 2
    assert "--set tokenizer.source=unigram" in words.err


def test_onnx(model: Path, tmp_path: Path) -> None:
    result = call("export", model, "--to", "onnx", tmp_path / "onnx")
    assert result.code == 0, result.err
    figures = json.loads((tmp_path / "onnx" / "comparison.json").read_text())
    assert figures["worst_log_prob_difference"] < 1e-4
    equal, of = figures["equal_outputs"]
    assert equal == of > 0
    names = {path.name for path in (tmp_path / "onnx").iterdir()}
    assert names == {"encoder_model.onnx", "decoder_model.onnx", "decoder_with_past_model.onnx", "model.json",
                     "source_tokenizer.json", "target_tokenizer.json", "comparison.json"}  # fmt: skip


def test_pairs_may_be_given_and_may_be_gone(translator: Path, tmp_path: Path) -> None:
    given = tmp_path / "given.tsv"
    write_sentences(given, 20, 3)
    result = call("export", translator, "--to", "ctranslate2", tmp_path / "a", "--valid", given)
    assert "20 of 20 pairs of the file given" in result.out
    assert "given.tsv" not in (tmp_path / "a" / "comparison.json").read_text()
    pairs = [line.split("\t") for line in given.read_text().rstrip("\n").split("\n")]
    units = "".join(
        f'<tu><tuv xml:lang="de"><seg>{target}</seg></tuv><tuv xml:lang="en"><seg>{source}</seg></tuv></tu>'
        for source, target in [*pairs, ("A dog.", "")]
    )
    memory = tmp_path / "memory.tmx"
    memory.write_text(f'<tmx version="1.4"><header srclang="de"/><body>{units}</body></tmx>')
    result = call("export", translator, "--to", "ctranslate2", tmp_path / "m", "--valid", memory)
    assert "20 of 20 pairs of the file given" in result.out, result.err
    of_both = [json.loads((tmp_path / name / "comparison.json").read_text()) for name in "am"]
    assert of_both[0]["score"] == of_both[1]["score"]
    moved = tmp_path / "moved"
    shutil.copytree(translator, moved)
    config = (moved / "config.toml").read_text()
    (moved / "config.toml").write_text(config.replace("valid.tsv", "gone.tsv"))
    result = call("export", moved, "--to", "ctranslate2", tmp_path / "b")
    assert result.code == 0, result.err
    assert "random tokens" in result.out
    assert "no metric" in result.out
    broken = tmp_path / "broken.tsv"
    broken.write_text("one column\n")
    result = call("export", translator, "--to", "ctranslate2", tmp_path / "c", "--valid", broken)
    assert (result.code, "broken.tsv" in result.err, (tmp_path / "c").exists()) == (2, True, False)
    assert (
        call("export", translator, "--to", "ctranslate2", tmp_path / "c", "--valid", tmp_path / "no").code
        == 2
    )


@pytest.mark.parametrize(("to", "name"), [("ctranslate2", "out"), ("argos", "out.argosmodel")])
def test_nothing_is_kept_where_the_answers_differ(
    to: str, name: str, translator: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "here" / name
    out.parent.mkdir()
    assert call("export", translator, "--to", to, out).code == 0
    before = {path: path.read_bytes() for path in out.parent.rglob("*") if path.is_file()}

    def differ(comparison: object) -> None:
        raise ExportError("the exported model does not give the same answers, and was not kept")

    monkeypatch.setattr(exporting, "refuse_difference", differ)
    result = call("export", translator, "--to", to, out, "--force")
    assert (result.code, "not kept" in result.err) == (2, True)
    assert {path: path.read_bytes() for path in out.parent.rglob("*") if path.is_file()} == before
    other = tmp_path / "there"
    other.mkdir()
    assert call("export", translator, "--to", to, other / name).code == 2
    assert not list(other.iterdir())


def test_what_is_there_is_replaced_only_if_it_may(translator: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert call("export", translator, "--to", "ctranslate2", out).code == 0
    again = call("export", translator, "--to", "ctranslate2", out)
    assert (again.code, "--force" in again.err) == (2, True)
    assert (
        call("export", translator, "--to", "ctranslate2", out, "--force", "--quantization", "int8").code == 0
    )
    assert json.loads((out / "comparison.json").read_text())["quantization"] == "int8"
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "thesis.txt").write_text("years of work")
    assert call("export", translator, "--to", "ctranslate2", foreign, "--force").code == 2
    assert [path.name for path in foreign.iterdir()] == ["thesis.txt"]
    assert call("export", translator, "--to", "ctranslate2", translator, "--force").code == 2
    assert (translator / "model.safetensors").exists()
    package = tmp_path / "p.argosmodel"
    package.write_text("something else")
    for options in ((), ("--force",)):
        result = call("export", translator, "--to", "argos", package, *options)
        assert (result.code, package.read_text()) == (2, "something else")


def test_mistakes(translator: Path, model: Path, tmp_path: Path) -> None:
    unknown = call("export", translator, "--to", "hugingface", tmp_path / "x")
    assert unknown.code == 2
    assert "Did you mean 'huggingface'? Known: argos, ctranslate2, huggingface, onnx." in unknown.err
    rounded = call("export", translator, "--to", "onnx", tmp_path / "x", "--quantization", "int8")
    assert (rounded.code, "ctranslate2 and argos" in rounded.err) == (2, True)
    kind = call("export", translator, "--to", "ctranslate2", tmp_path / "x", "--quantization", "int7")
    assert (kind.code, "int8" in kind.err) == (2, True)
    assert call("export", tmp_path / "none", "--to", "onnx", tmp_path / "x").code == 2
    assert call("export", translator, "--to", "argos", tmp_path / "x").code == 2
    assert call("export", translator, "--to", "argos", tmp_path / "no" / "x.argosmodel").code == 2
    (tmp_path / "file").write_text("")
    assert call("export", translator, "--to", "ctranslate2", tmp_path / "file" / "x").code == 2
    assert call("export", translator, "--to", "ctranslate2", tmp_path / "file").code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    if os.geteuid():
        closed = tmp_path / "closed"
        closed.mkdir(mode=0o500)
        assert call("export", translator, "--to", "ctranslate2", closed / "x").code == 2


def test_a_missing_package_is_named(
    translator: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from interlingua.interchange import requirements

    monkeypatch.setattr(requirements.importlib.util, "find_spec", lambda name: None)
    for to, extra in (("huggingface", "huggingface"), ("onnx", "onnx"), ("ctranslate2", "ctranslate2")):
        result = call("export", translator, "--to", to, tmp_path / "x")
        assert (result.code, f"interlingua[{extra}]" in result.err) == (2, True)


@pytest.mark.parametrize(
    "kinds", ['source_kind = "sound"', 'source_kind = "picture"', 'target_kind = "picture"']
)
def test_models_of_sounds_and_pictures(kinds: str, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.toml").write_text(f"[data]\n{kinds}\n")
    (tmp_path / "run" / "model.safetensors").write_text("")
    result = call("export", tmp_path / "run", "--to", "onnx", tmp_path / "x")
    assert result.code == 2
    assert "only models from text to text" in result.err
    assert not (tmp_path / "x").exists()


def test_in_python(translator: Path, tmp_path: Path) -> None:
    figures = interlingua.export(translator, to="ctranslate2", out=tmp_path / "out", quantization="int8")
    assert figures.metric is not None
    assert figures.pairs == 60
    with pytest.raises(OutputError):
        interlingua.export(translator, to="ctranslate2", out=str(tmp_path / "out"))
