"""Layers packed for the processor, and on request in bfloat16 or 8-bit integers."""

from __future__ import annotations

import copy
import functools
from typing import Any, Literal, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from interlingua.errors import ConfigurationError
from interlingua.model.layers import FeedForward
from interlingua.model.protocol import Model

__all__ = ["Precision", "pack"]

EXPECTED_ROWS = 64
"""What oneDNN orders a matrix for: so many vectors at a time, which is about a batch of beams."""

Precision = Literal["fp32", "bf16", "int8"]


def pack(model: Model, precision: Precision) -> Model:
    """A model that only infers, and faster: a copy, or the model itself where nothing would be gained.

    On a CPU the linear layers are packed for oneDNN, and everything but the matrix products stays in single
    precision. Elsewhere, and where PyTorch was built without oneDNN or the processor has not what its bf16
    needs (such as AVX-512), bf16 means the whole model.

    Args:
        model: its weights are not changed; the copy shares what is not converted.
        precision: fp32 gives the same outputs; bf16 rounds weights and activations to 8 significant bits;
            int8 rounds each weight row and each activation row to 255 steps of its own.

    Returns:
        A model in evaluation mode; a copy can be neither trained nor saved.

    Raises:
        ConfigurationError: int8 is asked for where there are no kernels for it.
    """
    device = next(model.parameters()).device
    packed = device.type == "cpu" and torch.backends.mkldnn.is_available()
    if precision == "bf16":
        packed = packed and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    if precision == "int8" and not (packed and hasattr(torch.ops.onednn, "qlinear_pointwise")):
        raise ConfigurationError(
            "8-bit integers need a CPU and a PyTorch with oneDNN",
            where="precision",
            found=f"{device}, torch {torch.__version__}",
            accepted="Use bf16 or fp32.",
        )
    if not packed:
        if precision == "fp32":
            return model.eval()
        rounded = copy.deepcopy(model)
        cast(nn.Module, rounded).to(torch.bfloat16)
        return rounded.eval()
    kind = Int8Linear if precision == "int8" else PackedLinear
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    prepared: Model = _converted(model, kind, dtype)
    return prepared.eval()


def _converted(module: Any, kind: type[PackedLinear] | type[Int8Linear], dtype: torch.dtype) -> Any:
    """A copy of a module whose linear layers are of the given kind; the rest is shared."""
    if isinstance(module, FeedForward) and module.activation is torch.relu and kind is PackedLinear:
        inner = module.inner
        relu = PackedLinear(inner.weight.detach(), inner.bias.detach(), dtype, "relu")
        return nn.Sequential(relu, _converted(module.outer, kind, dtype))
    if isinstance(module, nn.Linear):
        bias = None if module.bias is None else module.bias.detach()
        return kind(module.weight.detach(), bias, dtype)
    clone = copy.copy(module)
    clone._modules = {
        name: _converted(child, kind, dtype) for name, child in module._modules.items() if child is not None
    }
    return clone


class PackedLinear(nn.Module):
    """A linear layer by oneDNN with weights in the order that it likes: on AMD processors MKL, which
    torch.nn.Linear calls for single precision, is two to three times slower.

    Args:
        weight: as torch.nn.Linear has it.
        bias: or None.
        dtype: what is multiplied.
        activation: "relu" is applied within the product, whose result then stays in `dtype` for the next one.
    """

    def __init__(
        self, weight: Tensor, bias: Tensor | None, dtype: torch.dtype, activation: str = "none"
    ) -> None:
        super().__init__()
        self.dtype, self.activation = dtype, activation
        self.weight = torch.ops.mkldnn._reorder_linear_weight(weight.to(dtype), EXPECTED_ROWS)
        self.bias = None if bias is None else bias.to(dtype)

    def __getstate__(self) -> dict[str, Any]:
        """All that a copy, perhaps in another process, is made of: there the order may be another one."""
        return {**self.__dict__, "weight": self.weight.to_dense()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self.weight = torch.ops.mkldnn._reorder_linear_weight(self.weight, EXPECTED_ROWS)

    def forward(self, x: Float[Tensor, "*rows inputs"]) -> Float[Tensor, "*rows outputs"]:
        """X W^T + b, in single precision outside."""
        y = torch.ops.mkldnn._linear_pointwise(
            x.to(self.dtype), self.weight, self.bias, self.activation, [], ""
        )
        return y.float() if self.activation == "none" else y


class Int8Linear(nn.Module):
    """A linear layer on 8-bit integers: a scale for each weight row, and for each activation row as it comes.

    Sums of integers are exact, so what a row gives does not depend on the others. Where a processor's are not
    (`activation_steps`), activations are of 7 bits.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None, dtype: torch.dtype) -> None:
        super().__init__()
        self.outputs = len(weight)
        self.scale = weight.abs().amax(dim=1).clamp_min(1e-12).div(127)
        integers = (weight / self.scale.unsqueeze(1)).round().to(torch.int8)
        self.weight = torch.ops.onednn.qlinear_prepack(integers, None)
        self.bias = bias

    def __getstate__(self) -> dict[str, Any]:
        """All that a copy, perhaps in another process, is made of."""
        return {**self.__dict__, "weight": self.weight.to_dense().t()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self.weight = torch.ops.onednn.qlinear_prepack(self.weight.contiguous(), None)

    def forward(self, x: Float[Tensor, "*rows inputs"]) -> Float[Tensor, "*rows outputs"]:
        """X W^T + b."""
        rows = x.reshape(-1, x.shape[-1])
        steps = activation_steps()
        scale = rows.abs().amax(dim=1, keepdim=True).clamp_min_(1e-12).div_(steps)
        # The kernel is fast for unsigned activations only: shifted; adding a half more rounds.
        shifted = (rows / scale).add_(steps + 1.5).to(torch.uint8)
        y = _multiply(shifted, steps + 1, self.weight, self.scale).mul_(scale)
        if self.bias is not None:
            y.add_(self.bias)
        return y.view(*x.shape[:-1], self.outputs)


@functools.cache
def activation_steps() -> int:
    """The steps that an activation may be above zero, or below, so that sums are exact on this processor.

    Without instructions made for it (VNNI), two products are added in 16 bits, which 8 and 8 bits overflow:
    https://uxlfoundation.github.io/oneDNN/dev_guide_int8_computations.html
    """
    most, width = 127, 64
    weight = torch.ops.onednn.qlinear_prepack(torch.full((width, width), most, dtype=torch.int8), None)
    for rows in (1, EXPECTED_ROWS):
        activations = torch.full((rows, width), 255, dtype=torch.uint8)
        if (_multiply(activations, 0, weight, torch.ones(width)) != 255 * most * width).any():
            return 63
    return 127


def _multiply(
    activations: Tensor, zero_point: int, weight: Tensor, weight_scale: Tensor
) -> Float[Tensor, "rows outputs"]:
    return torch.ops.onednn.qlinear_pointwise(
        activations,
        1.0,
        zero_point,
        weight,
        weight_scale,
        torch.zeros(len(weight_scale), dtype=torch.int32),
        None,  # the bias is added afterwards, in single precision
        1.0,  # the output's scale
        0,  # and zero point
        torch.float32,
        "none",  # no activation
        [],
        "",
    )
