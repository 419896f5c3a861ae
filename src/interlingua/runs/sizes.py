"""Sizes that cannot be: found out before anything is written."""

from __future__ import annotations

import os

import torch

from interlingua.data.codecs import build_model_for
from interlingua.data.preparation import Prepared
from interlingua.errors import ConfigurationError
from interlingua.model.presets import PRESETS
from interlingua.model.settings import ModelSettings

__all__ = ["refuse_other_architecture", "refuse_too_large"]

BYTES_PER_PARAMETER = 20
"""Of training: weights, gradient, two averages of the optimizer, averaged weights, in fp32."""


def refuse_other_architecture(preset: str | None, settings: ModelSettings, where: str) -> None:
    """A preset's sizes are of its own architecture.

    Raises:
        ConfigurationError: the settings are of another one.
    """
    sizes = PRESETS.get(preset or "")
    if sizes is not None and sizes.architecture != settings.architecture:
        raise ConfigurationError(
            f"the preset {preset} is {sizes.architecture}", where=f"{where}: model.architecture",
            found=settings.architecture, accepted="Leave one of the two out.",
        )  # fmt: skip


def refuse_too_large(settings: ModelSettings, prepared: Prepared, device: torch.device) -> None:
    """A model that not even the whole memory of the machine could hold in training.

    Raises:
        ConfigurationError: it is so large.
    """
    if device.type != "cpu" or not hasattr(os, "sysconf"):
        return
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    vocabulary = max(map(len, prepared.tokenizers))
    if BYTES_PER_PARAMETER * _at_most(settings, vocabulary) < memory:
        return
    with torch.device("meta"):  # shapes without memory; it takes PyTorch seconds to get ready for that
        model = build_model_for(prepared.tokenizers, settings)
    needed = BYTES_PER_PARAMETER * sum(parameter.numel() for parameter in model.parameters())
    if needed > memory:
        raise ConfigurationError(
            f"to train this model takes {needed / 2**30:,.0f} GiB, and this machine has "
            f"{memory / 2**30:,.0f} GiB",
            where="model", found=settings.describe(),
            accepted="A smaller preset, fewer layers (model.encoder_layers), or a smaller model.dim.",
        )  # fmt: skip


def _at_most(settings: ModelSettings, vocabulary: int) -> int:
    """More parameters than a model of these sizes can have, whatever its architecture."""
    sizes = {key: value for key, value in settings.model_dump().items() if isinstance(value, int)}
    widest, layers = max(sizes.values()), sum(value for key, value in sizes.items() if key.endswith("layers"))
    return 4 * vocabulary * widest + 32 * (layers + 1) * widest**2
