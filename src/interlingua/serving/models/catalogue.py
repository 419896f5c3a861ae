"""Which models are served, from which language to which, and which of them a request means."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import langcodes
from py3langid.langid import MODEL_FILE, LanguageIdentifier

from interlingua.errors import BundleError, ConfigurationError
from interlingua.serving.refusal import RefusalError
from interlingua.text.tokenizer import Tokenizer
from interlingua.text.tokenizer_files import load_tokenizer

__all__ = ["AUTO", "Detection", "Languages", "Served", "name_of", "read_model"]

AUTO = "auto"
_ENOUGH = 2000  # characters that a language is told by
_SURE = 90.0  # percent from which a text is taken to be in the wanted language already


class Served(NamedTuple):
    """A model directory that is served."""

    name: str
    """The languages, such as en-de."""
    directory: Path
    source: str
    target: str
    tokenizer: Tokenizer
    """Of the source side."""

    @property
    def unchanged(self) -> bool:
        """Whether there is nothing to translate: both sides are the same language."""
        return self.source == self.target


class Detection(NamedTuple):
    """A language that a text may be in."""

    language: str
    confidence: float
    """In percent."""


def read_model(directory: Path) -> Served:
    """Reads what the service itself must know of a model; its weights are the workers' business.

    Raises:
        BundleError: it is no model directory.
        ConfigurationError: it does not say which languages it translates between.
    """
    config = directory / "config.toml"
    try:
        languages = tomllib.loads(config.read_text(encoding="utf-8")).get("languages")
    except FileNotFoundError:
        what = "this directory holds no model" if directory.is_dir() else "there is no such model directory"
        raise BundleError(what, where=directory, accepted="A model directory has a config.toml.") from None
    except (OSError, ValueError) as error:
        raise BundleError("the configuration cannot be read", where=config, found=str(error)) from None
    if not languages:
        raise ConfigurationError(
            "the model does not say which languages it translates between", where=config,
            accepted='Add a first line such as: languages = ["en", "de"]\n'
            "  When training, name them with --languages en de.",
        )  # fmt: skip
    source, target = languages
    name = "joint" if (directory / "joint.json").exists() else "source"
    return Served(f"{source}-{target}", directory, source, target, load_tokenizer(directory, name))


class Languages:
    """The languages that are served, and the models between them.

    Raises:
        ConfigurationError: two models translate between the same languages.
    """

    def __init__(self, models: Sequence[Served]) -> None:
        self.models = {(model.source, model.target): model for model in models}
        if len(self.models) < len(models):
            names = [model.name for model in models]
            twice = next(name for name in names if names.count(name) > 1)
            raise ConfigurationError(
                f"two models translate {twice}", where="serve",
                found=[str(model.directory) for model in models if model.name == twice],
                accepted="Serve one of them, or start a second service on another port.",
            )  # fmt: skip
        self.codes = list(dict.fromkeys(code for pair in self.models for code in pair))
        self.sources = list(dict.fromkeys(source for source, _ in self.models))
        self._identifier = _identifier()
        known = set(map(str, self._identifier.nb_classes))
        self._bases = {code: base for code in self.codes if (base := _base(code)) in known}

    def targets(self, source: str) -> list[str]:
        """What a language can be translated to."""
        return [target for start, target in self.models if start == source]

    def find(self, code: str) -> str:
        """The served language of a code; also for another spelling (EN) or region (en-US) of it.

        Raises:
            RefusalError: it is not served.
        """
        for same in (str, str.lower, _base):
            for served in self.codes:
                if same(served) == same(code):
                    return served
        raise RefusalError(400, f"{code[:40]} is not supported. Known: {', '.join(self.codes)}.")

    def choose(self, source: str, target: str, texts: Sequence[str]) -> tuple[Served, Detection | None]:
        """The model for a request, and the language that was detected if the source is "auto".

        A text that is in the target's language already stays as it is, as with LibreTranslate.

        Raises:
            RefusalError: there is no such model.
        """
        target = self.find(target)
        same = next(iter(self.models.values()))._replace(
            name=f"{target}-{target}", source=target, target=target
        )
        if source == AUTO:
            sources = [start for start, end in self.models if end == target]
            if not sources:
                raise RefusalError(400, f"Nothing is translated into {target} here.")
            text = "\n".join(texts)
            among_all = self.detect(text, [*sources, target])[0]
            if among_all.language == target and among_all.confidence >= _SURE:
                return same, among_all
            found = self.detect(text, sources)[0]
            return self.models[found.language, target], found
        source = self.find(source)
        if source == target:
            return same, None
        model = self.models.get((source, target))
        if model is None:
            raise RefusalError(400, f"{target} is not available as a target language from {source}.")
        return model, None

    def detect(self, text: str, among: Iterable[str] | None = None) -> list[Detection]:
        """The languages that a text may be in, most likely first; never empty.

        Args:
            text: its first characters decide.
            among: served languages; all by default.
        """
        codes = list(self.codes if among is None else among)
        known = {base: code for code in reversed(codes) if (base := self._bases.get(code))}
        if len(codes) == 1 or not known:
            return [Detection(codes[0], 100.0 if len(codes) == 1 else 0.0)]
        scores = [(str(base), float(share)) for base, share in self._identifier.rank(text[:_ENOUGH])]
        shares = {known[base]: share for base, share in scores if base in known}
        total = sum(shares.values()) or 1.0
        return [Detection(code, round(100 * share / total, 1)) for code, share in shares.items()]


@functools.cache
def _identifier() -> LanguageIdentifier:
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def name_of(code: str) -> str:
    """A language's name in English; the code itself when it has none."""
    try:
        language = langcodes.Language.get(code)
        return language.display_name() if language.is_valid() else code
    except ValueError:
        return code


def _base(code: str) -> str:
    return code.replace("_", "-").split("-")[0].lower()
