"""Marian's packages, as OPUS-MT publishes them, as models of this package."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from interlingua.errors import BundleError
from interlingua.interchange.flat_yaml import Value
from interlingua.interchange.imported import (
    ForeignWeights,
    ImportedModel,
    about_tags,
    limits_of,
    order_ids,
    pair_languages,
    pair_tokenizers,
)
from interlingua.interchange.marian_options import MarianOptions, read_options
from interlingua.interchange.marian_package import MarianPackage, open_package, read_vocabulary
from interlingua.interchange.marian_weights import Layout, Tables, convert_tables, convert_weights
from interlingua.model.transformer import TransformerSettings
from interlingua.search.settings import SearchSettings

__all__ = ["read_marian"]

MAX_LENGTH, MAX_RATIO = 512, 3.0
"""Tokens of a source, and of an output for each of these, where decoder.yml says nothing else."""
ATTENTIONS = {"attention": "self", "cross": "context"}
PARTS = {"query": "q", "key": "k", "value": "v", "output": "o"}
BIAS = "decoder_ff_logit_out_b"


def read_marian(place: Path) -> ImportedModel:
    """Reads a package.

    Args:
        place: its directory, or the .npz in it.

    Raises:
        BundleError: it is incomplete, damaged, or of options that this version does not have.
    """
    package = open_package(place)
    weights = package.weights
    options = read_options(package.options, weights)
    settings = TransformerSettings.parse(options.settings, where=str(weights.where))
    tables = _tables(weights, options, settings.dim)
    one = options.tied_source and options.tied_output
    sources, targets = (
        read_vocabulary(path, len(table))
        for path, table in zip(package.vocabularies, (tables.source, tables.target), strict=True)
    )
    target_order, target_vocabulary = order_ids(targets.tokens, unknown=targets.unknown, end=targets.end)
    source_order, source_vocabulary = target_order, target_vocabulary
    if not one:
        source_order, source_vocabulary = order_ids(sources.tokens, unknown=sources.unknown, end=sources.end)
    elif sources.tokens.ids != targets.tokens.ids:
        raise BundleError(
            "the embeddings are one for both sides, and the vocabularies differ", where=weights.where,
            found=[path.name for path in package.vocabularies],
        )  # fmt: skip
    orders = source_order, target_order
    converted = convert_tables(tables, orders, shared=one)
    converted |= convert_weights(weights, _layout(options), settings)
    converted |= _final_norms(weights, settings)
    weights.refuse_unused({})
    tokenizers = pair_tokenizers(package.pieces, (source_vocabulary, target_vocabulary), shared=one)
    search, ratio, longest, notes = _search(package.decoder)
    notes += [*options.notes, *_about_files(package), *about_tags(tokenizers)]
    return ImportedModel(
        "Marian package", settings.model_dump(), tokenizers, converted, search, limits_of(ratio, longest),
        pair_languages(_languages(package.directory), tokenizers), orders, notes,
    )  # fmt: skip


def _layout(options: MarianOptions) -> Layout:
    """What Marian calls the weights of layers; "pre" norms have a name of their own."""
    linear = {
        f"{ours}.{part}": (f"{theirs}_W{letter}", f"{theirs}_b{letter}")
        for ours, theirs in ATTENTIONS.items() for part, letter in PARTS.items()
    } | {"feed_forward.inner": ("ffn_W1", "ffn_b1"), "feed_forward.outer": ("ffn_W2", "ffn_b2")}  # fmt: skip
    suffix = "_pre" if options.settings["norm"] == "pre" else ""
    kind = "rms" if options.settings["normalisation"] == "rms" else "ln"
    norms = {"attention": "self_Wo", "cross": "context_Wo", "feed_forward": "ffn_ffn"}
    return Layout(
        transposed=True,
        encoder="encoder_l{layer}_",
        decoder="decoder_l{layer}_",
        matrix={ours: matrix for ours, (matrix, _) in linear.items()},
        bias={ours: bias for ours, (_, bias) in linear.items()},
        scale={ours: f"{theirs}_{kind}_scale{suffix}" for ours, theirs in norms.items()},
        shift={ours: f"{theirs}_{kind}_bias{suffix}" for ours, theirs in norms.items()},
        first=1,
        layers=options.tied_layers,
        projects=options.projects,
    )


def _tables(weights: ForeignWeights, options: MarianOptions, dim: int) -> Tables:
    """Embeddings, projection, bias and learned positions."""
    names = ("Wemb", "Wemb") if options.tied_source else ("encoder_Wemb", "decoder_Wemb")
    source = _take_table(weights, names[0], dim)
    target = source if options.tied_source else _take_table(weights, names[1], dim)
    size = len(target)
    projection = None
    if not options.tied_output:
        if "decoder_ff_logit_out_W" in weights:  # of older versions
            projection = weights.take("decoder_ff_logit_out_W", dim, size).T.contiguous()
        else:
            projection = weights.take("decoder_ff_logit_out_Wt", size, dim)
    bias = torch.zeros(size) if options.omits_bias else weights.take(BIAS, size)
    positions = None
    if options.settings["positions"] == "learned":
        positions = _take_table(weights, "Wpos", dim)
    return Tables(source, target, projection, bias, positions)


def _take_table(weights: ForeignWeights, name: str, dim: int) -> Tensor:
    """A table with as many rows as it has."""
    rows = weights.shape(name)[0] if name in weights and weights.shape(name) else 0
    return weights.take(name, rows, dim)


def _final_norms(weights: ForeignWeights, settings: TransformerSettings) -> dict[str, Tensor]:
    norms: dict[str, Tensor] = {}
    if not settings.final_norm:
        return norms
    kind = "rms" if settings.normalisation == "rms" else "ln"
    for stack in ("encoder", "decoder"):
        norms[f"{stack}_norm.weight"] = weights.take(f"{stack}_top_{kind}_scale", settings.dim)
        if kind == "ln":
            norms[f"{stack}_norm.bias"] = weights.take(f"{stack}_top_ln_bias", settings.dim)
    return norms


def _search(decoder: Mapping[str, Value]) -> tuple[dict[str, Any], float, int, list[str]]:
    """How to search, the longest outputs for their sources, the longest source, and what is to be said."""
    default, values, notes = SearchSettings(), dict[str, Any](), list[str]()
    beam, penalty = _number(decoder, "beam-size"), _number(decoder, "normalize")
    if beam is not None and 1 <= beam <= 1000:
        values["beam"] = int(beam)
    else:
        notes.append(f"beam: {default.beam}, chosen here: there is no beam-size in decoder.yml")
    if penalty is not None and 0 <= penalty <= 10:
        values["length_penalty"] = penalty
        notes.append(f"length penalty: {penalty:g}, of ((5 + length) / 6)^{penalty:g}; Marian divides by "
                     f"length^{penalty:g}")  # fmt: skip
    else:
        notes.append(f"length penalty: {default.length_penalty:g}, chosen here: there is no normalize in "
                     "decoder.yml")  # fmt: skip
    if decoder.get("allow-unk") == "true":
        values["unknown"] = True
    if _number(decoder, "word-penalty"):
        notes.append(f"word-penalty = {decoder['word-penalty']} was not taken over")
    ratio = _number(decoder, "max-length-factor") or MAX_RATIO
    longest = int(min(_number(decoder, "max-length") or MAX_LENGTH, MAX_LENGTH))
    notes.append(
        f"outputs: up to {ratio:g} times as long as the source, which is split from {longest} tokens on"
    )
    return values, ratio, longest, notes


def _number(values: Mapping[str, Value], name: str) -> float | None:
    value = values.get(name)
    try:
        return float(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _about_files(package: MarianPackage) -> list[str]:
    notes = []
    if any(package.directory.glob("preprocess*.sh")):
        notes.append("preprocess.sh is not run: texts go to SentencePiece as they are")
    return notes


def _languages(directory: Path) -> list[str | None]:
    """Of source and target, as OPUS-MT's README says them, where there is one."""
    for readme in sorted(directory.glob("README*")):
        text = readme.read_text(encoding="utf-8", errors="replace")
        found = [
            re.search(rf"{side} language\(s\):[ \t]*(\w+)[ \t]*$", text, re.MULTILINE)
            for side in ("source", "target")
        ]
        return [match and match[1] for match in found]
    return [None, None]
