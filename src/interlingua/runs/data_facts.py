"""What is known of the training pairs: what they are like, and what using a model must know of them."""

from __future__ import annotations

import math
from pathlib import Path

from interlingua.data.description import AnyDescription
from interlingua.data.formats.languages import primary
from interlingua.data.preparation import Prepared
from interlingua.data.store import Store
from interlingua.errors import BundleError
from interlingua.inference.bundle import load_bundle
from interlingua.pictures.description import describe_pictures
from interlingua.sound.codec import POSITION_SAMPLES
from interlingua.sound.description import describe_sounds
from interlingua.sound.reading import SAMPLE_RATE
from interlingua.text.description import describe
from interlingua.text.facts import TextFacts, measure_facts

__all__ = ["describe_data", "facts_of_base", "measure_data_facts", "saved_facts"]

MAX_READ_PAIRS = 10_000
"""Training pairs that tell what kind of text the model is for."""


def describe_data(train: Store, languages: tuple[str, str] | None) -> tuple[AnyDescription, TextFacts]:
    """What the training pairs are like, and what using a model must know of it."""
    pairs = _sample(train)
    if "picture" in (train.source_kind, train.target_kind):
        from_pictures = train.source_kind == "picture"
        values = train.source(0) if from_pictures else train.target_pixels(0)
        texts = [target if from_pictures else source for source, target in pairs]
        described = describe_pictures(math.isqrt(len(values) // 3), texts)
        return described, measure_data_facts(train, languages)
    if train.source_kind == "sound":
        seconds = train.source_lengths * (POSITION_SAMPLES / SAMPLE_RATE)
        return describe_sounds(seconds, [target for _, target in pairs]), measure_data_facts(train, languages)
    return describe(pairs), measure_data_facts(train, languages)


def measure_data_facts(train: Store, languages: tuple[str, str] | None) -> TextFacts:
    """What using a model must know of its training pairs; of files only what their texts tell."""
    pairs = _sample(train)
    if train.target_kind == "picture":
        return TextFacts(repetitive=True)
    if train.source_kind != "text":
        repetitive = measure_facts([(target, target) for _, target in pairs]).repetitive
        of_two = languages is not None and primary(languages[0]) != primary(languages[1])
        return TextFacts(repetitive=repetitive, translates=train.source_kind == "sound" and of_two)
    return measure_facts(pairs, languages and languages[0])


def _sample(train: Store) -> list[tuple[str, str]]:
    """Pairs evenly taken, to hold little memory."""
    numbers = range(0, len(train), -(-len(train) // MAX_READ_PAIRS))
    return [(train.source_text(i), train.target_text(i)) for i in numbers]


def facts_of_base(facts: TextFacts, prepared: Prepared) -> TextFacts:
    """What a model says that another one starts from; earlier versions' knew no usual ratio."""
    usual = facts.usual_ratio or measure_facts(_sample(prepared.train)).usual_ratio
    return facts._replace(usual_ratio=usual, min_coverage=0.0)


def saved_facts(directory: Path) -> TextFacts | None:
    """What a run took over from its base model, which may be gone; None before its first validation."""
    try:
        return load_bundle(directory).facts._replace(min_coverage=0.0)  # it is measured anew in the end
    except BundleError:
        return None
