"""A budget of minutes is a promise about the whole process."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from interlingua.errors import ConfigurationError
from interlingua.evaluation.metrics import metric_named
from interlingua.evaluation.scores import evaluate
from interlingua.runs.events import Note, Validated
from interlingua.runs.machine import Pace
from interlingua.runs.run import start
from interlingua.runs.trainer import Trainer
from interlingua.runs.validation import Validation, Validator
from interlingua.settings import merge
from interlingua.training.schedule import Clock, TimeBudget
from tests.tiny import tiny_values, train_tiny, write_reversals


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_reversals(tmp_path_factory.mktemp("data") / "pairs.tsv", 300)


def test_a_time_that_was_over_before_training_is_a_clear_mistake(pairs, tmp_path):
    out = tmp_path / "out"
    values = tiny_values(pairs, minutes=1)
    with pytest.raises(ConfigurationError, match="over before training could begin") as error:
        list(start(values, out, started=time.monotonic() - 100))
    assert "60 s were given" in str(error.value)
    assert not out.exists()


def test_an_earlier_run_survives_a_time_that_was_over(pairs, tmp_path):
    out = tmp_path / "out"
    train_tiny(out, pairs, max_steps=2)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    with pytest.raises(ConfigurationError, match="over before"):
        list(start(tiny_values(pairs, minutes=1), out, force=True, started=time.monotonic() - 100))
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


@pytest.fixture
def hurry(monkeypatch) -> Callable[[float], None]:
    """Has training find so many seconds left, however long the machine takes to get ready for it."""

    def leave(seconds: float) -> None:
        def train(self, stopped):
            self.clock.started += time.monotonic() + seconds - self.budget.ends_at
            return (yield from whole(self, stopped))

        monkeypatch.setattr(Trainer, "train", train)

    whole = Trainer.train
    monkeypatch.setattr("interlingua.runs.recipes.measure_pace", lambda *_: Pace(10_000.0))
    return leave


def test_what_preparing_left_of_the_time_is_said_before_training(pairs, tmp_path, hurry):
    hurry(1.0)
    values = tiny_values(pairs, minutes=60)
    events = list(start(values, tmp_path / "out", started=time.monotonic() - 40 * 60))
    said = [event.text for event in events if isinstance(event, Note) and event.warning]
    assert any("are left for training" in text and "of the 3600 s" in text for text in said)
    assert any("only" in text and "updates" in text for text in said) == (events[-1].step < 100)


@pytest.mark.parametrize("steps", [3, 100])
def test_a_model_of_a_handful_of_updates_says_so(pairs, tmp_path, steps):
    events = train_tiny(tmp_path / "out", pairs, max_steps=steps)
    (said,) = (event for event in events if isinstance(event, Note) and event.text.startswith("only"))
    assert said.text.startswith(f"only {steps} updates: ")
    assert said.warning == (steps == 3)  # later it is advice


def test_few_updates_are_enough_where_nothing_is_wrong(tmp_path):
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("".join(f"{number}\tx\n" for number in range(200)))
    (*events, ended) = train_tiny(tmp_path / "out", pairs, max_steps=150, learning_rate=0.01)
    assert ended.scores[0]["score"] == 0
    assert not any(isinstance(event, Note) and event.text.startswith("only") for event in events)


def test_validations_of_unequal_time_are_compared_on_the_pairs_that_both_have(pairs, tmp_path, monkeypatch):
    """The last has more wrong than the second, but on the pairs of both it has fewer."""
    rights = iter([[0, 0, 1, 1, 1], [1, 1, 0], [1, 0, 0, 1], [1, 1, 1, 0, 0]])
    validate = Validator.validate

    def pretend(self, *args) -> Validation:
        right = next(rights)
        outputs = [self.store.target_text(i) if ok else "?" for ok, i in zip(right, self.order, strict=False)]
        (score, *_) = evaluate(
            outputs,
            [("", self.store.target_text(i)) for i in self.order[: len(right)]],
            metrics=[metric_named("sequence_error")],
            repeated="cases",
            n_bootstrap=0,
        )
        found = validate(self, *args)
        return found._replace(scores=[score], outputs=tuple(outputs), pairs=len(right))

    monkeypatch.setattr(Validator, "validate", pretend)
    events = train_tiny(tmp_path / "out", pairs, max_steps=8, validations=4)
    assert [event.best for event in events if isinstance(event, Validated)] == [True, True, False, True]


@pytest.mark.parametrize("with_score", [3.0, None])
def test_what_there_was_no_time_to_translate_is_judged_by_its_loss(pairs, tmp_path, monkeypatch, with_score):
    losses = iter([3.0, 2.0, 2.5, 1.5])
    validate = Validator.validate

    def pretend(self, *args) -> Validation:
        found = validate(self, *args)._replace(loss=(loss := next(losses)))
        return found if loss == with_score else found._replace(scores=[], outputs=(), pairs=0)

    monkeypatch.setattr(Validator, "validate", pretend)
    events = train_tiny(tmp_path / "out", pairs, max_steps=8, validations=4)
    assert [event.best for event in events if isinstance(event, Validated)] == [True, True, False, True]


def test_no_update_is_begun_that_would_not_end_in_time():
    budget = TimeBudget(100.0, Clock(90.0, time.monotonic()))
    budget.reserve_s = 5.0
    assert budget.progress(1) < 1
    budget.step_s = 6.0
    assert budget.progress(1) == 1


def test_a_run_without_time_for_scoring_says_of_how_many_pairs_its_scores_are(pairs, tmp_path, hurry):
    hurry(0.5)
    out = tmp_path / "out"
    values = merge(tiny_values(pairs, minutes=60), {"data": {"valid_share": 0.3}})
    events = list(start(values, out))
    info = json.loads((out / "info.json").read_text())
    assert info["validation_pairs"] < 80
    assert any("there was no time for more" in event.text for event in events if isinstance(event, Note))


def test_a_budget_of_updates_takes_its_time_for_scoring(pairs, tmp_path, monkeypatch):
    asked, score = [], Validator.score

    def noted(self, model, *ends_at):
        asked.extend(ends_at)
        return score(self, model, *ends_at)

    monkeypatch.setattr(Validator, "score", noted)
    train_tiny(tmp_path / "out", pairs, max_steps=2)
    assert asked == [math.inf, math.inf]  # for translating, and for looking at attention


def test_the_last_validation_is_left_out_right_after_another(pairs, tmp_path, hurry, monkeypatch):
    hurry(1.0)
    trainers, validate = [], Trainer.validate

    def noted(self, progress, stopped=None):
        trainers.append(self)
        return validate(self, progress, stopped)

    monkeypatch.setattr(Trainer, "validate", noted)
    list(start(tiny_values(pairs, minutes=60), tmp_path / "out"))
    trainer = trainers[0]
    trainer.validations_done, trainer.last_validation_took_s = 0, 600.0
    trainer.last_validation_ended_s = trainer.clock() - 300
    assert not trainer._validation_due(1.0)
    trainer.last_validation_ended_s = trainer.clock() - 700
    assert trainer._validation_due(1.0)
    assert not trainer._validation_due(0.99)
