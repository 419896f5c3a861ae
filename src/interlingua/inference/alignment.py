"""What a model looked at while it wrote: its attention, and the alignment that follows from it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from interlingua.data.batch import pad
from interlingua.model.seq2seq import Attention, Seq2Seq
from interlingua.search import Sources
from interlingua.text.vocabulary import BOS

__all__ = ["align", "attended", "looked_at"]


@torch.inference_mode()
def attended(model: Seq2Seq, sources: Sources, targets: Sequence[Sequence[int]]) -> Iterator[Attention]:
    """The attention of each pair of a batch, without padding, from one teacher-forced pass.

    Args:
        model: any Seq2Seq, in evaluation mode.
        sources: the batch.
        targets: ids without BOS and EOS.

    Raises:
        ConfigurationError: the model has no attention.
    """
    target_in = pad(targets, before=BOS).to(sources.ids.device)
    weights = model.attend(sources.ids, sources.mask, target_in)
    lengths = sources.mask.sum(1).tolist()
    for i, (source, target) in enumerate(zip(lengths, [len(ids) + 1 for ids in targets], strict=True)):
        yield Attention(
            weights.encoder[i, :, :, :source, :source].clone(),
            weights.decoder[i, :, :, :target, :target].clone(),
            weights.cross[i, :, :, :target, :source].clone(),
        )


def looked_at(
    cross: Float[Tensor, "layers heads target source"],
) -> Float[Tensor, "target source"]:
    """How much each target token was chosen by each source token: the mean over all heads of all layers.

    Which layer aligns best differs between models; the mean is never far from it (benchmarks/alignment.py).
    """
    return cross.mean(dim=(0, 1))


def align(cross: Float[Tensor, "layers heads target source"]) -> tuple[tuple[int, int], ...]:
    """For each target token (its most attended source token, itself); the end signs are left out."""
    weights = looked_at(cross)[:-1, :-1]
    return tuple((source, target) for target, source in enumerate(weights.argmax(dim=1).tolist()))
