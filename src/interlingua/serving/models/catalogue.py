"""Which models are served, from which language to which, and which of them a request means."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import langcodes

from interlingua.errors import BundleError, ConfigurationError
from interlingua.serving.models.detection import DetectedLanguage, LanguageDetector, base_of
from interlingua.serving.refusal import RefusalError
from interlingua.text.languages import check_language
from interlingua.text.tokenizer import Tokenizer
from interlingua.text.tokenizer_files import load_tokenizer

__all__ = ["AUTO", "Catalogue", "ServedModel", "name_of", "read_languages", "read_model"]

AUTO = "auto"
_MOSTLY_COPIED = 0.8  # share of the validation pairs whose numbers are the same on both sides
_CERTAIN = 60.0  # percent from which a text is taken to be in the target's language already
_UNCERTAIN = 50.0  # percent below which the other texts of a request decide


class ServedModel(NamedTuple):
    """A model directory that is served."""

    name: str
    """The languages, such as en-de."""
    directory: Path
    source: str
    target: str
    tokenizer: Tokenizer
    """Of the source side."""
    numbers_copied: bool = True
    """Whether the numbers of a text come out as they are; some tasks rewrite them, such as dates."""
    steps: tuple[ServedModel, ...] = ()
    """The models that it stands for, if it goes through a third language."""

    @property
    def same_language(self) -> bool:
        """Whether there is nothing to translate: both sides are the same language."""
        return self.source == self.target


def read_model(directory: Path) -> ServedModel:
    """Reads what the service itself must know of a model; its weights are the workers' business.

    Raises:
        BundleError: it is no model directory.
        ConfigurationError: it does not say which languages it translates between.
    """
    languages = read_languages(directory)
    if not languages:
        raise ConfigurationError(
            "the model does not say which languages it translates between", where=directory / "config.toml",
            accepted='Add a first line such as: languages = ["en", "de"]\n'
            "  When training, name them with --languages en de.",
        )  # fmt: skip
    source, target = languages
    name = "joint" if (directory / "joint.json").exists() else "source"
    return ServedModel(
        f"{source}-{target}", directory, source, target, load_tokenizer(directory, name),
        _copies_numbers(directory / "info.json"),
    )  # fmt: skip


def read_languages(directory: Path) -> tuple[str, str] | None:
    """The languages that a model says it is between, if it says so.

    Raises:
        BundleError: it is no model directory.
        ConfigurationError: they are no languages.
    """
    config = directory / "config.toml"
    try:
        languages = tomllib.loads(config.read_text(encoding="utf-8")).get("languages")
    except FileNotFoundError:
        what = "this directory holds no model" if directory.is_dir() else "there is no such model directory"
        raise BundleError(what, where=directory, accepted="A model directory has a config.toml.") from None
    except (OSError, ValueError) as error:
        raise BundleError("the configuration cannot be read", where=config, found=str(error)) from None
    return _check_languages(languages, config) if languages else None


def _copies_numbers(info: Path) -> bool:
    """Whether most validation pairs have the same numbers on both sides; true where it is not known."""
    try:
        share = json.loads(info.read_text(encoding="utf-8")).get("numbers_copied")
    except (OSError, ValueError, AttributeError):
        return True
    return not isinstance(share, int | float) or share >= _MOSTLY_COPIED


def _check_languages(languages: Any, config: Path) -> tuple[str, str]:
    """Two codes; somebody else may have made the bundle, and they become parts of file names."""
    what = "languages are two codes"
    if (
        isinstance(languages, list)
        and len(languages) == 2
        and all(isinstance(code, str) for code in languages)
    ):
        try:
            return check_language(languages[0]), check_language(languages[1])
        except ValueError as error:
            what = f"languages: {error}"
    raise ConfigurationError(
        what, where=config, found=languages, accepted='Such as: languages = ["en", "de"]'
    )


class Catalogue:
    """The languages that are served, and the models between them.

    Args:
        models: those that are served.
        pivot: whether a pair of languages without a model goes through a third language.

    Raises:
        ConfigurationError: two models translate between the same languages.
    """

    def __init__(self, models: Sequence[ServedModel], *, pivot: bool = True) -> None:
        self.models = {(model.source, model.target): model for model in models}
        names = [model.name for model in models]
        if len(set(names)) < len(models):
            duplicate = next(name for name in names if names.count(name) > 1)
            raise ConfigurationError(
                f"two models translate {duplicate}", where="serve",
                found=[str(model.directory) for model in models if model.name == duplicate],
                accepted="Serve one of them, or start a second service on another port.",
            )  # fmt: skip
        self.codes = list(dict.fromkeys(code for pair in self.models for code in pair))
        self.detector = LanguageDetector(self.codes)
        self.pivots = _find_pivots(list(self.models.values())) if pivot else {}
        """What translates through a third language, by source and target."""

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Source and target of all that can be translated."""
        return [*self.models, *self.pivots]

    def targets(self, source: str) -> list[str]:
        """What a language can be translated to."""
        return [target for start, target in self.pairs if start == source]

    def find(self, code: str) -> str:
        """The served language of a code; also for another spelling (EN) or region (en-US) of it.

        Raises:
            RefusalError: it is not served.
        """
        for normalise in (str, str.lower, base_of):
            for served in self.codes:
                if normalise(served) == normalise(code):
                    return served
        raise RefusalError(400, f"{code[:40]} is not supported. Known: {', '.join(self.codes)}.")

    def choose(
        self, source: str, target: str, texts: Sequence[str]
    ) -> tuple[ServedModel, DetectedLanguage | None]:
        """The model for texts that are in one language (see `choose_each`)."""
        return self.choose_each(source, target, ["\n".join(texts)])[0]

    def choose_each(
        self, source: str, target: str, texts: Sequence[str]
    ) -> list[tuple[ServedModel, DetectedLanguage | None]]:
        """The model for each text, and the language that was detected if the source is "auto".

        A text that is in the target's language already stays as it is, as with LibreTranslate.

        Raises:
            RefusalError: there is no such model, or none for the language that was detected.
        """
        target = self.find(target)
        if source != AUTO:
            return [(self._between(self.find(source), target), None)] * len(texts)
        sources = [start for start, end in self.pairs if end == target]
        if not sources:
            raise RefusalError(400, f"Nothing is translated into {target} here.")
        usual = None
        if len(texts) > 1:  # of texts that say too little, such as OK
            usual = self.detector.rank(self.detector.shares("\n".join(texts)), sources)[0].language
        return [self._detect(text, sources, target, usual) for text in texts]

    def _between(self, source: str, target: str) -> ServedModel:
        if source == target:  # nothing is to be done
            some = next(iter(self.models.values()))
            return some._replace(name=f"{target}-{target}", source=target, target=target)
        model = self.models.get((source, target)) or self.pivots.get((source, target))
        if model is None:
            raise RefusalError(400, f"{target} is not available as a target language from {source}.")
        return model

    def _detect(
        self, text: str, sources: Sequence[str], target: str, usual: str | None
    ) -> tuple[ServedModel, DetectedLanguage]:
        shares = self.detector.shares(text)
        if foreign := self.detector.foreign(shares, [*sources, target]):
            name = langcodes.Language.get(foreign.language).display_name()
            raise RefusalError(
                400, f"A text seems to be in {name} ({foreign.language}), which is not translated into "
                f"{target} here. Into {target}: from {', '.join(sources)}. Name one as the source to "
                "translate it all the same.",
            )  # fmt: skip
        likeliest = self.detector.rank(shares, [*sources, target])[0]
        if likeliest.language == target and likeliest.confidence >= _CERTAIN:
            return self._between(target, target), likeliest
        ranked = self.detector.rank(shares, sources)
        found = ranked[0]
        if usual and found.confidence < _UNCERTAIN:
            found = next((each for each in ranked if each.language == usual), found)
        return self._between(found.language, target), found


def _find_pivots(models: Sequence[ServedModel]) -> dict[tuple[str, str], ServedModel]:
    """For each pair of languages without a model two that lead from one to the other, the first such two."""
    direct = {(model.source, model.target) for model in models}
    found: dict[tuple[str, str], ServedModel] = {}
    for first in models:
        for second in models:
            pair = first.source, second.target
            if first.target == second.source and pair[0] != pair[1] and pair not in direct:
                name = f"{first.source}-{second.target}"
                way = first._replace(name=name, target=second.target, steps=(first, second))
                found.setdefault(pair, way)
    return found


def name_of(code: str) -> str:
    """A language's name in English if its code has two letters; others are often somebody's own, and stay.

    So iso need not be Isoko.
    """
    try:
        language = langcodes.Language.get(code)
        return language.display_name() if len(base_of(code)) == 2 and language.is_valid() else code
    except ValueError:
        return code
