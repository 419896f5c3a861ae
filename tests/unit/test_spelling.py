"""Error rates apart from capitals and punctuation."""

from __future__ import annotations

import pytest

from interlingua.evaluation.metrics import metric_named
from interlingua.evaluation.spelling import plain, score_plain


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Hello, World!", "hello world"),
        ("DON\u2019T stop\u2014now\u2026", "don't stop now"),
        ("\u00bfQu\u00e9 tal? E\u0301t\u00e9", "qu\u00e9 tal \u00e9t\u00e9"),
        ("\u4f60\u597d\u3002", "\u4f60\u597d"),
        ("3 + 4 = 7", "3 + 4 = 7"),
        ("...", ""),
        ("", ""),
    ],
)
def test_plain_texts_keep_their_words(text: str, said: str) -> None:
    assert plain(text) == said
    assert plain(said) == said


def test_another_style_is_no_error_of_hearing() -> None:
    pairs = [("a.wav", "La, DO."), ("b.wav", "Mi."), ("c.wav", "...")]
    word_error = metric_named("WER", "words")
    assert score_plain(["la do", "so", ""], pairs, word_error, "cases") == pytest.approx(100 / 3)
    assert score_plain(["la do", "mi", ""], pairs, word_error, "references") == 0
