"""Dropout (Srivastava et al. 2014): a mask of zeros and ones, and a scale that keeps the expectation."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["Dropout", "draw_mask", "drop"]


def draw_mask(like: Float[Tensor, "*shape"], rate: float) -> tuple[Float[Tensor, "*shape"], float]:
    """Draws 0 with probability `rate`, else 1, for every element of `like`; and what to scale the rest by.

    The scale is a number apart, since bf16 would round it, and the expectation with it, by up to 0.4%. On a
    CPU one random byte decides an element, since drawing floats takes longer than the matrix products they
    are meant for; the rate is therefore rounded to a multiple of 1/256 below 1, and the scale to match.
    """
    if like.device.type != "cpu":
        return torch.empty_like(like).bernoulli_(1 - rate), 1 / (1 - rate)
    threshold = min(round(rate * 256), 255)
    words = torch.empty((like.numel() + 7) // 8, dtype=torch.int64).random_(-(2**63), None)
    kept = words.view(torch.int8)[: like.numel()].ge_(threshold - 128)
    return kept.view(like.shape).to(like.dtype), 256 / (256 - threshold)


def drop(x: Float[Tensor, "*shape"], rate: float) -> Float[Tensor, "*shape"]:
    """Returns x with some elements zero and the others scaled up to keep the expectation."""
    mask, scale = draw_mask(x, rate)
    return x * mask * scale


class Dropout(nn.Module):
    """Drops elements in training, changes nothing otherwise."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Returns dropout(x)."""
        return drop(x, self.rate) if self.training and self.rate else x

    def add(self, residual: Float[Tensor, "*shape"], x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Returns residual + dropout(x) in fewer passes over memory."""
        if self.training and self.rate:
            mask, scale = draw_mask(x, self.rate)
            added: Tensor = _AddDropped.apply(residual, x, mask, scale)  # type: ignore[no-untyped-call]
            return added
        return residual + x


class _AddDropped(torch.autograd.Function):
    """residual + scale * mask * x; autograd's own gradient of addcmul would round the scale."""

    @staticmethod
    def forward(ctx: Any, residual: Tensor, x: Tensor, mask: Tensor, scale: float) -> Tensor:
        ctx.save_for_backward(mask)
        ctx.scale = scale
        return torch.addcmul(residual, x, mask, value=scale)

    @staticmethod
    def backward(ctx: Any, *gradient: Tensor) -> tuple[Tensor, Tensor, None, None]:
        (mask,) = ctx.saved_tensors
        return gradient[0], (gradient[0] * mask).mul_(ctx.scale), None, None
