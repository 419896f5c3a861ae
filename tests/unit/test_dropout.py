"""Dropout keeps what it should, scaled so that nothing changes on average."""

from __future__ import annotations

import pytest
import torch

from interlingua.model.dropout import Dropout, keep_mask


@pytest.mark.parametrize("rate", [0.1, 0.3, 0.5])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_drops_the_share_it_says_and_keeps_the_mean(rate: float, dtype: torch.dtype) -> None:
    mask = keep_mask(torch.ones(1001, 999, dtype=dtype), rate)
    assert mask.dtype == dtype
    dropped = (mask == 0).float().mean().item()
    assert dropped == pytest.approx(rate, abs=1 / 256 + 0.002)
    assert mask.float().mean().item() == pytest.approx(1, abs=0.01)
    assert len(mask.unique()) == 2


def test_neighbours_are_independent() -> None:
    kept = (keep_mask(torch.ones(1_000_000), 0.5) > 0).float() - 0.5
    for distance in (1, 2, 7, 8):
        assert abs((kept[:-distance] * kept[distance:]).mean().item()) < 0.002


def test_follows_the_seed() -> None:
    torch.manual_seed(3)
    first = keep_mask(torch.ones(100), 0.5)
    second = keep_mask(torch.ones(100), 0.5)
    torch.manual_seed(3)
    assert torch.equal(keep_mask(torch.ones(100), 0.5), first)
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
