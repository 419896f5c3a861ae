"""How good runs are on the same pairs: overall, sentence by sentence, by length, by rare words, in pairs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from statistics import fmean

import numpy as np

from interlingua.evaluation.metrics import Metric, metric_named
from interlingua.evaluation.pair_classes import length_classes, rarity_classes
from interlingua.evaluation.references import Repeated, choose_repeated, lines_to_score
from interlingua.evaluation.resampling import Interval
from interlingua.evaluation.scores import compare, evaluate
from interlingua.evaluation.word_errors import WordErrors, count_word_errors
from interlingua.kinds import Symbols

__all__ = ["Bin", "Difference", "Quality", "RunQuality", "Sentence", "measure"]

MAX_EXTREMES = 8
"""The most sentences listed as worst, and as best."""
SINGLE_WORDS = "The sources are single words, so none of them is rarer than another in a sentence."
_RESAMPLES = 300  # of a bin: its interval is for the eye

Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Bin:
    """The score of some of the pairs by the first metric."""

    label: str
    pairs: int
    score: float
    low: float
    """The ends of the 95% interval."""
    high: float


@dataclass(frozen=True)
class Sentence:
    """A pair and what a run made of it."""

    source: str
    """Of a sound the name of its file, without the directory."""
    target: str
    output: str
    score: float
    """By Quality.sentence_metric."""


@dataclass(frozen=True)
class RunQuality:
    """How good one run is."""

    name: str
    scores: list[dict[str, object]]
    """In sacreBLEU's form."""
    by_length: list[Bin]
    by_rarity: list[Bin]
    worst: list[Sentence]
    best: list[Sentence]
    word_errors: WordErrors | None
    """Of transcripts: which words are wrong."""


@dataclass(frozen=True)
class Difference:
    """Two runs by one metric, by paired bootstrap resampling."""

    metric: str
    first: str
    second: str
    scores: tuple[float, float]
    low: float
    """The ends of the 95% interval of second - first."""
    high: float
    p_value: float
    winner: str | None
    """The better one where chance is improbable (p < 0.05)."""


@dataclass(frozen=True)
class Quality:
    """How good all runs are, on the same pairs."""

    test: str | None
    """What the test file is called; None: the pairs are those that the runs were validated on."""
    pairs: int
    metric: str
    """The first one, which the bins are by."""
    higher_is_better: bool
    sentence_metric: str
    unit: str
    """What the length of a source is counted in."""
    of_sound: bool
    """Whether sources are sounds or pictures; rare words are then those of the targets."""
    no_rarity: str | None
    """Why there is no quality by rare words."""
    runs: list[RunQuality]
    differences: list[Difference]


def measure(
    outputs: Mapping[str, Sequence[str]], pairs: Pairs, metrics: Sequence[Metric], *, test: str | None,
    train_sources: Iterable[str] | None, seconds: Sequence[float] | None = None,
    train_targets: Iterable[str] | None = None, of_pictures: bool = False,
) -> Quality:  # fmt: skip
    """Scores the outputs of every run.

    Args:
        outputs: of each run by its name, one for each pair.
        pairs: of the test or validation set.
        metrics: the one that decides first.
        test: what to call the test file; None for the validation set.
        train_sources: training sources, to know which words are rare; None when they are not at hand.
        seconds: of each source, where sources are names of sound files.
        train_targets: training targets, which tell rare words where sources are files.
        of_pictures: whether sources are names of picture files.

    Raises:
        DataError: there are no pairs.
    """
    sources = [source for source, _ in pairs]
    words = fmean([len(source.split()) for source in sources] or [0]) >= 2
    first = metrics[0]
    if seconds is not None:
        classes = length_classes([round(10 * each) for each in seconds], unit=0.1)
        rarity, no_rarity = rarity_classes([target for _, target in pairs], train_targets, "target")
        by_sentence = first
    elif of_pictures:
        classes = length_classes([len(target.split()) for _, target in pairs])
        rarity, no_rarity = rarity_classes([target for _, target in pairs], train_targets, "target")
        by_sentence = first
    else:
        classes = length_classes([len(source.split() if words else source) for source in sources])
        rarity, no_rarity = rarity_classes(sources, train_sources, "source") if words else ({}, SINGLE_WORDS)
        symbols: Symbols = getattr(first, "symbols", "characters")
        by_sentence = metric_named("symbol_error" if not first.higher_is_better else "chrF", symbols)
    repeated = choose_repeated(pairs)
    return Quality(
        test=test,
        pairs=len(pairs),
        metric=first.name,
        higher_is_better=first.higher_is_better,
        sentence_metric=by_sentence.name,
        unit="seconds" if seconds is not None else "words" if words or of_pictures else "characters",
        of_sound=seconds is not None or of_pictures,
        no_rarity=no_rarity,
        runs=[
            RunQuality(
                name,
                [score.as_json() for score in evaluate(output, pairs, metrics=metrics, repeated=repeated)],
                _bins(output, pairs, first, classes, repeated),
                _bins(output, pairs, first, rarity, repeated),
                *_extremes(output, pairs, by_sentence, repeated, seconds is not None or of_pictures),
                None if seconds is None else count_word_errors(lines_to_score(output, pairs, repeated)),
            )
            for name, output in outputs.items()
        ],
        differences=[
            difference
            for one, other in combinations(outputs, 2)
            for difference in _differences(one, other, outputs, pairs, metrics)
        ],
    )


def _bins(
    output: Sequence[str], pairs: Pairs, metric: Metric, classes: Mapping[str, list[int]], repeated: Repeated
) -> list[Bin]:
    bins = []
    for label, members in classes.items():
        chosen = [output[i] for i in members], [pairs[i] for i in members]
        (score,) = evaluate(*chosen, metrics=[metric], repeated=repeated, n_bootstrap=_RESAMPLES)
        interval = score.confidence or Interval(score.score, score.score, score.score)
        values = (round(value, 2) for value in (score.score, interval.low, interval.high))
        bins.append(Bin(label, len(members), *values))
    return bins


def _extremes(
    outputs: Sequence[str], pairs: Pairs, metric: Metric, repeated: Repeated, of_sound: bool
) -> tuple[list[Sentence], list[Sentence]]:
    """The worst and the best sentences; among equals the longer ones, which tell more."""
    sources = [source for source, _ in pairs]
    lines = lines_to_score(outputs, pairs, repeated)
    scores = metric.scores(metric.count(lines).rows)
    badness = -scores if metric.higher_is_better else scores
    sentences = [
        Sentence(
            Path(source).name if of_sound else source,
            output if output in references else " | ".join(references), output, score,
        )
        for source, output, references, score in zip(
            dict.fromkeys(sources) if repeated == "references" else sources,
            *lines, scores.round(1).tolist(), strict=True,
        )
    ]  # fmt: skip
    lengths = np.array([len(sentence.target) for sentence in sentences])
    orders = np.lexsort((-lengths, -badness)).tolist(), np.lexsort((-lengths, badness)).tolist()
    count = min(MAX_EXTREMES, len(sentences) // 2)
    worst, best = ([sentences[i] for i in ranked[:count]] for ranked in orders)
    return worst, best


def _differences(
    one: str, other: str, outputs: Mapping[str, Sequence[str]], pairs: Pairs, metrics: Sequence[Metric]
) -> list[Difference]:
    differences = []
    for comparison in compare(outputs[one], outputs[other], pairs, metrics=metrics):
        better = other if (comparison.score > comparison.baseline) == comparison.higher_is_better else one
        differences.append(
            Difference(
                comparison.name, one, other, (round(comparison.baseline, 2), round(comparison.score, 2)),
                round(comparison.difference.low, 2), round(comparison.difference.high, 2),
                round(comparison.p_value, 4), better if comparison.p_value < 0.05 else None,
            )
        )  # fmt: skip
    return differences
