"""The command line, called as `main` in this process, on a tiny model that reverses digits."""

from __future__ import annotations

import contextlib
import io
import os
import random
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from interlingua.cli.main import main
from interlingua.runs.run import start
from tests.tiles import write_tiles
from tests.tones import write_melodies

TINY = (
    "model.dim=32", "model.heads=2", "model.feed_forward=64", "model.encoder_layers=1",
    "model.decoder_layers=1", "model.dropout=0.0", "training.max_tokens=512", "training.learning_rate=0.01",
    "training.validations=2", "training.decode_pairs=50",
)  # fmt: skip
TINY_OPTIONS = [option for setting in TINY for option in ("--set", setting)] + ["--threads", "1"]


class Result(NamedTuple):
    code: int
    out: str
    err: str


def call(*arguments: object, stdin: bytes = b"") -> Result:
    """Calls the command line."""
    streams = [io.TextIOWrapper(io.BytesIO(content), encoding="utf-8") for content in (stdin, b"", b"")]
    before = sys.argv, sys.stdin
    sys.argv, sys.stdin = ["interlingua", *map(str, arguments)], streams[0]
    code: object = 0
    try:
        with contextlib.redirect_stdout(streams[1]), contextlib.redirect_stderr(streams[2]):
            main()
    except SystemExit as ended:
        code = ended.code
    finally:
        sys.argv, sys.stdin = before
    for stream in streams[1:]:
        stream.flush()
    out, err = (stream.buffer.getvalue().decode() for stream in streams[1:])  # type: ignore[attr-defined]
    return Result(code if isinstance(code, int) else 0, out, err)


@pytest.fixture(autouse=True)
def _plain_output(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    # One thread unless told otherwise: tests share the machine, and threads that wait are slow.
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0}, raising=False)


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with pairs of digits and the same digits reversed."""
    directory = tmp_path_factory.mktemp("data")
    numbers = random.Random(1)
    for name, count in (("train", 1500), ("valid", 100), ("test", 60)):
        lines = []
        for _ in range(count):
            digits = [numbers.choice("0123456789") for _ in range(numbers.randint(1, 5))]
            lines.append(f"{' '.join(digits)}\t{' '.join(reversed(digits))}\n")
        (directory / f"{name}.tsv").write_text("".join(lines))
    return directory


@pytest.fixture(scope="session")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """A model directory and what its training printed."""
    out = tmp_path_factory.mktemp("runs") / "reverse"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INTERLINGUA_CACHE", str(tmp_path_factory.mktemp("cache")))
        torch.manual_seed(0)
        result = call(
            "train", "--train", data / "train.tsv", "--valid", data / "valid.tsv", "--out", out,
            "--languages", "fw", "bw", "--max-steps", 300, *TINY_OPTIONS,
        )  # fmt: skip
    return out, result


@pytest.fixture(scope="session")
def model(trained: tuple[Path, Result]) -> Path:
    directory, result = trained
    assert result.code == 0, result.err
    return directory


@pytest.fixture(scope="session")
def sound_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a model that writes down melodies."""
    from tests.system.test_sound import values

    directory = tmp_path_factory.mktemp("sounds")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INTERLINGUA_CACHE", str(directory / "cache"))
        torch.set_num_threads(1)
        torch.manual_seed(0)
        pairs = write_melodies(directory, 240, most=8)
        given = values(pairs, max_steps=400, learning_rate=4e-3)
        larger = {"dim": 64, "feed_forward": 128, "encoder_layers": 2, "decoder_layers": 2}
        given["model"] = given["model"] | larger
        # A note is one band: what hides bands hides notes, and teaches to invent them.
        given["augmentation"] = {"frequency_masks": 0, "time_masks": 0}
        list(start(given, directory / "melodies"))
    return directory / "melodies"


class PictureModels(NamedTuple):
    """Directories of models of coloured tiles."""

    says: Path
    """Names their colours."""
    paints: Path
    """Paints them."""


@pytest.fixture(scope="session")
def picture_models(tmp_path_factory: pytest.TempPathFactory) -> PictureModels:
    from tests.system.test_pictures import painting, values

    directory = tmp_path_factory.mktemp("tiles")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INTERLINGUA_CACHE", str(directory / "cache"))
        torch.set_num_threads(1)
        pairs = write_tiles(directory, 400)
        list(start(values(pairs, training={"max_steps": 200}), directory / "says"))
        list(start(painting(pairs, max_steps=240), directory / "paints"))
    return PictureModels(directory / "says", directory / "paints")
