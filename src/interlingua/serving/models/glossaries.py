"""The glossary of each model, and that of a request over it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from interlingua.errors import ConfigurationError, DataError
from interlingua.serving.models.catalogue import Catalogue, ServedModel
from interlingua.serving.refusal import RefusalError
from interlingua.serving.settings import ServeSettings
from interlingua.terms.glossary import Glossary
from interlingua.terms.reading import read_glossary
from interlingua.text.column_tokenizer import TextColumn

__all__ = ["Glossaries"]


class Glossaries:
    """Which terms apply to a request.

    Raises:
        ConfigurationError: a file is not said to belong to a model, or a model has two.
        DataError: a file is not a glossary.
    """

    def __init__(self, catalogue: Catalogue, settings: ServeSettings) -> None:
        self.settings = settings
        models = {model.name: model for model in catalogue.models.values()}
        files = _files(settings.glossary, list(models))
        self._of_models = {
            name: Glossary(read_glossary(files[name]) if name in files else {}, _normalise(model))
            for name, model in models.items()
        }

    def choose(self, served: ServedModel, terms: Mapping[str, str] | None) -> Glossary:
        """The terms of a request and, where it has no other translation for them, those of the model.

        Raises:
            RefusalError: with 400, terms are too many, too long or empty.
        """
        if terms:
            self._check(served, terms)
        if served.same_language:
            return Glossary({}, _normalise(served))
        if served.steps:
            if terms:
                raise RefusalError(
                    400, f"Invalid request: glossary: there is no model from {served.source} to "
                    f"{served.target}; its translation goes through {served.steps[0].target}",
                )  # fmt: skip
            return Glossary({}, _normalise(served))  # each step has its own
        of_model = self._of_models[served.name]
        return of_model.overridden_by(terms) if terms else of_model

    def _check(self, served: ServedModel, terms: Mapping[str, str]) -> None:
        """Holds a request's own terms to the limits, whatever becomes of them."""
        max_terms, max_characters = self.settings.max_terms, self.settings.max_term_characters
        if len(terms) > max_terms:
            raise RefusalError(
                400, f"Invalid request: glossary: {len(terms)} terms exceed the limit of {max_terms}"
            )
        for term in terms.items():
            if any(len(side) > max_characters for side in term):
                raise RefusalError(
                    400, f"Invalid request: glossary: a term of over {max_characters} characters"
                )
            try:
                "".join(term).encode()
            except UnicodeEncodeError:
                raise RefusalError(400, "Invalid request: glossary: a lone surrogate") from None
        try:
            Glossary(terms, _normalise(served))
        except DataError:
            raise RefusalError(400, "Invalid request: glossary: a term is empty") from None


def _normalise(served: ServedModel) -> Callable[[str], str]:
    """How the text of its sources is written."""
    return TextColumn(served.tokenizer, None).tokenizer.normalise


def _files(given: Sequence[str], names: Sequence[str]) -> dict[str, Path]:
    """The file of each model, from FILE or MODEL=FILE."""
    files: dict[str, Path] = {}
    for value in given:
        name, path = _split_option(value, names)
        if name in files:
            raise ConfigurationError(
                f"the model {name} has two glossaries", where="--glossary", found=f"{files[name]}, {path}",
                accepted="One file for each model; put the terms of both in one.",
            )  # fmt: skip
        files[name] = path
    return files


def _split_option(value: str, names: Sequence[str]) -> tuple[str, Path]:
    """The model and the file of MODEL=FILE, or of FILE where there is but one model."""
    accepted = f"Such as: --glossary {names[0]}=FILE. Models: {', '.join(names)}."
    named = [name for name in names if value.startswith(f"{name}=")]
    if named:
        name = max(named, key=len)  # names may hold a = as well
        return name, Path(value.removeprefix(f"{name}="))
    given_name, equals, _ = value.partition("=")
    is_path = Path(value).exists() or "/" in given_name or not given_name
    if equals and not is_path:
        raise ConfigurationError(
            f"there is no model {given_name!r}", where="--glossary", found=value, accepted=accepted
        )
    if len(names) > 1:
        raise ConfigurationError(
            "it is not said which model the glossary is for", where="--glossary", found=value,
            accepted=accepted,
        )  # fmt: skip
    return names[0], Path(value)
