"""A trained model as a directory that can be moved: configuration, weights, tokenizers, a card.

config.toml         the resolved experiment; its [model], [search] and languages are needed for use
model.safetensors   the weights in fp32, with their hash and what search must know
joint.* or source.* and target.*     the tokenizers
info.json           how it was made: data report, training, scores
README.md           the same for people
ORIGIN-*            of an imported model: its makers' own account of it, and their licence
training/           only what resuming needs; may be deleted
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import tomli_w
import torch
from torch import Tensor

from interlingua.data.codecs import CODEC_WEIGHTS, build_model_for, load_tokenizers, save_tokenizers
from interlingua.data.tensors import DamagedFileError, read_tensors, write_tensors
from interlingua.errors import BundleError
from interlingua.files import is_lfs_pointer, write_text
from interlingua.model.architectures import parse_model_settings
from interlingua.model.protocol import Model
from interlingua.pictures.codec import PictureCodec
from interlingua.search.settings import SearchSettings
from interlingua.text.facts import TextFacts, assume_facts
from interlingua.text.lengths import length_limit
from interlingua.text.tokenizer import TokenizerPair

__all__ = [
    "ORIGIN_LICENCE",
    "ORIGIN_README",
    "Bundle",
    "LengthStatistics",
    "load_bundle",
    "read_config",
    "read_info",
    "save_config",
    "save_info",
    "save_weights",
]

WEIGHTS, CONFIG, INFO, CARD = "model.safetensors", "config.toml", "info.json", "README.md"
TOKENIZER_FILES = {
    f"{name}.{suffix}" for name in ("joint", "source", "target") for suffix in ("json", "model")
} | {CODEC_WEIGHTS}
ORIGIN_README, ORIGIN_LICENCE = "ORIGIN-README.md", "ORIGIN-LICENSE"
"""What an imported model's makers say of it."""
OWN_FILES = {WEIGHTS, CONFIG, INFO, CARD} | TOKENIZER_FILES | {ORIGIN_README, ORIGIN_LICENCE}
"""All that a model directory may hold, beside training/."""
RENAMED = {"source_embedding.weight": "frontend.embedding.weight"}
"""Weights that earlier versions called otherwise."""


class LengthStatistics(NamedTuple):
    """What search must know of the training data."""

    max_ratio: float
    """The largest usual target length / source length, in tokens."""
    max_source_length: int
    """A longer source, in tokens, is split."""
    extra_tokens: float = 0.0
    """By how much targets of short sources exceed the ratio; earlier versions knew only ratios."""

    def limit(self, source_length: int) -> int:
        """The most target tokens that a search of text looks for."""
        return length_limit(source_length, self.max_ratio, self.extra_tokens)


class Bundle(NamedTuple):
    """All that using a model takes."""

    model: Model
    tokenizers: TokenizerPair
    search: SearchSettings
    lengths: LengthStatistics
    facts: TextFacts
    """What kind of text the model is for."""
    config: dict[str, Any]
    info: dict[str, Any]


def load_bundle(path: str | Path, device: torch.device | str = "cpu") -> Bundle:
    """Loads a model directory, in fp32 and evaluation mode.

    Raises:
        BundleError: it is missing, incomplete or damaged, or was made by a newer version.
    """
    directory = Path(path)
    config = read_config(directory)
    _refuse_pointers(directory)
    model_settings = parse_model_settings(config.get("model", {}), where=str(directory / CONFIG))
    search = SearchSettings.parse(config.get("search", {}), where=f"{directory / CONFIG} [search]")
    tokenizers = load_tokenizers(directory)
    try:
        weights, about = read_tensors(directory / WEIGHTS)
        # Earlier versions said "limits".
        lengths = LengthStatistics(**about["lengths" if "lengths" in about else "limits"])
        facts = TextFacts(**about["text"]) if "text" in about else _assume_facts(tokenizers, config)
    except FileNotFoundError:
        raise BundleError(
            "the model has no weights yet",
            where=directory / WEIGHTS,
            accepted="They are written at the first validation. To go on: interlingua train --resume",
        ) from None
    except OSError as error:
        raise BundleError(
            "the weights cannot be read", where=directory / WEIGHTS, found=error.strerror
        ) from None
    except (DamagedFileError, KeyError, TypeError) as error:
        raise BundleError(
            "the weights are damaged",
            where=directory / WEIGHTS,
            found=str(error),
            accepted="Copy the file again from where it came, or resume its training.",
        ) from None
    if isinstance(tokenizers.target, PictureCodec) and not tokenizers.target.trained:
        raise BundleError("the codec of pictures is missing", where=directory / CODEC_WEIGHTS,
                          accepted="Copy it from where the model came.")  # fmt: skip
    model = build_model_for(tokenizers, model_settings)
    _fill(model, weights, directory / WEIGHTS)
    return Bundle(model.to(device).eval(), tokenizers, search, lengths, facts, config, read_info(directory))


def _refuse_pointers(directory: Path) -> None:
    """Refuses a model that was cloned without its large files."""
    for path in sorted(directory.iterdir()):
        if path.suffix in (".safetensors", ".model") and is_lfs_pointer(path):
            raise BundleError("this is a pointer of Git LFS, not the file itself", where=path,
                              accepted="Fetch the file: git lfs pull")  # fmt: skip


def read_config(directory: Path) -> dict[str, Any]:
    """The resolved experiment of a model directory, as plain values.

    Raises:
        BundleError: there is no such directory, or it is not a model's.
    """
    try:
        return tomllib.loads((directory / CONFIG).read_text(encoding="utf-8"))
    except FileNotFoundError:
        what = "this directory holds no model" if directory.is_dir() else "there is no such model directory"
        raise BundleError(what, where=directory, accepted=f"A model directory has a {CONFIG}.") from None
    except NotADirectoryError:
        raise BundleError(
            "this is a file, not a model directory",
            where=directory,
            accepted=f"Its directory has a {CONFIG}.",
        ) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BundleError(
            "the configuration cannot be read", where=directory / CONFIG,
            found=getattr(error, "strerror", None) or str(error),
        ) from None  # fmt: skip


def save_config(directory: Path, config: Mapping[str, Any], tokenizers: TokenizerPair) -> None:
    """Writes the configuration and the tokenizers, which do not change while training goes on."""
    save_tokenizers(tokenizers, directory)
    write_text(directory / CONFIG, tomli_w.dumps(config))


def save_weights(
    directory: Path, weights: Mapping[str, Tensor], lengths: LengthStatistics, facts: TextFacts
) -> None:
    """Writes the weights, whole or not at all."""
    write_tensors(directory / WEIGHTS, weights, {"lengths": lengths._asdict(), "text": facts._asdict()})


def save_facts(directory: Path, facts: TextFacts) -> None:
    """Writes the facts beside the weights that are there."""
    weights, about = read_tensors(directory / WEIGHTS)
    write_tensors(directory / WEIGHTS, weights, {**about, "text": facts._asdict()})


def save_info(directory: Path, info: Mapping[str, Any], card: str) -> None:
    """Writes how the model was made, for people and, last of all that a run writes, for programs."""
    write_text(directory / CARD, card)
    write_text(directory / INFO, json.dumps(info, ensure_ascii=False, indent=1) + "\n")


def read_info(directory: Path) -> dict[str, Any]:
    """How the model was made; empty when that is not known."""
    try:
        info: dict[str, Any] = json.loads((directory / INFO).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}  # of interest only; the model works without
    return info


def _assume_facts(tokenizers: TokenizerPair, config: Mapping[str, Any]) -> TextFacts:
    """The facts of a model that earlier versions made."""
    language, _ = config.get("languages") or (None, None)
    return assume_facts(tokenizers, language)


def _fill(model: Model, saved: Mapping[str, Tensor], where: Path) -> None:
    weights = {RENAMED.get(name, name): tensor for name, tensor in saved.items()}
    expected = {name: tuple(parameter.shape) for name, parameter in model.named_parameters()}
    found = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    if expected != found:
        wrong = sorted(
            name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name)
        )
        raise BundleError(
            "the weights do not fit the configuration", where=where, found=wrong[:3],
            accepted=f"Its {CONFIG} and tokenizers must be those it was trained with.",
        )  # fmt: skip
    if broken := sorted(name for name, tensor in weights.items() if not tensor.isfinite().all()):
        raise BundleError(
            "the model is broken: some of its weights are not finite numbers", where=where, found=broken[:3],
            accepted="Its training diverged. Train again, with half the learning rate for example.",
        )  # fmt: skip
    for name, parameter in model.named_parameters():
        parameter.data = weights[name]
