"""A Transformer of ours as a model of Hugging Face: a class that computes the same, weights by its names.

config.json, generation_config.json, model.safetensors     the model
source.spm, target.spm, vocab.json, or tokenizer.json      its tokenizers: hugging_face_tokenizer.py
README.md                                                  the model card: hugging_face_card.py
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from interlingua.errors import ConfigurationError
from interlingua.inference.bundle import Bundle
from interlingua.interchange.hugging_face_tokenizer import save_tokenizer
from interlingua.interchange.requirements import refuse_other_kinds
from interlingua.interchange.search import length_exponent, longest_target, positions_needed
from interlingua.interchange.vocabularies import Vocabularies
from interlingua.kinds import BOS, EOS, PAD, UNK
from interlingua.model.frontends import TokenFrontend
from interlingua.model.layers import EncoderLayer
from interlingua.model.linear import Linear
from interlingua.model.positions import LearnedPositions
from interlingua.model.transformer import Transformer

__all__ = ["convert"]


class ModelClass(NamedTuple):
    """Classes of transformers that belong together."""

    config: str
    model: str


CLASSES: Mapping[tuple[str, str], ModelClass] = {
    ("post", "sinusoidal"): ModelClass("MarianConfig", "MarianMTModel"),
    ("pre", "sinusoidal"): ModelClass("PegasusConfig", "PegasusForConditionalGeneration"),
    ("pre", "learned"): ModelClass("BlenderbotConfig", "BlenderbotForConditionalGeneration"),
}
"""By model.norm and model.positions. No class has RMSNorm or rotary positions, nor learned ones without a
norm of the embeddings where norms come after the sublayers."""
ACTIVATIONS = ("relu", "gelu", "swish")
EPSILON = 1e-5
"""Of their norms."""
"""That these classes know by our names; none has a gate."""

LAYER_NAMES = {
    "attention": "self_attn", "attention_sublayer.norm": "self_attn_layer_norm",
    "cross": "encoder_attn", "cross_sublayer.norm": "encoder_attn_layer_norm",
    "feed_forward.inner": "fc1", "feed_forward.outer": "fc2",
    "feed_forward_sublayer.norm": "final_layer_norm",
}  # fmt: skip
"""Parts of a layer, and what they are called there."""

FORBIDDEN = -1e9
"""Added to the logit of an id that is only a source's: its probability is zero, in half precision too."""


def convert(bundle: Bundle, out: Path) -> Vocabularies:
    """Writes the model, how it searches, and its tokenizers.

    Args:
        bundle: in fp32.
        out: an empty directory.

    Returns:
        Which ids tokens have there.

    Raises:
        ConfigurationError: no class computes what this model does, or no tokenizer there cuts alike.
    """
    import transformers

    model, class_ = choose_class(bundle)
    positions = positions_needed(bundle)
    vocabularies = Vocabularies.of(bundle, two_tables=class_.model == "MarianMTModel")
    config = getattr(transformers, class_.config)(**_config(model, vocabularies, positions))
    theirs = getattr(transformers, class_.model)(config)
    weights = dict(_weights(model, positions)) | _tables(model, vocabularies, class_)
    missing, unexpected = theirs.load_state_dict(weights, strict=False)
    assert not unexpected, unexpected
    left = {name for name in missing if "embed_positions" not in name}
    assert not left, left
    theirs.tie_weights()
    theirs.generation_config = transformers.GenerationConfig(**_generation(bundle, vocabularies))
    theirs.eval().save_pretrained(out)
    save_tokenizer(bundle, vocabularies, out, longest=positions)
    return vocabularies


def choose_class(bundle: Bundle) -> tuple[Transformer, ModelClass]:
    """The class that computes the same.

    Raises:
        ConfigurationError: there is none, with the settings of a model that has one.
    """
    model = refuse_other_kinds(bundle, "huggingface")
    settings = model.settings
    changes: list[tuple[str, str, str]] = []
    if settings.positions == "rotary" or (settings.norm, settings.positions) not in CLASSES:
        changes.append(("model.positions", settings.positions, "sinusoidal"))
    if settings.normalisation != "layer":
        changes.append(("model.normalisation", settings.normalisation, "layer"))
    if settings.activation not in ACTIVATIONS:
        changes.append(("model.activation", settings.activation, "relu"))
    if settings.convolution:
        changes.append(("model.convolution", str(settings.convolution), "0"))
    has_final_norm, wanted = not isinstance(model.encoder_norm, nn.Identity), settings.norm == "pre"
    if has_final_norm != wanted:
        changes.append(("model.final_norm", str(has_final_norm).lower(), str(wanted).lower()))
    if getattr(model.positions, "layout", "paper") == "tensor2tensor":
        changes.append(("model.sinusoids", "tensor2tensor", "halves"))
    if settings.normalisation == "layer" and model.encoder[0].attention_sublayer.norm.eps != EPSILON:
        changes.append(
            ("model.norm_epsilon", str(model.encoder[0].attention_sublayer.norm.eps), str(EPSILON))
        )
    if changes:
        raise ConfigurationError(
            "Hugging Face Transformers has no class that computes what this model does",
            where="--to huggingface",
            found=", ".join(f"{name} {found}" for name, found, _ in changes),
            accepted="Train one that fits: "
            f"interlingua train … {' '.join(f'--set {name}={wanted}' for name, _, wanted in changes)}\n"
            "  --to onnx takes the model as it is.",
        )  # fmt: skip
    return model, CLASSES[settings.norm, settings.positions]


def _config(model: Transformer, vocabularies: Vocabularies, positions: int) -> dict[str, Any]:
    settings = model.settings
    of_sides: dict[str, int] = {}
    for side, layers in (("encoder", model.encoder), ("decoder", model.decoder)):
        of_sides[f"{side}_attention_heads"] = settings.heads
        of_sides[f"{side}_ffn_dim"] = layers[0].feed_forward.inner.out_features
    given: dict[str, Any] = {
        **of_sides,
        "d_model": settings.dim,
        "encoder_layers": settings.encoder_layers,
        "decoder_layers": settings.decoder_layers,
        "activation_function": settings.activation,
        "dropout": settings.dropout,
        "attention_dropout": settings.attention_dropout,
        "activation_dropout": settings.activation_dropout,
        "scale_embedding": getattr(settings, "scale_embeddings", True),
        "max_position_embeddings": positions,
        "vocab_size": vocabularies.size,
        "tie_word_embeddings": settings.tied,
        "pad_token_id": PAD,
        "bos_token_id": vocabularies.target_id(BOS),
        "eos_token_id": vocabularies.target_id(EOS),
        "decoder_start_token_id": vocabularies.target_id(BOS),
        "forced_eos_token_id": None,
    }
    if vocabularies.layout == "two":
        given |= {"share_encoder_decoder_embeddings": False, "decoder_vocab_size": vocabularies.target_size}
    return given


def _generation(bundle: Bundle, vocabularies: Vocabularies) -> dict[str, Any]:
    """How `generate` is to search; it ranks by the log-probability over length^length_penalty."""
    search = bundle.search
    forbidden = [PAD, BOS] if search.unknown else [PAD, UNK, BOS]
    return {
        "max_length": longest_target(bundle) + 1,  # with the id that it starts from
        "num_beams": search.beam,
        "length_penalty": length_exponent(bundle),
        "bad_words_ids": [[vocabularies.target_id(i)] for i in forbidden],
        "pad_token_id": PAD,
        "bos_token_id": vocabularies.target_id(BOS),
        "eos_token_id": vocabularies.target_id(EOS),
        "decoder_start_token_id": vocabularies.target_id(BOS),
    }


def _weights(model: Transformer, positions: int) -> Iterator[tuple[str, Tensor]]:
    """All but embeddings and what is made of them, by their names there."""
    order = _width_order(model)
    yield from _layers("encoder", model.encoder, order)
    yield from _layers("decoder", model.decoder, order)
    for side, norm in (("encoder", model.encoder_norm), ("decoder", model.decoder_norm)):
        for name, tensor in norm.named_parameters():
            yield f"model.{side}.layer_norm.{name}", tensor.detach()[order]
    if isinstance(model.positions, LearnedPositions):
        table = model.positions.table.detach()  # whose last vector goes on
        table = table[torch.arange(positions).clamp(max=len(table) - 1)]
        for side in ("encoder", "decoder"):
            yield f"model.{side}.embed_positions.weight", table


def _width_order(model: Transformer) -> Tensor:
    """Which element of our width stands where in theirs.

    Our sinusoids take turns, sine and cosine of one rate side by side; there all sines come first. A model
    whose width is permuted everywhere computes the same.
    """
    order = torch.arange(model.settings.dim)
    learned = isinstance(model.positions, LearnedPositions)
    if learned or getattr(model.positions, "layout", "paper") != "paper":
        return order
    return torch.cat([order[0::2], order[1::2]])


def _layers(side: str, layers: Any, order: Tensor) -> Iterator[tuple[str, Tensor]]:
    for number, layer in enumerate(layers):
        for ours, theirs in LAYER_NAMES.items():
            if ours.startswith("cross") and isinstance(layer, EncoderLayer):
                continue
            part: nn.Module = layer.get_submodule(ours)
            for name, tensor in _part(ours, part, order):
                yield f"model.{side}.layers.{number}.{theirs}.{name}", tensor.contiguous()


def _part(ours: str, part: nn.Module, order: Tensor) -> Iterator[tuple[str, Tensor]]:
    """The weights of a part of a layer; what reads or writes the model's width follows its order."""
    tensors = {name: tensor.detach() for name, tensor in part.named_parameters()}
    if ours.endswith("norm"):
        yield from ((name, tensor[order]) for name, tensor in tensors.items())
    elif ours == "feed_forward.inner":
        yield from (("weight", tensors["weight"][:, order]), ("bias", tensors["bias"]))
    elif ours == "feed_forward.outer":
        yield from ((name, tensor[order]) for name, tensor in tensors.items())
    else:
        yield from (
            ("q_proj.weight", tensors["query.weight"][:, order]),
            ("q_proj.bias", tensors["query.bias"]),
        )
        for name, half in zip(("k_proj", "v_proj"), (0, 1), strict=True):
            yield f"{name}.weight", tensors["key_value.weight"].chunk(2)[half][:, order]
            yield f"{name}.bias", tensors["key_value.bias"].chunk(2)[half]
        yield from ((f"out_proj.{name}", tensors[f"output.{name}"][order]) for name in ("weight", "bias"))


def _tables(model: Transformer, vocabularies: Vocabularies, class_: ModelClass) -> dict[str, Tensor]:
    """Embeddings and the projection, of ids as `vocabularies` gives them."""
    assert isinstance(model.frontend, TokenFrontend)
    assert isinstance(model.projection, Linear)
    assert isinstance(model.target_embedding, nn.Embedding)
    order = _width_order(model)
    source, target, output = (
        table.detach()[:, order].contiguous()
        for table in (model.frontend.embedding.weight, model.target_embedding.weight, model.projection.weight)
    )
    bias = torch.zeros(1, len(output))
    if model.projection.bias is not None:
        bias = model.projection.bias.detach().unsqueeze(0)
    tables = {"encoder.embed_tokens": source, "decoder.embed_tokens": target}
    if vocabularies.layout == "stacked":
        both = torch.cat([source, target])
        tables = {"encoder.embed_tokens": both, "decoder.embed_tokens": both}
        output = torch.cat([torch.zeros_like(source), output]) if not model.settings.tied else both
        bias = torch.cat([torch.full((1, len(source)), FORBIDDEN), bias], dim=1)
    if vocabularies.layout != "two":
        tables["shared"] = tables["encoder.embed_tokens"]
    named = {f"model.{name}.weight": table for name, table in tables.items()}
    return named | {"lm_head.weight": output, "final_logits_bias": bias}
