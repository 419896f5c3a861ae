"""Cross entropy with label smoothing, summed over tokens and computed in chunks of the projection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

__all__ = ["cross_entropy_sum"]

ROWS_AT_ONCE = 256  # logits of so many positions stay in the cache while they are worked on


def cross_entropy_sum(
    project: Callable[[Tensor], Tensor],
    hidden: Float[Tensor, "batch target dim"],
    target_out: Int[Tensor, "batch target"],
    *,
    smoothing: float,
    padding: int,
) -> Float[Tensor, ""]:
    """The loss of all real target tokens, in nats; divide by their number once per optimizer step.

    Label smoothing (Szegedy et al. 2016; Vaswani et al. 2017, 5.4) mixes the one true token with the uniform
    distribution over the whole vocabulary: q = (1 - smoothing) * onehot + smoothing / vocabulary.

    Args:
        project: hidden states to logits.
        hidden: what the model's forward returned.
        target_out: the tokens to predict.
        smoothing: share of the uniform distribution, 0 to 1.
        padding: the id of target_out that is no token.
    """
    real = (target_out != padding).flatten().nonzero().squeeze(1)
    rows = hidden.flatten(0, 1).index_select(0, real)
    tokens = target_out.flatten().index_select(0, real)
    total = torch.zeros((), dtype=torch.float32, device=hidden.device)
    for chunk, answers in zip(rows.split(ROWS_AT_ONCE), tokens.split(ROWS_AT_ONCE), strict=True):
        loss = _SmoothedCrossEntropy.apply(project(chunk), answers, smoothing)  # type: ignore[no-untyped-call]
        total = total + loss
    return total


class _SmoothedCrossEntropy(torch.autograd.Function):
    """Keeps the gradient of the logits, in their own precision, instead of the logits."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, tokens: Tensor, smoothing: float) -> Tensor:
        scores = logits.float()
        column = tokens.unsqueeze(1)
        true_scores = scores.gather(1, column).squeeze(1)
        mean_scores = scores.mean(dim=1)
        probabilities = torch.softmax(scores, dim=1)
        # log sum exp from what the softmax has computed already; exact but for p < 1e-38
        log_total = true_scores - probabilities.gather(1, column).squeeze(1).clamp_min(1e-38).log()
        loss = log_total - (1 - smoothing) * true_scores - smoothing * mean_scores
        gradient = probabilities.to(logits.dtype).sub_(smoothing / logits.shape[1])
        gradient.scatter_add_(1, column, gradient.new_full(column.shape, smoothing - 1))
        ctx.save_for_backward(gradient)
        return loss.sum()

    @staticmethod
    def backward(ctx: Any, *gradient_of_loss: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * gradient_of_loss[0].to(gradient.dtype), None, None
