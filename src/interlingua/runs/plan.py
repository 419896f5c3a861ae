"""A plan: an experiment with nothing left open, and the data prepared for it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from interlingua.data.account import summarise
from interlingua.data.corpus import CorpusSettings
from interlingua.data.preparation import Prepared, prepare
from interlingua.inference.bundle import LengthStatistics
from interlingua.pictures.settings import PictureSettings
from interlingua.runs.experiment import Experiment, cache_directory
from interlingua.runs.inputs import Inputs
from interlingua.text.facts import TextFacts
from interlingua.text.tokenizer import TokenizerPair, TokenizerSettings

__all__ = ["Plan", "prepare_data", "with_own_report"]


class Plan(NamedTuple):
    """An experiment with nothing left open."""

    experiment: Experiment
    prepared: Prepared
    lengths: LengthStatistics
    facts: TextFacts
    notes: list[str]
    """What was found and chosen, for people."""
    inputs: Inputs | None = None
    """The files as they were read, of a run that is started."""
    name: str = ""
    """Such as "characters + lstm"."""
    updates_per_s: float = math.inf
    """That are made, about, where that was found out."""


def prepare_data(
    data: CorpusSettings, settings: TokenizerSettings, tokenizers: TokenizerPair | None,
    pictures: PictureSettings | None,
) -> Prepared:  # fmt: skip
    """The data, prepared with these tokenizers; with new ones when there are none."""
    prepared = prepare(data, settings, cache_directory(), tokenizers, pictures)
    return prepared if tokenizers is None else prepared._replace(tokenizers=tokenizers)


def with_own_report(report: Mapping[str, Any], prepared: Prepared) -> dict[str, Any]:
    """The report on the data of a run, with what is another with other tokenizers."""
    own = {key: prepared.report[key] for key in ("tokenizers", "unknown", "train_stored", "valid_stored")}
    for part in {"train", "valid"} & report.keys():
        own[part] = {
            **report[part],
            **{key: prepared.report[part][key] for key in ("left_out", "kept", "places")},
        }
    merged = {**report, **own}
    return {**merged, "summary": summarise(merged)}
