"""The world of `quickstart pictures`: what is drawn can be read again, and captions are true or not."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from interlingua.cli import scene_files, scenes
from interlingua.cli.scenes import Scene, Thing, draw_scene, is_true, read_scene, render_scene, write_caption
from interlingua.errors import ConfigurationError, OutputError

SIXTEENTH = 1 / 16


@pytest.fixture(scope="module")
def drawn() -> list[tuple[Scene, str]]:
    draw = np.random.default_rng(3)
    some = [draw_scene(draw) for _ in range(3000)]
    return [(scene, write_caption(scene, draw)) for scene in some]


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scene_files, "PARTS", {"train": 30, "valid": 6, "test": 12})


def ring(colour: str, row: int, column: int, size: str = "big") -> Thing:
    return Thing("ring", colour, size, row, column)


def read_all(directory: Path) -> dict[str, bytes]:
    files = [file for file in directory.rglob("*") if file.is_file()]
    return {str(file.relative_to(directory)): file.read_bytes() for file in files}


def test_what_is_drawn_is_read_again(drawn: list[tuple[Scene, str]]) -> None:
    for scene, _ in drawn:
        pixels = render_scene(scene)
        assert pixels.shape == (32, 32, 3)
        assert pixels.dtype == np.uint8
        assert read_scene(pixels) == scene


def test_a_scene_is_of_equal_things_or_of_two_that_differ(drawn: list[tuple[Scene, str]]) -> None:
    seen = set()
    for scene, _ in drawn:
        alike = len({thing[:3] for thing in scene}) == 1
        assert len(scene) in ((1, 2, 3) if alike else (2,))
        assert alike or scene[0][:2] != scene[1][:2]
        assert len({(thing.row, thing.column) for thing in scene}) == len(scene)
        seen |= {thing[:3] for thing in scene}
    assert len(seen) == 6 * 8 * 2
    assert {thing[3:] for scene, _ in drawn for thing in scene} == {*itertools.product(range(4), range(4))}


def test_captions_are_true_of_their_scenes(drawn: list[tuple[Scene, str]]) -> None:
    assert all(is_true(caption, read_scene(render_scene(scene))) for scene, caption in drawn)
    words = {word for _, caption in drawn for word in caption.split()}
    # shapes, their plurals, colours, sizes, numbers, relations
    assert len(words) == 6 + 6 + 8 + 2 + 4 + 5
    sizes = [bool({"big", "small"} & {*caption.split()}) for _, caption in drawn]
    assert 0.6 < np.mean(sizes) < 0.95


def test_captions_are_hardly_ever_true_of_other_scenes(drawn: list[tuple[Scene, str]]) -> None:
    found = [
        is_true(caption, drawn[(number + shift) % len(drawn)][0])
        for number, (_, caption) in enumerate(drawn)
        for shift in (1, 7, 100)
    ]
    assert np.mean(found) < 0.004


TWO = (ring("green", 0, 1), ring("red", 2, 1))


@pytest.mark.parametrize(
    ("caption", "scene", "true"),
    [
        ("a green ring above a red ring", TWO, True),
        ("a red ring below a big green ring", TWO, True),
        ("a green ring below a red ring", TWO, False),
        ("a green ring left of a red ring", TWO, False),  # they are in one column
        ("a small green ring above a red ring", TWO, False),
        ("a green ring above a red moon", TWO, False),
        ("a green ring above a red ring", (*TWO, ring("red", 3, 3)), False),
        ("a green ring", TWO, False),
        ("two green rings", TWO, False),
        ("two big red rings", (ring("red", 0, 0), ring("red", 1, 1)), True),
        ("two big red rings", (ring("red", 0, 0), ring("red", 1, 1, "small")), False),
        ("two red rings", (ring("red", 0, 0), ring("red", 1, 1, "small")), True),  # so one would say
        ("three red rings", (ring("red", 0, 0), ring("red", 1, 1)), False),
        ("two red rings", (ring("red", 0, 0),) * 3, False),
        ("an orange ring", (ring("orange", 3, 3, "small"),), True),
        ("an orange ring", (), False),
        ("an orange ring", None, False),
        ("three black crosses", tuple(Thing("cross", "black", "big", 0, i) for i in range(3)), True),
    ],
)
def test_what_a_caption_says(caption: str, scene: Scene | None, true: bool) -> None:
    assert is_true(caption, scene) is true


def test_captions_are_english() -> None:
    said = set()
    for seed in range(60):
        draw = np.random.default_rng(seed)
        orange = write_caption((Thing("square", "orange", "small", 0, 0),), draw)
        said |= {orange, write_caption(tuple(Thing("cross", "pink", "big", 1, i) for i in range(3)), draw)}
    assert said == {
        "an orange square",
        "a small orange square",
        "three pink crosses",
        "three big pink crosses",
    }
    both = {write_caption(TWO, np.random.default_rng(seed)) for seed in range(200)}
    assert {"a green ring above a red ring", "a big red ring below a big green ring"} <= both
    assert len(both) == 2 * 4  # they are in one column, so each can only be above, or below


def test_drawings_differ_by_more_than_is_tolerated() -> None:
    masks = [np.zeros((8, 8), bool), *scenes.MASKS.values()]
    assert len(masks) == 1 + 6 * 2
    assert min((one != other).sum() for one, other in itertools.combinations(masks, 2)) >= 2 * 64 * SIXTEENTH


def test_a_few_wrong_pixels_are_tolerated_and_more_are_not() -> None:
    scene = (Thing("diamond", "blue", "big", 1, 2),)
    pixels = render_scene(scene)
    pixels[9, 16:20] = scenes.COLOURS["red"]  # four pixels of the cell's second row
    assert read_scene(pixels) is None
    assert read_scene(pixels, SIXTEENTH) == scene
    pixels[10, 16] = scenes.COLOURS["red"]
    assert read_scene(pixels, SIXTEENTH) is None
    stained = render_scene(())
    stained[30, 30:] = 0
    assert read_scene(stained) is None
    assert read_scene(stained, SIXTEENTH) == ()
    assert read_scene(np.zeros((32, 32, 3), np.uint8), SIXTEENTH) is not None  # sixteen big black squares


def test_noise_is_read_through(drawn: list[tuple[Scene, str]]) -> None:
    noise = np.random.default_rng(0)
    right = 0
    for scene, _ in drawn[:300]:
        noisy = render_scene(scene) + noise.normal(0, 20, (32, 32, 3))
        right += read_scene(noisy.clip(0, 255).astype(np.uint8), SIXTEENTH) == scene
    assert right > 290


def test_noise_shows_nothing() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (20, 32, 32, 3), np.uint8)
    assert all(read_scene(pixels, SIXTEENTH) is None for pixels in noise)


def test_things_are_named() -> None:
    assert scenes.name_things(TWO) == "a big green ring, a big red ring"
    assert scenes.name_things((Thing("moon", "orange", "small", 0, 0),)) == "a small orange moon"
    assert scenes.name_things(()) == "nothing"


def test_no_part_shows_a_combination_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(scene_files.PARTS, "train", 6000)
    parts = {part: list(scene_files.draw_captioned(part, 1)) for part in scene_files.PARTS}
    assert {part: len(found) for part, found in parts.items()} == scene_files.PARTS
    shown = {part: {scenes.combination(scene) for scene, _ in found} for part, found in parts.items()}
    for one, other in itertools.combinations(shown.values(), 2):
        assert not one & other
    captions = [caption for _, caption in parts["test"]]
    assert len(set(captions)) == len(captions)
    trained = {thing[:3] for scene, _ in parts["train"] for thing in scene}
    assert len(trained) == 6 * 8 * 2  # every thing by itself is known


@pytest.mark.usefixtures("few")
def test_the_seed_decides_every_byte(tmp_path: Path) -> None:
    for name, seed in (("first", 1), ("again", 1), ("other", 2)):
        scene_files.make_scenes(tmp_path / name, seed)
    first = read_all(tmp_path / "first")
    assert len(first) == 3 + 48
    assert first == read_all(tmp_path / "again")
    assert first["train.tsv"] != read_all(tmp_path / "other")["train.tsv"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again", "first", "other"]


@pytest.mark.usefixtures("few")
def test_every_pair_names_a_picture_that_shows_its_caption(tmp_path: Path) -> None:
    scene_files.make_scenes(tmp_path / "data")
    named = set()
    for part in scene_files.PARTS:
        for line in (tmp_path / "data" / f"{part}.tsv").read_text(encoding="utf-8").strip().split("\n"):
            name, caption = line.split("\t")
            named.add(name)
            with Image.open(tmp_path / "data" / name) as image:
                assert is_true(caption, read_scene(np.asarray(image.convert("RGB"))))
    assert named == {f"pictures/{path.name}" for path in (tmp_path / "data" / "pictures").iterdir()}


@pytest.mark.usefixtures("few")
def test_what_was_begun_is_not_taken_for_whole(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    calls = []

    def fail_in_the_middle(scene: Scene) -> object:
        calls.append(scene)
        if len(calls) == 40:
            raise OSError(28, "No space left on device")
        return render_scene(scene)

    monkeypatch.setattr(scene_files, "render_scene", fail_in_the_middle)
    with pytest.raises(OutputError, match="full"):
        scene_files.make_scenes(tmp_path / "data")
    assert not list(tmp_path.iterdir())
    scene_files.make_scenes(tmp_path / "data")
    whole = read_all(tmp_path / "data")
    calls[:] = calls[:30]
    scene_files.make_scenes(tmp_path / "data")  # whole, so that nothing is made anew
    assert read_all(tmp_path / "data") == whole
    assert len(calls) == 30


def test_another_directory_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "test.tsv").write_text("mine")
    with pytest.raises(OutputError, match="something else") as caught:
        scene_files.make_scenes(tmp_path / "data")
    assert "pictures" in str(caught.value.accepted)
    assert read_all(tmp_path / "data") == {"test.tsv": b"mine"}


def test_without_the_library_the_error_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ConfigurationError, match=r"interlingua\[pictures\]"):
        scene_files.make_scenes(tmp_path / "data")
    assert not list(tmp_path.iterdir())
