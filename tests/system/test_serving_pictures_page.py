"""The page of `serve` with models of pictures, in a real browser."""

from __future__ import annotations

import base64
import hashlib
import io
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.system import test_pages, test_serving_page
from tests.system.served import Served
from tests.system.test_serve_pictures import CAPTION, png, read
from tests.system.test_serving_sounds_page import DROP

browser = test_pages.browser
visit = test_serving_page.visit
background = test_pages.background
BYTES = 100_000


@pytest.fixture(scope="module")
def service(
    model: Path, picture_models: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    log = tmp_path_factory.mktemp("log") / "log"
    limits = [
        "--set",
        f"max_picture_bytes={BYTES}",
        "--set",
        "max_caption_characters=60",
        "--set",
        "draft_ms=0",
    ]
    service = Served(log, model, *picture_models, "--workers", 1, *limits)
    yield service
    assert service.stop() == 0


def painted(page: Page) -> None:
    expect(page.locator("#paint-pace")).to_have_text(re.compile(r"^[0-9.]+ s$"))


def drop(page: Page, name: str, content: bytes) -> None:
    page.evaluate(DROP, [name, base64.b64encode(content).decode()])


def read_canvas(url: str) -> np.ndarray:
    """(row, column, channel), with how much it covers."""
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("RGBA"))


def pixels(page: Page, number: int) -> np.ndarray:
    """A picture of the gallery."""
    canvas = page.locator("#gallery [role=img]").nth(number)
    return read_canvas(canvas.evaluate("canvas => canvas.toDataURL()"))[:, :, :3]


def dimmed(page: Page, selector: str) -> list[int]:
    """How much is dimmed of each patch of a picture."""
    canvas = page.locator(selector).first
    covered = read_canvas(canvas.evaluate("canvas => canvas.toDataURL()"))
    return [int(patch) for patch in covered[:, :, 3].flat]


def test_a_caption_is_painted_and_its_words_light_patches(visit, service):
    page = visit(query="/#paint").page
    expect(page).to_have_title(re.compile("^Paint"))
    expect(page.locator("#samples button[aria-pressed=true]")).to_have_text("9")
    page.fill("#caption", f"{CAPTION} zebra")
    page.fill("#seed", "12")
    page.locator("#guidance").fill("2")
    expect(page.locator("#guidance-value")).to_have_text("2.00")
    page.press("#caption", "Enter")
    painted(page)
    asked = {"prompt": f"{CAPTION} zebra", "n": 9, "seed": 12, "guidance": 2, "attention": True}
    answer = service.post("/v1/paint", json=asked).json()
    for number, picture in enumerate(answer["pictures"]):
        assert (pixels(page, number) == read(picture["b64_json"])).all()
    expect(page.locator("figcaption")).to_have_text([f"seed {seed}" for seed in range(12, 21)])
    expect(page.locator("#paint-notes")).to_have_text("The model does not know: zebra")
    words = page.locator("#caption-words .word")
    expect(words).to_have_text([*CAPTION.split(), "zebra"])
    assert dimmed(page, "#gallery .dim") == [0]
    words.nth(2).hover()
    weights = np.array(answer["pictures"][0]["attention"])[:, 2]
    assert dimmed(page, "#gallery .dim") == pytest.approx(230 * (1 - (weights / weights.max()) ** 2), abs=1)
    page.hover("#caption")
    assert dimmed(page, "#gallery .dim") == [0]
    words.nth(0).click()
    page.hover("#caption")
    assert max(dimmed(page, "#gallery .dim")) > 0  # what was clicked stays
    with page.expect_download() as download:
        page.locator("#gallery a").nth(1).click()
    assert download.value.suggested_filename == "13.png"
    large = np.asarray(Image.open(download.value.path()).convert("RGB"))
    assert (large == read(answer["pictures"][1]["b64_json"]).repeat(16, 0).repeat(16, 1)).all()


def test_a_picture_grows_patch_by_patch(visit):
    page = visit(query="/#paint").page
    page.click("#samples button[value='1']")
    page.evaluate("""() => {
        window.seen = [];
        const draw = CanvasRenderingContext2D.prototype.drawImage;
        CanvasRenderingContext2D.prototype.drawImage = function (...given) {
            draw.apply(this, given);
            // What does not belong to it is cut off at once, before anything is told.
            if (this.canvas.width === 32) queueMicrotask(() => window.seen.push(this.canvas.toDataURL()));
        };
    }""")
    page.fill("#caption", CAPTION)
    drawn: list[set[int]] = []
    for seed in range(10):  # a draft that another program holds up keeps the worker from more of them
        page.evaluate("window.seen = []")
        page.fill("#seed", str(seed))
        page.click("#paint-now")
        painted(page)
        seen = [int((read_canvas(url)[:, :, 3] > 0).sum()) for url in page.evaluate("window.seen")]
        assert seen == sorted(seen)
        assert all(count % 16 == 0 for count in seen)  # whole patches
        assert seen[-1] == 1024
        drawn.append(set(seen))
        if len(drawn[-1]) > 3:
            break
    assert len(drawn[-1]) > 3, drawn
    expect(page.locator("#gallery figure")).to_have_count(1)


def test_what_cannot_be_painted_is_said(visit):
    found = visit(query="/#paint")
    page = found.page
    page.click("#paint-now")
    expect(page.locator("#caption")).to_be_focused()
    page.fill("#caption", "x" * 61)
    page.click("#paint-now")
    expect(page.locator("#trouble")).to_contain_text("at most 60 characters")
    assert not [url for url in found.requests if "v1/paint" in url]
    page.route("**/v1/paint", test_serving_page.refuse(500, "The picture could not be painted."))
    page.fill("#caption", CAPTION)
    page.click("#paint-now")
    expect(page.locator("#trouble")).to_contain_text("could not be painted")
    page.unroute("**/v1/paint")
    page.click("#trouble button")
    painted(page)
    expect(page.locator("#trouble")).to_be_hidden()


def test_painting_can_be_cancelled(visit):
    page = visit(prepare=lambda page: page.route("**/v1/paint", lambda _: None), query="/#paint").page
    page.fill("#caption", CAPTION)
    page.click("#paint-now")
    page.click("#paint-cancel")
    expect(page.locator("#paint-pace")).to_be_empty()
    expect(page.locator("#paint-cancel")).to_be_hidden()
    page.unroute("**/v1/paint")
    page.click("#paint-now")
    painted(page)


def test_a_dropped_picture_is_described(visit, service):
    content = png()
    answer = service.post("/v1/describe", content=content, params={"attention": "true"}).json()
    page = visit().page
    expect(page.locator("#count")).not_to_be_empty()
    drop(page, "a.png", content)
    expect(page.locator("#describe-pace")).to_have_text(re.compile(r"^32 × 32 in [0-9.]+ s$"))
    expect(page).to_have_title(re.compile("^Describe"))
    expect(page.locator("#description")).to_have_text(CAPTION)
    expect(page.locator("#picture-name")).to_have_text("a.png")
    page.wait_for_function("document.getElementById('preview').naturalWidth === 32")
    page.locator("#description .word").nth(3).hover()
    weights = np.array(answer["attention"])[3]
    assert dimmed(page, "#shown .dim") == pytest.approx(230 * (1 - (weights / weights.max()) ** 2), abs=1)
    page.set_input_files("#picture-file", {"name": "b.png", "mimeType": "image/png", "buffer": b"nothing"})
    expect(page.locator("#trouble")).to_contain_text("no picture")
    expect(page.locator("#trouble button")).to_have_count(0)  # trying again would not help
    expect(page.locator("#description")).to_have_text("")
    drop(page, "a.png", bytes(BYTES + 1))
    expect(page.locator("#trouble")).to_contain_text("too large")
    page.set_input_files("#picture-file", {"name": "c.tiff", "mimeType": "image/tiff", "buffer": tiff()})
    expect(page.locator("#description")).to_have_text(CAPTION)
    expect(page.locator("#shown")).to_be_hidden()  # the browser cannot show it


def tiff() -> bytes:
    content = io.BytesIO()
    Image.open(io.BytesIO(png())).save(content, "TIFF")
    return content.getvalue()


def test_texts_and_pictures_are_told_apart(visit):
    page = visit().page
    expect(page.locator("#count")).not_to_be_empty()
    expect(page.locator("#modes button:visible")).to_have_text(["Text", "Paint", "Picture"])
    page.click("#modes button[value=describe]")
    expect(page.locator("#describe-limits")).to_contain_text("0.09")
    page.click("#modes button[value=texts]")
    drop(page, "numbers.txt", b"4 5")
    expect(page.locator("#files a")).to_have_count(1)
    expect(page.locator("#describe")).to_be_hidden()


@pytest.mark.parametrize("width", [320, 390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_every_screen(visit, width, scheme):
    page = visit(width=width, scheme=scheme, query="/#paint").page
    expect(page.locator("#samples button")).to_have_count(3)
    assert (sum(background(page)) > 384) == (scheme == "light")
    page.fill("#caption", f"{CAPTION} {'w' * 39}")
    page.fill("#seed", str(2**31 - 9))
    page.click("#paint-now")
    painted(page)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    drop(page, f"{'a long name ' * 20}.png", png())
    expect(page.locator("#description")).to_have_text(CAPTION)
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_a_page_that_only_paints_asks_for_its_key(browser, picture_models, tmp_path):
    keys = tmp_path / "keys"
    keys.write_text(hashlib.sha256(b"secret").hexdigest() + "\n")
    service = Served(tmp_path / "log", picture_models.paints, "--workers", 1, "--api-keys", keys)
    try:
        page = browser.new_page()
        page.goto(service.url)
        expect(page.locator("#paint")).to_be_visible()
        expect(page.locator("#modes")).to_be_hidden()
        page.fill("#caption", CAPTION)
        page.click("#paint-now")
        expect(page.locator("#trouble")).to_contain_text("API key")
        page.fill("#key", "secret")
        page.locator("#key").blur()
        page.click("#paint-now")
        painted(page)
        page.close()
    finally:
        assert service.stop() == 0
