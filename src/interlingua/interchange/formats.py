"""What models can be exported to: the one table that a new format is added to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from interlingua.errors import ConfigurationError, nearest
from interlingua.inference.bundle import Bundle
from interlingua.interchange import argos, ctranslate2, hugging_face, onnx
from interlingua.interchange.comparison import Comparison, ExportedModel
from interlingua.interchange.ctranslate2_model import CTranslate2Model
from interlingua.interchange.hugging_face_card import write_card
from interlingua.interchange.hugging_face_model import HuggingFaceModel, quiet
from interlingua.interchange.onnx_model import OnnxModel
from interlingua.interchange.options import ExportOptions
from interlingua.interchange.search import length_exponent

__all__ = ["FORMATS", "Format", "find_format"]


class Format(NamedTuple):
    """Another program's form of a model."""

    write: Callable[[Bundle, Path, ExportOptions], ExportedModel]
    """Fills an empty directory, and gives what runs it as that program's users do."""
    extra: str
    """Of this package: what has to be installed."""
    packages: tuple[str, ...]
    quantizations: tuple[str, ...] = ()
    """What weights may be rounded to."""
    finish: Callable[[Bundle, Path, ExportOptions, Comparison], None] | None = None
    """Adds what tells of the comparison, once that is done."""
    pack: Callable[[Path, Path, ExportOptions], None] | None = None
    """Makes one file of the directory; None: it stays a directory."""
    suffix: str | None = None
    """Of that file."""


def _write_ctranslate2(bundle: Bundle, out: Path, options: ExportOptions) -> ExportedModel:
    ctranslate2.convert_bundle(bundle, out, options.quantization)
    return CTranslate2Model(out, bundle.search.beam, length_exponent(bundle))


def _write_hugging_face(bundle: Bundle, out: Path, options: ExportOptions) -> ExportedModel:
    with quiet():
        vocabularies = hugging_face.convert(bundle, out)
    return HuggingFaceModel(out, vocabularies)


def _write_onnx(bundle: Bundle, out: Path, options: ExportOptions) -> ExportedModel:
    onnx.convert(bundle, out)
    return OnnxModel(out)


FORMATS: Mapping[str, Format] = {
    "ctranslate2": Format(
        _write_ctranslate2, "ctranslate2", ("ctranslate2",), quantizations=ctranslate2.QUANTIZATIONS
    ),
    "argos": Format(
        argos.write,
        "argos",
        ("ctranslate2", "langcodes"),
        quantizations=ctranslate2.QUANTIZATIONS,
        finish=argos.write_readme,
        pack=argos.pack,
        suffix=".argosmodel",
    ),
    "huggingface": Format(_write_hugging_face, "huggingface", ("transformers",), finish=write_card),
    "onnx": Format(_write_onnx, "onnx", ("onnx", "onnxruntime", "onnxscript", "tokenizers")),
}


def find_format(name: str) -> Format:
    """The format of a name.

    Raises:
        ConfigurationError: there is none, with the nearest.
    """
    if name not in FORMATS:
        raise ConfigurationError("there is no such format", where="--to", found=name,
                                 accepted=nearest(name, FORMATS))  # fmt: skip
    return FORMATS[name]
