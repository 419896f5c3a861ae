"""Choosing the length penalty on validation pairs, with a Transformer of random weights over bytes."""

from __future__ import annotations

import itertools
import math
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from interlingua.data.store import build_store
from interlingua.engine.eager import EagerEngine
from interlingua.evaluation.scores import evaluate
from interlingua.inference.bundle import LengthStatistics
from interlingua.inference.translation import EMPTY
from interlingua.inference.translator import Translator
from interlingua.kinds import EOS
from interlingua.model.transformer import Transformer, TransformerSettings
from interlingua.runs import validation
from interlingua.runs.validation import FIRST_PAIRS, LENGTH_PENALTIES, MIN_CHOICE_PAIRS, Validator
from interlingua.search.settings import SearchSettings
from interlingua.text.facts import TextFacts
from interlingua.text.symbols import ByteTokenizer
from interlingua.text.tokenizer import TokenizerPair
from tests.models import build

BYTES = TokenizerPair(ByteTokenizer("NFC"), ByteTokenizer("NFC"))
LIMITS = LengthStatistics(max_ratio=1.0, max_source_length=64)


class Wild(Transformer):
    """Random weights would repeat one byte; an output matrix of its own makes texts of many lengths."""

    def project(self, hidden):
        weight = torch.randn(260, hidden.shape[-1], generator=torch.Generator().manual_seed(1))
        logits = hidden @ weight.T
        logits[..., EOS] += 4
        logits[..., 4 + 128 :] -= 5
        return logits


@pytest.fixture(scope="module")
def model() -> Transformer:
    torch.manual_seed(0)
    sizes = TransformerSettings(dim=16, heads=2, feed_forward=32, encoder_layers=1, decoder_layers=1)
    return build(Wild, sizes, 260).eval()


def validator(
    pairs: list[tuple[str, str]], directory: Path, *, choose: bool = True, usual: float = 1.0
) -> Validator:
    settings = SearchSettings(beam=4, length_penalty=usual)
    return Validator(
        build_store(pairs, BYTES, directory / "store"), BYTES, LIMITS, settings,
        choose_length_penalty=choose, decode_pairs=5, max_tokens=512, device=torch.device("cpu"),
    )  # fmt: skip


def test_no_penalty_is_chosen_where_ctc_ranks_as_well(tmp_path: Path) -> None:
    store = build_store([("a", "b")], BYTES, tmp_path / "store")
    chooses = [
        Validator(
            store, BYTES, LIMITS, SearchSettings(beam=4, ctc_weight=weight), choose_length_penalty=True,
            decode_pairs=1, max_tokens=64, device=torch.device("cpu"),
        ).chooses_length_penalty
        for weight in (0.0, 0.5)
    ]  # fmt: skip
    assert chooses == [True, False]


def translated(model: Transformer, sources: list[str], alpha: float) -> list[str]:
    settings = SearchSettings(beam=4, length_penalty=alpha)
    translator = Translator(EagerEngine(model), BYTES, settings=settings, max_ratio=1.0, max_source_length=64)
    return [translation.text for translation in translator.translate(sources)]


@pytest.fixture(scope="module")
def sources() -> list[str]:
    draw = random.Random(0)
    return ["".join(draw.choices("abcde ", k=draw.randint(1, 12))).strip() or "a" for _ in range(12)]


@pytest.mark.parametrize("alpha", LENGTH_PENALTIES)
def test_the_penalty_whose_outputs_are_asked_for_is_found(model, sources, alpha, tmp_path):
    outputs = {other: translated(model, sources, other) for other in LENGTH_PENALTIES}
    same = [other for other in LENGTH_PENALTIES if outputs[other] == outputs[alpha]]
    assert len(same) < len(LENGTH_PENALTIES)  # otherwise nothing is chosen
    pairs = list(zip(sources, outputs[alpha], strict=True))
    validating = validator(pairs, tmp_path)
    found = validating.score(model)
    assert found.search == SearchSettings(beam=4, length_penalty=same[0])
    (expected, *_) = evaluate(outputs[alpha], pairs, metrics=validating.metrics, n_bootstrap=0)
    assert found.scores[0].score == pytest.approx(expected.score)


@pytest.mark.parametrize("usual", [0.0, 1.2, 3.0])
def test_the_penalty_of_a_model_to_start_from_stays_where_none_is_better(model, sources, usual, tmp_path):
    outputs = translated(model, sources, usual)
    assert any(outputs == translated(model, sources, other) for other in LENGTH_PENALTIES if other != usual)
    found = validator(list(zip(sources, outputs, strict=True)), tmp_path, usual=usual).score(model)
    assert found.search == SearchSettings(beam=4, length_penalty=usual)


def test_nothing_is_chosen_when_a_penalty_was_given(model, sources, tmp_path):
    pairs = list(zip(sources, translated(model, sources, 0.0), strict=True))
    found = validator(pairs, tmp_path, choose=False).score(model)
    assert found.search == SearchSettings(beam=4)
    assert [sample.output for sample in found.samples] == translated(model, sources, 1.0)[:10]


@pytest.fixture
def clock(monkeypatch) -> Callable[[], float]:
    """A clock that goes on by a second each time that somebody looks: after a step of decoding, say."""
    ticks = itertools.count(1000.0)
    monkeypatch.setattr(validation.time, "monotonic", lambda: next(ticks))
    return time.monotonic


@pytest.fixture
def many(model) -> list[tuple[str, str]]:
    draw = random.Random(3)
    sources = ["".join(draw.choices("abcde", k=draw.randint(1, 12))) for _ in range(200)]
    return list(zip(sources, translated(model, sources, 1.0), strict=True))


def test_a_limited_time_is_kept_by_translating_fewer_pairs(model, many, tmp_path, clock):
    validating = validator(many, tmp_path)
    validating.decode_pairs = validating.max_decode_pairs = 200
    ends_at = clock() + 45
    limited = validating.validate(model, ends_at)
    assert 0 < limited.pairs < 200
    assert clock() < ends_at + 10
    assert validating.decode_pairs == max(limited.pairs, FIRST_PAIRS)  # the next ones are of the same pairs
    assert validating.validate(model, clock() + 45).pairs == limited.pairs
    (tmp_path / "whole").mkdir()
    whole = validator(many, tmp_path / "whole")
    whole.decode_pairs = limited.pairs
    assert limited.scores == whole.validate(model).scores


def test_more_pairs_are_translated_when_there_is_plenty_of_time(model, many, tmp_path, clock):
    validating = validator(many, tmp_path)
    validating.decode_pairs, validating.max_decode_pairs = 20, 50
    pairs = [validating.validate(model, clock() + 10**6).pairs for _ in range(4)]
    assert pairs == [20, 40, 50, 50]


def test_without_time_there_is_no_score(model, many, tmp_path, clock):
    validating = validator(many, tmp_path)
    found = validating.validate(model, clock())
    assert (found.pairs, found.scores, found.samples) == (0, [], [])
    assert validating.judge(found.outputs) == -math.inf
    assert math.isfinite(found.loss)


def test_time_that_runs_out_unseen_is_over(model, many, tmp_path, monkeypatch):
    now, calls = [0.0], []

    class Late:
        """Does not look at the clock."""

        def translate(self, texts, observe):
            calls.append(len(texts))
            assert len(calls) < 3, "it goes on for ever"
            now[0] += 100
            return [EMPTY] * len(texts)

    monkeypatch.setattr(validation.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(validation, "build_user", lambda *_, **__: Late())
    few = validator(many, tmp_path)
    few.decode_pairs = few.max_decode_pairs = 2 * FIRST_PAIRS
    few.validate(model, ends_at=50)
    assert calls == [FIRST_PAIRS]


@pytest.mark.parametrize("seconds", [10, 60])
def test_scoring_ends_in_time_and_chooses_from_enough_pairs_only(model, many, tmp_path, clock, seconds):
    scoring = validator(many, tmp_path)
    ends_at = clock() + seconds
    found = scoring.score(model, ends_at)
    assert found.pairs < 200
    assert len(found.scores) == (len(scoring.metrics) if found.pairs else 0)
    if found.pairs < MIN_CHOICE_PAIRS:
        assert found.search == scoring.search


def test_a_model_is_tried_as_it_will_be_used(model, tmp_path):
    """One of single sentences gets them one by one."""
    facts = TextFacts(natural=True, passages=False)
    pairs = [("abc de. edc ba.", "a"), ("bad. cab!", "b")]
    engine, settings = EagerEngine(model), SearchSettings(beam=1)
    used = Translator(engine, BYTES, settings=settings, **LIMITS._asdict(), facts=facts)
    expected = [translation.text for translation in used.translate([source for source, _ in pairs])]
    whole = [each.text for each in used.translate([source for source, _ in pairs], whole=True)]
    store = build_store(pairs, BYTES, tmp_path / "store")
    tried = Validator(store, BYTES, LIMITS, settings, False, 5, 512, torch.device("cpu"), facts)
    found = [sample.output for sample in tried.validate(model).samples]
    assert found == expected != whole
