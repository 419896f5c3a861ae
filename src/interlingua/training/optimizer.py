"""What turns gradients into updates: AdamW (Loshchilov & Hutter 2019) and Muon (Jordan et al. 2024)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from interlingua.training.settings import TrainingSettings
from interlingua.training.weights import FlatWeights

__all__ = ["Muon", "build_optimizers", "orthogonalise"]

# The quintic polynomial a s + b s^3 + c s^5 brings singular values of 0 to 1 near 1 in five rounds
# (Jordan et al. 2024; most end between .7 and 1.2, which is near enough).
QUINTIC, ROUNDS = (3.4445, -4.7750, 2.0315), 5


def build_optimizers(weights: FlatWeights, settings: TrainingSettings) -> list[torch.optim.Optimizer]:
    """AdamW for all weights, or Muon for the matrices of hidden layers and AdamW for the rest."""
    muon = settings.optimizer == "muon"
    first = weights.hidden_end if muon else 0
    groups = []
    for part, decay in ((slice(first, weights.matrices_end), settings.weight_decay),
                        (slice(weights.matrices_end, None), 0.0)):  # fmt: skip
        parameter = nn.Parameter(weights.master[part])
        parameter.grad = weights.gradient[part]
        groups.append({"params": [parameter], "weight_decay": decay})
    adam = torch.optim.AdamW(groups, betas=(settings.beta1, settings.beta2), eps=settings.epsilon, fused=True)
    if not muon:
        return [adam]
    stacks = weights.stacks(weights.master)
    for stack, gradient in zip(stacks, weights.stacks(weights.gradient), strict=True):
        stack.grad = gradient
    dtype = weights.working.dtype
    return [Muon(stacks, momentum=settings.momentum, weight_decay=settings.weight_decay, dtype=dtype), adam]


class Muon(torch.optim.Optimizer):
    """Momentum made orthogonal, as the update of matrices: a stack of one shape at once.

    The learning rate is on AdamW's scale: an update's root mean square is .2 of it (Liu et al. 2025, 2.2), so
    that one rate serves both.

    Args:
        stacks: tensors (matrices, rows, columns) to update, each with its gradient.
        momentum: decay of the averaged gradient.
        weight_decay: AdamW's, decoupled from the gradient.
        dtype: what to orthogonalise in; bf16 is enough, and fast where the model computes in it.
    """

    def __init__(
        self, stacks: Iterable[Tensor], *, momentum: float, weight_decay: float, dtype: torch.dtype
    ) -> None:
        self.dtype = dtype
        super().__init__(stacks, {"lr": 0.0, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One update of every stack."""
        for group in self.param_groups:
            for stack in group["params"]:
                self._update(stack, group)

    def _update(self, stack: Tensor, group: dict[str, Any]) -> None:
        state, gradient = self.state[stack], stack.grad
        assert gradient is not None, "the gradient is a view of the flat one"
        if not state:
            state["momentum"] = torch.zeros_like(stack)
        momentum = state["momentum"].lerp_(gradient, 1 - group["momentum"])
        nesterov = gradient.lerp(momentum, group["momentum"])
        update = orthogonalise(nesterov.to(self.dtype))
        stack.mul_(1 - group["lr"] * group["weight_decay"])
        scale: float = 0.2 * max(stack.shape[1:]) ** 0.5
        stack.add_(update.to(stack.dtype), alpha=-group["lr"] * scale)


def orthogonalise(
    matrices: Float[Tensor, "matrices rows columns"],
) -> Float[Tensor, "matrices rows columns"]:
    """About U V^T of each matrix U S V^T, by Newton and Schulz's iteration."""
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.transpose(1, 2) if tall else matrices
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp_min(1e-12)
    first, third, fifth = QUINTIC
    for _ in range(ROUNDS):
        gram = x @ x.transpose(1, 2)
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=third, alpha=fifth), x, beta=first)
    return x.transpose(1, 2) if tall else x
