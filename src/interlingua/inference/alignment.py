"""What a model attended to while it wrote, and the alignment that follows from it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from jaxtyping import Float
from torch import Tensor

from interlingua.data.batch import pad
from interlingua.engine.protocol import Engine
from interlingua.kinds import BOS, Source
from interlingua.model.protocol import Attention

__all__ = ["align", "attention_of", "mean_cross_attention"]


def attention_of(engine: Engine, source: Source, targets: Sequence[Sequence[int]]) -> Iterator[Attention]:
    """The attention of each pair of a batch, without padding, from one teacher-forced pass.

    Args:
        engine: what computes.
        source: the batch.
        targets: ids without BOS and EOS.

    Raises:
        ConfigurationError: the model has no attention.
    """
    weights = engine.attend(source, pad(targets, before=BOS).to(engine.device))
    lengths = source.mask.sum(1).tolist(), [len(ids) + 1 for ids in targets]
    for i, (source_length, target_length) in enumerate(zip(*lengths, strict=True)):
        yield Attention(
            weights.encoder[i, :, :, :source_length, :source_length].clone(),
            weights.decoder[i, :, :, :target_length, :target_length].clone(),
            weights.cross[i, :, :, :target_length, :source_length].clone(),
        )


def mean_cross_attention(
    cross: Float[Tensor, "layers heads target source"],
) -> Float[Tensor, "target source"]:
    """How much each target token was chosen by each source token: the mean over all heads of all layers.

    Which layer aligns best differs between models; the mean is never far from it (benchmarks/alignment.py).
    """
    return cross.mean(dim=(0, 1))


def align(cross: Float[Tensor, "layers heads target source"]) -> tuple[tuple[int, int], ...]:
    """For each target token (its most attended source token, itself); the end signs are left out."""
    weights = mean_cross_attention(cross)[:-1, :-1]
    return tuple((source, target) for target, source in enumerate(weights.argmax(dim=1).tolist()))
