"""What is usual in a model's own pairs, and which corrections are too far from it to be meant."""

from __future__ import annotations

import functools
import math
import statistics
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from interlingua.inference.translation import PairScore
from interlingua.inference.translator import Translator
from interlingua.kinds import UNK
from interlingua.runs.corrections import Correction
from interlingua.text.columns import COLUMN_END
from interlingua.text.facts import LEAST_CHARACTERS
from interlingua.text.normalise import normalise

__all__ = ["Usual", "build_checks"]

RARE_SCRIPT = 0.001
"""A script with fewer of the letters of the model's own targets is none of theirs."""
LOW, HIGH = 0.002, 0.998
"""Quantiles of own pairs; beyond them something is unusual."""
MARGIN = 1.25
"""A length may be so many times what those say."""
FEWEST_LETTERS = 20
"""Of fewer characters it is not told which language they are in."""
FEWEST_TOKENS = 4
"""Fewer are not judged by how probable they are: a new word alone may well be improbable."""
HALF = 0.5
IMPROBABLE, AT_MOST = 0.01, math.log(0.1)
"""A translation makes no sense to the model whose tokens are, in the median, less probable than those of all
but this share of the test set, and than one in ten. Of a good correction only what the model did not know is
improbable, and that is hardly most of it."""

COPY = "a copy of the source"
UNKNOWN = "symbols that the model cannot write"
SCRIPT = "another script than the model writes"
LANGUAGE = "in the language of the sources"
TOO_LONG, TOO_SHORT = "far too long for its source", "far too short for its source"
LETTERS = "letters as the model's targets never have them: keyboard noise, or another language"
NOISE = "most of it makes no sense to the model: noise, another language, or of another sentence"

Check = Callable[[Sequence[Correction]], Iterator[tuple[Correction, str]]]
Pair = tuple[str, str]


class Usual:
    """What own pairs of a model are like.

    Args:
        pairs: those of the test set, and others that it learnt from.
        scores: of the pairs of the test set, which the model has not learnt from.
    """

    def __init__(self, pairs: Sequence[Pair], scores: Sequence[PairScore]) -> None:
        targets = [target for _, target in pairs]
        scripts = Counter(script for text in targets for script in _scripts(text))
        self.scripts = {name for name, count in scripts.items() if count >= RARE_SCRIPT * scripts.total()}
        ratios = [len(target) / max(LEAST_CHARACTERS, len(_text(source))) for source, target in pairs]
        long = [ratio for ratio, (source, _) in zip(ratios, pairs, strict=True)
                if len(_text(source)) >= LEAST_CHARACTERS]  # fmt: skip
        self.longest_ratio = MARGIN * float(np.quantile(ratios, HIGH))
        self.shortest_ratio = float(np.quantile(long, LOW)) / MARGIN if long else 0.0
        self._sides = [_Trigrams(side) for side in zip(*pairs[::2], strict=True)]
        # Of pairs that were not counted: a text that was is more like its own side than another one.
        rest = [pair for pair in pairs[1::2] if min(map(len, pair)) >= FEWEST_LETTERS]
        fits = [(self.fit(0, _text(source)), self.fit(1, target), self.leaning(target))
                for source, target in rest]  # fmt: skip
        of_sources, of_targets, leaning = zip(*fits, strict=True) if fits else ((), (), ())
        self.least_source_fit = _far_below(of_sources, 0)
        self.least_fit = _far_below(of_targets, 2)
        self.least_leaning = min(0.0, _far_below(leaning, 0.5))
        medians = [self.sense(score) for score in scores if len(score.log_probs) > 1]
        self.least_sense = min(float(np.quantile(medians, IMPROBABLE)), AT_MOST) if medians else -math.inf

    def fit(self, side: int, text: str) -> float:
        """How much a text is like those of a side, nats a character; 0 is the side of the sources."""
        return self._sides[side].log_prob(text) / max(1, len(text))

    def share_known(self, text: str) -> float:
        """The share of a text's trigrams that own targets have; with few words any new one fits badly."""
        known = [part in self._sides[1].counts for part in _trigrams(text)]
        return sum(known) / max(1, len(known))

    def leaning(self, text: str) -> float:
        """By how much a text is more like targets than like sources, nats a character."""
        return self.fit(1, text) - self.fit(0, text)

    def sense(self, score: PairScore) -> float:
        """The median of the log-probabilities of the tokens of a translation, without its end."""
        return statistics.median(score.log_probs[:-1])


def build_checks(usual: Usual, translator: Translator) -> list[Check]:
    """The checks of corrections, from the cheapest to the dearest."""
    return [
        functools.partial(_check_copies, translator),
        functools.partial(_check_symbols, usual, translator),
        functools.partial(_check_lengths, usual),
        functools.partial(_check_language, usual, natural=translator.facts.natural),
        functools.partial(_check_noise, usual, translator),
    ]


def _check_copies(
    translator: Translator, corrections: Sequence[Correction]
) -> Iterator[tuple[Correction, str]]:
    """A copy is no translation, but where the model itself copies: then a user has approved of it."""
    copies = [each for each in corrections
              if normalise(_text(each.source), "text") == normalise(each.target, "text")]  # fmt: skip
    found = translator.translate([each.source for each in copies])
    for correction, translation in zip(copies, found, strict=True):
        if normalise(translation.text, "text") != normalise(correction.target, "text"):
            yield correction, COPY


def _check_symbols(
    usual: Usual, translator: Translator, corrections: Sequence[Correction]
) -> Iterator[tuple[Correction, str]]:
    """Most letters are of a script of own targets, or stand in the source as they are."""
    ids = translator.tokenizers.target.encode_batch([each.target for each in corrections])
    for correction, encoded in zip(corrections, ids, strict=True):
        scripts = _scripts(correction.target, without=correction.source)
        if sum(script not in usual.scripts for script in scripts) > len(scripts) / 2:
            yield correction, SCRIPT
        elif UNK in encoded:
            yield correction, UNKNOWN


def _check_lengths(usual: Usual, corrections: Sequence[Correction]) -> Iterator[tuple[Correction, str]]:
    for correction in corrections:
        source, length = len(_text(correction.source)), len(correction.target)
        if length > usual.longest_ratio * max(LEAST_CHARACTERS, source) + 1:
            yield correction, TOO_LONG
        elif source >= LEAST_CHARACTERS and length < usual.shortest_ratio * source:
            yield correction, TOO_SHORT


def _check_language(
    usual: Usual, corrections: Sequence[Correction], *, natural: bool
) -> Iterator[tuple[Correction, str]]:
    for correction in corrections:
        text = correction.target
        if not natural or len(text) < FEWEST_LETTERS:
            continue
        if usual.leaning(text) < usual.least_leaning and usual.fit(0, text) >= usual.least_source_fit:
            yield correction, LANGUAGE
        elif usual.fit(1, text) < usual.least_fit and usual.share_known(text) < HALF:
            yield correction, LETTERS


def _check_noise(
    usual: Usual, translator: Translator, corrections: Sequence[Correction]
) -> Iterator[tuple[Correction, str]]:
    scores = translator.score_pairs((each.source, each.target) for each in corrections)
    for correction, score in zip(corrections, scores, strict=True):
        if len(score.log_probs) > FEWEST_TOKENS and usual.sense(score) < usual.least_sense:
            yield correction, NOISE


def _far_below(values: Sequence[float], times: float) -> float:
    """What is below nearly all values by so many times as much as these are below their median."""
    if not values:
        return -math.inf
    low, middle = (float(np.quantile(values, share)) for share in (LOW, 0.5))
    return low - times * (middle - low)


class _Trigrams:
    """How probable texts are by their characters, three at a time."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.counts: Mapping[str, int] = Counter(part for text in texts for part in _trigrams(text))
        self.total, self.distinct = sum(self.counts.values()), len(self.counts) + 1

    def log_prob(self, text: str) -> float:
        """The sum over the text, in nats; what was never seen counts half an occurrence."""
        all_ = self.total + 0.5 * self.distinct
        return sum(math.log((self.counts.get(part, 0) + 0.5) / all_) for part in _trigrams(text))


def _trigrams(text: str) -> Iterator[str]:
    padded = f" {text.lower()} "
    return (padded[i : i + 3] for i in range(len(padded) - 2))


def _text(source: str) -> str:
    """The last column, which follows tags."""
    return source.rpartition(COLUMN_END)[2]


def _scripts(text: str, without: str = "") -> list[str]:
    """The script of each letter that does not stand in another text."""
    return [_script(character) for character in text if character.isalpha() and character not in without]


@functools.cache
def _script(letter: str) -> str:
    """Such as LATIN, by the first word of the letter's name."""
    return unicodedata.name(letter, "UNNAMED").partition(" ")[0]
