"""What a user may say of an export, beside where it goes."""

from __future__ import annotations

from typing import NamedTuple

from interlingua.errors import ConfigurationError
from interlingua.inference.bundle import CONFIG, Bundle
from interlingua.text.languages import check_language

__all__ = ["ExportOptions", "read_languages"]


class ExportOptions(NamedTuple):
    """How a model is exported."""

    to: str
    """The format's name."""
    quantization: str | None = None
    """What weights are rounded to; None: they are not."""
    languages: tuple[str, str] | None = None
    """Codes of source and target; None: those that the model says."""
    license: str | None = None
    """Of the model, as its card names it, such as cc-by-4.0."""
    name: str = "model"
    """Of the model, on its card."""


def read_languages(bundle: Bundle, options: ExportOptions) -> tuple[str, str] | None:
    """The languages of an export, as far as they are known.

    Raises:
        ConfigurationError: they are no codes of languages.
    """
    where = "--languages" if options.languages else CONFIG
    languages = options.languages or bundle.config.get("languages")
    if languages is None:
        return None
    try:
        source, target = map(check_language, languages)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(str(error), where=where, found=languages) from error
    return source, target
