"""A package of Argos Translate, which LibreTranslate runs too: a zip of one directory.

metadata.json         the languages and versions
model/                the model as one of CTranslate2
sentencepiece.model   cuts sources, and puts targets together
README.md             where it comes from
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

from interlingua.errors import ConfigurationError
from interlingua.inference.bundle import Bundle
from interlingua.interchange import ctranslate2
from interlingua.interchange.argos_model import ArgosModel
from interlingua.interchange.comparison import Comparison
from interlingua.interchange.options import ExportOptions, read_languages
from interlingua.interchange.search import usual_length
from interlingua.interchange.vocabularies import sentencepiece_model

__all__ = ["pack", "write", "write_readme"]

PACKAGE_VERSION, ARGOS_VERSION = "1.0", "1.9"
"""Of the package, and the first Argos Translate that it is meant for."""
ARGOS_CODES = {"pt-BR": "pb", "zh-Hant": "zt", "zh-TW": "zt", "zh-Hans": "zh", "zh-CN": "zh"}
"""Languages that have a code of their own there."""


def write(bundle: Bundle, out: Path, options: ExportOptions) -> ArgosModel:
    """Fills the package's directory, and gives what runs it.

    Raises:
        ConfigurationError: Argos Translate cannot cut as the model does, or the languages are not known.
    """
    metadata = _metadata(bundle, options)
    model = sentencepiece_model(bundle.tokenizers.source)
    if model is None or sentencepiece_model(bundle.tokenizers.target) is None:
        kinds = [tokenizer.kind for tokenizer in bundle.tokenizers]
        raise ConfigurationError(
            "Argos Translate cuts texts with SentencePiece alone", where="--to argos",
            found=f"source {kinds[0]}, target {kinds[1]}",
            accepted="A model that fits: interlingua train … --set tokenizer.source=unigram "
            "--set tokenizer.target=unigram --set tokenizer.joint=true",
        )  # fmt: skip
    (out / "model").mkdir()
    ctranslate2.convert_bundle(bundle, out / "model", options.quantization)
    # One of both sides' models must do: pieces that it does not know come through as they are written.
    (out / "sentencepiece.model").write_bytes(model)
    (out / "metadata.json").write_text(
        json.dumps(metadata, ensure_ascii=False, indent=1) + "\n", encoding="utf-8"
    )
    return ArgosModel(out, usual_length(bundle))


def write_readme(bundle: Bundle, out: Path, options: ExportOptions, comparison: Comparison) -> None:
    """Tells where the package comes from and how good it is; no sentence of the data."""
    metadata = json.loads((out / "metadata.json").read_text(encoding="utf-8"))
    license = f"\nLicence: {options.license}\n" if options.license else ""
    (out / "README.md").write_text(
        f"# {metadata['from_name']} to {metadata['to_name']}\n\n"
        f"Trained with interlingua {comparison.interlingua}, packed for Argos Translate.\n{license}\n"
        f"Compared with the original:\n\n{comparison.describe()}\n",
        encoding="utf-8",
    )


def pack(content: Path, out: Path, options: ExportOptions) -> None:
    """Zips the directory as the one directory that a package holds."""
    metadata = json.loads((content / "metadata.json").read_text(encoding="utf-8"))
    version = metadata["package_version"].replace(".", "_")
    top = f"translate-{metadata['from_code']}_{metadata['to_code']}-{version}"
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(content.rglob("*")):
            if path.is_file():
                archive.write(path, f"{top}/{path.relative_to(content).as_posix()}")


def _metadata(bundle: Bundle, options: ExportOptions) -> dict[str, str]:
    languages = read_languages(bundle, options)
    if languages is None:
        raise ConfigurationError(
            "the model does not say which languages it translates between", where="--to argos",
            accepted="Name their codes, for example: --languages en de",
        )  # fmt: skip
    (source, source_name), (target, target_name) = map(_name, languages)
    return {
        "package_version": PACKAGE_VERSION, "argos_version": ARGOS_VERSION, "type": "translate",
        "from_code": source, "from_name": source_name, "to_code": target, "to_name": target_name,
    }  # fmt: skip


def _name(code: str) -> tuple[str, str]:
    """The code of a language there, and its English name.

    Raises:
        ConfigurationError: there is no such language.
    """
    import langcodes

    try:
        language = langcodes.Language.get(code)
        valid = language.is_valid()
    except ValueError:  # it is no tag at all
        valid = False
    if not valid:
        raise ConfigurationError(
            "no language has this code", where="--languages", found=code,
            accepted="A code of ISO 639 such as en, de, gsw or pt-BR.",
        )  # fmt: skip
    return ARGOS_CODES.get(language.to_tag(), language.to_tag()), language.display_name()
