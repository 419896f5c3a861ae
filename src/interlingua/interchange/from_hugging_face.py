"""Hugging Face's MarianMT directories as models of this package."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from interlingua.errors import BundleError
from interlingua.interchange.hugging_face_tokens import about_added, order_both, read_tokens
from interlingua.interchange.hugging_face_weights import read_weights
from interlingua.interchange.imported import (
    ForeignWeights,
    ImportedModel,
    about_tags,
    limits_of,
    pair_languages,
    pair_tokenizers,
)
from interlingua.interchange.json_files import read_json, read_optional_json
from interlingua.interchange.marian_weights import Layout, Tables, convert_tables, convert_weights
from interlingua.model.positions import SinusoidalPositions, Sinusoids
from interlingua.model.transformer import TransformerSettings
from interlingua.search.settings import SearchSettings

__all__ = ["read_hugging_face"]

ACTIVATIONS = {"swish": "swish", "silu": "swish", "relu": "relu", "gelu": "gelu"}
REFUSED = {"normalize_before": False, "normalize_embedding": False, "add_final_layer_norm": False,
           "add_bias_logits": False, "is_decoder": False}  # fmt: skip
"""Options of other models, with the only value that MarianMT computes with."""
MAX_RATIO = 3.0
"""Of target tokens to source tokens, where generation knows only a length for all: Marian's own default."""
NOT_TAKEN = {"no_repeat_ngram_size": 0, "repetition_penalty": 1.0, "min_length": 0, "do_sample": False,
             "num_beam_groups": 1, "encoder_no_repeat_ngram_size": 0, "forced_bos_token_id": None,
             "diversity_penalty": 0.0, "remove_invalid_values": False}  # fmt: skip
"""Options of generation that there are none of here, with the values that do nothing; in config.json, too."""
TAKEN = {"num_beams", "length_penalty", "max_length", "bos_token_id", "eos_token_id", "pad_token_id",
         "decoder_start_token_id", "forced_eos_token_id", "bad_words_ids", "early_stopping", "use_cache",
         "renormalize_logits", "temperature", "top_k", "top_p", "num_return_sequences"}  # fmt: skip
"""Of generation_config.json what is taken over, or does nothing to a beam search's outputs here."""
SHARED, PROJECTION = "model.shared.weight", "lm_head.weight"
SOURCE, TARGET = "model.encoder.embed_tokens.weight", "model.decoder.embed_tokens.weight"
POSITION_TABLES = ("model.encoder.embed_positions.weight", "model.decoder.embed_positions.weight")

LAYER = {"attention": "self_attn", "cross": "encoder_attn"}
PARTS = {"query": "q_proj", "key": "k_proj", "value": "v_proj", "output": "out_proj"}
LINEAR = {
    f"{ours}.{part}": f"{theirs}.{name}" for ours, theirs in LAYER.items() for part, name in PARTS.items()
}
LINEAR |= {"feed_forward.inner": "fc1", "feed_forward.outer": "fc2"}
NORMS = {"attention": "self_attn_layer_norm", "cross": "encoder_attn_layer_norm",
         "feed_forward": "final_layer_norm"}  # fmt: skip
LAYOUT = Layout(
    transposed=False,
    encoder="model.encoder.layers.{layer}.",
    decoder="model.decoder.layers.{layer}.",
    matrix={ours: f"{theirs}.weight" for ours, theirs in LINEAR.items()},
    bias={ours: f"{theirs}.bias" for ours, theirs in LINEAR.items()},
    scale={ours: f"{theirs}.weight" for ours, theirs in NORMS.items()},
    shift={ours: f"{theirs}.bias" for ours, theirs in NORMS.items()},
    first=0,
)


def read_hugging_face(directory: Path) -> ImportedModel:
    """Reads a MarianMT directory.

    Raises:
        BundleError: it is incomplete, damaged, or of options that this version does not have.
    """
    config_file = directory / "config.json"
    config, generation = read_json(config_file), read_optional_json(directory / "generation_config.json")
    weights = read_weights(directory)
    _refuse_options(config, config_file)
    shared, tied = _flag(config, "share_encoder_decoder_embeddings"), _flag(config, "tie_word_embeddings")
    tables, sinusoids = _tables(weights, config, config_file, shared=shared, tied=tied)
    settings = _settings(config, config_file, tables, sinusoids, tied=tied)
    one = shared and tied
    tokens = read_tokens(directory, (len(tables.source), len(tables.target)))
    orders, vocabularies = order_both(config, generation, tokens, config_file, one=one)
    converted = convert_tables(tables, orders, shared=one) | convert_weights(weights, LAYOUT, settings)
    weights.refuse_unused({} if tied else {SHARED: "not used by the model"})
    pieces = directory / "source.spm", directory / "target.spm"
    tokenizers = pair_tokenizers(pieces, vocabularies, shared=one)
    search, longest, notes = _search(config, generation)
    notes += about_added(tokens)
    notes += about_tags(tokenizers)
    languages = pair_languages(
        [tokens.about.get(f"{side}_lang") for side in ("source", "target")], tokenizers
    )
    if "max_position_embeddings" in config:
        longest = min(longest, _size(config, "max_position_embeddings", config_file))
    return ImportedModel(
        "Hugging Face MarianMT model", settings.model_dump(), tokenizers, converted, search,
        limits_of(MAX_RATIO, longest - 1), languages, orders, notes,
    )  # fmt: skip


def _size(config: Mapping[str, Any], name: str, where: Path) -> int:
    size = config.get(name)
    if not isinstance(size, int) or isinstance(size, bool) or size < 1:
        raise BundleError(f"the configuration does not say {name}", where=where, found=size)
    return size


def _flag(config: Mapping[str, Any], name: str) -> bool:
    return bool(config.get(name, True))


def _refuse_options(config: Mapping[str, Any], where: Path) -> None:
    """Refuses what MarianMT has no weights for, or this package no setting."""
    for name, only in REFUSED.items():
        if config.get(name, only) not in (only, None):
            raise BundleError(f"{name} is not supported", where=where, found=config[name],
                              accepted=f"{str(only).lower()}, as MarianMT computes.")  # fmt: skip
    heads = [config.get(f"{stack}_attention_heads") for stack in ("encoder", "decoder")]
    if heads[0] != heads[1]:
        raise BundleError(
            "decoder_attention_heads is not supported where it differs from encoder_attention_heads",
            where=where, found=heads,
        )  # fmt: skip
    activation = config.get("activation_function")
    if not isinstance(activation, str) or activation not in ACTIVATIONS:
        raise BundleError("this activation_function is not supported", where=where, found=activation,
                          accepted=f"One of: {', '.join(ACTIVATIONS)}.")  # fmt: skip


def _settings(
    config: Mapping[str, Any], where: Path, tables: Tables, sinusoids: Sinusoids, *, tied: bool
) -> TransformerSettings:
    positions: dict[str, Any] = {"positions": "sinusoidal", "sinusoids": sinusoids}
    if tables.positions is not None:
        positions = {"positions": "learned", "max_positions": len(tables.positions)}
    names = {
        "dim": "d_model", "heads": "encoder_attention_heads", "encoder_layers": "encoder_layers",
        "decoder_layers": "decoder_layers", "feed_forward": "encoder_ffn_dim",
        "decoder_feed_forward": "decoder_ffn_dim",
    }  # fmt: skip
    sizes = {ours: _size(config, theirs, where) for ours, theirs in names.items()}
    if sizes["decoder_feed_forward"] == sizes["feed_forward"]:
        del sizes["decoder_feed_forward"]
    rates = {name: config.get(name, 0.0) for name in ("dropout", "attention_dropout", "activation_dropout")}
    return TransformerSettings.parse(
        {
            **sizes, **rates, **positions, "norm": "post", "output_bias": True,
            "activation": ACTIVATIONS[config["activation_function"]],
            "scale_embeddings": bool(config.get("scale_embedding", False)),
            "embeddings": "tied" if tied else "separate",
        },
        where=str(where),
    )  # fmt: skip


def _tables(
    weights: ForeignWeights, config: Mapping[str, Any], where: Path, *, shared: bool, tied: bool
) -> tuple[Tables, Sinusoids]:
    """Embeddings, projection, bias, and positions where they are no sinusoids.

    Tables that are one may lie in the file once or under all their names.
    """
    dim, source_size = (_size(config, name, where) for name in ("d_model", "vocab_size"))
    target_size = source_size
    if not shared and config.get("decoder_vocab_size") is not None:
        target_size = _size(config, "decoder_vocab_size", where)
    bias = torch.zeros(target_size)
    if "final_logits_bias" in weights:
        bias = weights.take("final_logits_bias", target_size)
    projection = None
    if shared and tied:
        source = target = _take_one(weights, [SHARED, SOURCE, TARGET, PROJECTION], source_size, dim)
    elif tied:
        source = weights.take(SOURCE, source_size, dim)
        target = _take_one(weights, [TARGET, PROJECTION], target_size, dim)
    else:
        source, target = (
            weights.take(name if name in weights else SHARED, size, dim)
            for name, size in ((SOURCE, source_size), (TARGET, target_size))
        )  # fmt: skip
        projection = weights.take(PROJECTION, target_size, dim)
    positions, sinusoids = _positions(weights, where, dim)
    return Tables(source, target, projection, bias, positions), sinusoids


def _take_one(weights: ForeignWeights, names: list[str], size: int, dim: int) -> Tensor:
    """A table that may have several names.

    Raises:
        BundleError: it has none, or its copies differ.
    """
    present = [name for name in names if name in weights] or names[:1]
    table = weights.take(present[0], size, dim)
    for name in present[1:]:
        if not torch.equal(weights.take(name, size, dim), table):
            raise BundleError(
                "tables differ that the configuration says are one", where=weights.where,
                found=[present[0], name],
                accepted="Correct tie_word_embeddings or share_encoder_decoder_embeddings.",
            )  # fmt: skip
    return table


def _positions(weights: ForeignWeights, where: Path, dim: int) -> tuple[Tensor | None, Sinusoids]:
    """The table of positions, if it is not of sinusoids; else which these are."""
    tables = [weights.take(name, *weights.shape(name)) for name in POSITION_TABLES if name in weights]
    if not tables:
        return None, "halves"
    layouts: tuple[Sinusoids, ...] = ("halves", "tensor2tensor") if dim >= 4 else ("halves",)
    for layout in layouts:
        codes = SinusoidalPositions(dim, layout)
        if all(torch.allclose(table, codes(torch.zeros(1, *table.shape))[0], atol=2e-3) for table in tables):
            return None, layout
    if len(tables) == 1 or not torch.equal(*tables):
        raise BundleError("positions of encoder and decoder that are not the same are not supported",
                          where=where, found=list(POSITION_TABLES))  # fmt: skip
    return tables[0], "halves"


def _search(
    config: Mapping[str, Any], of_generation: Mapping[str, Any]
) -> tuple[dict[str, Any], int, list[str]]:
    """How to search, the most tokens of a source, and what could not be taken over."""
    search, notes, longest = SearchSettings(), list[str](), 512
    generation = {**config, **of_generation}
    values: dict[str, Any] = {}
    beams = generation.get("num_beams")
    if isinstance(beams, int) and not isinstance(beams, bool) and 1 <= beams <= 1000:
        values["beam"] = beams
    else:
        why = "the model names no num_beams" if beams is None else f"num_beams {beams} cannot be taken over"
        notes.append(f"beam: {search.beam}, chosen here: {why}")
    penalty = generation.get("length_penalty", 1.0)
    if isinstance(penalty, int | float) and 0 <= penalty <= 10:
        values["length_penalty"] = float(penalty)
        notes.append(
            f"length penalty: {penalty:g}, of ((5 + length) / 6)^{penalty:g}; transformers divides by "
            f"length^{penalty:g}"
        )
    else:
        notes.append(f"length_penalty {penalty} was not taken over; chosen here: {search.length_penalty:g}")
    if isinstance(length := generation.get("max_length"), int) and length > 2:
        longest = length
    notes.append(f"outputs: up to {MAX_RATIO:g} times as long as the source; max_length {longest} became the "
                 "length from which a source is split")  # fmt: skip
    others = {name: generation[name] for name, nothing in NOT_TAKEN.items()
              if generation.get(name) not in (nothing, None)}  # fmt: skip
    others |= {
        name: value for name, value in of_generation.items()
        if name not in TAKEN | NOT_TAKEN.keys() and value not in (None, False, 1.0, [], {})
        and not name.startswith(("_", "output_", "return_", "transformers_version"))
    }  # fmt: skip
    if generation.get("bad_words_ids") not in (None, [], [[generation.get("pad_token_id")]]):
        others["bad_words_ids"] = generation["bad_words_ids"]
    notes.extend(f"{name} = {value} was not taken over" for name, value in others.items())
    return values, longest, notes
