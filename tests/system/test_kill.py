"""A process killed before or after any write, sync, rename or removal resumes to the same weights."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from interlingua.data import tensors
from interlingua.runs.run import start
from tests.tiny import last_checkpoint, resume_tiny, tiny_values, weights, write_reversals

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

STEPS = 6


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_reversals(tmp_path_factory.mktemp("data") / "pairs.tsv", 300)


def values(pairs: Path) -> dict[str, Any]:
    return tiny_values(pairs, max_steps=STEPS, validations=2)


def train_counting(values: dict[str, Any], out: Path, die_at: float) -> int:
    """Trains; every operation on a file counts twice, before and after it; at `die_at` the process dies."""
    count = 0

    def tick() -> None:
        nonlocal count
        count += 1
        if count == die_at:
            os._exit(9)

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*arguments: Any, **options: Any) -> Any:
            tick()
            result = function(*arguments, **options)
            tick()
            return result

        return wrapper

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tensors, "save_file", counted(tensors.save_file))
        patch.setattr(os, "fsync", counted(os.fsync))
        for name in ("replace", "unlink", "write_text"):
            patch.setattr(Path, name, counted(getattr(Path, name)))
        list(start(values, out))
    return count


def in_child(function: Callable[[], object]) -> int:
    """Runs the function in a fork and returns its exit status."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            function()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_every_moment_of_every_file_is_survived(pairs: Path, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    list(start(values(pairs), tmp_path / "first"))  # the data is prepared now, and stays so
    undisturbed = tmp_path / "undisturbed"
    moments = train_counting(values(pairs), undisturbed, die_at=float("inf"))
    assert moments > 40
    expected, expected_state = weights(undisturbed), last_checkpoint(undisturbed)
    for moment in range(1, moments + 1):
        out = tmp_path / f"killed-{moment}"
        assert in_child(lambda out=out, moment=moment: train_counting(values(pairs), out, moment)) == 9
        if (out / "info.json").exists():
            pass  # the last thing that is written: the run had ended
        elif (out / "config.toml").exists():
            resume_tiny(out)
            assert (out / "info.json").exists()
        else:  # nothing was begun: what remains is no obstacle to beginning anew
            list(start(values(pairs), out, force=True))
        for name, weight in weights(out).items():
            assert torch.equal(weight, expected[name]), (moment, name)
        for name, tensor in last_checkpoint(out).items():
            assert torch.equal(tensor, expected_state[name]), (moment, name)
