"""Every setting at its edges and beyond: it is acceptable, or the message says what would be."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from interlingua.errors import ConfigurationError, InterlinguaError, OutputError
from interlingua.model.architectures import build_model
from interlingua.model.presets import PRESETS
from interlingua.runs import sizes
from interlingua.runs.experiment import Experiment, cache_directory
from interlingua.runs.plans import make_plans
from interlingua.serving.settings import ServeSettings
from interlingua.settings import merge

from ..tiny import tiny_values, write_reversals


@pytest.fixture(scope="module")
def fuzz() -> ModuleType:
    script = Path(__file__).parents[2] / "benchmarks" / "fuzz_settings.py"
    spec = importlib.util.spec_from_file_location("fuzz_settings", script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["fuzz_settings"] = module
    spec.loader.exec_module(module)
    return module


UNACCEPTABLE: list[tuple[dict[str, Any], list[str]]] = [
    ({"training": {"minutes": float("inf")}}, ["training.minutes", "finite"]),
    ({"training": {"minutes": float("nan")}}, ["training.minutes", "finite"]),
    ({"training": {"minutes": 1e308}}, ["training.minutes", "10000000"]),
    ({"training": {"learning_rate": 1e308}}, ["training.learning_rate", "1000"]),
    ({"training": {"threads": 5000}}, ["training.threads", "1024"]),
    ({"training": {"accumulate": 2**31 - 1}}, ["training.accumulate", "10000"]),
    ({"training": {"max_steps": 10**30}}, ["training.max_steps", "2147483648"]),
    ({"training": {"max_steps": True}}, ["training.max_steps", "true and false"]),
    ({"training": {"label_smoothing": True}}, ["training.label_smoothing", "true and false"]),
    ({"training": {"tensorboard": "maybe"}}, ["training.tensorboard", "true or false"]),
    ({"training": {"device": "a\0b"}}, ["training.device", "NUL"]),
    ({"training": 5}, ["training", "a section of settings"]),
    ({"data": ["a.tsv"]}, ["data", "a section of settings"]),
    ({"data": {"train": ["a\0.tsv"]}}, ["data.train", "NUL"]),
    ({"data": {"train": ["\udcff.tsv"]}}, ["data.train", "not UTF-8"]),
    ({"data": {"train": 5}}, ["data.train", "a list"]),
    ({"data": {"columns": [True, 2]}}, ["data.columns", "true and false"]),
    ({"data": {"columns": "1+1,2"}}, ["data.columns", "each source once, not 1+1"]),
    ({"data": {"columns": "1+2,2"}}, ["data.columns", "the target, 2, among the sources"]),
    ({"data": {"keys": "word+form,form"}}, ["data.keys", "the target, form, among the sources"]),
    ({"data": {"split_seed": 10**30}}, ["data.split_seed"]),
    ({"tokenizer": {"source": "word"}}, ["tokenizer.source: ", "'words'", "'auto'"]),
    ({"tokenizer": {"joint": 0.5}}, ["tokenizer.joint: ", "true or false", "'auto'"]),
    ({"tokenizer": {"vocabulary_size": -1}}, ["tokenizer.vocabulary_size", "greater than 4"]),
    ({"tokenizer": {"sample": 0}}, ["tokenizer.sample"]),
    ({"model": {"dim": True}}, ["model.dim", "true and false"]),
    ({"model": {"encoder_layers": 65536}}, ["model.encoder_layers", "1000"]),
    ({"model": {"architecture": "x"}}, ["model: architecture 'x': should be", "'recurrent'"]),
    ({"search": {"top_k": 10**30}}, ["search.top_k"]),
    ({"languages": ["de"]}, ["languages.1: is missing"]),
    ({"data": {"train": [["a", "b", "c"]]}}, ["data.train.0", "too many parts"]),
    ({"languages": "de"}, ["languages", "a list"]),
    ({"languages": ["de", True]}, ["languages", "true and false"]),
]  # fmt: skip


@pytest.mark.parametrize(("values", "expected"), UNACCEPTABLE)
def test_an_unacceptable_value_is_explained_in_the_users_words(
    values: Mapping[str, Any], expected: list[str]
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Experiment.parse(values, "e.toml")
    for part in [*expected, "e.toml"]:
        assert part in str(caught.value)
    for jargon in ("Input", "uple ", "instance", "literal", "Settings"):
        assert jargon not in str(caught.value)


@pytest.mark.parametrize("values", [
    {"tokenizer": {"joint": True}}, {"training": {"tensorboard": 1}}, {"training": {"max_steps": "5"}},
    {"training": {"average_decay": 0.9985}}, {"model": {"architecture": "recurrent", "input_feeding": True}},
])  # fmt: skip
def test_what_can_only_mean_one_thing_is_taken(values: Mapping[str, Any]) -> None:
    Experiment.parse(values)


@pytest.mark.parametrize("values", [
    {"host": ""}, {"timeout_s": float("inf")}, {"queue": 10**30}, {"port": True}, {"api_keys": "a\0"},
    {"log_texts": "maybe"}, {"file_minutes": float("nan")}, {"cors": ["\udcff"]},
])  # fmt: skip
def test_a_service_has_no_impossible_settings(values: Mapping[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        ServeSettings.parse(values, "serve")


def test_every_edge_of_every_setting_is_taken_or_explained(fuzz: ModuleType) -> None:
    for settings in (Experiment, ServeSettings):
        for place, values in fuzz.places(settings):
            for value in values:
                try:
                    settings.parse(fuzz.Case({place: value}).values({}))
                except InterlinguaError as error:
                    assert place[0] in str(error)  # noqa: PT017


def test_tiny_trainings_with_settings_at_the_edge_work_or_leave_nothing(
    fuzz: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INTERLINGUA_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    base = fuzz.tiny(tmp_path)
    for name, value in {"dropout": 0, "final_norm": 10**30, "ctc": 0.0, "heads": 3, "dim": 2}.items():
        assert fuzz.outcome(fuzz.Case({("model", name): value}), base, tmp_path / f"run-{name}") is None


def test_a_preset_of_another_architecture_is_named(tmp_path: Path) -> None:
    values = {**tiny_values(write_reversals(tmp_path / "a.tsv", 60)), "preset": "gru"}
    with pytest.raises(ConfigurationError, match="the preset gru is recurrent") as caught:
        make_plans(
            merge(values, {"model": {"architecture": "transformer"}}),
            "test",
            tmp_path / "out",
            tmp_path / "copies",
        )
    assert "model.cell" not in str(caught.value)


def test_a_model_that_memory_cannot_hold_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INTERLINGUA_CACHE", str(tmp_path / "cache"))
    values = tiny_values(write_reversals(tmp_path / "a.tsv", 60), max_steps=1)
    monkeypatch.setattr(sizes.os, "sysconf", {"SC_PAGE_SIZE": 1, "SC_PHYS_PAGES": 10**5}.get)
    with pytest.raises(ConfigurationError, match="this machine has") as caught:
        make_plans(values, "test", tmp_path / "out", tmp_path / "copies")
    assert "width 16" in str(caught.value)


def test_without_a_home_directory_the_message_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    for name in ("INTERLINGUA_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", no_home)
    with pytest.raises(OutputError, match="INTERLINGUA_CACHE"):
        cache_directory()


@pytest.mark.parametrize("preset", PRESETS)
def test_no_model_has_more_parameters_than_its_bound(preset: str) -> None:
    settings = PRESETS[preset]
    model = build_model(settings, 300, 300, shared=False)
    assert sum(parameter.numel() for parameter in model.parameters()) <= sizes._at_most(settings, 300)
