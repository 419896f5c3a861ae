"""Every architecture, and the sizes that have a name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from interlingua.model.transformer import Transformer, TransformerSettings

__all__ = ["ARCHITECTURES", "PRESETS", "Model", "ModelSettings", "build_model"]

Model = Transformer
ModelSettings = TransformerSettings
ARCHITECTURES = {"transformer": Transformer}

PAPER: Mapping[str, Any] = {"norm": "post", "encoder_layers": 6, "decoder_layers": 6}

PRESETS: Mapping[str, ModelSettings] = {
    # Norms after the sublayers learn exact, algorithmic tasks in fewer steps.
    "tiny": TransformerSettings(dim=128, heads=4, feed_forward=512, dropout=0.1, norm="post"),
    "small": TransformerSettings(dim=256, heads=4, feed_forward=1024, dropout=0.1),
    "base": TransformerSettings(
        dim=512, heads=8, feed_forward=2048, encoder_layers=6, decoder_layers=6, dropout=0.1
    ),
    # Vaswani et al. 2017, table 3; the paper's sizes, places of dropout and norms.
    "paper-base": TransformerSettings(dim=512, heads=8, feed_forward=2048, dropout=0.1, **PAPER),
    "paper-big": TransformerSettings(dim=1024, heads=16, feed_forward=4096, dropout=0.3, **PAPER),
}


def build_model(settings: ModelSettings, source_size: int, target_size: int, *, shared: bool) -> Model:
    """A freshly initialised model.

    Args:
        settings: the architecture and its sizes.
        source_size: source vocabulary.
        target_size: target vocabulary.
        shared: whether source and target have one vocabulary and so one embedding.
    """
    return ARCHITECTURES[settings.architecture](settings, source_size, target_size, shared=shared)
