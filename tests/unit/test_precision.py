"""Prepared weights compute what the model computes, and leave the model as it was."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch

from interlingua.engine.packed import pack
from interlingua.kinds import BOS, EOS, PAD, Source
from interlingua.model.architectures import build_model
from interlingua.model.frontends import FrameFrontend
from interlingua.model.transformer import Transformer, TransformerSettings
from interlingua.search.forced import forced_log_probs

pytestmark = pytest.mark.skipif(
    not torch.backends.mkldnn.is_available(), reason="PyTorch was built without oneDNN"
)


@pytest.fixture(scope="module", params=["pre", "post", "frames"])
def model(request) -> Transformer:
    torch.manual_seed(0)
    frames = request.param == "frames"
    sizes = TransformerSettings(
        dim=64,
        heads=4,
        feed_forward=128,
        encoder_layers=2,
        decoder_layers=2,
        norm="pre" if frames else request.param,
        convolution=5 if frames else 0,
    )
    return build_model(
        sizes, 20 if frames else 100, 100, shared=not frames, source_kind="sound" if frames else "text"
    ).eval()


def log_probs(model: Transformer, rows: int = 6) -> torch.Tensor:
    generator = torch.Generator().manual_seed(2)
    source = torch.randint(4, 100, (6, 9), generator=generator)[:rows]
    target = torch.randint(4, 100, (6, 12), generator=generator)[:rows]
    source[0, 5:] = PAD
    source[0, 4] = target[:, -1] = EOS
    target_in = torch.cat([torch.full((rows, 1), BOS), target[:, :-1]], dim=1)
    return forced_log_probs(model, as_read_by(model, source), target_in, target)


def as_read_by(model: Transformer, ids: torch.Tensor) -> Source:
    """The ids, or a frame in place of each."""
    frames = isinstance(model.frontend, FrameFrontend)
    return Source(torch.linspace(-2, 2, 2000).view(100, 20).sin()[ids] if frames else ids, ids != PAD)


@pytest.mark.parametrize(
    ("precision", "mean", "most"), [("fp32", 1e-6, 1e-5), ("bf16", 0.01, 0.05), ("int8", 0.03, 0.1)]
)
def test_log_probabilities_stay(model, precision, mean, most):
    expected = log_probs(model)
    prepared = pack(model, precision)
    difference = (log_probs(prepared) - expected).abs()
    assert difference.mean() < mean
    assert difference.max() < most
    if precision != "fp32":
        assert difference.max() > 0


@pytest.mark.parametrize("precision", ["fp32", "bf16", "int8"])
def test_older_processors_compute_the_same(precision):
    """Without AVX-512, VNNI and bf16: oneDNN is told to leave them alone, in a process of its own."""
    program = f"""
import torch
from interlingua.engine.packed import pack
torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(256, 128))
x = torch.randn(6, 256)
expected, found = model(x), pack(model, "{precision}")(x.{"bfloat16" if precision == "bf16" else "float"}())
difference = (found.float() - expected).abs().max()
assert difference < 0.1 * expected.std(), difference
"""
    old = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}
    subprocess.run([sys.executable, "-c", program], check=True, env=os.environ | old)


@pytest.mark.parametrize("precision", ["fp32", "bf16", "int8"])
def test_a_row_does_not_depend_on_the_others(model, precision):
    prepared = pack(model, precision)
    together, fewer = log_probs(prepared), log_probs(prepared, rows=2)
    assert torch.allclose(together[:2].sum(1), fewer.sum(1), atol=0.01 * 12)


def test_the_model_can_still_be_trained_and_saved(model):
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    pack(model, "int8")
    assert model.projection.weight is model.target_embedding.weight
    after = model.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[name], before[name]) for name in before)
    source = torch.tensor([[5, EOS]])
    memory = model.encode(as_read_by(model, source))
    model.project(model.decode(memory, torch.tensor([[BOS]]))).sum().backward()
    assert model.target_embedding.weight.grad is not None
