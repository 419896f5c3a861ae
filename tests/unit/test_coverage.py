"""A word of the source that hardly anything looked at is likely not translated."""

from __future__ import annotations

import math
import random
import shutil
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from interlingua.api import load
from interlingua.data.store import build_store
from interlingua.engine.eager import EagerEngine
from interlingua.errors import ConfigurationError
from interlingua.inference import coverage as module
from interlingua.inference import parts
from interlingua.inference.bundle import LengthStatistics, load_bundle, read_config, save_facts
from interlingua.inference.coverage import coverage, measure_least_coverage
from interlingua.inference.translator import Translator
from interlingua.model.architectures import build_model
from interlingua.model.protocol import Model
from interlingua.model.recurrent import RecurrentSettings
from interlingua.runs import validation
from interlingua.runs.manifest import load_manifest
from interlingua.runs.plans import load_plan
from interlingua.runs.run import start
from interlingua.runs.trainer import Trainer
from interlingua.runs.validation import Validator
from interlingua.search.settings import SearchSettings
from interlingua.text.facts import TextFacts
from interlingua.text.symbols import ByteTokenizer
from interlingua.text.tokenizer import TokenizerPair

DOG = ("\u2581a", "\u2581d", "og", "\u2581runs", ".")


def looks(*rows: list[float]) -> torch.Tensor:
    """Two layers of two heads that look so; the last column is the end sign's."""
    return torch.tensor(rows).expand(2, 2, -1, -1)


def test_the_pieces_of_a_word_are_looked_at_together() -> None:
    cross = looks([0.5, 0.1, 0.2, 0.1, 0.1, 0.0], [0.0, 0.2, 0.1, 0.1, 0.0, 0.6])
    assert coverage(cross, DOG) == pytest.approx(0.3)  # a .5, dog .6, runs. .2 + .1
    assert coverage(cross, tuple("a dog")) == pytest.approx(0.5)  # letters; the space is the word
    assert coverage(cross, ("ab", "cd", "ef", "gh", "!")) == pytest.approx(0.2)  # no spaces: each for itself


def test_signs_are_no_words() -> None:
    cross = looks([0.4, 0.6, 0.0, 0.0])
    assert coverage(cross, ("\u2581a", "\u2581b", "\u2581!")) == pytest.approx(0.4)
    assert coverage(looks([0.4, 0.6]), ("\u2581!",)) == math.inf


def test_other_columns_are_no_words_of_the_text() -> None:
    cross = looks([0.0, 0.1, 0.5, 0.1, 0.3, 0.0], [0.1, 0.0, 0.1, 0.4, 0.4, 0.0])
    pieces = ("de", "\u2502", "\u2581a", "\u2581do", "g")
    assert coverage(cross, pieces, slice(2, 5)) == pytest.approx(0.6)  # a .6, dog 1.2; the tag has .2
    assert coverage(cross, pieces) < 0.6


NATURAL = TextFacts(natural=True, usual_ratio=0.9, min_coverage=0.25)


def test_only_short_translations_of_natural_language_are_looked_at() -> None:
    source = "x" * 20
    assert NATURAL.may_lack(source, "y" * 17)
    assert not NATURAL.may_lack(source, "y" * 19)
    assert not NATURAL.may_lack("x" * 19, "")  # too short to tell
    assert not NATURAL._replace(natural=False).may_lack(source, "")
    assert not NATURAL._replace(min_coverage=0.0).may_lack(source, "")
    assert not TextFacts().may_lack(source, "")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of natural language, made in some updates."""
    directory = tmp_path_factory.mktemp("coverage")
    draw = random.Random(0)
    words = ["".join(draw.choices("abcdefghijklmnopqrst", k=draw.randint(3, 8))) for _ in range(700)]
    lines = [draw.choices(words, k=draw.randint(4, 9)) for _ in range(600)]
    text = "".join(f"{' '.join(line)}.\t{' '.join(word[::-1] for word in line)}.\n" for line in lines)
    (directory / "pairs.tsv").write_text(text, encoding="utf-8")
    values = {
        "data": {"train": str(directory / "pairs.tsv"), "valid_share": 0.25},
        "model": {"dim": 16, "heads": 2, "feed_forward": 32, "encoder_layers": 1, "decoder_layers": 1},
        "training": {"max_tokens": 256, "max_steps": 6, "validations": 1, "decode_pairs": 5, "threads": 1},
        "search": {"beam": 1},
    }
    list(start(values, directory / "run"))
    return directory / "run"


def test_the_threshold_is_measured_at_the_end_of_training_and_kept(bundle: Path) -> None:
    facts = load(bundle).facts
    assert facts.natural
    assert facts.min_coverage > 0
    assert 0.5 < facts.usual_ratio < 1.5


def test_what_was_hardly_looked_at_is_flagged_whatever_its_company(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load(bundle, precision="fp32")
    assert isinstance(model, Translator)
    texts = [f"{letter * 5} rstuv wxyz abcde" for letter in "abcde"] + ["ab cd"]
    for least, flagged in ((1e9, 5), (0.0, 0)):
        model._parts.facts = model.facts._replace(usual_ratio=1e9, min_coverage=least)
        together = ["uncovered" in each.flags for each in model.translate(texts)]
        assert together == [each["flags"] for each in alone(model, texts)]
        assert sum(together) == flagged  # the last one is too short to tell
    looked: list[int] = []
    attend = parts.attention_of
    monkeypatch.setattr(parts, "attention_of", lambda *given: looked.append(1) or attend(*given))
    model._parts.facts = model.facts._replace(usual_ratio=0.0, min_coverage=1e9)
    model.translate(texts)
    assert not looked  # translations of a usual length cost nothing


def alone(model: Translator, texts: list[str]) -> list[dict[str, bool]]:
    return [{"flags": "uncovered" in model.translate([text])[0].flags} for text in texts]


@pytest.mark.parametrize("attention", ["none", "multiplicative"])
def test_models_without_attention_are_not_asked(attention: str) -> None:
    torch.manual_seed(0)
    settings = RecurrentSettings(dim=16, encoder_layers=1, decoder_layers=1, attention=attention)
    tokenizer = ByteTokenizer("NFC")
    engine = EagerEngine(module_of(settings))
    pairs = [("ab cd", "dc ba"), ("ab", "ba"), ("", "x")] * 60
    found = measure_least_coverage(engine, TokenizerPair(tokenizer, tokenizer), pairs, math.inf)
    assert (found > 0) == (attention != "none")
    assert measure_least_coverage(engine, TokenizerPair(tokenizer, tokenizer), pairs, 0.0) == 0  # no time
    few = pairs[: module.FEWEST - 1]
    assert measure_least_coverage(engine, TokenizerPair(tokenizer, tokenizer), few, math.inf) == 0
    facts = NATURAL._replace(usual_ratio=1e9)
    model = Translator(engine, TokenizerPair(tokenizer, tokenizer), max_ratio=1.0, max_source_length=90,
                       settings=SearchSettings(beam=1), facts=facts)  # fmt: skip
    try:
        assert model.translate(["a text of more than twenty characters"])
    except ConfigurationError:
        pytest.fail("a model without attention was asked for it")


def test_of_many_pairs_some_are_taken_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first ones of a file, or of several corpora, may be unlike the others."""
    seen: list[list[int]] = []
    monkeypatch.setattr(
        module, "_coverages", lambda *given: [1.0 for source in given[2] if not seen.append(source)]
    )
    tokenizer = ByteTokenizer("NFC")
    pairs = [(chr(97 + i * 10 // 1300) * 3, "x") for i in range(1300)]
    engine = SimpleNamespace(has_attention=True)
    measure_least_coverage(engine, TokenizerPair(tokenizer, tokenizer), pairs, math.inf)
    assert module.FEWEST < len(seen) <= module.MOST
    assert {tokenizer.decode(ids)[0] for ids in seen} == set("abcdefghij")


@pytest.mark.parametrize("choose", [True, False])
def test_a_model_is_measured_on_what_it_takes_as_a_whole_and_after_scoring(
    choose: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    model = module_of(
        RecurrentSettings(dim=16, encoder_layers=1, decoder_layers=1, attention="multiplicative")
    )
    tokenizer = ByteTokenizer("NFC")
    both, facts = TokenizerPair(tokenizer, tokenizer), TextFacts(natural=True, passages=False)
    store = build_store([("ab cd. ef gh.", "x"), ("ab cd", "y"), ("cd ef.", "z")], both, tmp_path / "store")
    asked: list[tuple[list[str], float]] = []
    monkeypatch.setattr(
        validation,
        "measure_least_coverage",
        lambda engine, both, pairs, ends_at, column: asked.append(([s for s, _ in pairs], ends_at)) or 0.5,
    )
    scoring = Validator(
        store,
        both,
        LengthStatistics(1.0, 64),
        SearchSettings(beam=2),
        choose,
        5,
        512,
        torch.device("cpu"),
        facts,
    )
    assert scoring.score(model, measuring_ends_at=7.0).min_coverage == 0.5
    assert asked == [(["ab cd", "cd ef."], 7.0)]


def test_time_for_the_metrics_is_not_taken_from_measuring() -> None:
    trainer = SimpleNamespace(budget=SimpleNamespace(ends_at=time.monotonic() + 100), saving_s=0.5)
    assert Trainer.measuring_ends_at(trainer) > Trainer.scoring_ends_at(trainer) + 10
    assert Trainer.measuring_ends_at(trainer) < trainer.budget.ends_at - trainer.saving_s


def test_what_starts_from_a_model_takes_nothing_that_is_to_be_measured_over(
    bundle: Path, tmp_path: Path
) -> None:
    values = {"data": read_config(bundle)["data"], "base_model": str(tmp_path / "old"),
              "training": {"max_steps": 1, "validations": 1, "decode_pairs": 5, "threads": 1},
              "search": {"beam": 1}}  # fmt: skip
    old, tuned = tmp_path / "old", tmp_path / "tuned"
    shutil.copytree(bundle, old)
    save_facts(old, load_bundle(old).facts._replace(usual_ratio=0.0, min_coverage=0.0))  # as before the flag
    list(start(values, tuned))
    facts = load_bundle(tuned).facts
    assert facts.usual_ratio > 0.5
    assert facts.min_coverage > 0
    plan = load_plan(tuned, read_config(tuned), load_manifest(tuned))  # to go on
    assert plan.facts == facts._replace(min_coverage=0.0)


def module_of(settings: RecurrentSettings) -> Model:
    return build_model(settings, 260, 260, shared=True).eval()
