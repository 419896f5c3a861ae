"""The options of a Marian model as settings of ours; what cannot be had is refused by its name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from interlingua.errors import BundleError
from interlingua.interchange.flat_yaml import Value
from interlingua.interchange.imported import ForeignWeights

__all__ = ["MarianOptions", "read_options"]

REFUSED_FLAGS = (
    "transformer-pool", "transformer-disable-position-embeddings", "transformer-no-bias",
    "transformer-no-affine", "transformer-alibi-trainable", "transformer-alibi-shift", "right-left", "ulr",
)  # fmt: skip
ACCEPTED = {
    "type": ("transformer",),
    "transformer-decoder-autoreg": ("self-attention",),
    "transformer-attention-mask": ("default",),
    "transformer-ffn-depth": ("2",),
    "transformer-decoder-ffn-depth": ("0", "2"),
    "transformer-ffn-activation": ("swish", "relu", "gelu"),
    "lemma-dim-emb": ("0",),
    "lemma-dependency": ("",),
    "factors-combine": ("sum",),
}  # fmt: skip
"""Options of which there is not every value here. What Marian takes where none is given stands first, but for
the type, which a model always says."""
NORMS = {"n": "layer", "r": "rms"}
NUMBERS = {"dim-emb": "dim", "transformer-heads": "heads", "transformer-dim-ffn": "feed_forward",
           "enc-depth": "encoder_layers", "dec-depth": "decoder_layers"}  # fmt: skip
RATES = {"transformer-dropout": "dropout", "transformer-dropout-attention": "attention_dropout",
         "transformer-dropout-ffn": "activation_dropout"}  # fmt: skip


class MarianOptions(NamedTuple):
    """What the options say."""

    settings: dict[str, Any]
    """Of our Transformer."""
    tied_source: bool
    """Whether the embedding of the source is the target's."""
    tied_output: bool
    """Whether the projection is the target's embedding."""
    omits_bias: bool
    tied_layers: list[int]
    """Of each decoder layer, whose weights it has; none where each has its own."""
    projects: bool
    """Whether attention ends in a matrix."""
    notes: list[str]


def read_options(options: Mapping[str, Value], weights: ForeignWeights) -> MarianOptions:
    """Takes over what the model says of itself.

    Args:
        options: those that lie in the model.
        weights: of which only the names are looked at.

    Raises:
        BundleError: an option is not supported; the message names it.
    """
    where = weights.where
    _refuse(options, where)
    tied_layers = [int(each) for each in _texts(options.get("transformer-tied-layers")) if each.isdecimal()]
    tied_all = _flag(options, "tied-embeddings-all")
    notes = []
    if tied_layers:
        notes.append("transformer-tied-layers: layers that were one have the same weights, and can part")
    if _flag(options, "transformer-no-projection"):
        notes.append("transformer-no-projection: attention ends in an identity matrix")
    tied_source = tied_all or _flag(options, "tied-embeddings-src")
    tied_output = tied_all or _flag(options, "tied-embeddings")
    if tied_source and not tied_output:
        notes.append("tied-embeddings-src: source and target have a copy each of what was one table")
    settings = _sizes(options, where) | _norms(options, where) | _positions(options, weights)
    settings |= {"embeddings": "tied" if tied_output else "separate", "output_bias": True}
    settings["activation"] = options.get("transformer-ffn-activation", "swish")
    return MarianOptions(
        settings, tied_source, tied_output, _flag(options, "output-omit-bias"), tied_layers,
        not _flag(options, "transformer-no-projection"), notes,
    )  # fmt: skip


def _refuse(options: Mapping[str, Value], where: Path) -> None:
    for name, accepted in ACCEPTED.items():
        value = options.get(name, None if name == "type" else accepted[0])
        if value not in accepted and not (value == "" and name != "type"):
            raise _unsupported(
                name, value, where, f"Of {name}: {', '.join(filter(None, accepted)) or 'none'}."
            )
    for name in REFUSED_FLAGS:
        if _flag(options, name):
            raise _unsupported(name, "true", where)
    types = _texts(options.get("input-types"))
    if any(each != "sequence" for each in types):
        raise _unsupported("input-types", types, where)


def _unsupported(name: str, value: object, where: Path, accepted: str | None = None) -> BundleError:
    return BundleError(f"the option {name} of this model is not supported", where=where, found=value,
                       accepted=accepted)  # fmt: skip


def _flag(options: Mapping[str, Value], name: str) -> bool:
    return options.get(name) in ("true", "True", "1", "yes", "on")


def _texts(value: Value | None) -> list[str]:
    return value if isinstance(value, list) else [value] if value else []


def _sizes(options: Mapping[str, Value], where: Path) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for theirs, ours in NUMBERS.items():
        settings[ours] = _whole(options, theirs, where)
    if options.get("transformer-decoder-dim-ffn", "0") != "0":
        settings["decoder_feed_forward"] = _whole(options, "transformer-decoder-dim-ffn", where)
    for theirs, ours in RATES.items():
        try:
            settings[ours] = float(str(options.get(theirs, 0.1 if ours == "dropout" else 0.0)))
        except ValueError:
            raise _unsupported(theirs, options[theirs], where) from None
    return settings


def _whole(options: Mapping[str, Value], name: str, where: Path) -> int:
    value = options.get(name)
    if not isinstance(value, str) or not value.isdecimal():
        raise BundleError(f"the model does not say {name}", where=where, found=value,
                          accepted="A whole number.")  # fmt: skip
    return int(value)


def _norms(options: Mapping[str, Value], where: Path) -> dict[str, Any]:
    """Where norms stand: sequences of d (dropout, which only training knows), a (add) and n or r (norm)."""
    steps = {}
    defaults = {"preprocess": "", "postprocess": "dan", "postprocess-emb": "d", "postprocess-top": ""}
    for name, default in defaults.items():
        value = options.get(f"transformer-{name}", default)
        steps[name] = value.replace("d", "") if isinstance(value, str) else "?"
    before, after, top = steps["preprocess"], steps["postprocess"], steps["postprocess-top"]
    if steps["postprocess-emb"]:
        raise _unsupported("transformer-postprocess-emb", options["transformer-postprocess-emb"], where,
                           "d, or nothing.")  # fmt: skip
    if not before and after in ("an", "ar"):
        norm, kind = "post", after[1]
    elif before in ("n", "r") and after == "a":
        norm, kind = "pre", before
    elif before:
        raise _unsupported("transformer-preprocess", options["transformer-preprocess"], where,
                           "Nothing, with transformer-postprocess dan; or n, with da.")  # fmt: skip
    else:
        raise _unsupported("transformer-postprocess", options["transformer-postprocess"], where,
                           "dan; or da, with transformer-preprocess n.")  # fmt: skip
    if top not in ("", kind):
        raise _unsupported("transformer-postprocess-top", options["transformer-postprocess-top"], where,
                           f"Nothing, or {kind}.")  # fmt: skip
    return {"norm": norm, "normalisation": NORMS[kind], "norm_epsilon": 1e-6, "final_norm": bool(top)}


def _positions(options: Mapping[str, Value], weights: ForeignWeights) -> dict[str, Any]:
    """Sinusoids, or a table that both sides share, beside which embeddings are not scaled."""
    names = ("transformer-train-position-embeddings", "transformer-train-positions")
    if "Wpos" in weights and any(_flag(options, name) for name in names):
        return {"positions": "learned", "max_positions": weights.shape("Wpos")[0], "scale_embeddings": False}
    return {"positions": "sinusoidal", "sinusoids": "tensor2tensor"}
