"""`look` of models of pictures, both ways: by the command line, and its pages in a real browser."""

from __future__ import annotations

import base64
import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from playwright.sync_api import Page, expect

from interlingua.pictures.reading import read_picture
from interlingua.runs.run import start
from interlingua.views.look_painting import look_at_painting, look_at_painting_page
from interlingua.views.look_picture import look_at_picture, look_at_picture_page
from tests.tiles import tiles, write_tiles
from tests.tones import melody, write_wav
from tests.unit import test_look_pictures

from . import test_pages, test_pictures
from .conftest import call

browser, visit = test_pages.browser, test_pages.visit
CAPTION = "red green blue black"


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiles(tmp_path_factory.mktemp("tiles"), 120)


@pytest.fixture(scope="module")
def says(pairs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that has just begun to learn what pictures show."""
    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("runs") / "says"
    list(start(test_pictures.values(pairs, training={"max_steps": 60}), out))
    return out


@pytest.fixture(scope="module")
def paints(pairs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that has just begun to learn to paint."""
    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("runs") / "paints"
    list(start(test_pictures.painting(pairs, max_steps=60), out))
    return out


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a picture, what is none, and a sound."""
    directory = tmp_path_factory.mktemp("files")
    Image.fromarray(tiles(CAPTION.split())).save(directory / "tiles.png")
    content = (directory / "tiles.png").read_bytes()
    (directory / "half.png").write_bytes(content[: len(content) // 2])
    (directory / "words.png").write_text("These are words.\n" * 20)
    write_wav(directory / "a.wav", melody(["la", "so"], seed=5))
    return directory


@pytest.fixture(scope="module")
def pages(says: Path, paints: Path, files: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Both pages, made by the command line."""
    directory = tmp_path_factory.mktemp("pages")
    found = {name: directory / f"{name}.html" for name in ("painting", "picture")}
    painting = ("--seed", 3, "--guidance", 2, "--temperature", 0.9)
    results = [
        call("look", paints, CAPTION, *painting, "--out", found["painting"], "--threads", 1),
        call("look", says, files / "tiles.png", "--out", found["picture"], "--threads", 1),
    ]
    assert [result.code for result in results] == [0] * 2, [result.err for result in results]
    return found


def held(page: Path) -> Any:
    text = page.read_text(encoding="utf-8")
    return json.loads(text.split('id="data">')[1].split("</script>")[0])


def shown(page: Page, selector: str = "#picture") -> np.ndarray:
    """The content of a canvas, (height, width, 4)."""
    content = base64.b64decode(test_pages.pixels(page, selector).split(",")[1])
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGBA")).astype(int)


def picture_in(page: Path) -> np.ndarray:
    content = base64.b64decode(held(page)["picture"].split(",")[1])
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(int)


def patch_of(picture: np.ndarray, number: int) -> np.ndarray:
    edge = len(picture) // 8
    row, column = divmod(number, 8)
    return picture[row * edge : (row + 1) * edge, column * edge : (column + 1) * edge, :3]


@pytest.mark.parametrize(("name", "key"), [("painting", "s1"), ("picture", "w1")])
def test_a_word_lights_its_patches_and_a_patch_its_words(visit, pages, name, key):
    page, whole = visit(pages[name]).page, picture_in(pages[name])
    assert (shown(page)[..., :3] == whole).all()
    heads = test_pages.pixels(page, "#heads .thumb canvas")
    page.hover(f"#glimpses [data-key={key}]")
    expect(page.locator(f"#glimpses .lit[data-key={key}]")).to_have_count(1)
    assert test_pages.pixels(page, "#heads .thumb canvas") != heads  # those of the word
    roots = held(pages[name])["attention"]["roots"]
    levels = np.frombuffer(base64.b64decode(roots["bytes"]), np.uint8).reshape(roots["shape"]) / 255.0
    mean = (levels**2).mean((0, 1))
    if name == "painting":
        mean = mean.T
        word = 1
    else:
        word = held(pages[name])["words"][1]["tokens"]
    weights = np.atleast_2d(mean[word]).mean(0)
    lit = shown(page)
    assert np.abs(patch_of(lit, weights.argmax()) - patch_of(whole, weights.argmax())).max() <= 2
    least = patch_of(lit, weights.argmin()).astype(float)
    alpha = 225 / 255 * (1 - weights.min() / weights.max())
    expected = patch_of(whole, weights.argmin()) * (1 - alpha) + np.array([122, 124, 128]) * alpha
    assert np.abs(least - expected).max() < 4
    page.hover("#patches [data-key=p9]")
    expect(page.locator("#patches .lit[data-key=p9]")).to_have_count(1)
    assert (shown(page)[..., :3] == whole).all()
    words = page.locator("#glimpses .glimpse")
    brightness = [float(words.nth(i).evaluate("each => each.style.getPropertyValue('--light')"))
                  for i in range(words.count())]  # fmt: skip
    if name == "painting":
        assert brightness == pytest.approx((mean[:, 9] / mean[:, 9].max()).tolist(), abs=1e-3)
    told = words.nth(1).locator("small").inner_text()
    assert float(told.strip("<%")) == pytest.approx(100 * weights[9], abs=0.51)
    page.hover("h2 >> nth=0")
    expect(page.locator(".lit")).to_have_count(0)


def test_words_of_a_text_light_its_tokens_and_the_tree(visit, pages):
    page = visit(pages["picture"]).page
    page.hover("#glimpses [data-key=w1]")
    (token,) = held(pages["picture"])["words"][1]["tokens"]
    expect(page.locator(f"#probabilities .lit[data-row=t{token}]")).to_have_count(1)
    expect(page.locator(f"#tree .lit[data-key=t{token}]")).to_have_count(1)
    assert page.locator("#tree g").count() == len(held(pages["picture"])["tree"])
    page.click("#kinds button[value=tokens]")
    assert page.locator("#glimpses .glimpse").count() == len(held(pages["picture"])["target_out"])
    page.hover(f"#probabilities [data-key=t{token}]")
    expect(page.locator(f"#glimpses .lit[data-key=t{token}]")).to_have_count(1)


@pytest.mark.parametrize("name", ["painting", "picture"])
def test_choosing_a_head_changes_the_maps(visit, pages, name):
    page = visit(pages[name]).page
    heads, seen = page.locator("#heads button"), set()
    for i in range(heads.count()):
        heads.nth(i).click()
        seen.add(test_pages.pixels(page, "#glimpses .glimpse:nth-child(2) canvas"))
        expect(page.locator("#heads button[aria-pressed=true]")).to_have_count(1)
    assert len(seen) == heads.count() > 2


def test_a_painting_grows_token_by_token(visit, pages):
    page, whole = visit(pages["painting"]).page, picture_in(pages["painting"])
    assert page.locator("#count").inner_text() == "64 of 64"
    for count in (9, 0, 64):
        page.locator("#grown").fill(str(count))
        canvas = shown(page)
        for number in range(64):
            assert (
                patch_of(canvas[..., 3:].repeat(3, axis=2), number) == (255 if number < count else 0)
            ).all()
    assert (shown(page)[..., :3] == whole).all()
    page.locator("#grown").fill("60")
    expect(page.locator("#patches .lit[data-key=p59]")).to_have_count(1)  # the one that came last
    page.click("#play")
    page.wait_for_function("() => document.querySelector('#count').textContent === '64 of 64'")
    page.wait_for_function("() => document.querySelector('#play').textContent === '▶ Play'")
    assert (shown(page)[..., :3] == whole).all()
    page.click("#play")  # from the beginning
    page.wait_for_function("() => parseInt(document.querySelector('#count').textContent) < 60")
    page.click("#play")
    assert page.locator("#play").inner_text() == "▶ Play"


def test_runners_up_are_shown_and_tried_in_the_picture(visit, pages):
    page, data = visit(pages["painting"]).page, held(pages["painting"])
    whole, place = picture_in(pages["painting"]), 9
    page.click(f"#patches [data-key=p{place}]")
    best = data["predictions"][place]
    expect(page.locator("#patch-place")).to_contain_text("row 2, column 2")
    others = page.locator("#choices button")
    assert others.count() == len(best["best"]) - (best["rank"] < len(best["best"]))
    drawn = shown(page, "#choices .drawn canvas")[..., :3]
    assert (drawn == patch_of(whole, place)).all()
    others.first.hover()
    tried = shown(page)[..., :3]
    assert (patch_of(tried, place) == shown(page, "#choices button canvas")[..., :3]).all()
    assert (patch_of(tried, place) != patch_of(whole, place)).any()
    assert (patch_of(tried, place + 1) == patch_of(whole, place + 1)).all()
    page.hover("h2 >> nth=0")
    assert (shown(page)[..., :3] == whole).all()
    page.click("#show button[value=sure]")
    assert (shown(page)[..., :3] != whole).any()


@pytest.mark.parametrize("name", ["painting", "picture"])
def test_keyboard_and_finger_reach_words_and_patches(visit, pages, name):
    page = visit(pages[name], width=390, touch=True).page
    page.focus("#patches [data-key=p0]")
    for key, patch in (("ArrowRight", 1), ("ArrowDown", 9), ("ArrowLeft", 8), ("ArrowUp", 0), ("ArrowUp", 0)):
        page.keyboard.press(key)
        expect(page.locator(f"#patches .lit[data-key=p{patch}]")).to_have_count(1)
    expect(page.locator("#patches [tabindex='0']")).to_have_count(1)
    assert page.locator("#patches [data-key=p10]").get_attribute("aria-label") == "row 2, column 3"
    assert page.locator("#picture").get_attribute("aria-label")
    word = page.locator("#glimpses .glimpse").nth(1)
    word.focus()
    expect(page.locator("#glimpses .lit")).to_have_count(1)
    word.tap()
    page.tap("h2 >> nth=0")
    expect(page.locator(".lit")).to_have_count(0)


@pytest.mark.parametrize("name", ["painting", "picture"])
@pytest.mark.parametrize("width", [360, 390, 1280])
def test_nothing_is_wider_than_the_screen(visit, pages, name, width):
    page = visit(pages[name], width=width).page
    assert page.evaluate("document.documentElement.scrollWidth") == width
    page.hover("#patches [data-key=p9]")
    assert page.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("name", ["painting", "picture"])
def test_dark_and_light_follow_the_reader(visit, pages, name):
    light, dark = (visit(pages[name], scheme=scheme).page for scheme in ("light", "dark"))
    assert min(test_pages.background(light)) > 200
    assert max(test_pages.background(dark)) < 60
    assert (shown(light) == shown(dark)).all()  # a picture stays what it is


def test_json_is_what_the_page_holds(says: Path, paints: Path, files: Path, pages, tmp_path: Path) -> None:
    options = ("--seed", 3, "--guidance", 2, "--temperature", 0.9, "--threads", 1)
    told = call("look", paints, CAPTION, *options, "--json")
    assert (told.code, told.err) == (0, "")
    assert told.out.strip() in pages["painting"].read_text(encoding="utf-8")
    assert call("paint", paints, CAPTION, *options, "--output", tmp_path / "a.png").code == 0
    painted = read_picture(tmp_path / "a.png", 32 * 4)[::4, ::4]
    assert (painted == picture_in(pages["painting"])).all()
    told = call("look", says, files / "tiles.png", "--json", "--threads", 1)
    assert told.out.strip() in pages["picture"].read_text(encoding="utf-8")
    said = call("translate", says, stdin=f"{files / 'tiles.png'}\n".encode()).out
    assert json.loads(told.out)["outputs"][0]["text"] == said.strip() != ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["{says}", "nowhere.png"], ["nowhere.png", "no such file", "model of pictures"]),
        (["{says}", "words.png"], ["words.png", "no picture"]),
        (["{says}", "half.png"], ["half.png", "cut off"]),
        (["{says}", "a.wav"], ["a.wav", "a sound"]),
        (["{says}", "."], ["directory"]),
        (["{says}", ""], ["empty"]),
        (["{says}", "tiles.png", "half.png"], ["only one picture"]),
        (["{says}", "tiles.png", "--seed", "3"], ["--seed", "paints no pictures"]),
        (["{says}", "tiles.png", "--guidance", "2"], ["--guidance", "paints no pictures"]),
        (["{says}", "tiles.png", "--tag", "de"], ["--tag", "no tags"]),
        (["{says}", "tiles.png", "--part", "2"], ["--part", "as a whole"]),
        (["{says}", "tiles.png", "--out", "tiles.png"], ["--out", "same file"]),
        (["{paints}", ""], ["caption is empty", "For example"]),
        (["{paints}", "  "], ["caption is empty"]),
        (["{paints}", "red", "green"], ["only one caption", "quotes"]),
        (["{paints}", "a.wav"], ["a sound", "paints captions"]),
        (["{paints}", "tiles.png"], ["a picture", "paints captions"]),
        (["{paints}", "red", "--beam", "3"], ["--beam", "without a beam"]),
        (["{paints}", "red", "--part", "2"], ["--part", "as a whole"]),
        (["{paints}", "red", "--temperature", "0"], ["temperature"]),
        (["{paints}", "red", "--guidance", "-1"], ["guidance"]),
        (["{paints}", "red", "--seed", "-1"], ["seed"]),
        (["{paints}", "red", "--out", "{paints}/config.toml"], ["--out", "same file"]),
        (["{model}", "1 2", "--seed", "3"], ["--seed", "paints no pictures"]),
        (["{model}", "1 2", "--top-p", "0.5"], ["--top-p", "paints no pictures"]),
        (["{model}", "tiles.png"], ["a picture", "translates texts"]),
    ],
)
def test_mistakes_are_explained_before_the_model_is_loaded(
    says: Path,
    paints: Path,
    model: Path,
    files: Path,
    arguments: list[str],
    said: list[str],
    monkeypatch: Any,
) -> None:
    monkeypatch.chdir(files)
    monkeypatch.setattr("interlingua.api.load", lambda *_, **__: pytest.fail("the model was loaded"))
    before = (files / "tiles.png").read_bytes(), (paints / "config.toml").read_bytes()
    places = {"says": says, "paints": paints, "model": model}
    result = call("look", *(argument.format(**places) for argument in arguments))
    assert result.code == 2
    assert all(each in result.err for each in said), result.err
    assert "Traceback" not in result.err
    assert not (files / "look.html").exists()
    assert before == ((files / "tiles.png").read_bytes(), (paints / "config.toml").read_bytes())


def test_a_model_of_other_sources_that_paints_is_told(paints: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(paints, other)
    config = (other / "config.toml").read_text()
    (other / "config.toml").write_text(config.replace('source_kind = "text"', 'source_kind = "sound"'))
    result = call("look", other, "a.wav")
    assert (result.code, "only paintings of captions" in result.err) == (2, True)


def test_pages_of_models_without_attention_work(visit, files: Path, tmp_path: Path) -> None:
    recurrent = test_look_pictures.recurrent("none")
    painted = look_at_painting(test_look_pictures.painter(recurrent), CAPTION, name="gru")
    seen = look_at_picture(test_look_pictures.captioner(recurrent), files / "tiles.png", name="gru")
    (tmp_path / "painted.html").write_text(look_at_painting_page(painted), encoding="utf-8")
    (tmp_path / "seen.html").write_text(look_at_picture_page(seen), encoding="utf-8")
    page = visit(tmp_path / "painted.html").page
    page.click("#patches [data-key=p9]")
    expect(page.locator("#patch-place")).to_contain_text("row 2, column 2")
    page.locator("#grown").fill("9")
    assert shown(page)[..., 3].min() == 0
    page = visit(tmp_path / "seen.html").page
    assert (shown(page)[..., :3] == tiles(CAPTION.split())).all()
    assert page.locator("#glimpses .glimpse").count() == len(seen.words) > 0
    page.hover("#glimpses [data-key=w0]")
    expect(page.locator("#probabilities .lit").first).to_be_attached()
