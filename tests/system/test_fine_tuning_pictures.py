"""Models that paint or describe are trained further: what is kept, compared, told and refused."""

from __future__ import annotations

import dataclasses
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import interlingua
from interlingua.errors import ConfigurationError
from interlingua.inference.bundle import read_info
from interlingua.inference.captioner import Captioner
from interlingua.inference.painter import Painter
from interlingua.runs.events import Ended, Note, Validated
from interlingua.runs.run import start
from interlingua.runs.validation import Validation, Validator
from interlingua.settings import merge
from tests.system.test_pictures import painting, values
from tests.tiles import write_tiles
from tests.tiny import tiny_values, train_tiny, write_reversals


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Old pairs in pairs-0.tsv, new ones in pairs-5.tsv, and in other.tsv such of other colours."""
    torch.set_num_threads(1)
    directory = tmp_path_factory.mktemp("tiles")
    write_tiles(directory, 60)
    lines = write_tiles(directory, 40, seed=5).read_text().splitlines()
    (directory / "other").mkdir()
    for number, line in enumerate(lines):
        picture = np.asarray(Image.open(directory / line.split("\t")[0]))
        Image.fromarray(255 - picture).save(directory / f"other/{number}.png")
    captions = [line.split("\t")[1] for line in lines]
    (directory / "other.tsv").write_text("".join(f"other/{i}.png\t{c}\n" for i, c in enumerate(captions)))
    return directory


@pytest.fixture(scope="module")
def paints(data: Path) -> Path:
    unlike_usual = {"pictures": {"caption_dropout": 0.25, "budget_share": 0.9}}
    list(start(merge(painting(data / "pairs-0.tsv", max_steps=120), unlike_usual), data / "paints"))
    return data / "paints"


@pytest.fixture(scope="module")
def says(data: Path) -> Path:
    list(start(values(data / "pairs-0.tsv", training={"max_steps": 5}), data / "says"))
    return data / "says"


def further(base: Path, train: Path, **sections: Any) -> dict[str, Any]:
    """A configuration that trains a model that paints further for a moment."""
    training = {"max_steps": 6, "validations": 2, "threads": 1, "precision": "fp32"}
    of_all = {"data": {"train": str(train), "columns": "2,1"}, "training": training, "base_model": str(base)}
    return merge(of_all, sections)


def notes_of(events: list[Any]) -> str:
    return "\n".join(event.text for event in events if isinstance(event, Note))


def test_a_painter_keeps_its_codec_and_how_it_was_trained(data: Path, paints: Path, tmp_path: Path) -> None:
    events = list(start(further(paints, data / "pairs-5.tsv"), tmp_path / "run"))
    before, after = (tomllib.loads((run / "config.toml").read_text()) for run in (paints, tmp_path / "run"))
    assert after["pictures"] == before["pictures"]
    assert after["pictures"]["caption_dropout"] == 0.25
    assert after["training"]["label_smoothing"] == before["training"]["label_smoothing"] == 0
    assert after["search"] == before["search"]
    painter = interlingua.load(tmp_path / "run")
    assert isinstance(painter, Painter)
    assert painter.paint(["red red blue blue"])[0][0].pixels.shape == (32, 32, 3)
    told = notes_of(events)
    assert "codec: that of the model to start from; of " in told
    assert "worse than those that it was learnt from" not in told
    assert "on validation pairs: bits/token" in told  # nothing is searched for
    assert not any(event.by_loss for event in events if isinstance(event, Validated))
    changed = further(paints, data / "pairs-5.tsv", pictures={"caption_dropout": 0.5, "width": 24})
    list(start(changed, tmp_path / "changed"))
    config = tomllib.loads((tmp_path / "changed/config.toml").read_text())
    assert config["pictures"] == {**before["pictures"], "caption_dropout": 0.5}


def test_pictures_that_the_codec_cannot_keep_are_told(data: Path, paints: Path, tmp_path: Path) -> None:
    own = read_info(paints)["data"]["codec"]["psnr_db"]
    for mix in ({}, {"mix": str(data / "pairs-0.tsv")}):  # of old pictures it keeps more, which tells nothing
        events = list(start(further(paints, data / "other.tsv", data=mix), tmp_path / "run", force=True))
        assert "worse than those that it was learnt from" in notes_of(events)
        assert read_info(tmp_path / "run")["data"]["codec"]["psnr_db"] < own - 3


def test_old_pictures_are_validated_as_well(
    data: Path, paints: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mixed = further(paints, data / "pairs-5.tsv", data={"mix": str(data / "pairs-0.tsv")})
    events = list(start(mixed, tmp_path / "run"))
    for event in events:
        if isinstance(event, Validated):
            assert event.metrics.keys() == event.old_metrics.keys() == {"bits/token"}
    assert "old pairs: bits/token" in notes_of(events)
    validate, steps = Validator.validate, list[Validation]()

    def lose_old(self: Validator, *arguments: Any) -> Validation:
        found = validate(self, *arguments)
        (score,) = found.old_scores
        steps.append(found)
        worse = dataclasses.replace(score, score=score.score + 0.06 * (len(steps) - 1))
        return found._replace(old_scores=(worse,))

    monkeypatch.setattr(Validator, "validate", lose_old)
    *events, ended = start(mixed, tmp_path / "lost")
    assert isinstance(ended, Ended)
    assert ended.best_step == 0
    assert "lost too much on the old pairs" in notes_of(events)


def test_a_captioner_learns_new_pictures(data: Path, says: Path, tmp_path: Path) -> None:
    sections = {"data": {"columns": "1,2", "mix": str(data / "pairs-0.tsv")}}
    events = list(start(further(says, data / "pairs-5.tsv", **sections), tmp_path / "run"))
    validated = [event for event in events if isinstance(event, Validated)]
    assert validated[-1].loss < validated[0].loss
    assert all(event.metrics.keys() == event.old_metrics.keys() != set() for event in validated)
    assert isinstance(interlingua.load(tmp_path / "run"), Captioner)


def test_columns_the_wrong_way_round_are_told(data: Path, paints: Path, says: Path, tmp_path: Path) -> None:
    for base, columns, makes, right in (
        (paints, "1,2", "pictures of texts", "--columns 2,1"),
        (says, "2,1", "texts of pictures", "--columns 1,2"),
    ):
        asked = further(base, data / "pairs-5.tsv", data={"columns": columns})
        with pytest.raises(ConfigurationError, match=f"model to start from makes {makes}") as caught:
            list(start(asked, tmp_path / "run"))
        assert right in str(caught.value.accepted)


def test_a_model_of_texts_does_not_learn_names_of_pictures(data: Path, tmp_path: Path) -> None:
    train_tiny(tmp_path / "texts", write_reversals(tmp_path / "texts.tsv", 60), max_steps=2)
    asked = {**tiny_values(data / "pairs-5.tsv", max_steps=2), "base_model": str(tmp_path / "texts")}
    asked = {key: asked[key] for key in ("data", "training", "base_model")}
    with pytest.raises(ConfigurationError, match="makes texts of texts") as caught:
        list(start(asked, tmp_path / "run"))
    assert caught.value.found == "pictures as sources, texts as targets"


@pytest.mark.parametrize(
    ("section", "key", "value", "has"),
    [
        ("pictures", "grid", 16, "8"),
        ("pictures", "levels", [4, 4], r"\[4, 3\]"),
        ("pictures", "colour_levels", [4, 4, 4], r"\[3, 3\]"),
        ("pictures", "budget_share", 0.2, "0.9"),
        ("data", "picture_size", 64, "32"),
    ],
)
def test_what_belongs_to_the_codec_cannot_be_another(
    section: str, key: str, value: Any, has: str, data: Path, paints: Path, tmp_path: Path
) -> None:
    asked = further(paints, data / "pairs-5.tsv", **{section: {key: value}})
    with pytest.raises(
        ConfigurationError, match=rf"{section}\.{key} is .*, but the model to start from has {has}"
    ):
        list(start(asked, tmp_path / "run"))
