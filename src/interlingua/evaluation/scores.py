"""Scores with their signatures and intervals, and whether a difference is more than chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from interlingua.evaluation.metrics import Metric, metric_named
from interlingua.evaluation.references import choose_repeated, lines_to_score
from interlingua.evaluation.resampling import Interval, p_value, resample
from interlingua.evaluation.tasks import recognise_task

__all__ = ["Comparison", "Score", "compare", "default_metrics", "evaluate"]

_SEED = 12345  # sacreBLEU's own, so that its intervals are met exactly


@dataclass(frozen=True)
class Score:
    """One metric's verdict on one system."""

    name: str
    score: float
    signature: str
    higher_is_better: bool
    details: str
    confidence: Interval | None = None
    """95% bootstrap interval; None when no resampling was asked for."""

    def as_json(self) -> dict[str, object]:
        """The score in sacreBLEU's JSON form, plus the ends of its interval and its direction."""
        form: dict[str, object] = {
            "name": self.name,
            "score": round(self.score, 2),
            "signature": self.signature,
        }
        if self.confidence is not None:
            mean, half_width = round(self.confidence.mean, 2), round(self.confidence.half_width, 2)
            form |= {
                "confidence_mean": mean,
                "confidence_var": half_width,
                "confidence": f"μ = {mean:.2f} ± {half_width:.2f}",
                "confidence_low": round(self.confidence.low, 2),
                "confidence_high": round(self.confidence.high, 2),
            }
        if self.details:
            form["verbose_score"] = self.details
        form["higher_is_better"] = self.higher_is_better
        return form | dict(part.split(":", 1) for part in self.signature.split("|"))


@dataclass(frozen=True)
class Comparison:
    """Two systems by one metric, on the same lines."""

    name: str
    baseline: float
    score: float
    higher_is_better: bool
    difference: Interval
    """Of score - baseline over paired resamples: their mean and the middle 95%."""
    p_value: float


def evaluate(
    hypotheses: Sequence[str],
    pairs: Sequence[tuple[str, str]],
    *,
    metrics: Sequence[Metric] | None = None,
    repeated: str = "auto",
    n_bootstrap: int = 1000,
    seed: int = _SEED,
) -> list[Score]:
    """Scores the answers of a system.

    Args:
        hypotheses: one answer for each pair, in the pairs' order.
        pairs: sources and targets.
        metrics: what to compute; `default_metrics(pairs)` when None.
        repeated: what pairs with the same source are to every metric: "references" of one line, "cases" of
            their own, or what `choose_repeated` makes of the pairs.
        n_bootstrap: resamples for the 95% interval; 0 for none.
        seed: of the resampling.

    Raises:
        DataError: there are no pairs, or not one hypothesis for each.
    """
    lines = lines_to_score(hypotheses, pairs, choose_repeated(pairs, repeated))
    scores = []
    for metric in default_metrics(pairs) if metrics is None else metrics:
        counts = metric.count(lines)
        total = counts.rows.sum(axis=0)
        confidence = None
        if n_bootstrap:
            (sums,) = resample([counts.rows], n_bootstrap, seed)
            confidence = Interval.of(metric.scores(sums))
        scores.append(
            Score(
                name=metric.name,
                score=float(metric.scores(total[np.newaxis])[0]),
                signature=metric.signature(counts, n_bootstrap, seed),
                higher_is_better=metric.higher_is_better,
                details=metric.details(total),
                confidence=confidence,
            )
        )
    return scores


def compare(
    baseline: Sequence[str],
    hypotheses: Sequence[str],
    pairs: Sequence[tuple[str, str]],
    *,
    metrics: Sequence[Metric] | None = None,
    repeated: str = "auto",
    n_bootstrap: int = 1000,
    seed: int = _SEED,
) -> list[Comparison]:
    """Tells by paired bootstrap resampling whether a system differs from a baseline by more than chance.

    Args are those of `evaluate`, with `baseline` the other system's answers and `n_bootstrap` at least 1.

    Raises:
        DataError: there are no pairs, or not one hypothesis of each system for each.
    """
    chosen = choose_repeated(pairs, repeated)
    lines = [lines_to_score(answers, pairs, chosen) for answers in (baseline, hypotheses)]
    comparisons = []
    for metric in default_metrics(pairs) if metrics is None else metrics:
        rows = [metric.count(of_system).rows for of_system in lines]
        before, after = (float(metric.scores(array.sum(axis=0)[np.newaxis])[0]) for array in rows)
        resampled_before, resampled_after = (
            metric.scores(sums) for sums in resample(rows, n_bootstrap, seed)
        )
        differences = resampled_after - resampled_before
        comparisons.append(
            Comparison(
                name=metric.name,
                baseline=before,
                score=after,
                higher_is_better=metric.higher_is_better,
                difference=Interval.of(differences),
                p_value=p_value(differences, after - before),
            )
        )
    return comparisons


def default_metrics(pairs: Sequence[tuple[str, str]]) -> list[Metric]:
    """All four metrics, the task's headline first."""
    task = recognise_task(target for _, target in pairs)
    names = ["BLEU", "chrF", "sequence_error", "symbol_error"]
    names.sort(key=lambda name: name != task.headline)
    return [metric_named(name, task.symbols) for name in names]
