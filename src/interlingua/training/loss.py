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
    consistency: float = 0.0,
) -> Float[Tensor, ""]:
    """The loss of all real target tokens, in nats; divide by their number once per optimizer step.

    Label smoothing (Szegedy et al. 2016; Vaswani et al. 2017, 5.4) mixes the one true token with the uniform
    distribution over the whole vocabulary: q = (1 - smoothing) * onehot + smoothing / vocabulary.

    Consistency (R-Drop, Wu et al. 2021, Eq. 4) takes a batch of two halves, the same pairs under different
    dropout, and adds for each target token consistency / 2 * (KL(first || second) + KL(second || first)).

    Args:
        project: hidden states to logits.
        hidden: what the model's forward returned.
        target_out: the tokens to predict.
        smoothing: share of the uniform distribution, 0 to 1.
        padding: the id of target_out that is no token.
        consistency: weight of the divergence between the halves of the batch; 0: the batch has no halves.
    """
    real = (target_out != padding).flatten().nonzero().squeeze(1)
    if consistency:  # a chunk is as many positions of the first half, then the same of the second
        halves = real.view(2, -1).split(ROWS_AT_ONCE // 2, dim=1)
        real = torch.cat([positions.flatten() for positions in halves])
    rows = hidden.flatten(0, 1).index_select(0, real)
    tokens = target_out.flatten().index_select(0, real)
    total = torch.zeros((), dtype=torch.float32, device=hidden.device)
    for chunk, answers in zip(rows.split(ROWS_AT_ONCE), tokens.split(ROWS_AT_ONCE), strict=True):
        loss = _SmoothedCrossEntropy.apply(project(chunk), answers, smoothing, consistency)  # type: ignore[no-untyped-call]
        total = total + loss
    return total


class _SmoothedCrossEntropy(torch.autograd.Function):
    """Keeps the gradient of the logits, in their own precision, instead of the logits."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, tokens: Tensor, smoothing: float, consistency: float) -> Tensor:
        scores = logits.float()
        column = tokens.unsqueeze(1)
        true_scores = scores.gather(1, column).squeeze(1)
        mean_scores = scores.mean(dim=1)
        probabilities = torch.softmax(scores, dim=1)
        # log sum exp from what the softmax has computed already; exact but for p < 1e-38
        log_total = true_scores - probabilities.gather(1, column).squeeze(1).clamp_min(1e-38).log()
        loss = log_total - (1 - smoothing) * true_scores - smoothing * mean_scores
        total = loss.sum()
        gradient = probabilities
        if consistency:
            divergence, toward = _divergence(scores - log_total.unsqueeze(1), probabilities)
            total = total + consistency / 2 * divergence
            gradient = torch.add(probabilities, toward, alpha=consistency / 2)
        gradient = gradient.to(logits.dtype).sub_(smoothing / logits.shape[1])
        gradient.scatter_add_(1, column, gradient.new_full(column.shape, smoothing - 1))
        ctx.save_for_backward(gradient)
        return total

    @staticmethod
    def backward(ctx: Any, *gradient_of_loss: Tensor) -> tuple[Tensor, None, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * gradient_of_loss[0].to(gradient.dtype), None, None, None


def _divergence(log_probs: Tensor, probabilities: Tensor) -> tuple[Tensor, Tensor]:
    """KL(first || second) + KL(second || first) of two halves, summed over rows; and the logits' gradient."""
    ratio = torch.sub(*log_probs.chunk(2))
    ratio = torch.cat([ratio, -ratio])  # of each half, over the other
    first, second = probabilities.chunk(2)
    weighted = probabilities * ratio
    divergence = weighted.sum(1, keepdim=True)
    gradient = weighted.addcmul_(probabilities, divergence, value=-1)
    gradient += torch.cat([first - second, second - first])
    return divergence.sum(), gradient
