"""What is chosen when nobody says otherwise."""

from __future__ import annotations

import time
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from interlingua.data.corpus import CorpusSettings
from interlingua.data.preparation import Prepared, prepare
from interlingua.data.sampler import epoch_batches
from interlingua.model.architectures import ARCHITECTURES
from interlingua.model.presets import PRESETS
from interlingua.runs import machine, recipes
from interlingua.runs.machine import SLOW, Pace, choose_fewer_threads, measure_pace
from interlingua.runs.recipes import Recipe, choose_recipe, tokens_of_batch
from interlingua.runs.sound_recipes import choose_sound_recipe
from interlingua.text.tokenizer import TokenizerSettings, train_tokenizers
from interlingua.training.settings import TrainingSettings
from tests.tiny import write_reversals

CPU, GPU = torch.device("cpu"), torch.device("cuda")
TOKENS_PER_S = 10_000


@pytest.fixture(scope="module")
def letters(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    directory = tmp_path_factory.mktemp("recipes")
    train = write_reversals(directory / "train.tsv", 50)
    settings = TokenizerSettings(source="characters", target="characters")
    return prepare(CorpusSettings(train=(str(train),)), settings, directory)


@pytest.fixture
def pretend(letters: Prepared, monkeypatch: pytest.MonkeyPatch):
    """Chooses for data that is said to be so large, and perhaps of subwords."""

    def choose(
        tokens: int, *, subwords: bool = True, preset=None, device=CPU, speed=TOKENS_PER_S, muon_s=0.0,
        **training: float,
    ) -> Recipe:  # fmt: skip
        monkeypatch.setattr(recipes, "target_tokens", lambda _: tokens)
        monkeypatch.setattr(recipes, "SMALL_VOCABULARY", 0 if subwords else 1000)
        settings = TrainingSettings(**training)
        return choose_recipe(preset, "transformer", settings, letters, device, lambda _: Pace(speed, muon_s))

    return choose


@pytest.mark.parametrize(("source", "target"), [(120, 1), (400, 12), (40, 40), (6, 7), (2, 90)])
@pytest.mark.parametrize("pairs", [3, 300, 5_000])
def test_a_batch_has_about_as_many_target_tokens_as_it_is_counted_on(source, target, pairs):
    numbers = np.random.default_rng(1)
    sources, targets = (1 + numbers.integers(most, size=pairs) for most in (2 * source, 2 * target))

    class Train(SimpleNamespace):
        def __len__(self) -> int:
            return pairs

    train = Train(source_lengths=sources, target_lengths=targets)
    batches = sum(1 for _ in epoch_batches(sources, targets, 4096, 0, 0))
    expected = (targets.sum() + pairs) / tokens_of_batch(train, 4096)
    assert 0.7 * expected < batches < 1.4 * expected + 2  # padding takes room, and the last ones are not full
    assert tokens_of_batch(train, 4096) <= 4096


@pytest.mark.parametrize("subwords", [True, False])
@pytest.mark.parametrize("budget", ["minutes", "max_steps"])
def test_what_is_seen_more_often_gets_more_dropout(pretend, subwords, budget):
    shares = [pretend(500_000, subwords=subwords, **{budget: amount}).values["model"]["dropout"]
              for amount in (1, 10, 100, 1000, 10_000, 1_000_000)]  # fmt: skip
    assert shares == sorted(shares)
    assert len(set(shares)) > 1


def test_a_recurrent_model_of_letters_wants_dropout_sooner(pretend):
    """After some twenty passes it does, where a Transformer does not yet."""

    def chosen(preset, minutes, **training):
        recipe = pretend(25_000, subwords=False, speed=1_000, minutes=minutes, preset=preset, **training)
        return recipe.values["model"]["dropout"]

    assert (chosen("lstm", 1), chosen("letters", 1)) == (0, 0)
    assert chosen("lstm", 8) > chosen("letters", 8) == 0
    assert chosen("lstm", 1_000) > chosen("lstm", 8)
    by_adamw = [chosen("lstm", minutes, optimizer="adamw") for minutes in (1, 8, 20, 1_000)]
    assert by_adamw == sorted(by_adamw)
    assert (by_adamw[0], by_adamw[-2] > chosen("lstm", 20)) == (0, True)  # it learns by heart sooner still


def test_little_data_is_seen_often_without_a_budget_too(pretend):
    shares = [pretend(tokens, subwords=False).values["model"]["dropout"] for tokens in (27_000, 800_000)]
    assert shares[0] > shares[1]


def test_batches_that_are_asked_for_count(pretend):
    few, many = (pretend(500_000, max_steps=2000, max_tokens=size) for size in (512, 131_072))
    assert few.values["model"]["dropout"] < many.values["model"]["dropout"]


def test_a_short_time_gets_smaller_batches(pretend):
    short, long = (pretend(500_000, minutes=minutes).values["training"]["max_tokens"] for minutes in (2, 30))
    assert short < long
    assert pretend(500_000, max_steps=10).values["training"]["max_tokens"] == long
    asked = pretend(500_000, minutes=2, max_tokens=3000)
    assert asked.values["training"]["max_tokens"] == 3000


def test_validations_take_no_longer_than_the_training_where_no_time_bounds_them(letters):
    class Pairs(SimpleNamespace):
        def __len__(self) -> int:
            return 1000

    def chosen(seen: float, length: int, **training: float) -> int:
        valid = Pairs(target_lengths=np.full(1000, length))
        return recipes.choose_decode_pairs(TrainingSettings(**training), seen, valid)

    assert chosen(1e7, 15) == chosen(1e9, 400) == TrainingSettings().decode_pairs
    assert chosen(300 * 1024, 15) > 2 * chosen(300 * 1024, 67) > 300
    assert chosen(300 * 1024, 67, validations=4) > 2 * chosen(300 * 1024, 67)
    assert chosen(1000, 400) == recipes.LEAST_DECODED
    few, timed = (
        choose_recipe(None, None, TrainingSettings(**budget), letters, CPU, lambda _: Pace(TOKENS_PER_S))
        for budget in ({"max_steps": 2}, {"minutes": 1})
    )
    assert few.values["training"]["decode_pairs"] == recipes.LEAST_DECODED
    assert "decode_pairs" not in timed.values["training"]


def test_a_slow_machine_gets_smaller_batches_and_less_dropout(pretend):
    slow, fast = (pretend(50_000, minutes=5, subwords=False, speed=speed) for speed in (500, 50_000))
    assert slow.values["training"]["max_tokens"] < fast.values["training"]["max_tokens"]
    assert slow.values["model"]["dropout"] < fast.values["model"]["dropout"]
    assert "at 500 tokens/s" in slow.reason


def test_the_machine_is_measured_for_a_budget_of_time_only(letters, monkeypatch):
    measured = []

    def measure(model, training, *_):
        measured.append((model, training.optimizer))
        return Pace(1234.0)

    monkeypatch.setattr(recipes, "measure_pace", measure)
    choose_recipe(None, "transformer", TrainingSettings(max_steps=100), letters, CPU)
    assert measured == []
    chosen = choose_recipe("lstm", "recurrent", TrainingSettings(minutes=1), letters, CPU)
    assert measured == [(PRESETS["lstm"], "muon")]  # once
    assert "1,234 tokens/s" in chosen.reason


@pytest.mark.parametrize(("preset", "optimizer"), [("tiny", "adamw"), ("lstm", "muon")])
def test_a_measurement_gives_a_pace_of_about_the_time_it_takes(letters, preset, optimizer):
    settings = TrainingSettings(minutes=0.5, max_tokens=64, optimizer=optimizer)
    began = time.monotonic()
    pace = measure_pace(PRESETS[preset], settings, letters, CPU)
    took = time.monotonic() - began
    assert 0 < pace.tokens_per_s * took < 10**7
    assert (pace.muon_s > 0) == (optimizer == "muon")
    assert pace.muon_s < took
    assert measure_pace(PRESETS[preset], TrainingSettings(minutes=0.1), letters, CPU) == SLOW


def test_where_muon_takes_most_of_the_time_adamw_trains_in_smaller_batches(pretend):
    """Muon's part does not depend on the batch, so that it weighs most on slow machines in short times."""

    def chosen(muon_s: float, minutes: float = 2, **training) -> dict:
        recipe = pretend(50_000, subwords=False, preset="lstm", speed=3_000, muon_s=muon_s, minutes=minutes,
                         **training)  # fmt: skip
        return recipe.values["training"]

    slow, fast = chosen(0.15), chosen(0.02)
    assert (slow["optimizer"], fast["optimizer"]) == ("adamw", "muon")
    assert slow["max_tokens"] <= fast["max_tokens"]
    assert slow["learning_rate"] < fast["learning_rate"]
    assert chosen(0.15, minutes=1000)["optimizer"] == "muon"  # in batches that are large enough
    assert chosen(0.15, optimizer="muon")["optimizer"] == "muon"  # it was asked for
    assert chosen(0.15, max_tokens=4096)["max_tokens"] == 4096
    letters = [
        pretend(50_000, subwords=False, preset="letters", speed=3_000, muon_s=0.15, minutes=minutes)
        for minutes in (2, 5)
    ]  # a Transformer, with 370 and 940 updates by Muon
    assert [recipe.values["training"]["optimizer"] for recipe in letters] == ["adamw", "muon"]
    sentences = pretend(50_000, preset="mini", speed=3_000, muon_s=0.15, minutes=2)
    assert sentences.values["training"]["optimizer"] == "muon"  # which is worth more of subwords


@pytest.mark.parametrize(
    ("rates", "chosen"),
    [
        ({12: 100, 6: 120, 3: 200, 1: 150}, (3, 12, 2.0)),
        ({12: 100, 6: 100, 3: 200, 1: 300}, None),  # six are no faster: no more is tried
        ({12: 100, 6: 150, 3: 150, 1: 150}, (6, 12, 1.5)),
    ],
)
def test_fewer_threads_are_chosen_where_they_are_faster(letters, monkeypatch, rates, chosen):
    measured = []

    def measure(_, training, *__):
        measured.append(training.threads)
        return rates[training.threads]

    monkeypatch.setattr(machine, "measure_throughput", measure)
    monkeypatch.setattr(machine, "choose_threads", lambda _: 12)
    monkeypatch.setattr(machine.torch, "set_num_threads", lambda _: None)
    choose = partial(choose_fewer_threads, PRESETS["tiny"])
    found = choose(TrainingSettings(minutes=5), letters, CPU)
    assert found == (chosen and pytest.approx(chosen))
    assert set(measured) <= rates.keys()
    measured.clear()
    for settings in ({"max_steps": 100}, {"minutes": 5, "threads": 12}, {"minutes": 0.1}):
        assert choose(TrainingSettings(**settings), letters, CPU) is None
    assert choose(TrainingSettings(minutes=5), letters, torch.device("meta")) is None
    assert not measured


def test_a_short_time_gets_the_model_that_learns_letters_sooner(letters):
    def chosen(architecture, **training):
        settings = TrainingSettings(**training)
        return choose_recipe(None, architecture, settings, letters, CPU, lambda _: Pace(10_000)).values[
            "model"
        ]

    assert chosen(None, minutes=2)["architecture"] == "recurrent"
    assert chosen(None, minutes=60)["architecture"] == "transformer"
    assert chosen(None, max_steps=10)["architecture"] == "transformer"
    assert chosen("transformer", minutes=2)["architecture"] == "transformer"  # it was asked for


@pytest.mark.parametrize(("kind", "sampling"), [("unigram", 0.5), ("bpe", 0.1), ("bytes", 0.0)])
def test_only_subwords_are_cut_at_random(pretend, letters, monkeypatch, kind, sampling):
    monkeypatch.setattr(letters.tokenizers.target, "kind", kind)
    assert pretend(500_000, max_steps=100).values["training"]["subword_sampling"] == 0
    assert pretend(500_000, max_steps=10**6).values["training"]["subword_sampling"] == sampling


def test_more_data_gets_less_dropout_and_no_narrower_a_model(pretend):
    found = [pretend(tokens, max_steps=5000).values["model"] for tokens in (10**5, 10**6, 10**7, 10**9)]
    assert [model["dropout"] for model in found] == sorted(
        (model["dropout"] for model in found), reverse=True
    )
    assert [model["dim"] for model in found] == sorted(model["dim"] for model in found)


@pytest.mark.parametrize("budget", ["minutes", "max_steps"])
def test_a_long_budget_gets_a_wider_model_of_letters(pretend, budget):
    widths = {amount: pretend(10**6, subwords=False, **{budget: amount}).values["model"]["dim"]
              for amount in (10, 10**5)}  # fmt: skip
    assert widths[10] == PRESETS["letters"].dim < widths[10**5] == PRESETS["letters-wide"].dim


def test_every_architecture_has_a_preset_of_its_own():
    assert set(recipes.DEFAULT_PRESET) == set(ARCHITECTURES) - {"transformer"}
    for architecture, preset in recipes.DEFAULT_PRESET.items():
        assert PRESETS[preset].architecture == architecture


def test_only_a_gpu_gets_the_large_model(pretend):
    assert pretend(10**9, device=CPU).values["model"]["dim"] == PRESETS["small"].dim
    assert pretend(10**9, device=GPU).values["model"]["dim"] == PRESETS["base"].dim


@pytest.mark.parametrize("preset", [name for name in PRESETS if not name.startswith("paper")])
def test_a_preset_is_its_sizes_whatever_the_data(pretend, preset):
    for tokens in (10**4, 10**9):
        recipe = pretend(tokens, preset=preset)
        sizes = PRESETS[preset].model_dump()
        assert {**recipe.values["model"], "dropout": sizes["dropout"]} == sizes
        assert recipe.preset == preset


def test_a_papers_preset_is_the_papers(pretend):
    recipe = pretend(10**4, preset="paper-base")
    assert recipe.values["model"] == PRESETS["paper-base"].model_dump()
    training = TrainingSettings(**recipe.values["training"])
    assert training.schedule == "paper"
    assert 24_000 <= training.max_tokens * training.accumulate <= 26_000
    assert training.patience == 0


@pytest.mark.parametrize(
    ("pair", "preset"),
    [("walk twice\tI_WALK I_WALK", "tiny"), ("w a l k\tW AO K", "letters"), ("walk\tW AO K", "letters")],
)
def test_commands_get_the_model_that_learns_exact_tasks(tmp_path, pair, preset):
    train = tmp_path / "train.tsv"
    train.write_text("".join(f"{pair}\n{pair.replace('walk', word)}\n" for word in ("run", "jump", "look")))
    settings = TokenizerSettings(
        source="words" if " " in pair.split("\t")[0] else "characters", target="words"
    )
    corpus = CorpusSettings(train=(str(train),), valid=(str(train),))
    prepared = prepare(corpus, settings, tmp_path)
    values = choose_recipe(None, "transformer", TrainingSettings(max_steps=9), prepared, CPU).values
    assert {**values["model"], "dropout": 0.1} == PRESETS[preset].model_dump()
    assert values["training"]["optimizer"] == ("adamw" if preset == "tiny" else "muon")


@pytest.mark.parametrize(("texts", "symbols"), [
    (["w a l k", "r u n"], True),
    (["1 2 3", "4 10"], True),
    ([f"wait {minutes} minutes for coffee" for minutes in range(60)], False),
])  # fmt: skip
def test_words_with_many_numbers_among_them_are_no_symbols(texts: list[str], symbols: bool) -> None:
    settings = TokenizerSettings(source="words", target="words")
    (source, _), _ = train_tokenizers([*zip(texts, texts, strict=True)], settings)
    assert recipes.is_of_symbols(source) is symbols


@pytest.mark.parametrize("preset", [None, "small"])
def test_an_optimizer_that_is_asked_for_gets_its_own_rate(pretend, preset):
    by_default = pretend(500_000, preset=preset).values["training"]
    asked = pretend(500_000, preset=preset, optimizer="adamw").values["training"]
    assert by_default["optimizer"] == "muon"
    assert asked["optimizer"] == "adamw"
    assert asked["learning_rate"] < by_default["learning_rate"]
    assert asked["weight_decay"] < by_default["weight_decay"]


def test_a_papers_preset_has_the_papers_optimizer(pretend):
    assert pretend(10**4, preset="paper-base").values["training"]["optimizer"] == "adamw"


@pytest.mark.parametrize(
    ("minutes", "preset", "dropout", "batch_s"),
    [(5, "speech-tiny", 0.1, 10.0), (500, "speech-small", 0.2, 60.0)],
)
def test_short_budgets_hear_more_sound_with_less_of_everything(
    minutes: float, preset: str, dropout: float, batch_s: float
) -> None:
    class Train(SimpleNamespace):
        def __len__(self) -> int:
            return 2_000

    train = Train(source_lengths=np.full(2_000, 11), target_lengths=np.ones(2_000, int))
    training = TrainingSettings(minutes=minutes)
    recipe = choose_sound_recipe(None, training, train, lambda name: 150.0)  # tokens a second
    chosen = recipe.values["model"]["dropout"], recipe.values["training"]["batch_seconds"]
    assert (recipe.preset, *chosen) == (preset, dropout, batch_s)
    assert bool(recipe.values["augmentation"]) == (preset == "speech-tiny")
    asked = choose_sound_recipe("speech", training, train, lambda name: 150.0)
    assert asked.preset == "speech"
