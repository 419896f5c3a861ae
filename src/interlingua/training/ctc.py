"""The loss of connectionist temporal classification (Graves et al. 2006)."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from interlingua.kinds import PAD

__all__ = ["ctc_sum"]


def ctc_sum(
    log_probs: Float[Tensor, "batch source vocabulary"],
    mask: Bool[Tensor, "batch source"],
    target_out: Int[Tensor, "batch target"],
) -> Float[Tensor, ""]:
    """-log p(target | source), in nats: a target is what all paths of an id or the blank a vector spell.

    A target that no path is long enough for (it takes a vector for each id, and one between equal neighbours)
    adds nothing, and gets no gradient.

    Args:
        log_probs: what the model's `ctc` returned; PAD is the blank.
        mask: of the memory.
        target_out: the target ids, EOS (which no path spells), then PAD.
    """
    lengths, frames = (target_out != PAD).sum(1) - 1, mask.sum(1)
    # PyTorch's gradient takes long over a vocabulary; the blank and the target's own ids are all that counts.
    columns = F.pad(target_out, (1, 0), value=PAD).unsqueeze(1).expand(-1, log_probs.shape[1], -1)
    scores = log_probs.gather(2, columns)  # (batch, source, 1 + target)
    first = (target_out.unsqueeze(2) == target_out.unsqueeze(1)).byte().argmax(2) + 1  # equal ids are one
    parts = scores.detach(), first, frames, lengths
    if log_probs.device.type == "mps":  # which has no kernels for it
        parts = scores.detach().cpu(), first.cpu(), frames.cpu(), lengths.cpu()
    losses, posteriors = (part.to(log_probs.device) for part in _ctc(*parts))
    spelt = (posteriors * scores).sum()
    return losses.sum() - (spelt - spelt.detach())  # the gradient of a log-probability is -posterior


def _ctc(
    scores: Float[Tensor, "batch source symbols"],
    targets: Int[Tensor, "batch target"],
    frames: Int[Tensor, " batch"],
    lengths: Int[Tensor, " batch"],
) -> tuple[Float[Tensor, " batch"], Float[Tensor, "batch source symbols"]]:
    """Losses, and each symbol's probability at each vector given the target (Graves et al. 2006, 4.2)."""
    with torch.enable_grad():
        scores.requires_grad_()
        losses = F.ctc_loss(scores.transpose(0, 1), targets, frames, lengths, blank=0, reduction="none")
        (gradient,) = torch.autograd.grad(losses.sum(), scores)  # probabilities - posteriors
    scores = scores.detach()
    real = torch.arange(scores.shape[1], device=scores.device) < frames.unsqueeze(1)
    counts = (real & losses.isfinite().unsqueeze(1)).unsqueeze(2)
    losses = losses.detach().where(losses.isfinite(), 0)
    return losses, (scores.exp() - gradient).where(counts, 0)
