"""Training further on new pairs without losing the old ones: what is compared, kept and resumed."""

from __future__ import annotations

import dataclasses
import json
import math
import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest
import torch

from interlingua.errors import ConfigurationError
from interlingua.evaluation.scores import Score
from interlingua.inference.bundle import read_info
from interlingua.runs import candidates
from interlingua.runs.events import Ended, Note, Raced, Validated
from interlingua.runs.fine_tuning import other_languages
from interlingua.runs.race import Racer, Standing, load_standing
from interlingua.runs.run import start
from interlingua.runs.validation import Validation, Validator
from interlingua.settings import merge
from tests.system.conftest import call
from tests.tiny import last_checkpoint, resume_tiny, tiny_values, train_tiny, weights, write_reversals


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model and, beside it, its own pairs and new ones."""
    directory = tmp_path_factory.mktemp("base")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INTERLINGUA_CACHE", str(directory / "cache"))
        torch.manual_seed(0)
        torch.set_num_threads(1)
        old = write_reversals(directory / "old.tsv", 400)
        write_reversals(directory / "new.tsv", 120, seed=5, letters="fgh", longest=9)
        train_tiny(directory / "model", old, max_steps=60, learning_rate=0.01)
    return directory


def further(base: Path, **training: Any) -> dict[str, Any]:
    values = tiny_values(base / "new.tsv", **{"max_steps": 20, "decode_pairs": 40, **training})
    return {
        "data": {"train": str(base / "new.tsv"), "mix": str(base / "old.tsv")},
        "training": values["training"], "base_model": str(base / "model"),
    }  # fmt: skip


def test_the_base_model_is_scored_first_on_new_and_on_old_pairs(base: Path, tmp_path: Path) -> None:
    events = list(start(further(base), tmp_path / "run"))
    first, *rest = (event for event in events if isinstance(event, Validated))
    assert first.step == 0
    assert rest
    for event in (first, *rest):
        assert event.metrics.keys() == event.old_metrics.keys() != set()
    logged = [json.loads(line) for line in (tmp_path / "run/training/log.jsonl").read_text().split("\n")[:-1]]
    (validated, *_) = (line for line in logged if line["event"] == "validated")
    assert (validated["step"], validated["old_metrics"]) == (0, first.old_metrics)
    info = read_info(tmp_path / "run")
    assert info["base_comparison"]["base"] == {"metrics": first.metrics, "old_metrics": first.old_metrics}
    assert {corpus["name"] for corpus in info["data"]["corpora"]} == {
        str(base / "new.tsv"), str(base / "old.tsv")
    }  # fmt: skip
    assert set(info["scores_by_corpus"]) == {str(base / "new.tsv"), str(base / "old.tsv")}
    parts = info["data"]["corpora"]
    assert abs(parts[0]["seen"] - parts[1]["seen"]) <= 1  # a half of what is seen is old
    for view in ("info", "report"):
        shown = call(view, tmp_path / "run", *(["--json"] if view == "report" else []))
        assert shown.code == 0, shown.err
        assert "from the base model to the saved one" in " ".join(shown.out.split())


def assert_alike(one: Path, other: Path) -> None:
    """Weights and checkpoints of two runs, bit by bit."""
    for kind in (weights, last_checkpoint):
        ours, theirs = kind(one), kind(other)
        assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_ten_steps_and_ten_more_are_twenty(base: Path, tmp_path: Path) -> None:
    list(start(further(base), tmp_path / "whole"))
    events = start(further(base), tmp_path / "halves")
    for event in events:
        if isinstance(event, Validated) and event.step == 10:
            break
    events.close()
    resume_tiny(tmp_path / "halves")
    assert_alike(tmp_path / "halves", tmp_path / "whole")
    compared = [read_info(tmp_path / name)["base_comparison"] for name in ("whole", "halves")]
    assert compared[0] == compared[1]


def pretend(
    monkeypatch: pytest.MonkeyPatch, found: list[tuple[float, float]], *, fewer: bool = False
) -> list[Validation]:
    """Has validations find (new, old) scores in turn, the last one for ever."""
    validate, seen = Validator.validate, list[Validation]()

    def score(like: Score, value: float) -> Score:
        return dataclasses.replace(like, score=value, higher_is_better=True)

    def validated(self: Validator, *arguments: Any) -> Validation:
        new, old = found[min(len(seen), len(found) - 1)]
        real = validate(self, *arguments)
        scores = [score(real.scores[0], new)]
        old_scores = [score(real.old_scores[0], old)]
        seen.append(real._replace(scores=scores, old_scores=old_scores, by_loss=False))
        return seen[-1]

    monkeypatch.setattr(Validator, "validate", validated)
    return seen


@pytest.mark.parametrize(
    ("found", "best_step"),
    [
        ([(10, 30), (20, 21), (30, 5)], 10),  # of so few pairs, what two of them make may be lost by chance
        ([(10, 30), *[(20, 10)] * 3, (30, 30)], 20),  # whole, half and a quarter of the way
        ([(10, 30), (20, 30), (20, 25)], 10),  # of the same on new pairs, what keeps the old ones better
        ([(10, 30), (20, 10), (30, 10)], 0),  # so the base model it is
        ([(10, 30), (9, 40), (8, 40)], 0),  # better on old pairs is no aim
    ],
)
def test_what_is_saved_is_no_worse_on_old_pairs(
    found: list[tuple[float, float]], best_step: int, base: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    pretend(monkeypatch, found)
    events = list(start(further(base), tmp_path / "run"))
    ended = events[-1]
    assert isinstance(ended, Ended)
    assert ended.best_step == best_step
    best = [event.step for event in events if isinstance(event, Validated) and event.best]
    assert best[-1] == best_step
    notes = [event.text for event in events if isinstance(event, Note)]
    assert any("lost too much on the old pairs" in text for text in notes) == (
        best_step == 0 and found[-1][1] < 30
    )
    if best_step == 0:
        before = weights(base / "model")
        assert all(torch.equal(weight, before[name]) for name, weight in weights(tmp_path / "run").items())


@pytest.mark.parametrize(("lost", "share"), [(1, 0.5), (2, 0.25)])
def test_weights_nearer_to_the_base_are_saved_where_the_whole_way_loses_too_much(
    lost: int, share: float, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved_last = further(base, max_steps=10, validations=1, precision="fp32")
    list(start(merge(saved_last, {"training": {"save": "last"}}), tmp_path / "last"))
    pretend(monkeypatch, [(10, 30), *[(20, 10)] * lost, (15, 30)])
    events = list(start(saved_last, tmp_path / "run"))
    *_, validated = (event for event in events if isinstance(event, Validated))
    assert (validated.step, validated.best, validated.base_share) == (10, True, 1 - share)
    assert not any("lost too much" in event.text for event in events if isinstance(event, Note))
    before, last = weights(base / "model"), weights(tmp_path / "last")
    for name, weight in weights(tmp_path / "run").items():
        torch.testing.assert_close(weight, before[name].lerp(last[name], share))


def test_a_base_model_that_is_gone_ends_no_run(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(base / "model", tmp_path / "model")
    values = {**further(base), "base_model": str(tmp_path / "model")}
    seen = pretend(monkeypatch, [(10, 30), (20, 10)])
    for event in start(values, tmp_path / "run"):
        if isinstance(event, Validated) and not event.step:
            shutil.rmtree(tmp_path / "model")
    assert isinstance(event, Ended)
    assert event.finished
    assert len(seen) <= 4  # nothing is tried beside the weights themselves


@pytest.mark.parametrize("worse", ["new", "old"])
def test_it_stops_when_either_gets_no_better(
    worse: str, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    falling = [(10.0, 30.0), *((10.0 - i, 30.0) if worse == "new" else (10.0 + i, 10.0) for i in range(1, 9))]
    pretend(monkeypatch, falling)
    *_, ended = start(further(base, max_steps=40, validations=8, patience=3), tmp_path / "run")
    assert isinstance(ended, Ended)
    assert (ended.step, ended.best_step, ended.finished) == (15, 0, True)
    assert "3 validations" in ended.reason


def test_few_new_pairs_choose_weights_by_their_loss(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    validate, found = Validator.validate, iter([2.0, 1.0, 1.5, 1.5])

    def validated(self: Validator, *arguments: Any) -> Validation:
        real = validate(self, *arguments)
        assert real.by_loss
        better = [dataclasses.replace(real.scores[0], score=100.0, higher_is_better=True)]  # must not matter
        return real._replace(bits_per_character=next(found), scores=better, old_scores=better)

    monkeypatch.setattr(Validator, "validate", validated)
    *_, ended = start(further(base), tmp_path / "run")
    assert isinstance(ended, Ended)
    assert ended.best_step == 10


def test_learning_rates_race(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidates, "MIN_TURN_STEPS", 4)
    values = further(base, max_steps=100)
    events = list(start(values, tmp_path / "whole"))
    assert isinstance(events[-1], Ended)
    assert events[-1].finished
    raced = [event.name for event in events if isinstance(event, Raced)]
    assert raced[:3] == ["rate 0.002", "rate 0.0005", "rate 0.000125"]
    first = next(event for event in events if isinstance(event, Validated | Raced))
    assert isinstance(first, Validated)
    assert first.step == 0
    winner = load_standing(tmp_path / "whole").left[0]  # type: ignore[union-attr]
    rate = tomllib.loads((tmp_path / "whole/config.toml").read_text())["training"]["learning_rate"]
    assert f"rate {rate:g}" == winner
    assert read_info(tmp_path / "whole")["base_comparison"]["base"]["metrics"] == first.metrics

    events = start(values, tmp_path / "halves")  # stopped in the race, it goes on as if it had not been
    for event in events:
        if isinstance(event, Raced):
            break
    events.close()
    resume_tiny(tmp_path / "halves")
    assert_alike(tmp_path / "halves", tmp_path / "whole")
    given = start(further(base, max_steps=100, learning_rate=0.001), tmp_path / "given")
    assert not any(isinstance(event, Raced) for event in given)


def test_a_gentler_rate_that_wins_says_why() -> None:
    def standing(*bits: float) -> Standing:
        racers = {f"rate {number}": Racer({}, bits=[each]) for number, each in enumerate(bits)}
        return Standing(1.0, by_steps=True, racers=racers, left=[*racers], base={})

    near, clear = standing(1.17, 1.18), standing(1.17, 1.7)
    for each in (near, clear):
        each.drop_worse()
    assert str(near).endswith(
        "1.17 after 0 updates; near each other, so the gentler one, which forgets less → rate 1"
    )
    assert str(clear).endswith("rate 0 1.17 after 0 updates · rate 1 1.70 after 0 updates → rate 0")


def test_validations_of_few_pairs_are_of_new_and_old_ones(base: Path, tmp_path: Path) -> None:
    events = list(start(further(base, decode_pairs=4), tmp_path / "run"))
    validated = [event for event in events if isinstance(event, Validated)]
    assert all(math.isfinite(sum(event.old_metrics.values())) and event.old_metrics for event in validated)
    assert all(event.metrics for event in validated)


@pytest.mark.parametrize(("asked", "has", "told"), [
    (("de", "en"), ("en", "de"), "of de → en, and the model to start from of en → de"),
    (("en", "fr"), ["en", "de"], "of en → fr"),
    (("eng-GB", "ger"), ("en", "de-AT"), None),
    (("en", "nds"), ("en", "mul"), None), (None, ("en", "de"), None),
    (("en", "de"), None, None),
])  # fmt: skip
def test_other_languages_than_the_base_models_are_told(asked: Any, has: Any, told: str | None) -> None:
    said = other_languages(asked, has)
    assert (said is None) if told is None else (said is not None and told in said)


def test_old_pairs_need_a_model_to_start_from(base: Path, tmp_path: Path) -> None:
    values = {key: value for key, value in further(base).items() if key != "base_model"}
    with pytest.raises(ConfigurationError, match=r"data\.mix.*old\.tsv(.|\n)*--from"):
        list(start(merge(tiny_values(base / "new.tsv"), values), tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_the_command_line_mixes(base: Path, tmp_path: Path) -> None:
    command = ("train", "--from", base / "model", "--train", base / "new.tsv", "--mix", base / "old.tsv",
               "--max-steps", 4, "--threads", 1)  # fmt: skip
    done = call(*command, "--out", tmp_path / "run")
    assert done.code == 0, done.err
    assert "the model to start from" in done.out
    assert "new pairs:" in done.out
    assert "old pairs:" in done.out
    gone = call(*command, "--mix", tmp_path / "gone.tsv", "--out", tmp_path / "other")
    assert gone.code == 2
    assert "gone.tsv" in gone.err
    strange = write_reversals(tmp_path / "strange.tsv", 20)
    refused = call("train", "--resume", tmp_path / "run", "--mix", strange)
    assert refused.code == 2
    assert "strange.tsv: the run was not started with this file" in refused.err
