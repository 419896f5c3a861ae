"""What is chosen when nobody says otherwise: sizes, batch and budget from the amount of data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch

from interlingua.data.preparation import Prepared
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


PAPER_SEARCH: Mapping[str, Any] = {"beam": 4, "length_penalty": 0.6}
"""Vaswani et al. 2017, 6.1."""

LARGE = 10_000_000
"""Target tokens that a larger model pays for, on a device that is fast enough."""

FEW_SYMBOLS = 1_000
"""Vocabularies below this are letters, sounds or commands: a narrow model has room for them, and is fast."""


class Size(NamedTuple):
    """What fits data of some size: the less there is, the more often it is seen again."""

    below: float
    """Target tokens."""
    dropout: float
    max_tokens: int


SUBWORDS = (Size(1e5, 0.3, 1024), Size(2e6, 0.2, 1024), Size(1e7, 0.1, 2048), Size(math.inf, 0.1, 4096))
SYMBOLS = (Size(1e5, 0.2, 1024), Size(math.inf, 0.1, 1024))


TRAINING: Mapping[str, Mapping[str, Any]] = {"tiny": {"learning_rate": 1e-3}}
"""What a preset trains with, where it is not the default."""


class Recipe(NamedTuple):
    """Values below those that the user gave."""

    values: dict[str, Any]
    reason: str


def choose_recipe(preset: str | None, architecture: str, prepared: Prepared, device: torch.device) -> Recipe:
    """The recipe that fits the data and the device, of the sizes asked for if any were.

    A paper's preset is the paper's throughout. Of the others the data decides dropout and batch size.

    Args:
        preset: sizes by name; None where the data shall decide.
        architecture: what the sizes are of, without a preset.
        prepared: the data.
        device: what will train.

    Raises:
        ConfigurationError: there is no such preset.
    """
    if preset is not None and preset not in PRESETS:
        raise ConfigurationError("there is no such preset", where="preset", found=preset,
                                 accepted=nearest(preset, PRESETS))  # fmt: skip
    if preset is not None and preset.startswith("paper"):
        model = PRESETS[preset].model_dump()
        values = {"model": model, "training": dict(PAPER_TRAINING), "search": PAPER_SEARCH}
        return Recipe(values, f"preset {preset}")
    tokens, symbols = target_tokens(prepared.train), max(map(len, prepared.tokenizers))
    narrow = symbols < FEW_SYMBOLS and tokens < LARGE
    fitting = "tiny" if narrow else "base" if tokens >= LARGE and device.type != "cpu" else "small"
    name = preset or (fitting if architecture == "transformer" else "lstm")
    size = next(size for size in (SYMBOLS if narrow else SUBWORDS) if tokens < size.below)
    model = {**PRESETS[name].model_dump(), "dropout": size.dropout}
    training = {**TRAINING.get(name, {}), "max_tokens": size.max_tokens}
    return Recipe(
        {"model": model, "training": training},
        f"preset {name}, dropout {size.dropout}, batches of {size.max_tokens:,} tokens: "
        f"there are {tokens:,} target tokens to learn from, of {len(prepared.tokenizers.target):,} kinds",
    )


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
