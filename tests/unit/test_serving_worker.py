"""What a worker does with a batch: alternatives beside the best, and texts that nobody waits for any more."""

from __future__ import annotations

from typing import Any

import pytest

from interlingua.serving.pool.worker import _translate, _Watch
from tests.unit.test_translator import texts
from tests.unit.test_translator import translator as translator  # a fixture

OPTIONS: list[dict[str, Any]] = [
    {}, {"beam": 1}, {"beam": 4}, {"sample": True, "seed": 3}, {"glossary": True}, {"length_penalty": 0.0}
]  # fmt: skip


def answer(translator, some, options, drop: int | None = None) -> tuple[list[dict[str, Any]], int]:
    """A worker's answers, and how many steps the first text took."""
    options = dict(options)
    terms = {"a": "e"} if options.pop("glossary", False) else {}
    task = {
        "number": 1, "texts": some, "glossaries": [terms] * len(some), "watched": [0], "draft_s": 0,
        "options": options, "detail": False,
    }  # fmt: skip
    steps = 0

    class Counting(_Watch):
        def __call__(self, numbers, drafts):
            nonlocal steps
            steps += (0, 0) in drafts()
            if drop is not None:
                self.unwanted = frozenset({drop})
            return super().__call__(numbers, drafts)

    return _translate(translator, task, Counting(task, lambda _: None), range(len(some))), steps


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("count", [1, 3, 7])
def test_alternatives_change_no_translation(translator, options, count):
    some = [text for text in texts(12) if text.strip()]
    alone, _ = answer(translator, some, options)
    found, _ = answer(translator, some, {**options, "n_best": count + 1})
    assert [each["text"] for each in found] == [each["text"] for each in alone]
    for each in found:
        others = [other["text"] for other in each["alternatives"]]
        assert len(others) <= count
        assert others or options.get("sample") or options.get("glossary")
        if count + 1 > options.get("beam", 2):
            assert each["text"] not in others


@pytest.mark.parametrize("options", [{"beam": 1}, {"beam": 3}, {"sample": True}, {"beam": 1, "n_best": 3}])
def test_a_text_that_nobody_waits_for_leaves_the_batch(translator, options):
    some = ["a b c d e a b c d e", "a", "b c"]
    whole, all_steps = answer(translator, some, options)
    assert all_steps > 3
    without, steps = answer(translator, some, options, drop=0)
    assert without[1:] == whole[1:]
    assert steps <= 2 * (1 + ("n_best" in options))  # searches
    assert len(answer(translator, some[:1], options, drop=0)[0]) == 1


def test_a_text_that_stands_twice_stays_while_somebody_waits(translator):
    whole, _ = answer(translator, ["a b c d e", "a b c d e"], {})
    assert answer(translator, ["a b c d e", "a b c d e"], {}, drop=0)[0] == whole
