"""An experiment: its configuration, and what it becomes once data and preset are known."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from interlingua.data.corpus import CorpusSettings, copy_standard_input
from interlingua.data.preparation import Prepared, prepare
from interlingua.data.store import Store
from interlingua.engine.device import choose_device
from interlingua.errors import BundleError
from interlingua.inference.bundle import Bundle, LengthStatistics, load_bundle, read_config
from interlingua.model.architectures import AnyModelSettings
from interlingua.model.presets import PRESETS
from interlingua.model.transformer import TransformerSettings
from interlingua.runs.recipes import choose_recipe, default_steps, target_tokens
from interlingua.runs.tensorboard import require_tensorboard
from interlingua.search.settings import SearchSettings
from interlingua.settings import Settings, merge
from interlingua.text.facts import TextFacts, measure_facts
from interlingua.text.tokenizer import TokenizerSettings
from interlingua.text.tokenizer_files import load_tokenizers
from interlingua.training.settings import TrainingSettings

__all__ = [
    "Experiment",
    "Plan",
    "cache_directory",
    "fill_in_architecture",
    "load_plan",
    "make_plan",
    "measure_lengths",
    "rename_old_keys",
]

MIN_SOURCE_LENGTH = 64
"""Sources up to this many tokens are never split, however short those of the training were."""


MAX_READ_PAIRS = 10_000
"""Training pairs that tell what kind of text the model is for."""


class Experiment(Settings):
    """One file that says all; every section and key may be left out but the training files."""

    preset: str | None = None
    """Named sizes to start from; chosen from the data when not given."""
    languages: tuple[str, str] | None = None
    """Codes of source and target, such as ["en", "de"]; for serving and for the model card."""
    base_model: str | None = None
    """A model directory whose weights, tokenizers and sizes to start from (fine-tuning)."""
    data: CorpusSettings = CorpusSettings()
    tokenizer: TokenizerSettings = TokenizerSettings()
    model: AnyModelSettings = TransformerSettings()
    training: TrainingSettings = TrainingSettings()
    search: SearchSettings = SearchSettings()

    def as_toml(self) -> dict[str, Any]:
        """Plain values without those not given, which TOML cannot write."""
        return self.model_dump(mode="json", exclude_none=True)


class Plan(NamedTuple):
    """An experiment with nothing left open."""

    experiment: Experiment
    prepared: Prepared
    lengths: LengthStatistics
    facts: TextFacts
    notes: list[str]
    """What was found and chosen, for people."""


def rename_old_keys(values: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration with today's keys for those that earlier versions called otherwise."""
    return {"base_model" if key == "start" and "base_model" not in values else key: value
            for key, value in values.items()}  # fmt: skip


def fill_in_architecture(values: Mapping[str, Any]) -> dict[str, Any]:
    """Names the architecture of a [model] section that does not: the base model's, or the preset's.

    Args:
        values: a configuration, not yet parsed; what is wrong in it is left to `Experiment.parse`.

    Raises:
        BundleError: the base model's configuration cannot be read.
    """
    given = values.get("model", {})
    if not isinstance(given, Mapping) or "architecture" in given:
        return dict(values)
    base_model, preset = values.get("base_model"), values.get("preset")
    model: Any = {}
    if isinstance(base_model, str):
        model = read_config(Path(base_model)).get("model", {})
    elif isinstance(preset, str) and preset in PRESETS:
        model = PRESETS[preset].model_dump()
    if not isinstance(model, Mapping) or "architecture" not in model:
        return dict(values)
    return merge({"model": {"architecture": model["architecture"]}}, values)


def make_plan(values: Mapping[str, Any], where: str = "configuration") -> Plan:
    """Parses a configuration, prepares its data, and chooses what it leaves open.

    Args:
        values: a configuration file's tables, with whatever was changed on the command line.
        where: where they come from, for messages.

    Raises:
        ConfigurationError: a key, a value or the device is not acceptable.
        DataError: the files are not as announced.
        BundleError: the model to start from cannot be used.
    """
    values = fill_in_architecture(rename_old_keys(values))
    given = Experiment.parse(values, where)
    device = choose_device(given.training.device)  # what is wrong is found now, before anything is written
    if given.training.tensorboard:
        require_tensorboard()
    base = None if given.base_model is None else load_bundle(given.base_model)
    data = _with_absolute_paths(given.data)
    prepared = prepare(data, given.tokenizer, cache_directory(), base.tokenizers if base else None)
    notes = [prepared.report["summary"]]
    if base is not None:
        # the base model's penalty is chosen anew, only the user's is kept
        values = merge(_values_of_base(base), _keep_length_penalty(values))
    else:
        recipe = choose_recipe(given.preset, given.model.architecture, given.training, prepared, device)
        # the user's penalty, or a paper's, is kept
        values = _keep_length_penalty(merge(recipe.values, values))
        notes.append(recipe.reason)
    experiment = Experiment.parse(values, where).model_copy(update={"data": data})
    if experiment.training.max_steps is None and experiment.training.minutes is None:
        experiment, note = _with_default_budget(experiment, prepared)
        notes.append(note)
    return _plan(experiment, prepared, notes, base.facts if base else None)


def load_plan(directory: Path, values: Mapping[str, Any]) -> Plan:
    """The plan of a run that exists: nothing is chosen anew.

    Args:
        directory: of the run.
        values: its configuration, perhaps with another budget.
    """
    experiment = Experiment.parse(rename_old_keys(values), where=str(directory / "config.toml"))
    tokenizers = load_tokenizers(directory) if experiment.base_model else None
    prepared = prepare(experiment.data, experiment.tokenizer, cache_directory(), tokenizers)
    return _plan(experiment, prepared, [], _saved_facts(directory) if experiment.base_model else None)


def _saved_facts(directory: Path) -> TextFacts | None:
    """What a run took over from its base model, which may be gone; None before its first validation."""
    try:
        return load_bundle(directory).facts
    except BundleError:
        return None


def _plan(
    experiment: Experiment, prepared: Prepared, notes: list[str], facts: TextFacts | None = None
) -> Plan:
    """Measures what the data says; a fine-tuned model is for the texts of its base, whose facts are given."""
    train = prepared.train
    # Evenly taken, to hold little memory.
    sample = range(0, len(train), -(-len(train) // MAX_READ_PAIRS))
    pairs = [(train.source_text(i), train.target_text(i)) for i in sample]
    language = experiment.languages[0] if experiment.languages else None
    facts = facts or measure_facts(pairs, language)
    return Plan(experiment, prepared, measure_lengths(train), facts, notes)


def _values_of_base(base: Bundle) -> dict[str, Any]:
    """What a run takes from the model that it starts from, beside weights and tokenizers."""
    return {key: base.config[key] for key in ("model", "search", "languages") if key in base.config}


def _keep_length_penalty(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """A length penalty among the values is not to be replaced by one that validation pairs choose."""
    if "length_penalty" not in (values.get("search") or {}):
        return values
    return merge(values, {"training": {"choose_length_penalty": False}})


def _with_default_budget(experiment: Experiment, prepared: Prepared) -> tuple[Experiment, str]:
    """Sets the steps by the size of the data; also says so."""
    training = experiment.training
    steps = default_steps(target_tokens(prepared.train), training.max_tokens * training.accumulate)
    training = training.model_copy(update={"max_steps": steps})
    note = f"budget: {steps:,} steps, from the size of the data (--minutes or --max-steps to choose)"
    return experiment.model_copy(update={"training": training}), note


def cache_directory() -> Path:
    """Where prepared data is kept: $INTERLINGUA_CACHE, or interlingua/ in the user's cache directory."""
    if chosen := os.environ.get("INTERLINGUA_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "interlingua"


def measure_lengths(train: Store) -> LengthStatistics:
    """What search must know of the training data; reads the lengths in pieces, to hold little memory."""
    max_ratio, longest = 0.0, MIN_SOURCE_LENGTH
    for start in range(0, len(train), 1 << 18):
        piece = slice(start, start + (1 << 18))
        source, target = train.source_lengths[piece], train.target_lengths[piece]
        max_ratio = max(max_ratio, float(np.max(target / np.maximum(source, 1))))
        longest = max(longest, int(source.max()))
    return LengthStatistics(max_ratio, longest)


def _with_absolute_paths(data: CorpusSettings) -> CorpusSettings:
    """File names that still hold when the run is resumed from elsewhere."""
    return data.model_copy(
        update={"train": _absolute_paths(data.train), "valid": _absolute_paths(data.valid)}
    )


def _absolute_paths(files: tuple[str | tuple[str, str], ...]) -> tuple[str | tuple[str, str], ...]:
    return tuple(
        _absolute_path(file) if isinstance(file, str) else (_absolute_path(file[0]), _absolute_path(file[1]))
        for file in files
    )


def _absolute_path(file: str) -> str:
    # A resumed run can read the copy again.
    return str(copy_standard_input(cache_directory()) if file == "-" else Path(file).absolute())
