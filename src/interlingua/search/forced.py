"""How probable a model finds given targets: one teacher-forced pass, no search."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from interlingua.model.seq2seq import Seq2Seq
from interlingua.text.vocabulary import PAD

__all__ = ["forced_log_probs"]

_ROWS = 512  # positions projected to the vocabulary at a time


@torch.inference_mode()
def forced_log_probs(
    model: Seq2Seq,
    source: Int[Tensor, "batch source"],
    source_mask: Bool[Tensor, "batch source"],
    target_in: Int[Tensor, "batch target"],
    target_out: Int[Tensor, "batch target"],
) -> Float[Tensor, "batch target"]:
    """The log-probability of each token of target_out given those before it; 0 at padding.

    Args:
        model: any Seq2Seq, in evaluation mode.
        source: each ends with EOS, then PAD.
        source_mask: True = a real token.
        target_in: BOS and the target's ids, then PAD.
        target_out: the target's ids and EOS, then PAD.
    """
    hidden = model.forward(source, source_mask, target_in)
    real = target_out != PAD
    wanted = target_out[real]
    result = torch.zeros(real.shape, device=real.device)
    result[real] = torch.cat(
        [
            -F.cross_entropy(model.project(part).float(), ids, reduction="none")
            for part, ids in zip(torch.split(hidden[real], _ROWS), torch.split(wanted, _ROWS), strict=True)
        ]
    )
    return result
