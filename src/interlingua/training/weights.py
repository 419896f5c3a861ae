"""The weights as one flat vector: fp32 for the optimizer, and the precision that the model computes in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import torch
from torch import Tensor

from interlingua.model.protocol import Model

__all__ = ["FlatWeights"]

HIDDEN, TABLE, VECTOR = range(3)


class FlatWeights:
    """Moves a model's parameters into two flat buffers, which they become views of.

    The optimizer then works on one vector instead of a hundred tensors. In bf16 the model computes with a
    rounded copy of the fp32 master weights (Micikevicius et al. 2018, 3.1); in fp32 both are the same memory.

    Args:
        model: in fp32, already on its device. Its parameters are replaced in place.
        dtype: what the model computes in, torch.float32 or torch.bfloat16.
    """

    def __init__(self, model: Model, dtype: torch.dtype) -> None:
        named = dict(model.named_parameters())  # a tied parameter is listed once
        # Hidden layers' matrices first, those of one shape side by side, then tables and the kernels of
        # convolutions, then norms and biases.
        tables = set(map(id, model.tables()))
        blocks = {name: _block(parameter, id(parameter) in tables) for name, parameter in named.items()}
        self.names = sorted(named, key=blocks.__getitem__)
        self.shapes = {name: named[name].shape for name in self.names}
        self.counts = Counter[tuple[int, int, int]]()
        for name in self.names:
            self.counts[blocks[name]] += named[name].numel()
        self.hidden_end = sum(count for (kind, *_), count in self.counts.items() if kind == HIDDEN)
        self.matrices_end = sum(count for (kind, *_), count in self.counts.items() if kind != VECTOR)
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

    def join(self, parameters: Mapping[str, Tensor]) -> Tensor:
        """The flat vector in single precision that `split` would make these of, where the master is."""
        named = [parameters[name].to(self.master.device, torch.float32) for name in self.names]
        return torch.cat([each.flatten() for each in named])

    def stacks(self, flat: Tensor) -> list[Tensor]:
        """Views of the hidden layers' matrices of a flat vector: (matrices, rows, columns) for each shape."""
        shapes = {block[1:]: count for block, count in self.counts.items() if block[0] == HIDDEN}
        pieces = flat[: self.hidden_end].split(list(shapes.values()))
        return [piece.view(-1, *shape) for shape, piece in zip(shapes, pieces, strict=True)]

    def collect_gradient(self) -> None:
        """Adds the last backward pass to the fp32 gradient, so that accumulation rounds nothing away."""
        if self.gradient is not self.working_gradient:
            self.gradient.add_(self.working_gradient)
            self.working_gradient.zero_()

    def update_model(self) -> None:
        """Gives the model the master weights as they are now."""
        if self.working is not self.master:
            self.working.copy_(self.master)

    def clear_gradient(self) -> None:
        """Begins a new sum of gradients."""
        self.gradient.zero_()


def _block(parameter: Tensor, table: bool) -> tuple[int, int, int]:
    """What kind a parameter is, and the rows and columns of a hidden layer's matrix.

    One that is several times as tall as wide counts as so many square ones above each other, as keys and
    values are. Deviation from Muon as published: gates of a cell and the first feed-forward matrix, which are
    one matrix each, are taken apart like that as well, which costs less.
    """
    if parameter.dim() < 2:
        return VECTOR, 0, 0
    if table or parameter.dim() > 2:  # a convolution has many small kernels instead of a matrix
        return TABLE, 0, 0
    rows, columns = parameter.shape
    return HIDDEN, columns if rows % columns == 0 else rows, columns
