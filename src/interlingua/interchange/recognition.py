"""What a directory holds: a model that can be imported, or which other kind of thing it is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from interlingua.errors import BundleError
from interlingua.interchange.hugging_face_weights import WEIGHT_FILES
from interlingua.interchange.json_files import read_json

__all__ = ["Kind", "recognise"]

Kind = Literal["marian", "hugging_face"]

ACCEPTED = (
    "A Marian package (.npz with source.spm, target.spm and a vocabulary), as OPUS-MT publishes them, or a "
    "MarianMT directory of Hugging Face (config.json with model_type marian); each also as a zip."
)
OTHERS = {
    "adapter_model.*": "an adapter of PEFT, such as LoRA: merge it into its model first "
    "(merge_and_unload, save_pretrained)",
    "tf_model.h5": "a model with weights of TensorFlow alone: save it with those of PyTorch "
    "(from_pretrained with from_tf, save_pretrained)",
    "flax_model.msgpack": "a model with weights of Flax alone: save it with those of PyTorch "
    "(from_pretrained with from_flax, save_pretrained)",
    "model.bin": "a CTranslate2 model, which holds no weights to train on",
    "*.argosmodel": "an Argos package, which holds a CTranslate2 model and no weights to train on",
    "*.intgemm*.bin": "a quantised Marian model, as Bergamot has them",
    "*.onnx": "an ONNX model",
    "dict.*.txt": "a fairseq model",
    "*.pt": "a PyTorch checkpoint, as OpenNMT-py and fairseq write them",
    "*.gguf": "a GGUF model",
}  # fmt: skip
"""Other toolkits' models, by what their directories hold."""
_HUB_NAME = re.compile(r"[\w-]+/[\w.-]+")


def recognise(place: Path, unpacked: Path) -> tuple[Kind, Path]:
    """Says what there is, and where.

    Args:
        place: what the user named.
        unpacked: the same, or the directory that its files were unpacked to.

    Raises:
        BundleError: it can't be imported; the message says what it is.
    """
    try:
        return _recognise(place, unpacked)
    except OSError as error:
        raise BundleError("this cannot be read", where=place, found=error.strerror) from error


def _recognise(place: Path, unpacked: Path) -> tuple[Kind, Path]:
    if not unpacked.exists():
        accepted = ACCEPTED
        if _HUB_NAME.fullmatch(str(place)):
            name = place.name
            accepted = ("Nothing is downloaded here. If this is a name on the Hugging Face hub:\n"
                        f"  hf download {place} --local-dir {name}\n  interlingua import {name}")  # fmt: skip
        raise BundleError("there is no such file or directory", where=place, accepted=accepted)
    if unpacked.is_file():
        if unpacked.suffix == ".npz":
            return "marian", unpacked
        found = _name_of(unpacked.parent, only=unpacked.name)
        if not found and _holds_model(unpacked.absolute().parent):
            raise BundleError("this is one file of a model, which is a directory", where=place,
                              accepted=f"Name the directory: {place.parent}")  # fmt: skip
        found = found or "neither a model directory nor a zip of one"
        raise BundleError(f"this is {found}", where=place, accepted=ACCEPTED)
    if (unpacked / "config.toml").is_file() and (unpacked / "model.safetensors").is_file():
        raise BundleError("this is a model of interlingua already, which needs no import", where=place,
                          accepted=f'To use it: interlingua translate {place} "..."')  # fmt: skip
    if any(unpacked.glob("*.npz")):
        return "marian", unpacked
    config = unpacked / "config.json"
    if config.is_file() and any((unpacked / name).exists() for name in WEIGHT_FILES):
        return _hugging_face(place, config)
    if what := _name_of(unpacked):
        raise BundleError(f"this is {what}", where=place, accepted=ACCEPTED)
    if config.is_file() and "model_type" in read_json(config):
        return _hugging_face(place, config)
    entries = sorted(unpacked.iterdir())
    deeper = [entry.name for entry in entries if entry.is_dir() and _holds_model(entry)]
    raise BundleError(
        "this directory holds no model that can be imported", where=place,
        found=[entry.name for entry in entries][:8],
        accepted=f"There is one in it; to import that, name it: {place / deeper[-1]}" if deeper else ACCEPTED,
    )  # fmt: skip


def _holds_model(directory: Path) -> bool:
    """Whether it looks like a model that can be imported."""
    return (directory / "config.json").is_file() or any(directory.glob("*.npz"))


def _hugging_face(place: Path, config: Path) -> tuple[Kind, Path]:
    kind = read_json(config).get("model_type")
    if kind != "marian":
        name = f"a {kind} model" if isinstance(kind, str) else "a model of unknown kind"
        raise BundleError(f"this is {name} of Hugging Face, and only MarianMT can be imported", where=place,
                          found=f"model_type {kind!r}", accepted=ACCEPTED)  # fmt: skip
    return "hugging_face", config.parent


def _name_of(directory: Path, only: str | None = None) -> str | None:
    """What kind of other model a directory holds, as far as it is known."""
    for pattern, what in OTHERS.items():
        if any(only in (None, found.name) for found in directory.glob(pattern)):
            return what
    return None
