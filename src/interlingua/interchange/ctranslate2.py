"""A Transformer of ours as a model of CTranslate2: weights by their names there, vocabularies, how to search.

model.bin, config.json             CTranslate2's own
shared_vocabulary.json, or source_vocabulary.json and target_vocabulary.json     the name of each id's token
joint.* or source.* and target.*   our tokenizers
interlingua.json                   what the model is, and what CTranslate2 does not know of it
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor, nn

from interlingua.data.codecs import save_tokenizers
from interlingua.engine.foreign import import_ctranslate2
from interlingua.errors import ConfigurationError
from interlingua.files import write_directory
from interlingua.inference.bundle import Bundle, load_bundle
from interlingua.interchange.fitting import ACTIVATIONS, why_not
from interlingua.interchange.search import length_exponent
from interlingua.interchange.token_names import name_tokens
from interlingua.model.frontends import TokenFrontend
from interlingua.model.layers import FeedForward, Sublayer
from interlingua.model.linear import Linear
from interlingua.model.transformer import Transformer
from interlingua.version import __version__

__all__ = [
    "ABOUT", "FORMAT", "QUANTIZATIONS", "Quantization", "convert", "convert_bundle", "count_positions",
]  # fmt: skip

Quantization = Literal[
    "float32", "float16", "bfloat16", "int16", "int8", "int8_float32", "int8_float16", "int8_bfloat16"
]
"""What weights are written in, as CTranslate2 calls it."""
QUANTIZATIONS: tuple[str, ...] = get_args(Quantization)

ABOUT = "interlingua.json"
FORMAT = 1
LEAST_POSITIONS = 1024
"""So many positions have a code at least, in case other programs do not split long texts."""


def convert(
    model_directory: str | Path, out: str | Path, quantization: str | None = None, *, force: bool = False
) -> None:
    """Writes a model directory's model as a directory of CTranslate2, whole or not at all.

    Args:
        model_directory: of a Transformer from text to text.
        out: a new or empty directory.
        quantization: what weights are written in, one of QUANTIZATIONS; float32 when not given.
        force: whether an earlier conversion there is replaced.

    Raises:
        BundleError: the model is missing, incomplete or damaged.
        ConfigurationError: CTranslate2 is not installed, or cannot express the model or the quantization.
        OutputError: `out` has something in it, or cannot be written.
    """
    _check_quantization(quantization)
    import_ctranslate2()
    bundle = load_bundle(model_directory)
    convert_bundle(bundle, Path(out), quantization, force=force, where=model_directory)


def convert_bundle(
    bundle: Bundle, out: Path, quantization: str | None = None, *, force: bool = False, where: object = None
) -> None:
    """Writes a loaded model; see `convert`.

    Args:
        bundle: in fp32.
        out: a new or empty directory.
        quantization: what weights are written in.
        force: whether an earlier conversion is replaced.
        where: what the model is called in errors.
    """
    _check_quantization(quantization)
    kinds = [tokenizer.kind for tokenizer in bundle.tokenizers]
    model: Any = bundle.model
    if reason := why_not(model.settings.model_dump(), *kinds):
        raise ConfigurationError(
            f"CTranslate2 cannot run this model: {reason}", where=where,
            accepted="It runs Transformers from text to text. This model works with `interlingua` itself.",
        )  # fmt: skip
    names = [name_tokens(tokenizer) for tokenizer in bundle.tokenizers]
    positions = count_positions(bundle)
    specification = _specify(bundle, names, positions)
    specification.validate()
    specification.optimize(quantization=quantization or "float32")

    def write(directory: Path) -> None:
        specification.save(str(directory))
        save_tokenizers(bundle.tokenizers, directory)
        about = _about(bundle, names, positions, quantization or "float32")
        (directory / ABOUT).write_text(json.dumps(about, ensure_ascii=False, indent=1) + "\n", "utf-8")

    write_directory(out, write, mark=ABOUT, force=force)


def _check_quantization(quantization: str | None) -> None:
    if quantization is not None and quantization not in QUANTIZATIONS:
        raise ConfigurationError(
            "CTranslate2 has no such quantization", where="quantization", found=quantization,
            accepted=f"One of: {', '.join(QUANTIZATIONS)}.",
        )  # fmt: skip


def count_positions(bundle: Bundle) -> int | None:
    """How many positions have a code in the converted model; None: all have one."""
    assert isinstance(bundle.model, Transformer)
    if bundle.model.positions is None:
        return None
    longest = bundle.lengths.max_source_length + 1  # EOS
    wanted = max(LEAST_POSITIONS, longest, bundle.lengths.limit(longest) + 1)
    return 1 << (wanted - 1).bit_length()


def _specify(bundle: Bundle, names: Sequence[Sequence[str]], positions: int | None) -> Any:
    """The model as CTranslate2 describes it."""
    from ctranslate2.specs import common_spec, transformer_spec

    model = bundle.model
    assert isinstance(model, Transformer)
    settings = model.settings
    options = {
        "num_heads": settings.heads,
        "pre_norm": not isinstance(
            model.encoder_norm, nn.Identity
        ),  # there this decides on a final norm, too
        "activation": common_spec.Activation[ACTIVATIONS[settings.activation]],
        "ffn_glu": settings.activation == "swiglu",
        "rms_norm": settings.normalisation == "rms",
    }
    if settings.positions == "rotary":  # over the whole width of a head, in pairs (i, i + head_dim / 2)
        options |= {"rotary_dim": 0, "rotary_interleave": False}
    encoder = transformer_spec.TransformerEncoderSpec(settings.encoder_layers, **options)
    decoder = transformer_spec.TransformerDecoderSpec(settings.decoder_layers, **options)
    assert isinstance(model.frontend, TokenFrontend)
    assert isinstance(model.projection, Linear)
    assert isinstance(model.target_embedding, nn.Embedding)
    scales = model.frontend.scale, getattr(settings, "embedding_scale", model.frontend.scale)
    for side, scale in zip((encoder, decoder), scales, strict=True):
        side.pre_norm = settings.norm == "pre"
        side.scale_embeddings = np.float32(scale)
    encoder.embeddings[0].weight = _copy(model.frontend.embedding.weight)
    decoder.embeddings.weight = _copy(model.target_embedding.weight)
    _set_linear(decoder.projection, model.projection)
    if positions is not None:
        # CTranslate2's own sinusoids begin at position 1 and turn at other rates: the table is given.
        for side in (encoder, decoder):
            side.position_encodings.encodings = _position_table(model, positions)
    _set_layers(encoder, decoder, model)
    specification = transformer_spec.TransformerSpec(encoder, decoder)
    specification.register_source_vocabulary(list(names[0]))
    specification.register_target_vocabulary(list(names[1]))
    specification.config.add_source_eos = True
    norm: Any = model.encoder[0].attention_sublayer.norm
    specification.config.layer_norm_epsilon = norm.eps
    return specification


def _set_layers(encoder: Any, decoder: Any, model: Transformer) -> None:
    if not isinstance(model.encoder_norm, nn.Identity):
        _set_norm(encoder.layer_norm, model.encoder_norm)
        _set_norm(decoder.layer_norm, model.decoder_norm)
    for theirs, ours in zip(encoder.layer, model.encoder, strict=True):
        _set_attention(theirs.self_attention, ours.attention, ours.attention_sublayer, fused=True)
        _set_feed_forward(theirs.ffn, ours.feed_forward, ours.feed_forward_sublayer)
    for theirs, own in zip(decoder.layer, model.decoder, strict=True):
        _set_attention(theirs.self_attention, own.attention, own.attention_sublayer, fused=True)
        _set_attention(theirs.attention, own.cross, own.cross_sublayer, fused=False)
        _set_feed_forward(theirs.ffn, own.feed_forward, own.feed_forward_sublayer)


def _set_attention(theirs: Any, ours: Any, sublayer: Sublayer, *, fused: bool) -> None:
    """Self-attention has one matrix for queries, keys and values, attention to the source two."""
    _set_norm(theirs.layer_norm, sublayer.norm)
    parts = [ours.query, ours.key_value]
    if fused:
        theirs.linear[0].weight = torch.cat([part.weight.detach() for part in parts])
        theirs.linear[0].bias = torch.cat([part.bias.detach() for part in parts])
    else:
        for linear, part in zip(theirs.linear, parts, strict=False):
            _set_linear(linear, part)
    _set_linear(theirs.linear[-1], ours.output)


def _set_feed_forward(theirs: Any, ours: FeedForward, sublayer: Sublayer) -> None:
    _set_norm(theirs.layer_norm, sublayer.norm)
    _set_linear(theirs.linear_0, ours.inner)
    _set_linear(theirs.linear_1, ours.outer)
    if ours.gated is not None:
        _set_linear(theirs.linear_0_noact, ours.gated)


def _set_linear(theirs: Any, ours: nn.Linear) -> None:
    theirs.weight = _copy(ours.weight)
    if ours.bias is not None:
        theirs.bias = _copy(ours.bias)


def _set_norm(theirs: Any, ours: Any) -> None:
    theirs.gamma = _copy(ours.weight)
    if isinstance(ours, nn.LayerNorm):
        theirs.beta = _copy(ours.bias)


def _copy(weight: Tensor) -> Tensor:
    """CTranslate2 rounds what it is given in its place."""
    return weight.detach().cpu().clone()


def _position_table(model: Transformer, positions: int) -> Tensor:
    """What the model adds at each position: learned ones go on with their last vector."""
    assert model.positions is not None
    return _copy(model.positions(torch.zeros(1, positions, model.settings.dim))[0])


def _about(
    bundle: Bundle, names: Sequence[Sequence[str]], positions: int | None, quantization: str
) -> dict[str, Any]:
    """What a program must know that uses the model; no text of the training."""
    pieces = [tokenizer.pieces(range(len(tokenizer))) for tokenizer in bundle.tokenizers]
    renamed = {
        side: {name: i for i, (name, piece) in enumerate(zip(own, of_side, strict=True)) if name != piece}
        for side, own, of_side in zip(("source", "target"), names, pieces, strict=True)
    }
    return {
        "format": FORMAT,
        "interlingua": __version__,
        "languages": list(bundle.config.get("languages") or ()),
        "quantization": quantization,
        "beam_size": bundle.search.beam,
        "length_penalty": length_exponent(bundle),
        "max_source_length": bundle.lengths.max_source_length,
        "max_ratio": bundle.lengths.max_ratio,
        "extra_tokens": bundle.lengths.extra_tokens,
        "positions": positions,
        "renamed_tokens": {side: ids for side, ids in renamed.items() if ids},
    }
