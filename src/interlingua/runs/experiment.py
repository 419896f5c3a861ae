"""An experiment: its configuration, and what it becomes once data and preset are known."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pydantic import model_validator

from interlingua.data.corpus import CorpusSettings
from interlingua.data.preparation import Prepared, prepare
from interlingua.data.store import Store
from interlingua.engine.device import choose_device
from interlingua.errors import OutputError
from interlingua.inference.bundle import Limits, load_bundle, load_tokenizers, read_config
from interlingua.model.architectures import AnyModelSettings
from interlingua.model.presets import PRESETS
from interlingua.model.transformer import TransformerSettings
from interlingua.runs.recipes import choose_recipe, default_steps, merge, target_tokens
from interlingua.runs.tensorboard import require_tensorboard
from interlingua.search.hypothesis import SearchSettings
from interlingua.settings import Settings
from interlingua.text.tokenizer import TokenizerSettings
from interlingua.training.settings import TrainingSettings

__all__ = ["Experiment", "Plan", "cache_directory", "length_limits", "plan", "replan"]

LEAST_SOURCE_LENGTH = 64
"""Sources up to this many tokens are never split, however short those of the training were."""


class Experiment(Settings):
    """One file that says all; every section and key may be left out but the training files."""

    preset: str | None = None
    """Named sizes to start from; chosen from the data when not given."""
    languages: tuple[str, str] | None = None
    """Codes of source and target, such as ["en", "de"]; for serving and for the model card."""
    start: str | None = None
    """A model directory whose weights, tokenizers and sizes to start from (fine-tuning)."""
    data: CorpusSettings = CorpusSettings()
    tokenizer: TokenizerSettings = TokenizerSettings()
    model: AnyModelSettings = TransformerSettings()
    training: TrainingSettings = TrainingSettings()
    search: SearchSettings = SearchSettings()

    @model_validator(mode="before")
    @classmethod
    def _architecture_known(cls, values: Any) -> Any:
        """A [model] section that does not name its architecture is of the preset's, or of `start`'s."""
        if not isinstance(values, Mapping) or "architecture" in (values.get("model") or {}):
            return values
        start, preset = values.get("start"), values.get("preset")
        model: Mapping[str, Any] = {}
        if isinstance(start, str):
            model = read_config(Path(start)).get("model", {})
        elif isinstance(preset, str) and preset in PRESETS:
            model = PRESETS[preset].model_dump()
        if "architecture" not in model:
            return values
        return merge({"model": {"architecture": model["architecture"]}}, values)

    def as_toml(self) -> dict[str, Any]:
        """Plain values without those not given, which TOML cannot write."""
        return self.model_dump(mode="json", exclude_none=True)


class Plan(NamedTuple):
    """An experiment with nothing left open."""

    experiment: Experiment
    prepared: Prepared
    limits: Limits
    notes: list[str]
    """What was found and chosen, for people."""


def plan(values: Mapping[str, Any], where: str = "configuration") -> Plan:
    """Prepares the data and settles what the configuration leaves open.

    Args:
        values: a configuration file's tables, with whatever was changed on the command line.
        where: where they come from, for messages.

    Raises:
        ConfigurationError: a key, a value or the device is not acceptable.
        DataError: the files are not as announced.
        BundleError: the model to start from cannot be used.
    """
    given = Experiment.parse(values, where)
    length_penalty_given = "length_penalty" in (values.get("search") or {})
    device = choose_device(given.training.device)  # what is wrong is found now, before anything is written
    if given.training.tensorboard:
        require_tensorboard()
    tokenizers = None
    if given.start is not None:
        bundle = load_bundle(given.start)
        tokenizers = bundle.tokenizers
        started_from: dict[str, Any] = {
            key: bundle.config[key] for key in ("model", "search", "languages") if key in bundle.config
        }
        values = merge(started_from, values)
    data = _absolute(given.data)
    prepared = prepare(data, given.tokenizer, cache_directory(), tokenizers)
    notes = [prepared.report["summary"]]
    if given.start is None:
        recipe = choose_recipe(given.preset, given.model.architecture, given.training, prepared, device)
        values = merge(recipe.values, values)
        notes.append(recipe.reason)
        length_penalty_given |= "length_penalty" in recipe.values.get("search", {})
    if length_penalty_given:
        values = merge(values, {"training": {"choose_length_penalty": False}})
    experiment = Experiment.parse(values, where).model_copy(update={"data": data})
    training = experiment.training
    if training.max_steps is None and training.minutes is None:
        steps = default_steps(target_tokens(prepared.train), training.max_tokens * training.accumulate)
        training = training.model_copy(update={"max_steps": steps})
        experiment = experiment.model_copy(update={"training": training})
        notes.append(
            f"budget: {steps:,} steps, from the size of the data (--minutes or --max-steps to choose)"
        )
    return Plan(experiment, prepared, length_limits(prepared.train), notes)


def replan(directory: Path, values: Mapping[str, Any]) -> Plan:
    """The plan of a run that exists: nothing is chosen anew.

    Args:
        directory: of the run.
        values: its configuration, perhaps with another budget.
    """
    experiment = Experiment.parse(values, where=str(directory / "config.toml"))
    given = load_tokenizers(directory) if experiment.start else None
    prepared = prepare(experiment.data, experiment.tokenizer, cache_directory(), given)
    return Plan(experiment, prepared, length_limits(prepared.train), [])


def cache_directory() -> Path:
    """Where prepared data is kept: $INTERLINGUA_CACHE, or interlingua/ in the user's cache directory."""
    if chosen := os.environ.get("INTERLINGUA_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "interlingua"


def length_limits(train: Store) -> Limits:
    """What search must know of the training data; reads the lengths in pieces, to hold little memory."""
    max_ratio, longest = 0.0, LEAST_SOURCE_LENGTH
    for start in range(0, len(train), 1 << 18):
        piece = slice(start, start + (1 << 18))
        source, target = train.source_lengths[piece], train.target_lengths[piece]
        max_ratio = max(max_ratio, float(np.max(target / np.maximum(source, 1))))
        longest = max(longest, int(source.max()))
    return Limits(max_ratio, longest)


def _absolute(data: CorpusSettings) -> CorpusSettings:
    """File names that still hold when the run is resumed from elsewhere."""

    def absolute(file: str) -> str:
        return _kept_standard_input() if file == "-" else str(Path(file).absolute())

    def each(files: tuple[str | tuple[str, str], ...]) -> tuple[str | tuple[str, str], ...]:
        return tuple(absolute(f) if isinstance(f, str) else (absolute(f[0]), absolute(f[1])) for f in files)

    return data.model_copy(update={"train": each(data.train), "valid": each(data.valid)})


def _kept_standard_input() -> str:
    """Copies standard input to a file, which a resumed run can read again."""
    place = cache_directory()
    try:
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            prefix="standard-input-", suffix=".tsv", dir=place, delete=False
        ) as copy:
            shutil.copyfileobj(sys.stdin.buffer, copy)
    except OSError as error:
        raise OutputError("standard input cannot be kept", where=place, found=error.strerror) from None
    return copy.name
