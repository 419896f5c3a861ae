"""Codes of languages, and the guess which one a text is in."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from interlingua.errors import ConfigurationError
from interlingua.runs.experiment import Experiment
from interlingua.serving.models.catalogue import Catalogue, ServedModel, name_of, read_model
from interlingua.serving.models.corrections import Corrections
from interlingua.serving.models.detection import LanguageDetector
from interlingua.text.symbols import ByteTokenizer

WRONG = [
    "../../x",
    "a/b",
    "",
    "..",
    ".",
    "a b",
    "auto",
    "AUTO",
    "x\x00",
    "-",
    "a-",
    "C:x",
    "a\\b",
    "a\nb",
    "x" * 99,
]
RIGHT = ["en", "pt-BR", "zh_Hans", "iso", "srp@latin", "Öömrang", "en-arpabet", "a"]
BUNDLE = Path(__file__).parents[1] / "bundles" / "transformer"


@pytest.mark.parametrize("code", WRONG)
def test_what_is_no_code_is_refused_in_training_and_in_serving(code, tmp_path):
    with pytest.raises(ConfigurationError, match="language"):
        Experiment.parse({"languages": [code, "de"]})
    bundle = with_languages(
        tmp_path, f"[{code!r}, 'de']" if "\n" not in code and "\x00" not in code else "['', 'de']"
    )
    with pytest.raises(ConfigurationError, match=r"config\.toml: languages"):
        read_model(bundle)


@pytest.mark.parametrize("languages", ["'en'", "['en']", "['en', 'de', 'fr']", "[1, 2]", "3", "{a = 1}"])
def test_languages_are_two_codes(languages, tmp_path):
    with pytest.raises(ConfigurationError, match="languages are two codes"):
        read_model(with_languages(tmp_path, languages))


@pytest.mark.parametrize("code", RIGHT)
def test_codes_are_taken_as_given(code, tmp_path):
    assert Experiment.parse({"languages": [code, "de"]}).languages == (code, "de")
    assert read_model(with_languages(tmp_path, f"[{code!r}, 'de']")).source == code


def with_languages(tmp_path: Path, languages: str) -> Path:
    bundle = tmp_path / "bundle"
    shutil.copytree(BUNDLE, bundle)
    config = bundle / "config.toml"
    lines = [line for line in config.read_text().split("\n") if not line.startswith("languages")]
    config.write_text("\n".join([f"languages = {languages}", *lines]))
    return bundle


@pytest.mark.parametrize("name", ["../../x-de", "/tmp/x-de", "a\\..\\x", "..", "C:x"])
def test_corrections_never_leave_their_directory(name, tmp_path):
    corrections = Corrections(tmp_path / "saved", [])
    assert corrections._file(name).parent == tmp_path / "saved"
    assert corrections._file(name).resolve().parent == (tmp_path / "saved").resolve()
    corrections.close()


def test_only_codes_of_two_letters_have_names():
    assert [name_of(code) for code in ("en", "pt-BR", "zh-Hant")] == [
        "English", "Portuguese (Brazil)", "Chinese (Traditional)"
    ]  # fmt: skip
    assert [name_of(code) for code in ("iso", "fw", "nds", "en_", "Öö")] == ["iso", "fw", "nds", "en_", "Öö"]


def served(source: str, target: str) -> ServedModel:
    return ServedModel(f"{source}-{target}", Path(), source, target, ByteTokenizer("NFC"))


def test_two_models_of_one_name_are_refused():
    with pytest.raises(ConfigurationError, match="two models translate a-b-c"):
        Catalogue([served("a-b", "c"), served("a", "b-c")])


@pytest.mark.parametrize(
    ("codes", "text", "language"),
    [
        (["nb", "en"], "Hundene løper gjennom skogen mens barna leker ute i hagen.", "nb"),
        (["en-GB", "de"], "The children are playing in the garden.", "en-GB"),
        (["sr", "en"], "Деца се играју у башти иза куће.", "sr"),
        (["fil", "en"], "Naglalaro ang mga bata sa hardin sa likod ng bahay.", "fil"),
        (["de", "en"], "孩子们在房子后面的花园里玩。", "zh"),
        (["en", "fw"], "Les enfants jouent dans le jardin derrière la maison.", "en"),
    ],
)
def test_the_likeliest_language_comes_first(codes, text, language):
    detector = LanguageDetector(codes)
    found = detector.detect(text)
    assert found[0].language == language
    if "fw" in codes:  # French may be what that one knows: nothing is certain
        assert found[0].confidence < 1
    elif codes != ["sr", "en"]:
        assert found[0].confidence > 80
