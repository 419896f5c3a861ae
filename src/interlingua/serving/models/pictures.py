"""Which models of pictures are served: those that paint them, and those that say what they show."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from interlingua.errors import ConfigurationError
from interlingua.serving.models.catalogue import read_languages
from interlingua.serving.refusal import unknown_model

__all__ = ["ANY_PAINTER", "PictureCatalogue", "PictureModel", "is_of_pictures", "read_picture_model"]

ANY_PAINTER = ("dall-e", "gpt-image", "chatgpt-image")
"""How the names begin that many programs give OpenAI's API and cannot change: here, the service's choice."""


class PictureModel(NamedTuple):
    """A directory of a model of pictures that is served."""

    name: str
    """That of the directory."""
    directory: Path
    paints: bool
    """Whether pictures are its targets, else its sources."""
    language: str | None
    """Of its texts, if the model says so."""
    created: int
    """When its directory was made, in seconds since 1970."""


def is_of_pictures(directory: Path) -> bool:
    """Whether the sources or the targets of a model are pictures."""
    return "picture" in _kinds(directory)


def read_picture_model(directory: Path) -> PictureModel:
    """Reads what the service itself must know of a model of pictures; languages it need not have.

    Raises:
        BundleError: it is no model directory.
        ConfigurationError: its languages are none, or its other side are no texts.
    """
    languages = read_languages(directory)
    source, target = _kinds(directory)
    if source in ("sound", "picture") and target == "picture":
        raise ConfigurationError(
            f"models from {source}s to pictures are not served", where=directory,
            accepted="Served are models from texts to pictures, and from pictures to texts.",
        )  # fmt: skip
    created = int((directory / "config.toml").stat().st_mtime)
    paints = target == "picture"
    language = languages[0 if paints else 1] if languages else None
    return PictureModel(directory.absolute().resolve().name, directory, paints, language, created)


def _kinds(directory: Path) -> tuple[Any, Any]:
    """Of its sources and targets, as far as they can be told: whoever loads it says what is wrong."""
    return _kind(directory / "source.json"), _kind(directory / "target.json")


def _kind(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())["kind"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


class PictureCatalogue:
    """The models that paint, or those that say what pictures show, by name.

    Args:
        models: any number.
        any_model: how the names begin that stand for any of them.
    """

    def __init__(self, models: Sequence[PictureModel], any_model: tuple[str, ...] = ()) -> None:
        self.models = {model.name: model for model in models}
        self.any_model = any_model

    def choose(self, name: str | None) -> PictureModel:
        """The model of that name; the first if there is none, or one that stands for any.

        Raises:
            RefusalError: there is no such model.
        """
        if name in self.models:
            return self.models[name]
        if self.models and (not name or name.startswith(self.any_model)):
            return next(iter(self.models.values()))
        raise unknown_model(name, self.models)
