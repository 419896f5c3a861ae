"""What is chosen when nobody says otherwise: sizes, dropout, batch and budget from the amount of data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import median
from typing import Any, NamedTuple

import torch

from interlingua.data.preparation import Prepared
from interlingua.data.store import Store
from interlingua.errors import ConfigurationError, nearest
from interlingua.model.presets import PRESETS
from interlingua.text.tokenizer import TokenizerPair
from interlingua.text.vocabulary import SPECIALS
from interlingua.training.settings import TrainingSettings

__all__ = ["Recipe", "choose_recipe", "default_steps", "merge", "target_tokens"]

PAPER_TRAINING: Mapping[str, Any] = {
    # Vaswani et al. 2017, 5.3: Adam with Eq. 3's rate, no clipping, no decay.
    "optimizer": "adamw",
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
    """What fits data of some size."""

    below: float
    """Target tokens."""
    preset: str
    max_tokens: int
    patient: str = ""
    """The preset for a budget of LONG tokens, where that is another one."""


SUBWORDS = (Size(2e6, "mini", 2048), Size(1e7, "small", 2048), Size(math.inf, "base", 4096))
SYMBOLS = (Size(2e5, "letters", 1024), Size(math.inf, "letters", 2048, "letters-wide"))
COMMANDS = (Size(math.inf, "tiny", 1024),)
"""Words of a closed list on both sides, where an answer is exact or wrong."""

LONG = 2e7
"""Target tokens of a budget in which a wider model of letters is ahead: half an hour on two cores."""


class Care(NamedTuple):
    """What keeps a model from learning its data by heart, by how often it will see them."""

    below: float
    """Passes."""
    dropout: float
    sampling: bool = False
    """Whether subwords are cut at random."""


SUBWORD_CARE = (Care(25, 0.1), Care(150, 0.1, sampling=True), Care(math.inf, 0.2, sampling=True))
SYMBOL_CARE = (Care(40, 0.0), Care(60, 0.1), Care(100, 0.2), Care(math.inf, 0.3))

FEW_UPDATES = 1_000
"""Time for fewer goes into twice as many of half the size."""

SAMPLING = {"unigram": 0.5, "bpe": 0.1}
"""training.subword_sampling for each kind of subwords: Kudo 2018; Provilkov et al. 2020."""

PACE = {
    **dict.fromkeys(("tiny", "letters", "mini", "rnn", "gru", "lstm"), 10_000),
    **dict.fromkeys(("letters-wide", "small", "fast"), 5_500),
}  # fmt: skip
"""Target tokens a second on two good cores: a guess, from which the passes within a time are guessed."""
SLOW, GPU = 2_000, 30
"""The pace of other presets, and how many times faster a GPU is."""

RATES: Mapping[str, Mapping[str, float]] = {
    "muon": {"mini": 1e-2},
    "adamw": {"tiny": 1e-3, "letters": 3e-3, "mini": 3e-3},
}
"""Peaks of the learning rate by optimizer and preset, where they are not the optimizer's usual one."""
USUAL_RATE = {"muon": 6e-3, "adamw": 1.5e-3}

WEIGHT_DECAY = {"muon": 0.1, "adamw": 0.01}
"""Muon's steps do not shrink with the gradient: without decay, weights and scores of attention grow on."""


class Recipe(NamedTuple):
    """Values below those that the user gave."""

    values: dict[str, Any]
    reason: str


def choose_recipe(
    preset: str | None,
    architecture: str,
    training: TrainingSettings,
    prepared: Prepared,
    device: torch.device,
) -> Recipe:
    """The recipe that fits the data, the budget and the device, of the sizes asked for if any were.

    A paper's preset is the paper's throughout. Of the others the data decides the size of batches, which a
    short time halves, and how often the data will be seen decides dropout: the more often, the more.

    Args:
        preset: sizes by name; None where the data shall decide.
        architecture: what the sizes are of, without a preset.
        training: of which the budget counts.
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
    tokens = target_tokens(prepared.train)
    narrow = max(map(len, prepared.tokenizers)) < FEW_SYMBOLS and tokens < LARGE
    sizes = SUBWORDS if not narrow else COMMANDS if are_commands(prepared.tokenizers) else SYMBOLS
    size = next(size for size in sizes if tokens < size.below)
    fitting = fitting_preset(training, size, tokens, device)
    name = preset or (fitting if architecture == "transformer" else "lstm")
    max_tokens = fitting_batch(training, name, size, device)
    passes = expected_tokens(training, name, max_tokens, tokens, device) / tokens
    care = next(care for care in (SYMBOL_CARE if narrow else SUBWORD_CARE) if passes < care.below)
    target = prepared.tokenizers.target
    sampling = SAMPLING.get(target.kind, 0.0) if care.sampling else 0.0
    optimizer = training.optimizer if "optimizer" in training.model_fields_set else fitting_optimizer(name)
    values = {
        "model": {**PRESETS[name].model_dump(), "dropout": care.dropout},
        "training": {
            "optimizer": optimizer,
            "learning_rate": RATES[optimizer].get(name, USUAL_RATE[optimizer]),
            "weight_decay": WEIGHT_DECAY[optimizer],
            "max_tokens": max_tokens,
            "subword_sampling": sampling,
        },
    }
    chosen = f"preset {name}, dropout {care.dropout}, batches of {max_tokens:,} tokens, {optimizer}"
    chosen += ", subwords cut at random" if sampling else ""
    reason = f"{tokens:,} target tokens of {len(target):,} kinds, for some {passes:,.0f} passes"
    return Recipe(values, f"{chosen}: there are {reason}")


def are_commands(tokenizers: TokenizerPair) -> bool:
    """Whether both sides are words of a closed list; letters and sounds with spaces between are none."""
    symbols = [each.pieces(range(len(SPECIALS), len(each))) for each in tokenizers if each.kind == "words"]
    return len(symbols) == 2 and all(median(map(len, side)) > 2 for side in symbols)


def fitting_preset(training: TrainingSettings, size: Size, tokens: int, device: torch.device) -> str:
    """The Transformer for data of some size, within the budget and on the device."""
    if size.preset == "base" and device.type == "cpu":
        return "small"
    max_tokens = fitting_batch(training, size.preset, size, device)
    long = expected_tokens(training, size.preset, max_tokens, tokens, device) >= LONG
    return size.patient if size.patient and long else size.preset


def fitting_optimizer(preset: str) -> str:
    """What trains a preset best, as far as it was tried (benchmarks/results/recipes.md)."""
    return "adamw" if preset == "tiny" else "muon"


def fitting_batch(training: TrainingSettings, preset: str, size: Size, device: torch.device) -> int:
    """Tokens of a batch: what was asked for, else what fits the data and the time."""
    if "max_tokens" in training.model_fields_set:
        return training.max_tokens
    short = training.minutes is not None and (
        60 * training.minutes * pace(preset, device) < FEW_UPDATES * size.max_tokens
    )
    return size.max_tokens // 2 if short else size.max_tokens


def pace(preset: str, device: torch.device) -> float:
    """Target tokens a second, as far as can be guessed."""
    return PACE.get(preset, SLOW) * (1 if device.type == "cpu" else GPU)


def expected_tokens(
    training: TrainingSettings, preset: str, max_tokens: int, tokens: int, device: torch.device
) -> float:
    """Target tokens that the budget lets be seen, about; for a budget of time a guess."""
    if training.minutes is not None:
        return 60 * training.minutes * pace(preset, device)
    update = max_tokens * training.accumulate
    return (training.max_steps or default_steps(tokens, update)) * update


def default_steps(tokens: int, update: int) -> int:
    """A budget when none is given: some forty passes over the data, within 2,000 to 100,000 updates.

    Args:
        tokens: target tokens of the data.
        update: tokens of an update.
    """
    return max(2_000, min(100_000, 40 * tokens // update))


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
