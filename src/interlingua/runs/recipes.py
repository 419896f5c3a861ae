"""What is chosen when nobody says otherwise: sizes, dropout, batch and budget from the amount of data."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import torch

from interlingua.data.preparation import Prepared
from interlingua.data.store import Store
from interlingua.errors import ConfigurationError, nearest
from interlingua.kinds import SPECIALS
from interlingua.model.presets import PRESETS
from interlingua.runs.machine import Pace, PaceOf, measure_pace
from interlingua.text.tokenizer import Tokenizer, TokenizerPair
from interlingua.training.settings import TrainingSettings

__all__ = ["Recipe", "choose_recipe", "default_steps", "epoch_tokens", "is_of_symbols", "measured_settings",
           "tokens_of_batch"]  # fmt: skip

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
    # 5.1: batches of about 25,000 source tokens and 25,000 target tokens; 5.3: all steps are made.
    "max_tokens": 4096,
    "accumulate": 6,
    "patience": 0,
}

PAPER_SEARCH: Mapping[str, Any] = {"beam": 4, "length_penalty": 0.6}
"""Vaswani et al. 2017, 6.1."""

SMALL_VOCABULARY = 1_000
"""Vocabularies below this are letters, sounds or commands: a narrow model has room for them, and is fast."""

LARGE_DATA = 10_000_000
"""With so many target tokens a small vocabulary is no reason for a narrow model any more."""


class Default(NamedTuple):
    """Preset and batches for data of some size."""

    below_tokens: float
    """Target tokens of the data are fewer."""
    preset: str
    max_tokens: int
    long_preset: str = ""
    """The preset for a budget of LONG_BUDGET tokens, where that is another one."""
    min_updates: int = 1_000
    """Time for fewer updates goes into more of half the size (benchmarks/results/recipes.md, "The size of
    batches")."""
    muon_worth: float = 1.5
    """An update by Muon is worth about so many by AdamW: where as many of these fit into the time, they are
    better (benchmarks/results/recipes.md, "Muon on a slow machine")."""


WIDE = (
    Default(2e6, "mini", 2048, min_updates=600, muon_worth=math.inf),
    Default(1e7, "small", 2048, min_updates=600, muon_worth=math.inf),
    Default(math.inf, "base", 4096, min_updates=600, muon_worth=math.inf),
)
"""For subwords, and for large data."""
NARROW = (Default(2e5, "letters", 1024), Default(math.inf, "letters", 2048, long_preset="letters-wide"))
"""For small vocabularies, while the data are not large."""
COMMANDS = (Default(math.inf, "tiny", 1024),)
"""As NARROW, for words of a closed list on both sides, where an answer is exact or wrong."""

WHY = {
    WIDE: "for subwords, or many kinds of tokens",
    NARROW: "for few kinds of tokens",
    COMMANDS: "for words of short lists",
}

DEFAULT_PRESET = {"recurrent": "lstm"}
"""Of an architecture when no preset is asked for; the Transformer has no line: the data chooses its own."""

SHORT_BUDGET, SHORT_BUDGET_BATCH = 4e6, 1024
"""Target tokens of a budget of time below which an LSTM is ahead of a Transformer on letters and sounds, and
above it behind, by what it sees with Muon in such batches: some ten minutes on two cores."""
LONG_BUDGET = 2e7
"""Target tokens of a budget in which a wider model of letters is ahead: half an hour on two cores."""


class Regularisation(NamedTuple):
    """What keeps a model from learning its data by heart, by how often it will see them."""

    below_epochs: float
    dropout: float
    samples_subwords: bool = False
    """Whether subwords are cut at random."""


WIDE_REGULARISATION = (
    Regularisation(25, 0.1),
    Regularisation(150, 0.1, samples_subwords=True),
    Regularisation(math.inf, 0.2, samples_subwords=True),
)
NARROW_REGULARISATION = (
    Regularisation(40, 0.0),
    Regularisation(60, 0.1),
    Regularisation(100, 0.2),
    Regularisation(math.inf, 0.3),
)

RECURRENT_REGULARISATION = {
    "muon": (Regularisation(15, 0.0), Regularisation(150, 0.2), Regularisation(math.inf, 0.3)),
    "adamw": (
        Regularisation(15, 0.0),
        Regularisation(30, 0.2),
        Regularisation(150, 0.4),
        Regularisation(math.inf, 0.5),
    ),
}
"""Of recurrent models by optimizer, which learn letters by heart sooner, by AdamW sooner still
(benchmarks/results/recipes.md, "Letters in five minutes: dropout of the LSTM")."""

MIN_MAX_TOKENS = {"muon": 512, "adamw": 256}
"""A short time does not make batches smaller than this; Muon's updates take as long for smaller ones."""

FEW_UPDATES = 400
"""Of a Transformer of letters: with time for more of them, Muon is ahead all the same."""

SUBWORD_SAMPLING = {"unigram": 0.5, "bpe": 0.1}
"""training.subword_sampling for each kind of subwords: Kudo 2018; Provilkov et al. 2020."""

LEARNING_RATES: Mapping[str, Mapping[str, float]] = {
    "muon": {"mini": 1e-2},
    "adamw": {"tiny": 1e-3, "letters": 3e-3, "mini": 3e-3, "lstm": 3e-3},
}
"""Peaks of the learning rate by optimizer and preset, where they are not the optimizer's default."""
DEFAULT_LEARNING_RATE = {"muon": 6e-3, "adamw": 1.5e-3}

WEIGHT_DECAY = {"muon": 0.1, "adamw": 0.01}
"""Muon's steps do not shrink with the gradient: without decay, weights and scores of attention grow on."""


DECODED_COST = 2.0
"""Of a token that greedy search writes, in tokens trained on: measured with characters on one core."""
LEAST_DECODED = 64
"""Pairs; of fewer a score says nothing."""


class Recipe(NamedTuple):
    """Values below those that the user gave."""

    preset: str
    values: dict[str, Any]
    reason: str
    updates_per_s: float = math.inf
    """That are made, about, where that was found out."""


def choose_recipe(
    preset: str | None, architecture: str | None, training: TrainingSettings, prepared: Prepared,
    device: torch.device, pace_of: PaceOf | None = None,
) -> Recipe:  # fmt: skip
    """The recipe that fits the data, the budget and the device, of the sizes asked for if any were.

    A paper's preset is the paper's throughout. Of the others the data decides the size of batches, which a
    short time halves, and how often the data will be seen decides dropout: the more often, the more.

    Args:
        preset: sizes by name; None where the data shall decide.
        architecture: what the sizes are of, without a preset; None where the data shall decide.
        training: of which the budget counts.
        prepared: the data.
        device: what will train.
        pace_of: presets, for a budget of time; measured when not given.

    Raises:
        ConfigurationError: there is no such preset.
    """
    if preset is not None and preset not in PRESETS:
        raise ConfigurationError("there is no such preset", where="preset", found=preset,
                                 accepted=nearest(preset, PRESETS))  # fmt: skip
    if preset is not None and preset.startswith("paper"):
        model = PRESETS[preset].model_dump()
        values = {"model": model, "training": dict(PAPER_TRAINING), "search": PAPER_SEARCH}
        return Recipe(preset, values, "as asked")

    @functools.cache
    def measure(preset: str) -> Pace:
        return measure_pace(PRESETS[preset], measured_settings(training, preset), prepared, device)

    return _fit_recipe(preset, architecture, training, prepared, device, pace_of or measure)


def measured_settings(training: TrainingSettings, preset: str) -> TrainingSettings:
    """With what a preset is tried, to see how fast it is trained (see machine.py)."""
    given = {name: getattr(training, name) for name in training.model_fields_set}
    return TrainingSettings(**{"optimizer": default_optimizer(preset), **given})


def _fit_recipe(
    preset: str | None, architecture: str | None, training: TrainingSettings, prepared: Prepared,
    device: torch.device, pace_of: PaceOf,
) -> Recipe:  # fmt: skip
    tokens, target = target_tokens(prepared.train), prepared.tokenizers.target
    narrow = max(map(len, prepared.tokenizers)) < SMALL_VOCABULARY and tokens < LARGE_DATA
    defaults = WIDE if not narrow else COMMANDS if are_commands(prepared.tokenizers) else NARROW
    default = next(default for default in defaults if tokens < default.below_tokens)
    an_epoch = epoch_tokens(prepared)
    why = "as asked" if preset else WHY[defaults]
    if preset is None and architecture is None and defaults is NARROW:
        architecture = choose_architecture(training, pace_of)
        why += " in a short time" if architecture == "recurrent" else ""
    if preset is None:
        preset = DEFAULT_PRESET.get(architecture or "") or choose_preset(
            training, default, prepared, device, pace_of
        )
    max_tokens, optimizer = choose_updates(training, preset, default, pace_of)
    batch_tokens = tokens_of_batch(prepared.train, max_tokens)
    seen = expected_tokens(training, preset, batch_tokens, an_epoch, optimizer, pace_of)
    epochs = seen / an_epoch
    is_recurrent = PRESETS[preset].architecture == "recurrent"
    of_letters = RECURRENT_REGULARISATION[optimizer] if is_recurrent else NARROW_REGULARISATION
    regularisations = of_letters if narrow else WIDE_REGULARISATION
    regularisation = next(row for row in regularisations if epochs < row.below_epochs)
    sampling = SUBWORD_SAMPLING.get(target.kind, 0.0) if regularisation.samples_subwords else 0.0
    values = {
        "model": {**PRESETS[preset].model_dump(), "dropout": regularisation.dropout},
        "training": {
            "optimizer": optimizer,
            "learning_rate": LEARNING_RATES[optimizer].get(preset, DEFAULT_LEARNING_RATE[optimizer]),
            "weight_decay": WEIGHT_DECAY[optimizer],
            "max_tokens": max_tokens,
            "subword_sampling": sampling,
        },
    }
    if training.minutes is None:
        values["training"]["decode_pairs"] = choose_decode_pairs(training, seen, prepared.valid)
    passes = f"{epochs:,.0f} times" if epochs >= 2 else f"{epochs:,.1f} times"
    reason = f"{why}; {tokens:,} target tokens (of {len(target):,} kinds), each seen about {passes}"
    if training.minutes is None:
        return Recipe(preset, values, reason)
    update_tokens = batch_tokens * training.accumulate
    tokens_per_s = pace_of(preset).throughput(update_tokens, optimizer)
    updates_per_s = tokens_per_s / update_tokens
    return Recipe(preset, values, f"{reason} at {tokens_per_s:,.0f} tokens/s", updates_per_s)


def are_commands(tokenizers: TokenizerPair) -> bool:
    """Whether both sides are words of a closed list; letters and sounds with spaces between are none."""
    return all(side.kind == "words" and not is_of_symbols(side) for side in tokenizers)


def is_of_symbols(tokenizer: Tokenizer) -> bool:
    """Whether what stands between spaces is letters or sounds, not words."""
    if tokenizer.kind != "words":
        return False
    pieces = tokenizer.pieces(range(len(SPECIALS), len(tokenizer)))
    words = [piece for piece in pieces if not piece.isdecimal()]  # numbers are as short, and many
    return median(map(len, words or pieces)) <= 2


def choose_architecture(training: TrainingSettings, pace_of: PaceOf) -> str:
    """What learns letters and sounds best in the time, as far as it was tried."""
    if training.minutes is None:
        return "transformer"
    tokens_per_s = pace_of(DEFAULT_PRESET["recurrent"]).throughput(SHORT_BUDGET_BATCH, "muon")
    return "recurrent" if 60 * training.minutes * tokens_per_s < SHORT_BUDGET else "transformer"


def choose_preset(
    training: TrainingSettings, default: Default, prepared: Prepared, device: torch.device, pace_of: PaceOf,
) -> str:  # fmt: skip
    """The Transformer for data of some size, within the budget and on the device."""
    if default.preset == "base" and device.type == "cpu":
        return "small"
    if not default.long_preset:
        return default.preset
    max_tokens, optimizer = choose_updates(training, default.preset, default, pace_of)
    batch_tokens, an_epoch = tokens_of_batch(prepared.train, max_tokens), epoch_tokens(prepared)
    expected = expected_tokens(training, default.preset, batch_tokens, an_epoch, optimizer, pace_of)
    return default.long_preset if expected >= LONG_BUDGET else default.preset


def default_optimizer(preset: str) -> str:
    """What trains a preset best where nothing is slow, as far as it was tried (results/recipes.md)."""
    return "adamw" if preset == "tiny" else "muon"


def choose_updates(
    training: TrainingSettings, preset: str, default: Default, pace_of: PaceOf
) -> tuple[int, str]:
    """Tokens of a batch, and the optimizer: what was asked for, else what fits the data and the time."""
    given = training.model_fields_set
    optimizer = training.optimizer if "optimizer" in given else default_optimizer(preset)
    max_tokens = training.max_tokens if "max_tokens" in given else default.max_tokens
    if training.minutes is None:
        return max_tokens, optimizer
    pace, seconds = pace_of(preset), 60 * training.minutes
    while True:
        if "optimizer" not in given and optimizer == "muon":
            with_muon, without = (pace.throughput(max_tokens * training.accumulate, each)
                                  for each in ("muon", "adamw"))  # fmt: skip
            is_recurrent = PRESETS[preset].architecture == "recurrent"
            few = is_recurrent or seconds * with_muon < FEW_UPDATES * max_tokens
            if few and without > default.muon_worth * with_muon:
                optimizer = "adamw"
        least = MIN_MAX_TOKENS[optimizer]
        enough = (
            seconds * pace.throughput(max_tokens * training.accumulate, optimizer)
            >= default.min_updates * max_tokens
        )
        if "max_tokens" in given or enough or max_tokens <= least:
            return max_tokens, optimizer
        max_tokens //= 2


def choose_decode_pairs(training: TrainingSettings, seen: float, valid: Store) -> int:
    """How many pairs a validation translates, where no time bounds it: it takes no longer than the training.

    Args:
        training: of which the number of validations counts.
        seen: target tokens that are trained on.
        valid: the validation pairs.
    """
    tokens_a_pair = target_tokens(valid) / max(1, len(valid))
    affordable = int(seen / training.validations / (DECODED_COST * tokens_a_pair))
    return max(LEAST_DECODED, min(training.decode_pairs, affordable))


def expected_tokens(
    training: TrainingSettings, preset: str, batch_tokens: float, tokens: int, optimizer: str,
    pace_of: PaceOf,
) -> float:  # fmt: skip
    """Target tokens that the budget lets be seen, about."""
    update_tokens = batch_tokens * training.accumulate
    if training.minutes is not None:
        return 60 * training.minutes * pace_of(preset).throughput(update_tokens, optimizer)
    return (training.max_steps or default_steps(tokens, update_tokens)) * update_tokens


def default_steps(tokens: int, update_tokens: float) -> int:
    """A budget when none is given: some forty epochs, within 2,000 to 100,000 updates.

    Args:
        tokens: target tokens of an epoch.
        update_tokens: tokens of an update.
    """
    return max(2_000, min(100_000, int(40 * tokens / update_tokens)))


def tokens_of_batch(train: Store, max_tokens: int) -> float:
    """Target tokens of a batch, about: its longer side has so many, and there are no more than all pairs'."""
    longer = int(np.maximum(train.source_lengths, train.target_lengths).sum(dtype="int64"))
    return min(max_tokens, target_tokens(train) * min(1.0, max_tokens / max(1, longer)))


def target_tokens(train: Store) -> int:
    """Tokens to predict of all pairs, ends of sequences counted."""
    return int(train.target_lengths.sum(dtype="int64")) + len(train)


def epoch_tokens(prepared: Prepared) -> int:
    """Tokens to predict in one epoch as it is seen, some corpora perhaps more often than others."""
    tokens, first = float(target_tokens(prepared.train)), 0
    for pairs, weight in prepared.parts:
        if weight != 1:
            lengths = prepared.train.target_lengths[first : first + pairs]
            tokens += (weight - 1) * (int(lengths.sum(dtype="int64")) + pairs)
        first += pairs
    return max(1, round(tokens))
