"""What of an error rate is but spelling: transcripts with and without capitals and punctuation."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from interlingua.evaluation.metrics import Metric
from interlingua.evaluation.scores import evaluate

__all__ = ["plain", "score_plain"]

APOSTROPHES = str.maketrans("\u2019\u02bc", "''")


def plain(text: str) -> str:
    """A text in small letters, with spaces for all punctuation but apostrophes."""
    letters = unicodedata.normalize("NFC", text).translate(APOSTROPHES).casefold()
    kept = (" " if unicodedata.category(each)[0] == "P" and each != "'" else each for each in letters)
    return " ".join("".join(kept).split())


def score_plain(
    hypotheses: Sequence[str], pairs: Sequence[tuple[str, str]], metric: Metric, repeated: str
) -> float:
    """A score of answers and targets that are made `plain`; see `evaluate`."""
    answers = [plain(each) for each in hypotheses]
    targets = [(source, plain(target)) for source, target in pairs]
    return evaluate(answers, targets, metrics=[metric], repeated=repeated, n_bootstrap=0)[0].score
