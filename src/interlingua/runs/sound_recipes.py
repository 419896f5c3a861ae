"""What is chosen for sounds when nobody says otherwise: sizes and regularisation by the hours there are."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from interlingua.data.store import Store
from interlingua.model.presets import PRESETS
from interlingua.runs.recipes import Recipe
from interlingua.sound.codec import POSITION_SAMPLES
from interlingua.sound.reading import SAMPLE_RATE
from interlingua.training.settings import TrainingSettings

__all__ = ["choose_sound_recipe", "hours_of"]


class Default(NamedTuple):
    """What suits so much sound."""

    below_hours: float
    preset: str
    batch_seconds: float


DEFAULTS = (
    Default(3, "speech-small", 60.0),
    Default(30, "speech", 90.0),
    Default(math.inf, "speech-large", 120.0),
)
CTC_WEIGHT = 0.3
"""Of the loss and of the search (Watanabe et al. 2017, IV-A)."""
LEARNING_RATE = {"adamw": 3e-3, "muon": 1.2e-2}
WEIGHT_DECAY = {"adamw": 0.01, "muon": 0.1}


def choose_sound_recipe(preset: str | None, training: TrainingSettings, train: Store) -> Recipe:
    """The recipe that fits so much sound, of the sizes asked for if any were.

    Args:
        preset: sizes by name; None where the data shall decide.
        training: of which the optimizer counts, where the user chose one.
        train: the training pairs.
    """
    hours = hours_of(train)
    default = next(each for each in DEFAULTS if hours < each.below_hours)
    preset = preset or default.preset
    optimizer = training.optimizer if "optimizer" in training.model_fields_set else "muon"
    model = PRESETS[preset].model_dump()
    values: dict[str, Any] = {
        "model": model,
        "training": {
            "optimizer": optimizer,
            "learning_rate": LEARNING_RATE[optimizer],
            "weight_decay": WEIGHT_DECAY[optimizer],
            "batch_seconds": default.batch_seconds,
            "ctc_weight": CTC_WEIGHT,
        },
        "augmentation": {},
        "search": {"beam": 10, "ctc_weight": CTC_WEIGHT},
    }
    reason = f"preset {preset}, batches of {default.batch_seconds:g} s, {optimizer}, CTC"
    return Recipe(values, f"{reason}: there are {hours:.1f} hours of sound")


def hours_of(train: Store) -> float:
    """Of all sounds."""
    return int(train.source_lengths.sum(dtype="int64")) * POSITION_SAMPLES / SAMPLE_RATE / 3600
