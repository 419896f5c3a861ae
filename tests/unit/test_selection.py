"""The best validation so far, and the patience with worse ones."""

from __future__ import annotations

import json
import math

from interlingua.runs.selection import Selection


def test_the_best_is_kept_and_the_later_of_equals() -> None:
    selection = Selection(patience=2)
    assert [selection.add(score, step) for step, score in enumerate([1.0, 3.0, 2.0, 3.0, math.nan])] == [
        True, True, False, True, False,
    ]  # fmt: skip
    assert (selection.best_score, selection.best_step, selection.without_better) == (3.0, 3, 3)


def test_where_the_latest_is_asked_for_it_is_taken_whatever_its_score() -> None:
    selection = Selection(patience=9, latest=True)
    assert all(selection.add(score, step) for step, score in enumerate([-1.0, -0.5, -0.6, math.nan]))
    assert selection.add(-2.0, 4, acceptable=False)
    assert (selection.best_score, selection.best_step) == (-0.5, 4)
    assert selection.without_better == 3


def test_patience_ends_after_so_many_without_a_better_one() -> None:
    patient, endless = Selection(patience=2), Selection(patience=0)
    ended = []
    for score in (5.0, 4.0, 4.5):
        patient.add(score, 1)
        endless.add(score, 1)
        ended.append(patient.patience_ended)
    assert ended == [False, False, True]
    assert not endless.patience_ended


def test_an_equal_score_is_taken_but_waited_through() -> None:
    selection = Selection(patience=3)
    taken = [selection.add(score, step) for step, score in enumerate([0.0, 0.0, 0.0, 0.0])]
    assert taken == [True] * 4
    assert selection.best_step == 3
    assert selection.patience_ended
    selection.wait_anew()
    assert not selection.patience_ended
    assert selection.best_score == 0.0


def test_while_nothing_is_right_a_lower_loss_is_waited_for() -> None:
    selection = Selection(patience=2)
    for step, loss in enumerate([3.0, 2.5, 2.6, 2.4], start=1):
        assert selection.add(-100.0, step, loss=loss)
        assert not selection.patience_ended
    selection.add(-99.0, 5)
    selection.add(-99.0, 6)
    assert not selection.patience_ended
    selection.add(-99.0, 7)
    assert selection.patience_ended
    hopeless = Selection(patience=2)
    for step in range(3):
        hopeless.add(-100.0, step, loss=3.0)
    assert hopeless.patience_ended


def test_a_selection_goes_on_from_its_state() -> None:
    for scores in ([], [2.0, 1.0]):
        selection = Selection(patience=3)
        for step, score in enumerate(scores, start=1):
            selection.add(score, step, loss=score)
        again = Selection(patience=3)
        again.restore(json.loads(json.dumps(selection.state(), allow_nan=False)))
        assert again == selection
