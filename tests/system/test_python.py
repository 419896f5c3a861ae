"""The package's functions for Python programs."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import pytest

import interlingua
from interlingua.inference.translator import Translator
from tests.tiny import tiny_values, write_reversals

BUNDLES = Path(__file__).parent.parent / "bundles"
WORDS = ["abc", "hgfe", "a", "cd", "bad"]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    shutil.copytree(BUNDLES / "transformer", tmp_path / "model")
    return tmp_path / "model"


def outputs(model: Translator) -> list[str]:
    return [translation.text for translation in model.translate(WORDS)]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_loaded_model_does_not_change_with_its_files(directory: Path, precision: str) -> None:
    """They may be overwritten by a copy or by another training while a service or a notebook goes on."""
    model = interlingua.load(directory, precision=precision)
    expected = outputs(model)
    for path in filter(Path.is_file, directory.iterdir()):
        with path.open("rb+") as file:
            file.write(bytes(path.stat().st_size))
    assert outputs(model) == expected
    for path in filter(Path.is_file, directory.iterdir()):
        path.write_bytes(b"")
    assert outputs(model) == expected


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
