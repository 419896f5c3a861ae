"""What a Conformer has beside attention: a convolution over time, a channel at a time."""

from __future__ import annotations

import math
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from interlingua.model.linear import Linear

__all__ = ["ConvolutionModule", "DepthwiseConvolution", "depthwise"]


class ConvolutionModule(nn.Module):
    """Widens, gates, convolves, normalises, bends and narrows (Gulati et al. 2020, 2.2, figure 2).

    Deviation: the norm is over the width of the model, not over the batch, whose other sequences would
    matter. The first norm, the dropout and the residual connection are the sublayer's.

    Args:
        dim: width of the model.
        size: of the kernel, odd: how many positions one sees.
        norm: over the width of the model.
    """

    def __init__(self, dim: int, size: int, norm: nn.Module) -> None:
        super().__init__()
        self.gated = Linear(dim, 2 * dim)
        self.depthwise = DepthwiseConvolution(dim, size)
        self.norm = norm
        self.output = Linear(dim, dim)

    def forward(
        self, x: Float[Tensor, "batch length dim"], mask: Bool[Tensor, "batch length"]
    ) -> Float[Tensor, "batch length dim"]:
        """What each position makes of itself and its neighbours; those that `mask` hides count as zeros."""
        x = F.glu(self.gated(x), dim=2).masked_fill(~mask.unsqueeze(2), 0)
        return self.output(F.silu(self.norm(self.depthwise(x))))


class DepthwiseConvolution(nn.Module):
    """A kernel over time for each channel, and zeros outside: as many positions come out as go in.

    Args:
        dim: the number of channels.
        size: of a kernel; odd.
    """

    def __init__(self, dim: int, size: int) -> None:
        super().__init__()
        self.kernels = nn.Parameter(torch.empty(dim, 1, size))  # as torch.nn.Conv1d has them
        self.bias = nn.Parameter(torch.zeros(dim))
        nn.init.uniform_(self.kernels, -1 / math.sqrt(size), 1 / math.sqrt(size))

    def forward(self, x: Float[Tensor, "batch length dim"]) -> Float[Tensor, "batch length dim"]:
        """Each channel convolved with its kernel."""
        return depthwise(x, self.kernels) + self.bias


def depthwise(
    x: Float[Tensor, "batch length dim"], kernels: Float[Tensor, "dim 1 size"]
) -> Float[Tensor, "batch length dim"]:
    """y[t, c] = sum of kernels[c, k] x[t + k - size // 2, c] over k."""
    if x.device.type == "cpu" and torch.is_grad_enabled():
        convolved: Tensor = _Depthwise.apply(x, kernels)  # type: ignore[no-untyped-call]
        return convolved
    return _convolve(x, kernels)


def _convolve(x: Tensor, kernels: Tensor) -> Tensor:
    size, length = kernels.shape[2], x.shape[1]
    if x.device.type != "cpu":
        return F.conv1d(x.transpose(1, 2), kernels, padding=size // 2, groups=len(kernels)).transpose(1, 2)
    # A sum of shifted inputs: of some sizes oneDNN 3.12 never comes to an end of making its bf16 kernel.
    padded = F.pad(x.float(), (0, 0, size // 2, size // 2))
    weights = kernels.squeeze(1).t().float().contiguous()  # (size, dim)
    total = padded[:, :length] * weights[0]
    for k in range(1, size):
        total.addcmul_(padded[:, k : k + length], weights[k])
    return total.to(x.dtype)


class _Depthwise(torch.autograd.Function):
    """On CPUs the kernels' gradient takes PyTorch ten times as long as all the rest."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, kernels: Tensor) -> Tensor:
        ctx.save_for_backward(x, kernels)
        return _convolve(x, kernels)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        x, kernels = ctx.saved_tensors
        gradient, size = gradients[0].contiguous(), kernels.shape[2]
        padded = F.pad(x, (0, 0, size // 2, size // 2))
        windows = padded.unfold(1, size, 1).transpose(2, 3)  # (batch, length, size, dim)
        total = torch.zeros(size, len(kernels), device=x.device)
        for row, wanted in zip(
            windows, gradient.unsqueeze(2), strict=True
        ):  # one by one they fit into the cache
            total += (row * wanted).sum(0)
        return _convolve(gradient, kernels.flip(2)), total.t().unsqueeze(1).to(kernels.dtype)
