"""What is chosen when nobody says otherwise: sizes, batch and budget from the amount of data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

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


class Recipe(NamedTuple):
    """Values below those that the user gave."""

    values: dict[str, Any]
    reason: str


def choose_recipe(preset: str | None, train: Store) -> Recipe:
    """The recipe of a preset, or that which fits the data.

    Raises:
        ConfigurationError: there is no such preset.
    """
    if preset is not None:
        if preset not in PRESETS:
            raise ConfigurationError("there is no such preset", where="preset", found=preset,
                                     accepted=nearest(preset, PRESETS))  # fmt: skip
        training = dict(PAPER_TRAINING) if preset.startswith("paper") else {}
        return Recipe({"model": PRESETS[preset].model_dump(), "training": training}, f"preset {preset}")
    tokens = int(train.target_lengths.sum(dtype="int64")) + len(train)
    name = "small"
    return Recipe(
        {"model": PRESETS[name].model_dump()}, f"preset {name}: {tokens:,} target tokens to learn from"
    )


def default_steps(train: Store, max_tokens: int) -> int:
    """A budget when none is given: some forty passes over the data, within 2,000 to 100,000 updates."""
    tokens = int(train.target_lengths.sum(dtype="int64")) + len(train)
    return max(2_000, min(100_000, 40 * tokens // max_tokens))


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Tables joined key by key; where both have a value, that of `above`."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        nested = isinstance(old, Mapping) and isinstance(value, Mapping)
        merged[key] = merge(old, value) if nested else value  # type: ignore[arg-type]
    return merged
