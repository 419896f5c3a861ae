"""What is chosen for sounds when nobody says otherwise: sizes and regularisation by the hours there are."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from interlingua.data.store import Store
from interlingua.errors import ConfigurationError, nearest
from interlingua.model.presets import PRESETS
from interlingua.runs.machine import Throughput
from interlingua.runs.recipes import Recipe
from interlingua.sound.codec import POSITION_SAMPLES
from interlingua.sound.reading import SAMPLE_RATE
from interlingua.training.settings import TrainingSettings

__all__ = ["choose_sound_recipe", "seconds_of"]


class Default(NamedTuple):
    """What suits so much sound."""

    below_hours: float
    preset: str
    dropout: float
    batch_seconds: float


DEFAULTS = (
    Default(3, "speech-small", 0.2, 60.0),
    Default(30, "speech", 0.1, 90.0),
    Default(math.inf, "speech-large", 0.1, 120.0),
)
MIN_UPDATES, MIN_BATCH_SECONDS, MIN_BATCH_SOUNDS = 3_000, (10.0, 30.0), 12
"""Time for fewer updates goes into more of half the size, down to batches of so many sounds as are between
so many seconds."""
FEW_PASSES = 30
"""Time to hear each sound less often than this is none to learn it by heart in."""
UPDATE_S = 20.0
"""An update costs as much as so many seconds of sound beside those of its batch."""
SMALLER = {"speech-small": "speech-tiny"}
"""What hears more in a short time."""
LIGHT_DROPOUT = 0.1
LIGHT_AUGMENTATION: dict[str, Any] = {
    "noise_probability": 0.25,
    "silence_probability": 0.25,
    "frequency_masks": 1,
    "frequency_mask_bands": 15,
    "time_masks": 0,
}
CTC_WEIGHT = 0.5
"""Of the loss and of the search; more than the usual .3 teaches in less time (results/sound.md)."""
LEARNING_RATE = {"adamw": 3e-3, "muon": 1.2e-2}
WEIGHT_DECAY = {"adamw": 0.01, "muon": 0.1}


def choose_sound_recipe(
    preset: str | None, training: TrainingSettings, train: Store, throughput: Throughput
) -> Recipe:
    """The recipe that fits so much sound, of the sizes asked for if any were.

    Args:
        preset: sizes by name; None where the data shall decide.
        training: of which the budget counts, and the optimizer, where the user chose one.
        train: the training pairs.
        throughput: of presets, for a budget of time.

    Raises:
        ConfigurationError: there is no such preset.
    """
    seconds = seconds_of(train)
    default = next(each for each in DEFAULTS if seconds < 3600 * each.below_hours)
    short = preset is None and _passes(training, train, throughput, default.preset) < FEW_PASSES
    preset = preset or (SMALLER.get(default.preset, default.preset) if short else default.preset)
    if preset not in PRESETS:
        raise ConfigurationError("there is no such preset", where="preset", found=preset,
                                 accepted=nearest(preset, PRESETS))  # fmt: skip
    optimizer = training.optimizer if "optimizer" in training.model_fields_set else "muon"
    batch_seconds = default.batch_seconds
    if "batch_seconds" in training.model_fields_set:
        batch_seconds = training.batch_seconds
    elif training.minutes is not None:
        trained_s = seconds * _passes(training, train, throughput, preset)
        least, most = MIN_BATCH_SECONDS
        least = min(most, max(least, MIN_BATCH_SOUNDS * seconds / len(train)))
        while trained_s < MIN_UPDATES * batch_seconds and batch_seconds > least:
            batch_seconds = max(batch_seconds / 2, least)
    light = _passes(training, train, throughput, preset, batch_seconds) < FEW_PASSES
    dropout = min(default.dropout, LIGHT_DROPOUT) if light else default.dropout
    values: dict[str, Any] = {
        "model": {**PRESETS[preset].model_dump(), "ctc": True, "dropout": dropout},
        "training": {
            "optimizer": optimizer,
            "learning_rate": LEARNING_RATE[optimizer],
            "weight_decay": WEIGHT_DECAY[optimizer],
            "batch_seconds": batch_seconds,
            "ctc_weight": CTC_WEIGHT,
        },
        "augmentation": LIGHT_AUGMENTATION if light else {},
        "search": {"beam": 10, "ctc_weight": CTC_WEIGHT},
    }
    return Recipe(preset, values, f"there are {seconds / 3600:.1f} hours of sound")


def _passes(
    training: TrainingSettings, train: Store, throughput: Throughput, preset: str,
    batch_seconds: float | None = None,
) -> float:  # fmt: skip
    """How often a budget of time lets each sound be heard; of a budget of steps nothing is known.

    Args:
        training: of which the budget counts, and the size of the batches that the speed was measured on.
        train: the training pairs.
        throughput: of presets.
        preset: whose speed counts.
        batch_seconds: of the batches that are meant; those measured when not given.
    """
    if training.minutes is None:
        return math.inf
    tokens = int(train.target_lengths.sum(dtype="int64")) + len(train)
    meant, measured = (
        each / (each + UPDATE_S) for each in (batch_seconds or training.batch_seconds, training.batch_seconds)
    )
    return 60 * training.minutes * throughput(preset) / tokens * meant / measured


def seconds_of(train: Store) -> float:
    """Of all sounds."""
    return int(train.source_lengths.sum(dtype="int64")) * POSITION_SAMPLES / SAMPLE_RATE
