"""Models that race for the place: the better one wins, loses nothing by it, and a race can be interrupted."""

from __future__ import annotations

import json
import math
import random
import re
import shutil
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, cast

import pytest
import torch

from interlingua.api import load
from interlingua.cli.info import info
from interlingua.errors import CheckpointError, TrainingError
from interlingua.inference.bundle import read_config, read_info
from interlingua.model.presets import PRESETS
from interlingua.model.recurrent import Recurrent
from interlingua.runs.candidates import choose_turn
from interlingua.runs.events import Ended, Note, Progress, Raced
from interlingua.runs.plans import make_plans
from interlingua.runs.race import Race, Racer, Standing
from interlingua.runs.run import resume, start
from interlingua.runs.trainer import Trainer
from interlingua.runs.validation import Validation, Validator
from interlingua.settings import merge
from interlingua.training.loop import StepReport
from interlingua.views.history import read_history
from interlingua.views.report import read_report, report_page
from tests.tiny import last_checkpoint, weights, write_reversals

STEPS = 60


def hurry(patch: pytest.MonkeyPatch) -> None:
    """Short turns of models that are small, whatever their presets are called."""
    patch.setattr("interlingua.runs.candidates.MIN_TURN_STEPS", 2)
    for preset, sizes in PRESETS.items():
        depths = {"encoder_layers": 1, "decoder_layers": 1}
        wide = {"feed_forward": 128, "heads": 2} if sizes.architecture == "transformer" else {}
        patch.setitem(
            cast("dict[str, Any]", PRESETS), preset, sizes.model_copy(update={"dim": 64, **depths, **wide})
        )


@pytest.fixture(autouse=True)
def _short_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_reversals(tmp_path_factory.mktemp("data") / "pairs.tsv", 200)


def values(pairs: Path, **training: Any) -> dict[str, Any]:
    settings = {"max_tokens": 128, "validations": 1, "decode_pairs": 5, "threads": 1, "max_steps": STEPS}
    return {"data": {"train": str(pairs), "valid_share": 0.05}, "training": {**settings, **training}}


@pytest.fixture(scope="module")
def raced(pairs: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Any]]:
    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("runs") / "raced"
    with pytest.MonkeyPatch.context() as patch:
        hurry(patch)
        return out, list(start(values(pairs), out))


def winner(out: Path) -> str:
    return str(read_info(out)["race"]["winner"])


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_the_model_of_fewest_bits_wins_and_is_trained_to_the_end(raced: tuple[Path, list[Any]]) -> None:
    out, events = raced
    turns = [event for event in events if isinstance(event, Raced)]
    bits = {turn.name: turn.bits_per_character for turn in turns}
    assert set(bits) == {"characters + transformer", "characters + lstm"}
    assert winner(out) == min(bits, key=bits.__getitem__)
    assert f"characters + {read_config(out)['model'].get('cell', 'transformer')}" == winner(out)
    assert isinstance(events[-1], Ended)
    assert (events[-1].step, events[-1].finished) == (STEPS, True)
    assert load(out).translate(["abc"])[0].tokens
    assert not (out / "training" / "race").exists()  # checkpoints of megabytes
    assert [line.name for line in read_history(out, "raced").race] == sorted(bits, key=bits.__getitem__)
    assert any(isinstance(event, Note) and f"→ {winner(out)}" in event.text for event in events)


def test_the_winner_is_what_it_would_be_alone(
    raced: tuple[Path, list[Any]], pairs: Path, tmp_path: Path
) -> None:
    preset = "lstm" if "lstm" in winner(raced[0]) else "letters"
    list(start(merge(values(pairs), {"preset": preset}), tmp_path / "alone"))
    assert same(weights(tmp_path / "alone"), weights(raced[0]))
    assert "race" not in read_info(tmp_path / "alone")


@pytest.mark.parametrize("turns", [1, 2])
def test_an_interrupted_race_ends_like_an_undisturbed_one(
    turns: int, raced: tuple[Path, list[Any]], pairs: Path, tmp_path: Path
) -> None:
    out, seen = tmp_path / "run", 0
    events = start(values(pairs), out)
    for event in events:
        seen += isinstance(event, Raced)
        if seen == turns:
            events.close()
    rest = list(resume(out, {}))
    assert sum(isinstance(event, Raced) for event in rest) == 2 - turns
    assert read_info(out)["race"]["winner"] == winner(raced[0])
    assert same(weights(out), weights(raced[0]))
    assert same(last_checkpoint(out), last_checkpoint(raced[0]))
    logged = [json.loads(line) for line in (out / "training" / "log.jsonl").read_text().splitlines()]
    assert sum(record["event"] == "raced" for record in logged) == 2


def test_after_the_race_a_run_goes_on_as_any_other(
    raced: tuple[Path, list[Any]], pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interlingua.runs.trainer.PROGRESS_EVERY_S", 0.0)
    out = tmp_path / "run"
    events = start(values(pairs, checkpoint_every_s=1e-9), out)
    for event in events:
        if isinstance(event, Progress) and event.step >= 30:
            events.close()
    rest = list(resume(out, {}))
    assert not any(isinstance(event, Raced) for event in rest)
    assert same(weights(out), weights(raced[0]))
    race = read_info(out)["race"]
    taken = {"seconds": race["seconds"], "racers": race["racers"]}  # how long it takes may differ
    assert race == {**read_info(raced[0])["race"], **taken}
    assert 0 < race["seconds"] < 3600


def test_a_stop_during_the_race_is_no_end(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turn = Race._turn

    def stop_in_the_second(self: Race, name: str, length: float, stopped: Any) -> float | None:
        if any(racer.bits for racer in self.standing.racers.values()):
            stopped.set()
        return turn(self, name, length, stopped)

    with monkeypatch.context() as patch:
        patch.setattr(Race, "_turn", stop_in_the_second)
        *_, ended = start(values(pairs), tmp_path / "run")
    assert isinstance(ended, Ended)
    assert not ended.finished
    *_, ended = resume(tmp_path / "run", {})
    assert isinstance(ended, Ended)
    assert (ended.finished, ended.step) == (True, STEPS)


def test_a_model_that_diverges_loses_and_stops_nobody(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    updates = Trainer.updates

    def diverge(self: Trainer) -> Iterator[StepReport]:
        if self.plan.experiment.model.architecture == "transformer":
            raise TrainingError("training diverged")
        return updates(self)

    monkeypatch.setattr(Trainer, "updates", diverge)
    *_, ended = start(values(pairs), tmp_path / "run")
    assert isinstance(ended, Ended)
    assert ended.finished
    assert winner(tmp_path / "run") == "characters + lstm"
    assert read_history(tmp_path / "run", "run").race[0].name == "characters + lstm"


def test_a_race_in_steps_stays_one_when_the_run_goes_on_for_minutes(pairs: Path, tmp_path: Path) -> None:
    events = start(values(pairs), tmp_path / "run")
    for event in events:
        if isinstance(event, Raced):
            events.close()
    rest = resume(tmp_path / "run", {"training": {"minutes": 60}})
    turn = next(event for event in rest if isinstance(event, Raced))
    rest.close()
    assert turn.racer_step == 4  # as many as the first one had


def test_a_tokenization_that_makes_pairs_too_long_does_not_race(tmp_path: Path) -> None:
    """Letters of long lines: what would have to be left out is no reason to win."""
    draw = random.Random(0)
    words = ("".join(draw.choices("abcdefghijklmnop", k=draw.randint(2, 9))) for _ in range(30_000))
    lines = [" ".join(islice(words, 100 if i % 20 else 5)) for i in range(200)]
    text = "".join(f"{line}\t{line.replace('a', 'ä')}\n" for line in lines)
    (tmp_path / "pairs.tsv").write_text(text, encoding="utf-8")
    few = values(tmp_path / "pairs.tsv", max_steps=100)
    plans = make_plans(few, "test", tmp_path / "run", tmp_path / "copies")
    assert len(plans) == 1
    long = merge(few, {"data": {"max_length": 2000}})
    assert len(make_plans(long, "test", tmp_path / "run", tmp_path / "copies")) == 3


def the_other(out: Path) -> str:
    """That came last by bits."""
    return next(name for name in read_info(out)["race"]["racers"] if name != winner(out))


def translate_well(monkeypatch: pytest.MonkeyPatch, name: str, count: int = 1000) -> None:
    """Makes one of the models translate so many validation pairs rightly, and the other none."""
    validate = Validator.validate

    def pretend(self: Validator, model: Any, *given: Any) -> Validation:
        right = ("lstm" in name) == isinstance(model, Recurrent)
        targets = [self.store.target_text(i) if right else "?" for i in self.order]
        return validate(self, model, *given)._replace(outputs=tuple(targets[:count]))

    monkeypatch.setattr(Validator, "validate", pretend)


def test_of_two_that_are_near_the_one_wins_that_translates_better(
    raced: tuple[Path, list[Any]], pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interlingua.runs.race.NEAR", 10)
    monkeypatch.setattr("interlingua.runs.race.FEWEST_TRANSLATED", 5)
    translate_well(monkeypatch, the_other(raced[0]))
    events = list(start(values(pairs), tmp_path / "run"))
    race = read_info(tmp_path / "run")["race"]
    assert race["winner"] == the_other(raced[0])
    assert race["metric"] == "sequence_error"
    assert [racer["score"] for racer in race["racers"].values()] == [0, 100]  # the winner first
    (said,) = (event.text for event in events if isinstance(event, Note) and event.text.startswith("race ("))
    scores = f"{race['winner']} 0.00 · {winner(raced[0])} 100.00"
    assert f"by sequence_error if that differs: {scores}" in said
    assert said.endswith(f"→ {race['winner']}")
    history = read_history(tmp_path / "run", "run")
    assert (history.race[0].name, history.race[0].score) == (race["winner"], 0)


@pytest.mark.parametrize(
    ("near", "fewest", "count"),
    [(1, 5, 1000), (10, 100, 1000), (10, 6, 5)],
    ids=["far", "few pairs", "no time"],
)
def test_bits_decide_where_translations_say_too_little(
    near: float, fewest: int, count: int, raced: tuple[Path, list[Any]], pairs: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("interlingua.runs.race.NEAR", near)
    monkeypatch.setattr("interlingua.runs.race.FEWEST_TRANSLATED", fewest)
    translate_well(monkeypatch, the_other(raced[0]), count)
    list(start(values(pairs), tmp_path / "run"))
    assert read_info(tmp_path / "run")["race"]["winner"] == winner(raced[0])
    assert "metric" not in read_info(tmp_path / "run")["race"]


def test_a_race_judged_by_translations_gives_the_same_again_and_after_a_stop(
    raced: tuple[Path, list[Any]], pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interlingua.runs.race.NEAR", 10)
    monkeypatch.setattr("interlingua.runs.race.FEWEST_TRANSLATED", 5)
    judge, judged = Race._judge, []

    def stop_at_first(self: Race, stopped: Any) -> str | None:
        if not judged:
            stopped.set()
        judged.append(self.standing.left)
        return judge(self, stopped)

    list(start(values(pairs), tmp_path / "one"))
    monkeypatch.setattr(Race, "_judge", stop_at_first)
    *_, ended = start(values(pairs), tmp_path / "other")
    assert isinstance(ended, Ended)
    assert not ended.finished
    rest = list(resume(tmp_path / "other", {}))
    assert len(judged) == 2
    assert not any(isinstance(event, Raced) for event in rest)  # no turn is made twice
    assert winner(tmp_path / "other") == winner(tmp_path / "one")
    assert same(weights(tmp_path / "other"), weights(tmp_path / "one"))
    if winner(tmp_path / "one") == winner(raced[0]):  # translating leaves no trace
        assert same(weights(tmp_path / "one"), weights(raced[0]))


def test_a_damaged_standing_is_named(pairs: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    events = start(values(pairs), out)
    for event in events:
        if isinstance(event, Raced):
            events.close()
    (out / "training" / "race.json").write_text("{")
    with pytest.raises(CheckpointError, match="how far the race is"):
        list(resume(out, {}))


@pytest.mark.parametrize(
    "more",
    [
        {"training": {"race": False}},
        {"preset": "letters"},
        {"model": {"dim": 16, "heads": 2}},
        {"training": {"max_steps": 5}},
    ],
)
def test_what_is_asked_for_does_not_race(more: dict[str, Any], pairs: Path, tmp_path: Path) -> None:
    small = {"training": {"max_steps": 6}}
    events = list(start(merge(merge(values(pairs), small), more), tmp_path / "run"))
    assert not any(isinstance(event, Raced) for event in events)


def spelling(file: Path) -> Path:
    """Three words each, mostly copied."""
    draw = random.Random(0)
    lines = []
    for _ in range(400):
        words = ["".join(draw.choices("abcdefghijklmnop", k=draw.randint(2, 9))) for _ in range(3)]
        lines.append(f"{' '.join(words)}\t{' '.join(words).replace('a', 'ä')}\n")
    file.write_text("".join(lines), encoding="utf-8")
    return file


def test_words_that_are_mostly_copied_race_over_letters_and_subwords(tmp_path: Path) -> None:
    """Spelling with spaces is taken for sentences; that letters may do better is for the race to find out."""
    events = list(start(values(spelling(tmp_path / "pairs.tsv"), max_steps=100), tmp_path / "run"))
    names = {event.name for event in events if isinstance(event, Raced)}
    assert {"characters + transformer", "characters + lstm"} < names
    assert any("subwords" in name for name in names)


def test_where_time_is_too_short_for_three_two_race(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("interlingua.runs.candidates.MIN_TURN_STEPS", 3)
    assert choose_turn(None, 40, 3) is None
    events = list(start(values(spelling(tmp_path / "pairs.tsv"), max_steps=40), tmp_path / "run"))
    names = [event.name for event in events if isinstance(event, Raced)]
    assert len({*names}) == 2
    assert "characters + lstm" in names
    assert "subwords" in "".join(names)
    (said,) = (event.text for event in events if isinstance(event, Note) and event.text.startswith("no race"))
    assert re.fullmatch(r"no race with characters \+ transformer \(that takes --max-steps \d+ here\)", said)
    info(tmp_path / "run")
    assert said.removeprefix("no race ") in " ".join(capsys.readouterr().out.split())
    assert said in read_history(tmp_path / "run", "run").data_notes


def test_short_phrases_are_spelt_where_there_is_no_time_for_a_race(tmp_path: Path) -> None:
    given = values(spelling(tmp_path / "pairs.tsv"), max_steps=None, minutes=0.05)
    notes = [event.text for event in start(given, tmp_path / "run") if isinstance(event, Note)]
    (said,) = (note for note in notes if note.startswith("no race between"))
    assert said.endswith(": characters + lstm by experience")
    names = said.removeprefix("no race between ").split(" (that takes --minutes ")[0].split(", ")
    assert names[1:] == ["characters + lstm", "characters + transformer"]
    assert "subwords" in names[0]
    assert sum(note.startswith("preset ") for note in notes) == 1
    assert load(tmp_path / "run").tokenizers.source.kind == "characters"
    (told,) = re.findall(r"vocabulary: source: (\w+)", "\n".join(notes))
    assert told == "characters"
    assert said in read_history(tmp_path / "run", "run").data_notes


def test_the_worse_half_drops_out_and_what_is_hopeless() -> None:
    def standing(**bits: float) -> Standing:
        racers = {name: Racer({}, bits=[value]) for name, value in bits.items()}
        return Standing(10, False, racers, list(racers))

    even = standing(a=1.3, b=1.1, c=1.2, d=1.0)
    even.drop_worse()
    assert even.left == ["d", "b"]
    uneven = standing(a=1.3, b=float("inf"), c=0.5, d=2.0)
    uneven.drop_worse()
    assert uneven.left == ["c"]


def test_who_has_not_begun_to_look_at_the_source_is_judged_one_round_later() -> None:
    def standing(begun: bool, **bits: float) -> Standing:
        racers = {
            name: Racer({}, bits=[value], begun=begun or name != "late") for name, value in bits.items()
        }
        return Standing(10, False, racers, list(racers))

    two = standing(False, subwords=1.5, late=3.6)
    two.drop_worse()
    assert two.left == ["late", "subwords"]
    assert all(map(two.has_turn, two.left))
    two.racers["late"].bits.append(0.6)
    assert [name for name in two.left if two.has_turn(name)] == ["subwords"]
    two.racers["late"].bits[-1] = 0.4
    assert not any(map(two.has_turn, two.left))
    two.drop_worse()
    assert two.left == ["late"]
    assert "late did not look at its source yet after its first turn" in str(two)
    three = standing(False, subwords=1.5, letters=3.0, late=3.6)
    three.drop_worse()
    assert three.left == ["late", "subwords"]
    begun = standing(True, subwords=1.5, late=3.6)
    begun.drop_worse()
    assert begun.left == ["subwords"]


@pytest.mark.parametrize("begun", [False, True])
def test_letters_that_have_not_begun_after_their_first_turn_have_a_second(
    begun: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compare = Trainer.compare

    def pretend(self: Trainer, *given: Any, others_sources: bool = False) -> float:
        assert math.isfinite(compare(self, *given, others_sources=others_sources))
        spelt = self.plan.prepared.tokenizers.target.kind == "characters"
        bits = 1.5 if not spelt else 3.6 if self.learner.step < 5 else 0.4
        return bits * (1 + (begun or not spelt)) if others_sources else bits

    monkeypatch.setattr(Trainer, "compare", pretend)
    given = merge(values(spelling(tmp_path / "pairs.tsv"), max_steps=40), {"preset": "lstm"})
    events = list(start(given, tmp_path / "run"))
    turns = [event.round for event in events if isinstance(event, Raced)]
    assert turns == ([0, 0] if begun else [0, 0, 1])  # which decides
    won = read_info(tmp_path / "run")["race"]["winner"]
    assert won.startswith("characters") == (not begun)


def test_of_rates_that_are_near_the_gentler_ones_stay():
    def left_of(bits: dict[str, float], *, fine_tuning: bool, base_bits: float | None = None) -> list[str]:
        racers = {name: Racer({}, bits=[value]) for name, value in bits.items()}
        standing = Standing(1.0, False, racers, [*racers], base={} if fine_tuning else None,
                            base_bits=base_bits)  # fmt: skip
        standing.drop_worse()
        return standing.left

    near = {"fast": 0.98, "middle": 0.97, "gentle": 0.985}
    assert left_of(near, fine_tuning=True) == ["gentle", "middle"]
    assert left_of(near, fine_tuning=False) == ["middle", "fast"]
    assert left_of({**near, "gentle": 1.2}, fine_tuning=True) == ["middle", "fast"]
    assert left_of({"fast": 0.5, "gentle": math.inf}, fine_tuning=True) == ["fast"]
    assert left_of({"fast": 0.5, "gentle": 0.505}, fine_tuning=True) == ["gentle"]
    two = {"fast": 1.17, "gentle": 1.19}  # by how much either is better than the base model decides
    assert left_of(two, fine_tuning=True, base_bits=1.22) == ["fast"]
    assert left_of(two, fine_tuning=True, base_bits=1.5) == ["gentle"]
    assert left_of(two, fine_tuning=True, base_bits=1.1) == ["gentle"]


def test_a_race_takes_a_sixth_of_a_short_budget_and_little_of_a_long_one() -> None:
    for racers, turns in ((2, 2), (3, 3 + 2 * 2), (4, 4 + 2 * 2), (6, 6 + 3 * 2 + 2 * 4)):
        turn = choose_turn(60, None, racers)
        assert turn is not None
        assert turn * turns == pytest.approx(3600 / 12)
    day = choose_turn(24 * 60, None, 2)
    assert day is not None
    assert 2 * day < 0.007 * 24 * 3600
    assert choose_turn(0.5, None, 2) is None
    turn = choose_turn(3, None, 2, updates_per_s=3)
    assert turn is not None
    assert 40 < turn * 3 < 45
    assert choose_turn(3, None, 2, updates_per_s=2.7) is None  # 38 updates each
    assert choose_turn(None, 6000, 2) == 476


def test_what_did_not_race_is_named_with_the_budget_that_would_do(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("interlingua.runs.candidates.MIN_TURN_STEPS", 80)
    notes = [event.text for event in start(values(pairs, max_steps=4), tmp_path / "run")
             if isinstance(event, Note)]  # fmt: skip
    (said,) = (note for note in notes if note.startswith("no race between"))
    assert "no race between characters + transformer, characters + lstm (that takes --max-steps " in said
    assert said.endswith(": characters + transformer by experience")
    enough = int(re.findall(r"--max-steps (\d+)", said)[0])
    assert choose_turn(None, enough, 2) is not None
    assert choose_turn(None, enough - 100, 2) is None
    (few,) = (note for note in notes if note.startswith("only 4 updates"))
    assert "--max-steps 1000" in few
    info(tmp_path / "run")
    told = " ".join(capsys.readouterr().out.split())
    assert said.removeprefix("no race ") in told
    assert "batches of 128 tokens, muon at 0.006" in told
    assert said in read_history(tmp_path / "run", "run").data_notes


def test_what_is_said_of_the_model_is_what_was_asked_for(pairs: Path, tmp_path: Path) -> None:
    asked = {"preset": "letters", "model": {"dim": 48, "dropout": 0.35}, "training": {"optimizer": "adamw"}}
    events = start(merge(values(pairs, max_steps=2, accumulate=2), asked), tmp_path / "run")
    (said,) = (event.text for event in events if isinstance(event, Note) and event.text.startswith("preset"))
    assert said.startswith("preset letters, dim 48, dropout 0.35, batches of 256 tokens, adamw: as asked; ")


@pytest.mark.parametrize("count", [20, 300])
def test_who_brings_a_handful_of_pairs_is_told_what_to_expect(count: int, tmp_path: Path) -> None:
    pairs = write_reversals(tmp_path / "pairs.tsv", count)
    events = start(merge(values(pairs, max_steps=2), {"preset": "tiny"}), tmp_path / "run")
    notes = [event.text for event in events if isinstance(event, Note)]
    assert any(note.startswith("only 19 to learn from") for note in notes) == (count == 20)


def test_info_tells_how_the_models_fared(
    raced: tuple[Path, list[Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    info(raced[0])
    told = " ".join(capsys.readouterr().out.split())
    assert f"{winner(raced[0])} went on after" in told
    assert "characters a source" in told
    assert "fewer: predicted better" in told


@pytest.mark.parametrize("finished", [True, False])
def test_a_report_names_no_winner_of_a_race_that_is_not_over(
    finished: bool, raced: tuple[Path, list[Any]], tmp_path: Path
) -> None:
    run = shutil.copytree(raced[0], tmp_path / "run")
    if not finished:
        (run / "info.json").unlink()
    page = report_page(read_report([run]))
    assert ("was trained on" in page) is finished
    assert ("is not over" in page) is not finished
