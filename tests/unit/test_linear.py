"""Linear layers give the same rows, however many zeros are computed beside them."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from interlingua.model.linear import Linear, _repeating


@given(st.integers(0, 100_000))
def test_numbers_of_rows_are_few_and_hardly_larger(rows: int) -> None:
    filled = _repeating(rows)
    assert rows <= filled <= max(rows * 9 / 8 + 1, rows)
    assert _repeating(filled) == filled


def test_numbers_of_rows_are_few() -> None:
    assert len({_repeating(rows) for rows in range(1025, 2049)}) == 8


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", [(0,), (1,), (37,), (5, 27), (3, 7, 11), (2, 0)])
@pytest.mark.parametrize("bias", [True, False])
def test_rows_and_gradients_are_those_of_torch(
    shape: tuple[int, ...], bias: bool, dtype: torch.dtype
) -> None:
    torch.manual_seed(0)
    ours = Linear(12, 20, bias=bias).to(dtype)
    theirs = nn.Linear(12, 20, bias=bias).to(dtype)
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(*shape, 12).to(dtype)
    toward = torch.randn(*shape, 20).to(dtype)
    found = []
    for layer in (ours, theirs):
        given = x.clone().requires_grad_()
        y = layer(given)
        y.backward(toward)
        found.append([y, given.grad, *(parameter.grad for parameter in layer.parameters())])
    for one, other in zip(*found, strict=True):
        assert one.shape == other.shape
        torch.testing.assert_close(one, other, rtol=2e-2, atol=2e-2)
