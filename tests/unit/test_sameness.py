"""Models that say the same of everything are told."""

from __future__ import annotations

import pytest

from interlingua.evaluation.sameness import same_output


@pytest.mark.parametrize(("same", "told"), [(5, False), (29, False), (30, True), (100, True)])
def test_one_output_for_many_sources_is_told(same: int, told: bool) -> None:
    targets = [f"caption {number}" for number in range(100)]
    outputs = ["a cat"] * same + targets[same:]
    assert same_output(outputs, targets) == (("a cat", same) if told else None)


def test_what_targets_say_as_often_is_right() -> None:
    targets = ["yes"] * 60 + ["no"] * 40
    assert same_output(["yes"] * 100, targets) is None
    assert same_output(["a"] * 19, [*"abcdefghijklmnopqrs"]) is None
