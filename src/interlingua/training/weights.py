"""The weights as one flat vector: fp32 for the optimizer, and the precision that the model computes in."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["FlatWeights"]


class FlatWeights:
    """Moves a model's parameters into two flat buffers, which they become views of.

    The optimizer then works on one vector instead of a hundred tensors. In bf16 the model computes with a
    rounded copy of the fp32 master weights (Micikevicius et al. 2018, 3.1); in fp32 both are the same memory.

    Args:
        model: in fp32, already on its device. Its parameters are replaced in place.
        dtype: what the model computes in, torch.float32 or torch.bfloat16.
    """

    def __init__(self, model: nn.Module, dtype: torch.dtype) -> None:
        named = dict(model.named_parameters())  # a tied parameter is listed once
        # Matrices first: weight decay applies to them and not to norms and biases.
        self.names = sorted(named, key=lambda name: named[name].dim() < 2)
        self.shapes = {name: named[name].shape for name in self.names}
        self.matrices = sum(named[name].numel() for name in self.names if named[name].dim() >= 2)
        self.master = torch.cat([named[name].detach().float().flatten() for name in self.names])
        self.working = self.master if dtype == torch.float32 else self.master.to(dtype)
        self.working_gradient = torch.zeros_like(self.working)
        self.gradient = self.working_gradient if dtype == torch.float32 else torch.zeros_like(self.master)
        weights, gradients = self.split(self.working), self.split(self.working_gradient)
        for name, parameter in named.items():
            parameter.data, parameter.grad = weights[name], gradients[name]

    def split(self, flat: Tensor) -> dict[str, Tensor]:
        """Views of a flat vector of this layout, by parameter name and in its shape."""
        sizes = [self.shapes[name].numel() for name in self.names]
        pieces = zip(self.names, flat.split(sizes), strict=True)
        return {name: piece.view(self.shapes[name]) for name, piece in pieces}

    def collect_gradient(self) -> None:
        """Adds the last backward pass to the fp32 gradient, so that accumulation rounds nothing away."""
        if self.gradient is not self.working_gradient:
            self.gradient.add_(self.working_gradient)
            self.working_gradient.zero_()

    def publish(self) -> None:
        """Gives the model the master weights as they are now, and clears the gradient."""
        if self.working is not self.master:
            self.working.copy_(self.master)
        self.gradient.zero_()
