"""Models and runs made by version 0.1.0 before its rooms were redrawn (commit 7b71cc4) still work.

tests/bundles/ holds what that version wrote after 120 steps on words and their reversals
(`write_reversals(path, 300)`), and in expected.json what it translated and scored with them.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

import interlingua
from interlingua.data.tensors import read_tensors, write_tensors
from interlingua.errors import CheckpointError
from interlingua.runs.events import Ended, Note, Validated
from tests.tiny import resume_tiny, write_reversals

BUNDLES = Path(__file__).parent.parent / "bundles"
EXPECTED: dict[str, list[dict[str, Any]]] = json.loads(
    (BUNDLES / "expected.json").read_text(encoding="utf-8")
)
RUNS = ("transformer", "recurrent")
"""Those that are kept with a checkpoint."""


@pytest.mark.parametrize("name", EXPECTED)
def test_old_models_give_what_they_gave(name: str) -> None:
    model = interlingua.load(BUNDLES / name, threads=1)
    *translations, pair = EXPECTED[name]
    for found, expected in zip(model.translate(["abc", "hgfe", "a"], beam=3), translations, strict=True):
        assert (found.text, list(found.tokens)) == (expected["text"], expected["tokens"])
        assert found.score == pytest.approx(expected["score"], abs=1e-4)
    (scored,) = model.score_pairs([("abc", "cba")])
    assert scored.log_prob == pytest.approx(pair["log_prob"], abs=1e-4)


@pytest.fixture(params=RUNS)
def old_run(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    out = tmp_path / "run"
    shutil.copytree(BUNDLES / request.param, out)
    config = out / "config.toml"
    pairs = write_reversals(tmp_path / "pairs.tsv", 300)
    config.write_text(config.read_text().replace("pairs.tsv", str(pairs)))
    return out


def test_old_runs_are_resumed(old_run: Path) -> None:
    before, _ = read_tensors(old_run / "model.safetensors")
    events = resume_tiny(old_run, max_steps=140)
    assert any(isinstance(event, Note) and "going on after step 120" in event.text for event in events)
    ended = events[-1]
    assert isinstance(ended, Ended)
    assert (ended.step, ended.finished) == (140, True)
    (newest,) = (old_run / "training" / "checkpoints").glob("step-000000140.safetensors")
    after, about = read_tensors(newest)
    assert about["step"] == 140
    assert sum(tensor.numel() for tensor in before.values()) == after["master"].numel()


def test_old_runs_go_on_from_their_weights(old_run: Path) -> None:
    """The flat vector of a checkpoint has no names: it must be read in the order in which it was written."""
    logged = [
        json.loads(line) for line in (old_run / "training" / "log.jsonl").read_text().split("\n") if line
    ]
    before = [record["loss"] for record in logged if record["event"] == "validated"][-1]
    config = old_run / "config.toml"
    config.write_text(config.read_text().replace("validations = 2", "validations = 3"))  # one more to come
    events = resume_tiny(old_run, max_steps=121)
    (after,) = (event.loss for event in events if isinstance(event, Validated))
    assert after == pytest.approx(before, abs=0.02)  # one more update; an untrained model is .6 worse


def test_older_checkpoints_are_refused_with_advice(old_run: Path) -> None:
    (path,) = (old_run / "training" / "checkpoints").glob("*.safetensors")
    tensors, about = read_tensors(path)
    write_tensors(path, {**tensors, "optimizer.0.exp_avg": torch.zeros(1)}, about)
    with pytest.raises(CheckpointError, match="an earlier version") as refused:
        resume_tiny(old_run, max_steps=140)
    assert "--from" in str(refused.value)
