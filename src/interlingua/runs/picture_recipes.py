"""What is chosen for pictures when nobody says otherwise, as sources and as targets."""

from __future__ import annotations

from typing import Any

import torch

from interlingua.data.preparation import Prepared
from interlingua.errors import ConfigurationError, nearest
from interlingua.model.presets import PRESETS
from interlingua.pictures.codec import PictureCodec
from interlingua.runs.recipes import DEFAULT_LEARNING_RATE, LEARNING_RATES, WEIGHT_DECAY, Recipe
from interlingua.training.settings import TrainingSettings

__all__ = ["choose_picture_recipe"]

PRESET, SHORT_PRESET, OPTIMIZER = "small", "mini", "muon"
SHORT_MINUTES = 30.0
"""On a CPU a narrow model paints better after five minutes (benchmarks/results/pictures.md); nothing is
learnt by heart in so short a time."""
SHALLOW: dict[str, dict[str, Any]] = {
    "picture": {"encoder_layers": 1},
    "text": {"encoder_layers": 1, "decoder_layers": 3},
}
"""Layers for a short time, by what targets are: more pictures are seen, at half the rate. What is beside
what is learnt from fewer of them where the patches' places are hardly mixed before they are looked at."""
PAINTING: dict[str, Any] = {"sample": True, "beam": 1, "min_p": 0.05, "temperature": 0.8}
"""How targets that are pictures are looked for: drawn, since the most probable picture is a dull one, but
with care, and not from what is hardly probable: of 64 tokens one wrong one is too many."""
CHOICE: dict[str, Any] = {"save": "last", "patience": 0}
"""Of weights that draw: bits a token of pictures never seen tell little of what drawings are worth; most of
them are what no caption says (benchmarks/results/pictures.md, "The last weights")."""
GUIDANCE = 1.2
"""Where the model also knows pictures without their caption. By itself it forgets to paint the last thing;
much more guidance makes all pictures of a caption alike."""


def choose_picture_recipe(
    preset: str | None, training: TrainingSettings, prepared: Prepared, device: torch.device
) -> Recipe:
    """The recipe that fits pictures, of the sizes asked for if any were.

    Args:
        preset: sizes by name; None where the data shall decide.
        training: of which the budget counts, and the optimizer, where the user chose one.
        prepared: the data.
        device: what will train.

    Raises:
        ConfigurationError: there is no such preset.
    """
    short = device.type == "cpu" and training.minutes is not None and training.minutes < SHORT_MINUTES
    shallow = SHALLOW[prepared.train.target_kind] if short and preset is None else {}
    preset = preset or (SHORT_PRESET if short else PRESET)
    if preset not in PRESETS:
        raise ConfigurationError("there is no such preset", where="preset", found=preset,
                                 accepted=nearest(preset, PRESETS))  # fmt: skip
    optimizer = training.optimizer if "optimizer" in training.model_fields_set else OPTIMIZER
    rate = LEARNING_RATES[optimizer].get(preset, DEFAULT_LEARNING_RATE[optimizer])
    if shallow:
        rate /= 2
    model = {**PRESETS[preset].model_dump(), **({"dropout": 0.0} if short else {}), **shallow}
    codec = prepared.tokenizers.target
    values: dict[str, Any] = {
        "model": model,
        "training": {
            "optimizer": optimizer,
            "learning_rate": rate,
            "weight_decay": WEIGHT_DECAY[optimizer],
            "max_tokens": 2048,
        },
    }
    if isinstance(codec, PictureCodec):
        if model["architecture"] == "transformer":
            model["target_grid"] = codec.settings.grid
        values["training"]["label_smoothing"] = 0.0  # what is drawn from should be as sharp as the data
        values["training"] |= CHOICE
        guidance = GUIDANCE if codec.settings.caption_dropout else 1.0
        values["search"] = {**PAINTING, "guidance": guidance}
    return Recipe(preset, values, f"there are {len(prepared.train):,} pictures")
