"""Linear layers, whose numbers of rows repeat where every new one would cost more than the product."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["Linear"]

STEPS_AN_OCTAVE = 8
"""So many numbers of rows there are between one power of two and the next: at most an eighth of padding."""


class Linear(nn.Linear):
    """y = x W^T + b.

    For bf16 on a CPU oneDNN writes a program for each shape of a product, which takes longer than the
    product itself, and batches of text have endless shapes. There rows of zeros fill x up to one of a few
    numbers of rows (benchmarks/results/training_speed.md).
    """

    def forward(self, x: Float[Tensor, "*rows inputs"]) -> Float[Tensor, "*rows outputs"]:
        """Each row by itself; the result is the same, however many there are."""
        if x.dtype != torch.bfloat16 or x.device.type != "cpu":
            return super().forward(x)
        rows = x.numel() // self.in_features
        missing = _repeating(rows) - rows
        if not missing:
            return super().forward(x)
        filled = F.pad(x.reshape(rows, self.in_features), (0, 0, 0, missing))
        return super().forward(filled)[:rows].view(*x.shape[:-1], self.out_features)


def _repeating(rows: int) -> int:
    """The least number of rows that is one of the few, and not below these."""
    step = max(1, (1 << max(rows - 1, 0).bit_length()) // (2 * STEPS_AN_OCTAVE))
    return -(-rows // step) * step
