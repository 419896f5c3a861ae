"""An experiment: the configuration of a run."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator

from interlingua.data.corpus import CorpusSettings
from interlingua.errors import ConfigurationError, OutputError, nearest
from interlingua.inference.bundle import read_config
from interlingua.model.architectures import AnyModelSettings
from interlingua.model.presets import PRESETS
from interlingua.model.transformer import TransformerSettings
from interlingua.pictures.settings import PictureSettings
from interlingua.search.settings import SearchSettings
from interlingua.settings import Settings, merge
from interlingua.sound.settings import AugmentationSettings
from interlingua.text.languages import check_language
from interlingua.text.tokenizer import TokenizerSettings
from interlingua.training.settings import TrainingSettings

__all__ = [
    "Experiment",
    "cache_directory",
    "change_training",
    "fill_in_architecture",
    "parse_given",
    "refuse_unknown_keys",
    "rename_old_keys",
]

Language = Annotated[str, AfterValidator(check_language)]


class Experiment(Settings):
    """One file that says all; every section and key may be left out but the training files."""

    preset: str | None = None
    """Named sizes to start from; chosen from the data when not given."""
    languages: tuple[Language, Language] | None = None
    """Codes of source and target, such as ["en", "de"]; for serving and for the model card."""
    base_model: str | None = None
    """A model directory whose weights, tokenizers and sizes to start from (fine-tuning)."""
    data: CorpusSettings = CorpusSettings()
    tokenizer: TokenizerSettings = TokenizerSettings()
    model: AnyModelSettings = TransformerSettings()
    training: TrainingSettings = TrainingSettings()
    augmentation: AugmentationSettings | None = None
    """How sounds are changed at random in training; chosen from the data when not given."""
    pictures: PictureSettings | None = None
    """How targets that are pictures become tokens; None of others."""
    search: SearchSettings = SearchSettings()

    def as_toml(self) -> dict[str, Any]:
        """Plain values without those not given, which TOML cannot write."""
        return self.model_dump(mode="json", exclude_none=True)


def rename_old_keys(values: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration with today's keys for those that earlier versions called otherwise."""
    return {"base_model" if key == "start" and "base_model" not in values else key: value
            for key, value in values.items()}  # fmt: skip


def refuse_unknown_keys(values: Mapping[str, Any], where: str, beside: Sequence[str]) -> None:
    """Refuses keys of a file that are neither an experiment's nor those beside it.

    Raises:
        ConfigurationError: names what is accepted.
    """
    known = [*Experiment.model_fields, *beside]
    for key in values:
        if key not in known:
            raise ConfigurationError(f"unknown key {key!r}", where=where, accepted=nearest(key, known))


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


def parse_given(values: Mapping[str, Any], where: str) -> Experiment:
    """Parses a configuration whose preset says what the [model] section leaves open."""
    values = fill_in_architecture(values)
    given, sizes = values.get("model") or {}, PRESETS.get(str(values.get("preset")))
    if sizes is not None and isinstance(given, Mapping) and given.get("architecture") == sizes.architecture:
        values = merge({"model": sizes.model_dump()}, values)
    return Experiment.parse(values, where)


def change_training(training: Mapping[str, Any], changed: Mapping[str, Any]) -> dict[str, Any]:
    """The [training] section with other settings; a budget replaces the other kind of budget as well."""
    budgets = {"minutes", "max_steps"} if changed.keys() & {"minutes", "max_steps"} else set[str]()
    return {key: value for key, value in training.items() if key not in budgets} | dict(changed)


def cache_directory() -> Path:
    """Where prepared data is kept: $INTERLINGUA_CACHE, or interlingua/ in the user's cache directory.

    Raises:
        OutputError: the user has no home directory.
    """
    if chosen := os.environ.get("INTERLINGUA_CACHE"):
        return Path(chosen)
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "interlingua"
    except RuntimeError:
        raise OutputError(
            "this user has no home directory to keep prepared data in", where="HOME",
            accepted="Set INTERLINGUA_CACHE to a directory that can be written.",
        ) from None  # fmt: skip
