"""Dropout keeps what it should, scaled so that nothing changes on average."""

from __future__ import annotations

import pytest
import torch

from interlingua.model.dropout import Dropout, draw_mask

RATES = pytest.mark.parametrize("rate", [0.1, 0.2, 0.3, 0.5, 0.9985])
DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])


@RATES
@DTYPES
def test_drops_the_share_it_says_and_keeps_the_mean(rate: float, dtype: torch.dtype) -> None:
    mask, scale = draw_mask(torch.ones(1001, 999, dtype=dtype), rate)
    assert mask.dtype == dtype
    assert set(mask.unique().tolist()) == {0, 1}
    dropped = (mask == 0).float().mean().item()
    assert dropped == pytest.approx(rate, abs=1 / 256 + 0.002)
    assert scale * (1 - dropped) == pytest.approx(1, abs=0.01 if rate < 0.9 else 0.1)


@RATES
@DTYPES
def test_the_scale_is_not_rounded(rate: float, dtype: torch.dtype) -> None:
    # Of numbers with many different mantissas; a scale in bf16 is off by up to 0.4%, always to one side.
    x = torch.linspace(1, 2, 100_000).to(dtype).requires_grad_()
    layer, zeros = Dropout(rate), torch.zeros_like(x)
    for dropped in (layer(x), layer.add(zeros, x)):
        (gradient,) = torch.autograd.grad(dropped, x, torch.linspace(1, 2, 100_000).to(dtype))
        kept = dropped.detach() != 0
        scale = 256 / (256 - min(round(rate * 256), 255))
        assert dropped[kept].double().sum().item() == pytest.approx(
            scale * x[kept].double().sum().item(), rel=1e-4
        )
        assert gradient[kept].double().sum().item() == pytest.approx(
            scale * x[kept].double().sum().item(), rel=1e-4
        )


def test_neighbours_are_independent() -> None:
    kept = draw_mask(torch.ones(1_000_000), 0.5)[0] - 0.5
    for distance in (1, 2, 7, 8):
        assert abs((kept[:-distance] * kept[distance:]).mean().item()) < 0.002


def test_follows_the_seed() -> None:
    torch.manual_seed(3)
    first, _ = draw_mask(torch.ones(100), 0.5)
    second, _ = draw_mask(torch.ones(100), 0.5)
    torch.manual_seed(3)
    assert torch.equal(draw_mask(torch.ones(100), 0.5)[0], first)
    assert not torch.equal(first, second)


def test_adding_is_dropout_and_a_sum() -> None:
    layer, residual, x = Dropout(0.4), torch.randn(50, 8), torch.randn(50, 8)
    torch.manual_seed(1)
    expected = residual + layer(x)
    torch.manual_seed(1)
    torch.testing.assert_close(layer.add(residual, x), expected)
    layer.eval()
    assert torch.equal(layer(x), x)
    assert torch.equal(layer.add(residual, x), residual + x)
