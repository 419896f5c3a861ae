"""The package's functions for Python programs."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest

import interlingua
from interlingua.errors import ConfigurationError
from interlingua.runs.events import Validated
from tests.tiny import tiny_values, write_reversals


def test_minutes_count_from_the_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A notebook may have been open for hours before it trains."""
    monkeypatch.setattr(interlingua, "STARTED", time.monotonic() - 3600)
    pairs = write_reversals(tmp_path / "pairs.tsv", 300)
    values = tiny_values(pairs)
    interlingua.train(
        pairs, tmp_path / "run", model=values["model"], tokenizer=values["tokenizer"],
        data={"valid_share": 0.05}, training={**values["training"], "minutes": 0.1},
    )  # fmt: skip
    info = json.loads((tmp_path / "run" / "info.json").read_text())
    assert info["steps"] > 2  # it was one when an hour had gone already
    assert info["elapsed_s"] < 60


def test_a_stop_is_not_swallowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pairs, values, out = write_reversals(tmp_path / "pairs.tsv", 100), tiny_values(Path()), tmp_path / "run"
    monkeypatch.setattr(
        "interlingua.runs.journal.Journal.record",
        lambda self, event: isinstance(event, Validated) and signal.raise_signal(signal.SIGINT),
    )
    with pytest.raises(KeyboardInterrupt):
        interlingua.train(pairs, out, model=values["model"], training={**values["training"], "max_steps": 9})
    assert list((out / "training" / "checkpoints").iterdir())


def test_data_is_not_given_twice(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"data\.train is given twice"):
        interlingua.train("a.tsv", tmp_path / "run", data={"train": "b.tsv"})
