"""Properties of the report: what a run's directory tells, and how runs are compared."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from interlingua.errors import BundleError
from interlingua.evaluation.metrics import metric_named
from interlingua.evaluation.quality import measure
from interlingua.evaluation.references import Lines
from interlingua.evaluation.scores import evaluate
from interlingua.evaluation.word_errors import count_word_errors
from interlingua.views.page import as_json
from interlingua.views.report import distinct_names, read_report, report_page

NASTY = "</script><img src=x onerror=alert(1)>"
WORDS = ["the", "cat", "sat", "on", "a", "mat", "and", "saw", "two", "big", "dogs", "run", "by"]
PAIRS = [(" ".join(WORDS[: 2 + i % 10]), " ".join(WORDS[: 2 + i % 10]).upper()) for i in range(60)]


def progress(step: int) -> dict[str, object]:
    return {
        "event": "progress", "step": step, "elapsed_s": step / 10, "loss": 5 - step / 1000,
        "target_tokens": 100, "target_tokens_per_s": 1000.0, "learning_rate": 1e-3, "gradient_norm": 1.0,
        "padding": 0.1, "progress": 0.1, "left_s": 1.0,
    }  # fmt: skip


def validated(step: int, output: str, best: bool) -> dict[str, object]:
    return {
        "event": "validated", "step": step, "elapsed_s": step / 10, "seconds": 1.0, "loss": 3.0,
        "metrics": {"BLEU": 10.0, "chrF2": 30.0}, "headline": "BLEU", "best": best,
        "samples": [{"source": NASTY, "target": "right", "output": output}],
    }  # fmt: skip


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run's directory as training leaves it, without weights."""
    directory = tmp_path / "run"
    (directory / "training").mkdir(parents=True)
    (directory / "config.toml").write_text('[model]\narchitecture = "transformer"\ndim = 8\n')
    events = [*map(progress, range(1, 1001)), validated(300, "wrong", True), validated(600, "right", True),
              validated(900, "right", False)]  # fmt: skip
    lines = [json.dumps(event) for event in events]
    (directory / "training" / "log.jsonl").write_text("\n".join([*lines, '{"event": "prog']))
    info = {
        "parameters": 1234, "steps": 1000, "best_step": 600, "elapsed_s": 100.0, "ended": "done",
        "device": "cpu", "precision": "fp32", "threads": 1, "validation_pairs": 50,
        "scores": [score.as_json() for score in evaluate(["a b"], [("x", "a b")], n_bootstrap=10)],
        "data": {"summary": "all is well", "train": {"files": ["train.tsv", ["a.en", "a.de"]], "read": 10,
                 "left_out": {"too long": 1, "empty": 0}, "duplicates": 2, "kept": 9}},
        "samples": [{"source": "s", "target": "t", "output": "t"}],
    }  # fmt: skip
    (directory / "info.json").write_text(json.dumps(info))
    return directory


def test_a_run_is_told_as_it_was(run):
    (told,) = read_report([run]).runs
    assert told.missing == []
    assert len(told.curve) <= 240
    assert told.curve[-1].step == 1000
    assert sum(point.loss for point in told.curve) / len(told.curve) == pytest.approx(4.5, abs=0.02)
    assert [(v.step, v.best) for v in told.validations] == [(300, True), (600, True), (900, False)]
    (sample,) = told.samples
    assert [(a.first_step, a.last_step, a.output, a.right) for a in sample.attempts] == [
        (300, 300, "wrong", False), (600, 900, "right", True)
    ]  # fmt: skip
    (part,) = told.data
    assert (part["read"], part["used"], part["left_out"]) == (10, 9, {"too long": 1})
    assert part["files"] == ["train.tsv", "a.en + a.de"]


def test_without_its_training_directory_a_run_tells_what_is_left(run):
    shutil.rmtree(run / "training")
    (told,) = read_report([run]).runs
    assert (told.curve, told.validations) == ([], [])
    assert told.samples[0].attempts[0].output == "t"
    page = report_page(read_report([run]))
    assert "no training/log.jsonl" in page
    assert 'id="curves"' not in page


def test_an_unfinished_run_has_curves_and_no_scores(run):
    (run / "info.json").unlink()
    (told,) = read_report([run]).runs
    assert told.scores == []
    assert told.facts["training"].endswith("so far")
    assert "has not finished" in report_page(read_report([run]))


def test_a_loss_that_is_no_number_is_left_out(run):
    broken = [{**progress(1), "loss": float("nan")}, {**validated(1, "", True), "loss": float("inf")}]
    (run / "training" / "log.jsonl").write_text("\n".join(map(json.dumps, [*broken, progress(2)])))
    report = read_report([run])
    assert [point.step for point in report.runs[0].curve] == [2]
    assert report.runs[0].validations[0].loss is None
    assert "NaN" not in as_json(report.as_data())


def test_what_is_no_run_is_refused(run, tmp_path):
    with pytest.raises(BundleError, match="no model"):
        read_report([tmp_path])
    (run / "training" / "log.jsonl").write_text('{"event": "progress"}')
    with pytest.raises(BundleError, match="damaged"):
        read_report([run])


def test_names_tell_runs_apart(tmp_path):
    assert distinct_names([tmp_path / "a", tmp_path / "b"]) == ["a", "b"]
    assert distinct_names([tmp_path / "a" / "x", tmp_path / "b" / "x"]) == ["a/x", "b/x"]
    assert len(set(distinct_names([tmp_path / "a", tmp_path / "a"]))) == 2


def test_the_page_holds_the_same_data_and_no_markup_of_texts(run):
    report = replace(read_report([run]), quality=quality({"run": [NASTY] * len(PAIRS)}))
    page = report_page(report)
    (found,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert json.loads(found) == json.loads(as_json(report.as_data()))
    assert not re.search("https?:", page)
    assert "<img" not in page
    assert page.count("</script>") == 2


def quality(outputs, train=None, metric="BLEU"):
    return measure(outputs, PAIRS, [metric_named(metric, "words")], test="test.tsv", train_sources=train)


def test_bins_part_the_pairs_and_score_as_evaluate_does():
    output = [target if i % 3 else "NOTHING" for i, (_, target) in enumerate(PAIRS)]
    found = quality({"one": output}, train=["the cat sat", "the cat", "on a mat and"] * 3)
    (one,) = found.runs
    assert found.unit == "words"
    for bins in (one.by_length, one.by_rarity):
        assert len(bins) > 1
        assert sum(some.pairs for some in bins) == len(PAIRS)
        assert all(some.low <= some.score <= some.high for some in bins)
    longest = [i for i, (source, _) in enumerate(PAIRS) if len(source.split()) >= 10]
    (expected,) = evaluate(
        [output[i] for i in longest], [PAIRS[i] for i in longest], metrics=[metric_named("BLEU")]
    )
    assert one.by_length[-1].label == "10–11"
    assert one.by_length[-1].score == pytest.approx(expected.score, abs=0.01)
    never = [source for source, _ in PAIRS if {"saw", "two"} & set(source.split())]
    assert (one.by_rarity[0].label, one.by_rarity[0].pairs) == ("never", len(never))


@pytest.mark.parametrize("metric", ["BLEU", "sequence_error"])
def test_worst_and_best_are_what_they_say(metric):
    output = [target if i % 2 else target.replace("CAT", "DOG") for i, (_, target) in enumerate(PAIRS)]
    (one,) = quality({"one": output}, metric=metric).runs
    assert all(each.output != each.target for each in one.worst)
    assert all(each.output == each.target for each in one.best)
    lengths = [len(each.target) for each in one.best]
    assert lengths == sorted(lengths, reverse=True)


def test_every_pair_of_runs_is_tested():
    good = [target for _, target in PAIRS]
    bad = [target if i % 4 else "X" for i, target in enumerate(good)]
    found = quality({"good": good, "same": good, "bad": bad}).differences
    assert [(each.first, each.second) for each in found] == [
        ("good", "same"),
        ("good", "bad"),
        ("same", "bad"),
    ]
    assert [each.winner for each in found] == [None, "good", "same"]
    assert found[0].p_value == 1
    assert found[1].high < 0


def test_what_cannot_be_told_is_said():
    assert "say where with --train" in quality({"one": [""] * len(PAIRS)}).no_rarity
    words = [(word, word) for word in WORDS]
    alone = measure({"one": WORDS}, words, [metric_named("chrF")], test="t", train_sources=["a"])
    assert alone.unit == "characters"
    assert "single words" in alone.no_rarity
    everywhere = quality({"one": [""] * len(PAIRS)}, train=["nothing of it"])
    assert "seen in training never" in everywhere.no_rarity


SPOKEN = [(f"/data/{number % 3}/{number}.wav", f"one two {word}") for number, word in enumerate(WORDS * 6)]


def spoken(outputs, train=None):
    seconds = [0.55 + 0.5 * number for number in range(len(SPOKEN))]
    metrics = [metric_named("WER"), metric_named("CER")]
    return measure({"run": outputs}, SPOKEN, metrics, test="t", train_sources=None, train_targets=train,
                   seconds=seconds)  # fmt: skip


def test_sounds_are_judged_by_their_length_in_seconds_and_by_the_words_said():
    outputs = [target if number >= 4 else "one" for number, (_, target) in enumerate(SPOKEN)]
    found = spoken(outputs, train=["one two " + WORDS[0]] * 5)
    (one,) = found.runs
    assert (found.unit, found.of_sound, found.metric, found.sentence_metric) == (
        "seconds",
        True,
        "WER",
        "WER",
    )
    assert one.by_length[0].label.startswith("0.6–")
    assert sum(some.pairs for some in one.by_length) == len(SPOKEN)
    assert one.by_length[0].score > one.by_length[-1].score == 0
    assert [some.label for some in one.by_rarity] == ["never", "5 to 19 times"]
    assert [each.source for each in one.worst[:4]] == ["0.wav", "1.wav", "2.wav", "3.wav"]
    assert [each.score for each in one.worst[:4]] == [pytest.approx(66.7)] * 4
    assert "/data" not in as_json([each.source for each in (*one.worst, *one.best)])
    assert "say where with --train" in spoken(outputs).no_rarity


def test_word_errors_are_those_that_wer_counts():
    lines = Lines(
        ["the cat sat", "a the cat", "dog", "", "the bat sat", "one"],
        [("the bat sat",), ("the cat",), ("the dog",), ("the end",), ("the bat sat",), ("won", "one two")],
    )
    found = count_word_errors(lines)
    shown = {
        name: [(each.said, each.written, each.count, each.of) for each in getattr(found, name)]
        for name in ("substitutions", "deletions", "insertions")
    }
    assert shown["substitutions"] == [("bat", "cat", 1, 2)]
    assert shown["deletions"] == [("the", "", 2, 5), ("end", "", 1, 1), ("two", "", 1, 1)]
    assert shown["insertions"] == [("", "a", 1, 1)]
    edits, words = metric_named("WER").count(lines).rows.sum(axis=0)
    assert found.substituted + found.deleted + found.inserted == edits
    assert found.words == words


def test_composed_and_decomposed_letters_are_the_same_word_and_ten_mistakes_are_shown():
    assert count_word_errors(Lines(["cafe\u0301"], [("caf\u00e9",)])).substituted == 0
    letters = [f"w{number}" for number in range(15)]
    found = count_word_errors(Lines(["x"] * 20, [(word,) for word in [*letters, *letters[:5]]]))
    assert len(found.substitutions) == 10
    assert [each.count for each in found.substitutions] == [2] * 5 + [1] * 5
    assert found.substituted == 20


def test_the_page_of_a_run_of_sounds_shows_the_words_it_gets_wrong(run):
    outputs = [target.replace("two", "too") for _, target in SPOKEN]
    page = report_page(replace(read_report([run]), quality=spoken(outputs)))
    assert 'id="word-errors"' in page
    assert re.search(r"<bdi>two</bdi>\s*<span[^>]*>→</span>\s*<bdi>too</bdi>", page)
    assert "By length of the sound" in page
    assert 'id="word-errors"' not in report_page(
        replace(read_report([run]), quality=quality({"run": ["x"] * len(PAIRS)}))
    )
