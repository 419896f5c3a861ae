"""Which models are served, from which language to which, and which of them a request means."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import langcodes

from interlingua.errors import BundleError, ConfigurationError
from interlingua.serving.models.detection import DetectedLanguage, LanguageDetector, base_of
from interlingua.serving.refusal import RefusalError
from interlingua.text.columns import COLUMN_END, NO_OTHERS, OtherColumns, add_tag, list_tags
from interlingua.text.languages import check_language
from interlingua.text.normalise import normalise
from interlingua.text.tokenizer import Tokenizer
from interlingua.text.tokenizer_files import load_tokenizer

__all__ = [
    "AUTO", "Catalogue", "ServedModel", "name_of", "read_languages", "read_model", "refuse_same_names",
]  # fmt: skip

AUTO = "auto"
MANY = "mul"
"""What ISO 639 calls several languages: those that the tags name."""
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
    tag: str | None = None
    """What stands in the first column of its sources, if a tag does and one is chosen."""

    @property
    def tags(self) -> list[str]:
        """Which tags there are to choose from; none for a model without."""
        return [] if self.steps or self.same_language else getattr(self.tokenizer, "tags", [])

    @property
    def needs_tag(self) -> bool:
        """Whether one must still be chosen."""
        return bool(self.tags) and self.tag is None

    @property
    def others(self) -> OtherColumns:
        """What goes with every part of a text."""
        return NO_OTHERS if self.tag is None else OtherColumns(add_tag(self.tag, ""))

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
        models: those that are served; one whose tags are languages stands for one of each.
        pivot: whether a pair of languages without a model goes through a third language.

    Raises:
        ConfigurationError: two models translate between the same languages.
    """

    def __init__(self, models: Sequence[ServedModel], *, pivot: bool = True) -> None:
        models = [each for model in models for each in _spread(model)]
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

    def tags(self, source: str, target: str) -> list[str]:
        """Which tags there are for a pair of languages."""
        model = self.models.get((source, target))
        return model.tags if model else []

    def find(self, code: str) -> str:
        """The served language of a code; also for another spelling (EN) or region (en-US) of it.

        Raises:
            RefusalError: it is not served.
        """
        for spell in (str, str.lower, base_of):
            for served in self.codes:
                if spell(served) == spell(code):
                    return served
        raise RefusalError(400, f"{code[:40]} is not supported. Known: {', '.join(self.codes)}.")

    def choose(
        self, source: str, target: str, texts: Sequence[str], tag: str | None = None
    ) -> tuple[ServedModel, DetectedLanguage | None]:
        """The model for texts that are in one language (see `choose_each`)."""
        return self.choose_each(source, target, ["\n".join(texts)], tag)[0]

    def choose_each(
        self, source: str, target: str, texts: Sequence[str], tag: str | None = None
    ) -> list[tuple[ServedModel, DetectedLanguage | None]]:
        """The model for each text, and the language that was detected if the source is "auto".

        A text that is in the target's language already stays as it is, as with LibreTranslate.

        Args:
            source: a code, or "auto".
            target: a code.
            texts: of a request.
            tag: that a model is to use, if it is one of its own.

        Raises:
            RefusalError: there is no such model, or none for the language that was detected, or no such tag.
        """
        chosen = self._choose_each(source, target, texts)
        if tag is not None:
            found = [served for served, _ in chosen] if source != AUTO else self.models.values()
            target = self.find(target)
            tags = [each for served in found if served.target == target for each in served.tags]
            _check_tag(tag, list(dict.fromkeys(tags)))
        return [(self._with_tag(served, tag), detected) for served, detected in chosen]

    def _with_tag(self, served: ServedModel, tag: str | None) -> ServedModel:
        """The model with a tag of the request, if it is one of its own."""
        tag = normalise(tag or "", "text")
        if tag in served.tags:
            same = (each for each in self.models.values() if each.directory == served.directory)
            return next((each for each in same if each.tag == tag), served._replace(tag=tag))
        if served.needs_tag:
            needed = f"{served.name} needs one of: {list_tags(served.tags)}"
            raise RefusalError(400, f"Invalid request: missing tag parameter: {needed}")
        return served

    def _choose_each(
        self, source: str, target: str, texts: Sequence[str]
    ) -> list[tuple[ServedModel, DetectedLanguage | None]]:
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


def _spread(model: ServedModel) -> Iterator[ServedModel]:
    """A model for each language, where its tags are those of one side: its code there is one, or "mul"."""
    source, target, tags = model.source, model.target, model.tags
    into = target in (*tags, MANY)
    if not tags or not (into or source in (*tags, MANY)):
        yield model
    elif not all(map(_is_code, tags)):  # those that are none can be asked for by tag only
        yield model._replace(tag=next((tag for tag in (target, source) if tag in tags), None))
    else:
        for tag in sorted(tags, key=lambda tag: tag not in (source, target)):
            start, end = (source, tag) if into else (tag, target)
            if start != end:
                yield model._replace(name=f"{start}-{end}", source=start, target=end, tag=tag)


def _is_code(tag: str) -> bool:
    try:
        return bool(check_language(tag))
    except ValueError:
        return False


def _check_tag(tag: str, tags: Sequence[str]) -> None:
    if not tags:
        raise RefusalError(400, "Invalid request: tag: there are no tags for these languages")
    if COLUMN_END in tag or normalise(tag, "text") not in tags:
        raise RefusalError(400, f"Invalid request: tag: {tag[:40]} is none. Known: {list_tags(tags)}")


def _find_pivots(models: Sequence[ServedModel]) -> dict[tuple[str, str], ServedModel]:
    """For each pair of languages without a model two that lead from one to the other, the first such two."""
    direct = {(model.source, model.target) for model in models}
    models = [model for model in models if not model.needs_tag]
    found: dict[tuple[str, str], ServedModel] = {}
    for first in models:
        for second in models:
            pair = first.source, second.target
            if first.target == second.source and pair[0] != pair[1] and pair not in direct:
                name = f"{first.source}-{second.target}"
                way = first._replace(name=name, target=second.target, steps=(first, second))
                found.setdefault(pair, way)
    return found


class NamedModel(Protocol):
    """A model that is called as its directory is."""

    @property
    def name(self) -> str:
        """That of the directory."""

    @property
    def directory(self) -> Path:
        """Where it is."""


def refuse_same_names(models: Sequence[NamedModel], taken: Sequence[str]) -> None:
    """Refuses models of sounds or pictures of which two have the same name, or that of another one.

    Raises:
        ConfigurationError: there are such.
    """
    names = [*(model.name for model in models), *taken]
    if len(set(names)) < len(names):
        duplicate = next(name for name in names if names.count(name) > 1)
        raise ConfigurationError(
            f"two models are called {duplicate}", where="serve",
            found=[str(model.directory) for model in models if model.name == duplicate],
            accepted="A model of sounds or pictures is called as its directory is: rename that.",
        )  # fmt: skip


def name_of(code: str) -> str:
    """A language's name in English if its code has two letters; others are often somebody's own, and stay.

    So iso need not be Isoko.
    """
    try:
        language = langcodes.Language.get(code)
        return language.display_name() if len(base_of(code)) == 2 and language.is_valid() else code
    except ValueError:
        return code
