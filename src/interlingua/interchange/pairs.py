"""Pairs to compare models on: of a file, or those that a run was validated on, if they are still there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from interlingua.data.corpus import Corpus, CorpusSettings, are_there
from interlingua.data.split import SplitPart
from interlingua.errors import DataError, InterlinguaError
from interlingua.inference.bundle import CONFIG, Bundle
from interlingua.interchange.comparison import Sample, random_sample, sample_pairs
from interlingua.text.columns import add_tag, check_tag, list_tags

__all__ = ["choose_sample"]

MAX_READ = 1000
"""Pairs to choose from: a large file is not read to its end."""


def choose_sample(
    bundle: Bundle, directory: Path, valid: Path | None, reading: Mapping[str, Any] | None = None,
    tag: str | None = None,
) -> Sample:  # fmt: skip
    """What an exported model is compared on.

    Args:
        bundle: the model.
        directory: it was loaded from.
        valid: a file of pairs; None: the validation pairs of the model's run, or else random tokens.
        reading: how the file is written, as keys of the [data] section, where that is not as in training.
        tag: of all its sources, where the model has tags.

    Raises:
        ConfigurationError: the model knows no such tag.
        DataError: the file cannot be read, or has no pair that the model takes as a whole.
    """
    if tag is not None:
        check_tag(tag, bundle.tokenizers.source, "--tag")
    if valid is not None:
        pairs = _read_file(bundle, directory, valid, reading or {}, tag)
        sample = sample_pairs(bundle, pairs, "pairs of the file given")
        if not sample.pairs:
            most = bundle.lengths.max_source_length
            what = "there is no pair that the model takes as a whole" if pairs else "there are no pairs"
            raise DataError(what, where=valid, found=f"{len(pairs):,} pairs with two sides",
                            accepted=f"Sources of 1 to {most} tokens.")  # fmt: skip
        return sample
    try:
        sample = sample_pairs(bundle, _validation_pairs(bundle, directory), "validation pairs")
    except InterlinguaError:  # what was there is not any more what it was
        sample = random_sample(bundle)
    sample = sample if sample.pairs else random_sample(bundle)
    if not sample.pairs:
        raise DataError("there is nothing to compare the exported model on", where=directory,
                        accepted="Name pairs: --valid FILE")  # fmt: skip
    return sample


def _read_file(
    bundle: Bundle, directory: Path, file: Path, reading: Mapping[str, Any], tag: str | None
) -> list[tuple[str, str]]:
    trained = _settings(bundle, directory)
    several = {
        key: getattr(trained, key) for key in ("columns", "keys") if isinstance(getattr(trained, key), tuple)
    }
    values = {key: value for key, value in several.items() if value and isinstance(value[0], tuple)}
    if languages := trained.languages or bundle.config.get("languages"):
        values["languages"] = languages
    if trained.tagged and tag is None:
        values["columns"] = [[1, 2], 3]  # the first is the tag
    settings = CorpusSettings.parse({**values, "on_empty": "skip", **reading}, where="--valid")
    try:
        pairs = _first(Corpus([str(file)], settings))
    except DataError as error:
        if "columns" in reading or not (tags := getattr(bundle.tokenizers.source, "tags", None)) or tag:
            raise
        advice = f"Without --tag, the first of three columns is the tag of each pair: {list_tags(tags)}."
        raise DataError(error.what, where=error.where, found=error.found, accepted=advice) from error
    return [(add_tag(tag, source), target) for source, target in pairs]


def _validation_pairs(bundle: Bundle, directory: Path) -> list[tuple[str, str]]:
    """Those that the run's configuration names, or that it held out of its training pairs."""
    settings = _settings(bundle, directory)
    files = settings.valid_files or settings.train_files
    if not are_there(each.file for each in files):
        return []
    corpus = Corpus.of(files, settings)
    if settings.valid_files:
        return _first(corpus)
    held_out = bundle.info.get("data", {}).get("held_out")
    if not held_out:
        return []
    return _first(SplitPart(corpus, held_out["share"], held_out["seed"], held_out=True))


def _first(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(source, target) for source, target in islice(pairs, MAX_READ)]


def _settings(bundle: Bundle, directory: Path) -> CorpusSettings:
    return CorpusSettings.parse(bundle.config.get("data", {}), where=f"{directory / CONFIG} [data]")
