"""Metrics: each turns lines into rows of counts, and sums of such rows into a score.

That the score depends on the sums alone is what makes resampling cheap: a resample is a weighted sum of rows.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from rapidfuzz.distance import Levenshtein
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from interlingua.errors import ConfigurationError, nearest
from interlingua.evaluation.references import Lines
from interlingua.evaluation.tasks import recognise_task
from interlingua.kinds import Symbols
from interlingua.text.facts import TextFacts
from interlingua.text.tokenizer import TokenizerPair
from interlingua.version import __version__

__all__ = [
    "Counts",
    "Floats",
    "Metric",
    "bleu",
    "character_error",
    "chrf",
    "metric_named",
    "sequence_error",
    "symbol_error",
    "task_metrics",
    "word_error",
]

Floats = npt.NDArray[np.float64]


class Counts(NamedTuple):
    """What a metric counted.

    Attributes:
        rows: (lines, counts), one row a line.
        reference_count: references per line; None when lines differ in it.
    """

    rows: Floats
    reference_count: int | None


class Metric(Protocol):
    """A number between 0 and 100 (or above, for symbol error) that depends on sums of counts."""

    name: str
    higher_is_better: bool

    def count(self, lines: Lines) -> Counts:
        """Counts what the score is made of, line by line."""

    def scores(self, sums: Floats) -> Floats:
        """Scores (resamples, counts) sums: (resamples,)."""

    def signature(self, counts: Counts, n_bootstrap: int, seed: int) -> str:
        """What has to be known to compare the score with others, as `key:value|key:value`."""

    def details(self, sums: Floats) -> str:
        """The numbers behind the score of (counts,) sums, for people."""


class _SacreBLEU:
    """One of sacreBLEU's metrics, by the methods that it prescribes for all of them."""

    higher_is_better = True

    def __init__(self, name: str, metric: BLEU | CHRF) -> None:
        self.name, self._metric = name, metric

    def count(self, lines: Lines) -> Counts:
        most = max(map(len, lines.references))
        # sacreBLEU takes streams, the first references of all lines and so on; None where a line has no more.
        streams = [
            [references[i] if i < len(references) else None for references in lines.references]
            for i in range(most)
        ]
        rows = self._metric._extract_corpus_statistics(lines.hypotheses, streams)  # type: ignore[arg-type]
        return Counts(np.array(rows, dtype=np.float64), _reference_count(lines))

    def scores(self, sums: Floats) -> Floats:
        return np.array([self._compute(row).score for row in sums], dtype=np.float64)

    def signature(self, counts: Counts, n_bootstrap: int, seed: int) -> str:
        metric: Any = self._metric
        metric.num_refs = -1 if counts.reference_count is None else counts.reference_count
        metric.n_bootstrap, metric.seed = (n_bootstrap, seed) if n_bootstrap else (None, None)
        return str(metric.get_signature().format())

    def details(self, sums: Floats) -> str:
        return str(self._compute(sums)._verbose)

    def _compute(self, sums: Floats) -> Any:
        return self._metric._compute_score_from_stats(sums.astype(np.int64).tolist())


def bleu(tokenize: str = "13a") -> Metric:
    """BLEU (Papineni et al. 2002) as sacreBLEU computes it (Post 2018).

    Args:
        tokenize: sacreBLEU's tokenizer; "13a" is its default, "zh", "ja-mecab" and others fit languages
            without spaces.

    Raises:
        ConfigurationError: sacreBLEU has no such tokenizer.
    """
    if tokenize not in BLEU.TOKENIZERS:
        raise ConfigurationError(
            "unknown BLEU tokenizer", found=tokenize, accepted=nearest(tokenize, BLEU.TOKENIZERS)
        )
    # force only keeps the advice about tokenized text from being logged.
    return _SacreBLEU("BLEU", BLEU(tokenize=tokenize, force=True))


def chrf() -> Metric:
    """chrF2 (Popović 2015) as sacreBLEU computes it: character n-grams up to 6, recall counts twice."""
    return _SacreBLEU("chrF2", CHRF())


Errors = Callable[[list[str], list[list[str]]], tuple[int, int]]
"""From the symbols of a hypothesis and of its references to (errors, opportunities)."""


class _ErrorRate:
    """100 x errors / opportunities, over rows of (errors, opportunities)."""

    higher_is_better = False

    def __init__(self, name: str, symbols: Symbols, count_errors: Errors) -> None:
        self.name = name
        self.symbols: Symbols = symbols
        self._count_errors = count_errors

    def count(self, lines: Lines) -> Counts:
        rows = [
            self._count_errors(self._split(hypothesis), [self._split(reference) for reference in references])
            for hypothesis, references in zip(lines.hypotheses, lines.references, strict=True)
        ]
        return Counts(np.array(rows, dtype=np.float64), _reference_count(lines))

    def scores(self, sums: Floats) -> Floats:
        # Nothing but empty references: every edit counts as if there were one symbol.
        rates: Floats = 100 * sums[:, 0] / np.maximum(sums[:, 1], 1)
        return rates

    def signature(self, counts: Counts, n_bootstrap: int, seed: int) -> str:
        references = "var" if counts.reference_count is None else counts.reference_count
        resampling = f"bs:{n_bootstrap}|seed:{seed}|" if n_bootstrap else ""
        # Like sacreBLEU's own, so that its readers can take it apart.
        return f"nrefs:{references}|{resampling}symbols:{self.symbols}|norm:NFC|version:{__version__}"

    def details(self, sums: Floats) -> str:
        return f"{sums[0]:.0f}/{sums[1]:.0f}"

    def _split(self, text: str) -> list[str]:
        # Canonically equivalent strings are the same text: the model writes NFC, the file may not.
        text = unicodedata.normalize("NFC", text)
        return text.split() if self.symbols == "words" else list(text)


def sequence_error(symbols: Symbols = "characters") -> Metric:
    """100 - percentage of lines that equal any of their references, symbol by symbol.

    For pronunciations this is what the literature calls word error.
    """
    return _ErrorRate("sequence_error", symbols, _differs_from_all)


def symbol_error(symbols: Symbols = "characters") -> Metric:
    """Edits (Levenshtein) per 100 symbols of the nearest reference.

    Nearest is the reference that needs the fewest edits, and the longest one among equals.
    """
    return _ErrorRate("symbol_error", symbols, _edits_to_nearest)


def word_error() -> Metric:
    """WER: edits per 100 words of the nearest reference, as recognisers of speech are compared by."""
    return _ErrorRate("WER", "words", _edits_to_nearest)


def character_error() -> Metric:
    """CER: the same in characters, spaces among them."""
    return _ErrorRate("CER", "characters", _edits_to_nearest)


def metric_named(name: str, symbols: Symbols = "characters") -> Metric:
    """Returns a metric by name, in any case: BLEU, chrF, WER, CER, sequence_error or symbol_error.

    Raises:
        ConfigurationError: there is no metric of that name.
    """
    metrics: dict[str, Metric] = {
        "BLEU": bleu(),
        "chrF": chrf(),
        "WER": word_error(),
        "CER": character_error(),
        "sequence_error": sequence_error(symbols),
        "symbol_error": symbol_error(symbols),
    }
    for known, metric in metrics.items():
        if name.lower() in (known.lower(), metric.name.lower()):
            return metric
    raise ConfigurationError("unknown metric", found=name, accepted=nearest(name, metrics))


def task_metrics(
    targets: Iterable[str], tokenizers: TokenizerPair, facts: TextFacts | None = None
) -> list[Metric]:
    """The metrics that fit a task, the one that decides first.

    Args:
        targets: of the task.
        tokenizers: of the model; where that of the targets does not say what outputs are compared by, the
            targets tell.
        facts: of its training pairs; they say of sounds whether they are transcribed or translated.
    """
    codec = tokenizers.target
    if tokenizers.source.kind == "sound" and not (facts and facts.translates):
        return [word_error(), character_error(), sequence_error("words")]
    task = recognise_task(targets)
    if task.headline == "sequence_error" or codec.compared_by is not None:
        symbols = codec.compared_by or task.symbols
        return [metric_named(name, symbols) for name in ("sequence_error", "symbol_error")]
    return [metric_named(name) for name in sorted(("BLEU", "chrF"), key=lambda name: name != task.headline)]


def _reference_count(lines: Lines) -> int | None:
    numbers = {len(references) for references in lines.references}
    return numbers.pop() if len(numbers) == 1 else None


def _differs_from_all(hypothesis: list[str], references: list[list[str]]) -> tuple[int, int]:
    return int(hypothesis not in references), 1


def _edits_to_nearest(hypothesis: list[str], references: list[list[str]]) -> tuple[int, int]:
    return min(
        ((Levenshtein.distance(hypothesis, reference), len(reference)) for reference in references),
        key=lambda row: (row[0], -row[1]),
    )
