"""What evaluation promises: sacreBLEU's own numbers, honest handling of references, seeded intervals."""

from __future__ import annotations

import json
import math
import random
import unicodedata
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sacrebleu.metrics import BLEU, CHRF
from sacrebleu.significance import PairedTest

from interlingua.errors import ConfigurationError, DataError
from interlingua.evaluation.baselines import look_up
from interlingua.evaluation.metrics import bleu, chrf, metric_named, sequence_error, symbol_error
from interlingua.evaluation.references import Example, choose_repeated, describe_repeated, group_references
from interlingua.evaluation.scores import compare, default_metrics, evaluate
from interlingua.evaluation.tasks import recognise_task

WORDS = (
    "the",
    "a",
    "small",
    "dog",
    "cat",
    "runs",
    "sleeps",
    "over",
    "near",
    "green",
    "house",
    ",",
    ".",
    "and",
)


def corpus(size: int = 40, seed: int = 0) -> tuple[list[str], list[tuple[str, str]]]:
    """Sentences, and answers in which every fifth word or so is another one."""
    rng = random.Random(seed)
    targets = [" ".join(rng.choices(WORDS, k=rng.randint(4, 12))) for _ in range(size)]
    answers = [
        " ".join(rng.choice(WORDS) if rng.random() < 0.2 else word for word in target.split())
        for target in targets
    ]
    return answers, [(f"source {i}", target) for i, target in enumerate(targets)]


def edits(a: tuple[str, ...], b: tuple[str, ...]) -> int:
    """Levenshtein's distance by its definition."""

    @cache
    def distance(i: int, j: int) -> int:
        if i == 0 or j == 0:
            return i + j
        return min(
            distance(i - 1, j) + 1, distance(i, j - 1) + 1, distance(i - 1, j - 1) + (a[i - 1] != b[j - 1])
        )

    return distance(len(a), len(b))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(bleu(), BLEU()), (bleu("char"), BLEU(tokenize="char")), (chrf(), CHRF())],
)
def test_bleu_and_chrf_are_sacrebleus_score_signature_interval_and_json(ours, theirs):
    answers, pairs = corpus()
    expected = theirs.corpus_score(answers, [[target for _, target in pairs]], n_bootstrap=200)
    signature = theirs.get_signature().format()
    (score,) = evaluate(answers, pairs, metrics=[ours], n_bootstrap=200)

    assert score.signature == signature
    assert score.score == pytest.approx(expected.score, abs=1e-9)
    assert score.confidence.mean == pytest.approx(expected._mean, abs=1e-4)  # theirs is float32
    assert score.confidence.half_width == pytest.approx(expected._ci, abs=1e-4)
    assert json.loads(expected.format(signature=signature, is_json=True)).items() <= score.as_json().items()


def test_without_resampling_the_signature_says_so():
    answers, pairs = corpus()
    theirs = BLEU()
    theirs.corpus_score(answers, [[target for _, target in pairs]])
    ours, error = evaluate(answers, pairs, metrics=[bleu(), sequence_error()], n_bootstrap=0)
    assert ours.signature == theirs.get_signature().format()
    assert ours.confidence is None
    assert "confidence" not in ours.as_json()
    assert "bs:" not in error.signature


def test_a_metric_can_be_used_again_with_other_references():
    answers, pairs = corpus()
    metric = bleu()
    (before,) = evaluate(answers, pairs, metrics=[metric])
    evaluate(["b", "b"], [("a", "b"), ("a", "c")], metrics=[metric], repeated="references", n_bootstrap=0)
    assert evaluate(answers, pairs, metrics=[metric]) == [before]


def test_several_references_count_in_bleu_and_chrf_like_in_error_rates():
    pairs = [
        ("s1", "a small dog runs"),
        ("s1", "the little dog is running"),
        ("s2", "a green hill and a house"),
    ]
    answers = ["a small dog runs", "a small dog runs", "a green hill and a house"]
    for ours, theirs in ((bleu(), BLEU()), (chrf(), CHRF())):
        streams = [["a small dog runs", "a green hill and a house"], ["the little dog is running", None]]
        expected = theirs.corpus_score([answers[0], answers[2]], streams)
        (apart,) = evaluate(answers, pairs, metrics=[ours], repeated="cases")
        (together,) = evaluate(answers, pairs, metrics=[ours], repeated="references")
        assert [together] == evaluate(answers, pairs, metrics=[ours])
        assert together.score == pytest.approx(expected.score)
        assert together.signature.startswith("nrefs:var|")
        assert apart.score < together.score
        assert apart.signature.startswith("nrefs:1|")


@pytest.mark.parametrize("pairs", [corpus()[1], [("h e y", "HH EY"), ("h e y", "HH AY"), ("o", "OW")] * 9])
def test_right_answers_are_perfect(pairs):
    targets = [target for _, target in pairs]
    best = {"BLEU": 100, "chrF2": 100, "sequence_error": 0, "symbol_error": 0}
    metrics = [metric_named(name) for name in best]
    if pairs[0][0] == "h e y":  # its lines are too short for 4-grams, and its sources have several targets
        metrics = [m for m in metrics if not m.higher_is_better]
    for score in evaluate(targets, pairs, metrics=metrics, n_bootstrap=20):
        assert score.score == pytest.approx(best[score.name])
        assert score.confidence.half_width == pytest.approx(0)


def test_the_order_of_lines_does_not_matter():
    answers, pairs = corpus()
    pairs = [(f"source {i // 2}", target) for i, (_, target) in enumerate(pairs)]
    answers = [answers[i - i % 2] for i in range(len(answers))]
    order = random.Random(1).sample(range(len(pairs)), len(pairs))
    before = evaluate(answers, pairs, n_bootstrap=0)
    after = evaluate([answers[i] for i in order], [pairs[i] for i in order], n_bootstrap=0)
    for one, other in zip(before, after, strict=True):
        assert one.name == other.name
        assert one.score == pytest.approx(other.score)


def test_intervals_hold_the_score_and_are_seeded():
    answers, pairs = corpus(200)
    first, again, other = (evaluate(answers, pairs, seed=seed) for seed in (1, 1, 2))
    assert first == again
    for score, differently_drawn in zip(first, other, strict=True):
        assert score.confidence.low < score.score < score.confidence.high
        assert score.confidence != differently_drawn.confidence


def test_sequence_error_interval_is_the_binomials():
    pairs = [(str(i), "yes") for i in range(400)]
    answers = ["yes" if i % 4 else "no" for i in range(400)]
    (score,) = evaluate(answers, pairs, metrics=[sequence_error()], n_bootstrap=2000)
    assert score.score == 25
    assert score.confidence.half_width == pytest.approx(196 * math.sqrt(0.25 * 0.75 / 400), rel=0.1)


LINE = st.lists(st.sampled_from(["a", "b", "cc"]), max_size=6).map(" ".join)


@given(st.lists(st.tuples(LINE, st.lists(LINE, min_size=1, max_size=3)), min_size=1, max_size=5))
def test_error_rates_are_their_definitions(lines):
    pairs = [(str(i), reference) for i, (_, references) in enumerate(lines) for reference in references]
    answers = [answer for answer, references in lines for _ in references]
    for symbols, split in (("words", str.split), ("characters", list)):
        nearest = [
            min(
                ((edits(tuple(split(answer)), tuple(split(ref))), -len(split(ref))) for ref in references),
            )
            for answer, references in lines
        ]
        wrong = sum(answer not in references for answer, references in lines)
        length = -sum(row[1] for row in nearest)
        metrics = [sequence_error(symbols), symbol_error(symbols)]
        sequence, symbol = evaluate(answers, pairs, metrics=metrics, repeated="references", n_bootstrap=0)
        assert sequence.score == pytest.approx(100 * wrong / len(lines))
        assert symbol.score == pytest.approx(100 * sum(row[0] for row in nearest) / max(length, 1))


@given(st.lists(st.tuples(LINE, LINE, LINE), min_size=1, max_size=5))
def test_another_reference_never_makes_an_error_more(lines):
    one = [(str(i), target) for i, (_, target, _) in enumerate(lines)]
    more = one + [(str(i), target) for i, (_, _, target) in enumerate(lines)]
    answers = [answer for answer, _, _ in lines]
    metrics = [sequence_error("words"), symbol_error("words")]
    before = evaluate(answers, one, metrics=metrics, n_bootstrap=0)
    after = evaluate(answers * 2, more, metrics=metrics, repeated="references", n_bootstrap=0)
    for fewer, several in zip(before, after, strict=True):
        errors = [int(score.details.split("/")[0]) for score in (fewer, several)]
        assert errors[1] <= errors[0]


def test_a_symbol_may_have_several_characters():
    pairs = [("x", "AH B EY")]
    score = {
        symbols: evaluate(["AH B AY"], pairs, metrics=[symbol_error(symbols)])[0].score
        for symbols in ("words", "characters")
    }
    assert score == {"words": pytest.approx(100 / 3), "characters": pytest.approx(100 / 7)}


def test_equivalent_unicode_and_spaces_between_symbols_are_no_errors():
    composed = "é t é"
    pairs = [("x", unicodedata.normalize("NFD", composed).replace(" ", "  "))]
    metrics = [sequence_error("words"), symbol_error("words")]
    assert [score.score for score in evaluate([composed], pairs, metrics=metrics)] == [0, 0]


@pytest.mark.parametrize(
    ("pairs", "chosen"),
    [
        ([("h e y", "HH EY"), ("h e y", "HH AY"), ("o", "OW")], "references"),
        ([("yes", "ja"), ("yes", "ja"), ("yes", "doch"), ("no", "nein"), ("no", "nee")], "references"),
        ([("a", "x"), ("b", "y"), ("a", "x")], "cases"),
        ([("w1", "v1"), ("w1", "v1"), ("w2", "v2"), ("w2", "v2"), ("w3", "v3"), ("w3", "u3")], "cases"),
    ],
)
def test_repeated_sources_are_one_thing_to_all_metrics(pairs, chosen):
    assert choose_repeated(pairs) == chosen
    answers = dict(reversed(pairs))
    given = [answers[source] for source, _ in pairs], pairs
    metrics = [metric_named(name) for name in ("BLEU", "chrF", "sequence_error", "symbol_error")]
    scores = evaluate(*given, metrics=metrics, n_bootstrap=0)
    assert scores == evaluate(*given, metrics=metrics, repeated=chosen, n_bootstrap=0)
    assert len({score.signature.split("|")[0] for score in scores}) == 1
    lines = int(scores[2].details.split("/")[1])
    assert lines == (len({source for source, _ in pairs}) if chosen == "references" else len(pairs))
    other = "cases" if chosen == "references" else "references"
    assert describe_repeated(pairs, chosen).endswith(f"(else: --repeated {other})")


def test_comparing_counts_repeated_sources_as_scoring_does():
    pairs = [("a", "x"), ("a", "y"), ("b", "z")]
    for repeated in ("auto", "references", "cases"):
        answers = ["x", "x", "z"]
        (score,) = evaluate(answers, pairs, metrics=[sequence_error()], repeated=repeated)
        (compared,) = compare(["z"] * 3, answers, pairs, metrics=[sequence_error()], repeated=repeated)
        assert compared.score == score.score


def test_something_else_than_references_or_cases_is_refused():
    with pytest.raises(ConfigurationError, match="references"):
        evaluate(["b"], [("a", "b")], repeated="reference")
    assert describe_repeated([("a", "b"), ("b", "b")], "cases") is None


def test_references_are_grouped_in_the_order_first_seen():
    pairs = [("b", "1"), ("a", "2"), ("b", "3"), ("b", "1")]
    assert group_references(pairs) == [Example("b", ("1", "3")), Example("a", ("2",))]


def test_look_up_takes_the_most_frequent_target_then_the_first():
    train = [("a", "2"), ("a", "1"), ("b", "x"), ("a", "1"), ("c", "u"), ("c", "v")]
    pairs = [("c", ""), ("a", ""), ("unseen", ""), ("a", "")]
    assert look_up(iter(train), pairs) == ["u", "1", "", "1"]
    composed, decomposed = "\u00e9t\u00e9", "e\u0301te\u0301"
    assert look_up([(composed, "summer")], [(decomposed, "")]) == ["summer"]


def test_a_baseline_that_answers_nothing_can_be_scored():
    _, pairs = corpus()
    scores = {score.name: score for score in evaluate([""] * len(pairs), pairs)}
    assert scores["BLEU"].score == scores["chrF2"].score == 0
    assert scores["sequence_error"].score == scores["symbol_error"].score == 100
    json.dumps([score.as_json() for score in scores.values()])


@pytest.mark.parametrize(
    ("targets", "headline", "symbols"),
    [
        (["AH B EY T", "K AE T", "B AE T", "T AH K"] * 5, "sequence_error", "words"),
        (["WALK", "RUN", "WALK TURN", "WALK"] * 5, "sequence_error", "words"),
        (["walked", "ran", "has gone", "sat"], "sequence_error", "characters"),
        (["Ana Lemo", "Dati Dotime", "Bora Kisa Ude", "Chen"], "sequence_error", "characters"),
        (["A dog runs", "Two men stand there", "A red house on a hill", "No"], "BLEU", "characters"),
        (["เมื่อวานนี้เราเห็นสุนัข ตัวใหญ่ในสวน", "วันนี้ฝนตกหนักมาก เราอยู่ที่บ้านทั้งวัน"], "chrF", "characters"),
        (["محمد عبد الرحمن", "فاطمة الزهراء علي", "يوسف بن إبراهيم"], "sequence_error", "characters"),
        (["我们昨天在公园里看见了一只很大的狗和一只小猫。"], "chrF", "characters"),
        (["เมื่อวานนี้เราเห็นสุนัขตัวใหญ่ในสวน"], "chrF", "characters"),
        (["CC(=O)Oc1ccccc1C(=O)O", "CN1C=NC2=C1C(=O)N(C(=O)N2C)C"], "sequence_error", "characters"),
        (["((((...))))..(((...)))", "..(((((....)))))......"], "sequence_error", "characters"),
        (["2-acetyloxybenzoicacid", "1,3,7-trimethylpurine-2,6-dione"], "sequence_error", "characters"),
        (
            ["Ein Hund läuft über die Wiese.", "Zwei Männer stehen vor einem roten Haus."],
            "BLEU",
            "characters",
        ),
    ],
)
def test_the_task_is_recognised_by_its_targets(targets, headline, symbols):
    assert recognise_task(targets) == (headline, symbols)
    first = default_metrics([("", target) for target in targets])[0]
    assert first.name.startswith(headline)


def test_comparing_draws_as_sacrebleus_paired_bootstrap():
    answers, pairs = corpus()
    baseline, _ = corpus(seed=0)
    baseline = [line.replace("dog", "cat") for line in baseline]
    metrics = {"BLEU": BLEU(), "chrF2": CHRF()}
    _, expected = PairedTest(
        [("baseline", baseline), ("system", answers)],
        metrics,
        [[target for _, target in pairs]],
        test_type="bs",
        n_samples=200,
    )()
    for ours in compare(baseline, answers, pairs, metrics=[bleu(), chrf()], n_bootstrap=200):
        before, after = expected[ours.name]
        assert ours.baseline == pytest.approx(before.score)
        assert ours.score == pytest.approx(after.score)
        assert ours.difference.mean == pytest.approx(after.mean - before.mean, abs=1e-4)


def test_equal_systems_do_not_differ_and_unlike_ones_do():
    answers, pairs = corpus(100)
    for same in compare(answers, answers, pairs, n_bootstrap=100):
        assert same.difference == (0, 0, 0)
        assert same.p_value == 1
    targets = [target for _, target in pairs]
    for better in compare(answers, targets, pairs, n_bootstrap=100):
        assert better.p_value < 0.05
        assert (better.difference.mean > 0) == better.higher_is_better


def test_the_p_value_of_two_error_rates_is_the_sign_tests():
    pairs = [(str(i), "yes") for i in range(1000)]
    first = ["no" if i < 60 else "yes" for i in range(1000)]
    second = ["no" if 60 <= i < 100 else "yes" for i in range(1000)]
    (result,) = compare(first, second, pairs, metrics=[sequence_error()], n_bootstrap=4000)
    deviations = 20 / math.sqrt(100 - 20**2 / 1000)
    assert result.score - result.baseline == pytest.approx(-2)
    assert result.p_value == pytest.approx(math.erfc(deviations / math.sqrt(2)), abs=0.015)


def test_mistakes_are_named():
    with pytest.raises(DataError, match="no pairs"):
        evaluate([], [], metrics=[bleu()])
    with pytest.raises(DataError, match="2 hypotheses for 1 pairs"):
        evaluate(["a", "b"], [("x", "y")])
    with pytest.raises(ConfigurationError, match="Did you mean 'BLEU'"):
        metric_named("BLEUE")
    with pytest.raises(ConfigurationError, match="unknown BLEU tokenizer"):
        bleu("13b")
