"""Which models of sounds are served, and which of them a request means."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from interlingua.serving.models.catalogue import read_languages, refuse_same_names
from interlingua.serving.models.detection import base_of
from interlingua.serving.refusal import RefusalError, unknown_model

__all__ = ["ANY_MODEL", "SoundCatalogue", "SoundModel", "is_of_sounds", "read_sound_model"]

ANY_MODEL = "whisper-1"
"""The model that many programs name to OpenAI's API and cannot change: here, the service's choice."""


class SoundModel(NamedTuple):
    """A directory of a model of sounds that is served."""

    name: str
    """That of the directory."""
    directory: Path
    source: str | None
    """The language that is spoken, if the model says so."""
    target: str | None
    """The language that is written."""
    created: int
    """When its directory was made, in seconds since 1970."""


def is_of_sounds(directory: Path) -> bool:
    """Whether the sources of a model are sounds."""
    try:
        return bool(json.loads((directory / "source.json").read_bytes())["kind"] == "sound")
    except (OSError, ValueError, KeyError, TypeError):
        return False  # whoever loads it says what is wrong


def read_sound_model(directory: Path) -> SoundModel:
    """Reads what the service itself must know of a model of sounds; languages it need not have.

    Raises:
        BundleError: it is no model directory.
        ConfigurationError: its languages are none.
    """
    source, target = read_languages(directory) or (None, None)
    created = int((directory / "config.toml").stat().st_mtime)
    return SoundModel(directory.absolute().resolve().name, directory, source, target, created)


class SoundCatalogue:
    """The models of sounds, by name.

    Args:
        models: at least one.
        taken: names of other models.

    Raises:
        ConfigurationError: two models have the same name.
    """

    def __init__(self, models: Sequence[SoundModel], taken: Sequence[str] = ()) -> None:
        self.models = {model.name: model for model in models}
        refuse_same_names(models, taken)

    def choose(self, name: str | None, language: str | None = None) -> SoundModel:
        """The model of that name, or else one for a language, or the first.

        Args:
            name: None, and ANY_MODEL unless a model is called so, stand for any.
            language: that is spoken; its region does not matter.

        Raises:
            RefusalError: there is no such model, or it is not for that language.
        """
        if name in self.models:
            found = [self.models[name]]
        elif name in (None, "", ANY_MODEL):
            found = [*self.models.values()]
        else:
            raise unknown_model(name, self.models)
        fitting = [model for model in found if _is_for(model, language)]
        if not fitting:
            known = ", ".join(dict.fromkeys(model.source for model in found if model.source))
            raise RefusalError(
                400, f"Invalid request: language: {str(language)[:40]!r} is not transcribed. Known: {known}.",
                field="language",
            )  # fmt: skip
        return fitting[0]


def _is_for(model: SoundModel, language: str | None) -> bool:
    return not language or model.source is None or base_of(model.source) == base_of(language)
