"""Dropout (Srivastava et al. 2014), as a mask that the caller multiplies in."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["Dropout", "keep_mask"]


def keep_mask(like: Float[Tensor, "*shape"], rate: float) -> Float[Tensor, "*shape"]:
    """Draws 0 with probability `rate`, else 1 / (1 - rate), for every element of `like`.

    On a CPU one random byte decides an element, since drawing floats takes longer than the matrix products
    they are meant for; the rate is therefore rounded to a multiple of 1/256, and the scale to match.
    """
    if like.device.type != "cpu":
        return torch.empty_like(like).bernoulli_(1 - rate).div_(1 - rate)
    threshold = round(rate * 256)
    words = torch.empty((like.numel() + 7) // 8, dtype=torch.int64).random_(-(2**63), None)
    kept = words.view(torch.int8)[: like.numel()].ge_(threshold - 128)
    return kept.view(like.shape).to(like.dtype).mul_(256 / (256 - threshold))


class Dropout(nn.Module):
    """Drops elements in training, changes nothing otherwise."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Returns x with some elements zero and the others scaled up to keep the expectation."""
        return x * keep_mask(x, self.rate) if self.training and self.rate else x

    def add(self, residual: Float[Tensor, "*shape"], x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Returns residual + dropout(x) in one pass over memory."""
        if self.training and self.rate:
            return torch.addcmul(residual, x, keep_mask(x, self.rate))
        return residual + x
