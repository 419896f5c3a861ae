"""The weights of Marian's Transformers and of Hugging Face's MarianMT, by name, as ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from interlingua.interchange.imported import ForeignWeights, arrange_bias, arrange_rows
from interlingua.model.transformer import TransformerSettings

__all__ = ["Layout", "Tables", "convert_tables", "convert_weights"]


class Layout(NamedTuple):
    """What a toolkit calls its weights, and how they lie."""

    transposed: bool
    """Whether matrices are (inputs, outputs) instead of (outputs, inputs)."""
    encoder: str
    """What each name of an encoder layer begins with; {layer} is its number."""
    decoder: str
    matrix: Mapping[str, str]
    """By our name of a linear layer, theirs of its weight."""
    bias: Mapping[str, str]
    """By our name of a linear layer, theirs of its bias."""
    scale: Mapping[str, str]
    """By our name of a norm, theirs of its weight."""
    shift: Mapping[str, str]
    """By our name of a norm, theirs of its bias."""
    first: int
    """The number of the first layer."""
    layers: Sequence[int] = ()
    """Of the decoder, which layer's weights each has, where some are the same."""
    projects: bool = True
    """Whether attention ends in a matrix; without one, ours is the identity."""


class Tables(NamedTuple):
    """The tables of tokens and of positions, in the toolkit's own order."""

    source: Tensor
    target: Tensor
    projection: Tensor | None
    """None: the target's."""
    bias: Tensor
    positions: Tensor | None = None


def convert_tables(
    tables: Tables, orders: tuple[Sequence[int | None], Sequence[int | None]], *, shared: bool
) -> dict[str, Tensor]:
    """Embeddings, projection and positions under our names, with rows in our order.

    Args:
        tables: theirs.
        orders: of source and target, their id of each of ours.
        shared: whether the two sides have one table.
    """
    converted = {"target_embedding.weight": arrange_rows(tables.target, orders[1])}
    if not shared:
        converted["frontend.embedding.weight"] = arrange_rows(tables.source, orders[0])
    if tables.projection is not None:
        converted["projection.weight"] = arrange_rows(tables.projection, orders[1])
    converted["projection.bias"] = arrange_bias(tables.bias, orders[1])
    if tables.positions is not None:
        converted["positions.table"] = tables.positions
    return converted


def convert_weights(
    weights: ForeignWeights, layout: Layout, settings: TransformerSettings
) -> dict[str, Tensor]:
    """All layers of the encoder and of the decoder, under our names."""
    converted: dict[str, Tensor] = {}
    for number in range(settings.encoder_layers):
        prefix = layout.encoder.format(layer=layout.first + number)
        for name, tensor in _layer(weights, layout, prefix, settings, decoder=False):
            converted[f"encoder.{number}.{name}"] = tensor
    for number in range(settings.decoder_layers):
        layer = layout.layers[number] if layout.layers else layout.first + number
        for name, tensor in _layer(
            weights, layout, layout.decoder.format(layer=layer), settings, decoder=True
        ):
            converted[f"decoder.{number}.{name}"] = tensor
    return converted


def _layer(
    weights: ForeignWeights, layout: Layout, prefix: str, settings: TransformerSettings, *, decoder: bool
) -> Iterator[tuple[str, Tensor]]:
    dim = settings.dim
    inner = (settings.decoder_feed_forward if decoder else None) or settings.feed_forward

    def linear(name: str, inputs: int, outputs: int) -> tuple[Tensor, Tensor]:
        shape = (inputs, outputs) if layout.transposed else (outputs, inputs)
        matrix = weights.take(prefix + layout.matrix[name], *shape)
        bias = weights.take(prefix + layout.bias[name], outputs)
        return (matrix.T.contiguous() if layout.transposed else matrix), bias

    for attention in ("attention", "cross") if decoder else ("attention",):
        yield from _both(f"{attention}.query", linear(f"{attention}.query", dim, dim))
        parts = [linear(f"{attention}.{part}", dim, dim) for part in ("key", "value")]
        yield from _both(f"{attention}.key_value", tuple(map(torch.cat, zip(*parts, strict=True))))
        output = torch.eye(dim), torch.zeros(dim)
        if layout.projects:
            output = linear(f"{attention}.output", dim, dim)
        yield from _both(f"{attention}.output", output)
    yield from _both("feed_forward.inner", linear("feed_forward.inner", dim, inner))
    yield from _both("feed_forward.outer", linear("feed_forward.outer", inner, dim))
    for sublayer in ("attention", "cross", "feed_forward") if decoder else ("attention", "feed_forward"):
        yield f"{sublayer}_sublayer.norm.weight", weights.take(prefix + layout.scale[sublayer], dim)
        if settings.normalisation == "layer":
            yield f"{sublayer}_sublayer.norm.bias", weights.take(prefix + layout.shift[sublayer], dim)


def _both(name: str, weight_and_bias: Sequence[Tensor]) -> Iterator[tuple[str, Tensor]]:
    yield from zip((f"{name}.weight", f"{name}.bias"), weight_and_bias, strict=True)
