"""The glossary of each model, and that of a request over it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field

from interlingua.errors import ConfigurationError, DataError
from interlingua.serving.models.catalogue import Catalogue, ServedModel
from interlingua.serving.refusal import RefusalError
from interlingua.serving.settings import ServeSettings
from interlingua.terms.glossary import Glossary
from interlingua.terms.reading import read_glossary

__all__ = ["Glossaries", "UsedTerm"]


class UsedTerm(BaseModel):
    """A term of the glossary that occurs in the text."""

    source: str
    target: str
    satisfied: Annotated[bool, Field(description="Whether it came out.")]


class Glossaries:
    """Which terms apply to a request.

    Raises:
        ConfigurationError: a file is not said to belong to a model.
        DataError: a file is not a glossary.
    """

    def __init__(self, catalogue: Catalogue, settings: ServeSettings) -> None:
        self.settings = settings
        models = {model.name: model for model in catalogue.models.values()}
        files = _files(settings.glossary, list(models))
        self._of_models = {
            name: Glossary(read_glossary(files[name]) if name in files else {}, model.tokenizer.normalise)
            for name, model in models.items()
        }

    def choose(self, served: ServedModel, terms: Mapping[str, str] | None) -> Glossary:
        """The terms of a request and, where it has no other translation for them, those of the model.

        Raises:
            RefusalError: with 400, terms are too many, too long or empty.
        """
        if served.same_language:
            return Glossary({}, served.tokenizer.normalise)
        if served.steps:
            if terms:
                raise RefusalError(
                    400, f"Invalid request: glossary: there is no model from {served.source} to "
                    f"{served.target}; its translation goes through {served.steps[0].target}",
                )  # fmt: skip
            return Glossary({}, served.tokenizer.normalise)  # each step has its own
        of_model = self._of_models[served.name]
        if not terms:
            return of_model
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
            return of_model.overridden_by(terms)
        except DataError:
            raise RefusalError(400, "Invalid request: glossary: a term is empty") from None


def _files(given: Sequence[str], names: Sequence[str]) -> dict[str, Path]:
    """The file of each model, from FILE or MODEL=FILE."""
    files = {}
    for value in given:
        name, equals, path = value.partition("=")
        if not equals and len(names) == 1:
            name, path = names[0], value
        if name not in names:
            raise ConfigurationError(
                "it is not said which model the glossary is for", where="--glossary", found=value,
                accepted=f"Such as: --glossary {names[0]}=FILE. Models: {', '.join(names)}.",
            )  # fmt: skip
        files[name] = Path(path)
    return files
