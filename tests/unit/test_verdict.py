"""Whether a new model takes the old one's place: by which metrics, and how sure one must be."""

from __future__ import annotations

import pytest

from interlingua.evaluation.resampling import Interval
from interlingua.evaluation.scores import Comparison
from interlingua.runs.improvement import Verdict


def compared(name: str, before: float, after: float, low: float, high: float, p: float) -> Comparison:
    higher = name in ("BLEU", "chrF2")
    return Comparison(name, before, after, higher, Interval(after - before, low, high), p)


KEPT = [compared("BLEU", 36.0, 36.1, -0.3, 0.5, 0.6), compared("chrF2", 54.0, 54.1, -0.2, 0.4, 0.5)]
CHRF_BETTER = compared("chrF2", 34.8, 39.2, 2.6, 6.1, 0.001)


@pytest.mark.parametrize(
    ("test", "corrections", "accepted"),
    [
        (KEPT, [compared("BLEU", 11.3, 13.2, -0.6, 4.8, 0.2), CHRF_BETTER], True),
        (KEPT, [compared("BLEU", 11.3, 11.2, -2.6, 2.8, 0.9), CHRF_BETTER], False),  # no worse by BLEU
        (KEPT, [compared("BLEU", 11.3, 15.2, 1, 7, 0.01), compared("chrF2", 34.8, 35.2, -1, 2, 0.4)], False),
        ([compared("BLEU", 36.0, 35.9, -0.6, 0.5, 0.6)], [CHRF_BETTER], False),
        ([compared("WER", 5.0, 5.2, -0.1, 0.4, 0.3)], [compared("WER", 20.0, 12.0, -12, -4, 0.01)], True),
        ([compared("WER", 5.0, 5.2, -0.1, 0.6, 0.3)], [compared("WER", 20.0, 12.0, -12, -4, 0.01)], False),
        ([compared("WER", 5.0, 5.2, -0.1, 0.4, 0.3)], [compared("WER", 20.0, 28.0, 4, 12, 0.01)], False),
    ],
)  # fmt: skip
def test_nothing_lost_and_corrections_better(
    test: list[Comparison], corrections: list[Comparison], accepted: bool
) -> None:
    verdict = Verdict(test, corrections)
    assert verdict.accepted == accepted
    assert ("takes the old one's place" in str(verdict)) == accepted
    assert f"({verdict.telling.name} {verdict.telling.baseline:.2f} →" in str(verdict)
