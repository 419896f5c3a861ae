"""What is chosen when nobody says otherwise: sizes, batch and budget from the amount of data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch

from interlingua.data.store import Store
from interlingua.errors import ConfigurationError, nearest
from interlingua.model.presets import PRESETS

__all__ = ["Recipe", "choose_recipe", "default_steps", "merge"]

PAPER_TRAINING: Mapping[str, Any] = {
    # Vaswani et al. 2017, 5.3: Adam with Eq. 3's rate, no clipping, no decay.
    "schedule": "paper",
    "learning_rate": 1.0,
    "warmup_steps": 4000,
    "weight_decay": 0.0,
    "clip_norm": 0.0,
    "beta2": 0.98,
    "epsilon": 1e-9,
    "label_smoothing": 0.1,
    "average_decay": 0.999,
    "max_tokens": 4096,
}


LARGE = 10_000_000
"""Target tokens that a larger model pays for, on a device that is fast enough."""


class Size(NamedTuple):
    """What fits data of some size: the less there is, the more often it is seen again."""

    below: float
    """Target tokens."""
    dropout: float
    max_tokens: int


SIZES = (Size(1e5, 0.3, 1024), Size(2e6, 0.2, 1024), Size(1e7, 0.1, 2048), Size(math.inf, 0.1, 4096))


class Recipe(NamedTuple):
    """Values below those that the user gave."""

    values: dict[str, Any]
    reason: str


def choose_recipe(preset: str | None, train: Store, device: torch.device) -> Recipe:
    """The recipe of a preset, or that which fits the amount of data and the device.

    Raises:
        ConfigurationError: there is no such preset.
    """
    if preset is not None:
        if preset not in PRESETS:
            raise ConfigurationError("there is no such preset", where="preset", found=preset,
                                     accepted=nearest(preset, PRESETS))  # fmt: skip
        training = dict(PAPER_TRAINING) if preset.startswith("paper") else {}
        return Recipe({"model": PRESETS[preset].model_dump(), "training": training}, f"preset {preset}")
    tokens = target_tokens(train)
    name = "base" if tokens >= LARGE and device.type != "cpu" else "small"
    size = next(size for size in SIZES if tokens < size.below)
    model = PRESETS[name].model_copy(update={"dropout": size.dropout})
    values = {"model": model.model_dump(), "training": {"max_tokens": size.max_tokens}}
    reason = f"preset {name}, dropout {size.dropout}, batches of {size.max_tokens:,} tokens"
    return Recipe(values, f"{reason}: there are {tokens:,} target tokens to learn from")


def default_steps(train: Store, max_tokens: int) -> int:
    """A budget when none is given: some forty passes over the data, within 2,000 to 100,000 updates."""
    return max(2_000, min(100_000, 40 * target_tokens(train) // max_tokens))


def target_tokens(train: Store) -> int:
    """Tokens to predict in one pass, ends of sequences counted."""
    return int(train.target_lengths.sum(dtype="int64")) + len(train)


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Tables joined key by key; where both have a value, that of `above`."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        nested = isinstance(old, Mapping) and isinstance(value, Mapping)
        merged[key] = merge(old, value) if nested else value  # type: ignore[arg-type]
    return merged
