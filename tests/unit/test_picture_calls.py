"""Painting and describing as a program asks for it: seeds, captions and pictures of every form."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from interlingua.errors import ConfigurationError, DataError
from interlingua.inference.captioner import Captioner
from interlingua.inference.painter import Painter
from tests.tiles import tiles
from tests.unit.test_look_pictures import captioner, painter

LAST = 2**31 - 1


@pytest.fixture(scope="module")
def paints() -> Painter:
    return painter()


@pytest.fixture(scope="module")
def says() -> Captioner:
    return captioner()


@pytest.mark.parametrize("seed", [3, np.int64(3), [3, 4], (3, 4), np.array([3, 4])])
def test_a_seed_is_one_whole_number_or_one_for_each_caption(paints: Painter, seed: Any) -> None:
    painted = paints.paint(["a", "b"], seed=seed, samples=2)
    firsts = (3, 3) if isinstance(seed, int | np.int64) else (3, 4)
    assert [[each.seed for each in some] for some in painted] == [[first, first + 1] for first in firsts]


@pytest.mark.parametrize(
    "given",
    [
        {"samples": 0}, {"samples": -1}, {"samples": 1.5}, {"samples": True}, {"seed": -1}, {"seed": 2**70},
        {"seed": LAST, "samples": 2}, {"seed": "x"}, {"seed": 1.5}, {"seed": [1]}, {"seed": [1, 2, 3]},
        {"seed": [1, -1]}, {"seed": [1, "x"]}, {"seed": np.array([0.5, 1])},
    ],
)  # fmt: skip
def test_what_would_paint_nothing_or_something_else_is_refused(
    paints: Painter, given: dict[str, Any]
) -> None:
    with pytest.raises(ConfigurationError, match=f"^{min(given, key=lambda key: key != 'seed')}: "):
        paints.paint(["a", "b"], **given)


@pytest.mark.parametrize("captions", [5, None, "red", Path("red"), b"red", {"red": 1}, [None], ["\ud800"]])
def test_what_holds_no_captions_is_told(paints: Painter, captions: Any) -> None:
    with pytest.raises(DataError, match=r"^captions"):
        paints.paint(captions)


def test_a_picture_is_the_same_however_it_is_handed_in(says: Captioner, tmp_path: Path) -> None:
    pixels, content = tiles(["red", "green", "blue", "black"]), io.BytesIO()
    image = Image.fromarray(pixels)
    image.save(content, format="PNG")
    (tmp_path / "a.png").write_bytes(content.getvalue())
    pictures = [tmp_path / "a.png", str(tmp_path / "a.png"), content.getvalue(), pixels, image,
                Image.open(tmp_path / "a.png"), image.convert("RGBA"), image.convert("CMYK")]  # fmt: skip
    assert len({each.score for each in says.translate(pictures)}) == 1


@pytest.mark.parametrize(
    ("picture", "what"),
    [
        ("", "the name of the picture is empty"), (b"", r"pictures\[0\]: the file is empty"),
        (b"<svg/>", r"pictures\[0\]: the file is an SVG"), (Image.new("RGB", (0, 0)), "nothing but a line"),
        (Image.new("RGB", (900, 1)), "nothing but a line"), (None, "this is no picture"),
    ],
)  # fmt: skip
def test_what_is_no_picture_is_told(says: Captioner, picture: Any, what: str) -> None:
    with pytest.raises(DataError, match=what):
        says.translate([picture])


@pytest.mark.parametrize("pictures", [5, None, "a.png", b"PNG", np.zeros((2, 8, 8, 3), np.uint8)])
def test_what_holds_no_pictures_is_told(says: Captioner, pictures: Any) -> None:
    with pytest.raises(DataError, match=r"^pictures: this takes a list"):
        says.translate(pictures)
