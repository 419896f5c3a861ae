"""The page of `serve` with a model of sounds, in a real browser with a microphone that plays a file."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, Playwright, expect, sync_playwright

from tests.system import test_pages, test_serve_sounds, test_serving_page
from tests.system.served import Served
from tests.tones import melody, write_wav

visit = test_serving_page.visit
background = test_pages.background
BYTES = 1_000_000
INSECURE = "insecure.example"
DROP = """([name, content]) => {
    const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
    const data = new DataTransfer();
    data.items.add(new File([bytes], name));
    for (const type of ["dragover", "drop"]) {
        const options = { dataTransfer: data, bubbles: true, cancelable: true };
        document.body.dispatchEvent(new DragEvent(type, options));
    }
}"""


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as playwright:
        yield playwright


def launch(playwright: Playwright, *arguments: str) -> Browser:
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("there is no Chromium; to run these tests: apt-get install chromium")
    return playwright.chromium.launch(executable_path=path, args=["--no-sandbox", *arguments])


@pytest.fixture(scope="module")
def browser(playwright: Playwright, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser that allows its microphone, which hears one note again and again."""
    sound = np.concatenate([melody(["la"], seed=seed) for seed in range(40)])
    file = write_wav(tmp_path_factory.mktemp("microphone") / "la.wav", sound)
    browser = launch(
        playwright, "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-audio-capture={file}", f"--host-resolver-rules=MAP {INSECURE} 127.0.0.1",
    )  # fmt: skip
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def service(model: Path, sound_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    log = tmp_path_factory.mktemp("log") / "log"
    limits = ["--allowed-host", INSECURE, "--set", f"max_sound_bytes={BYTES}"]
    service = Served(log, model, sound_model, "--workers", 1, *limits)
    yield service
    assert service.stop() == 0


def transcribed(page: Page) -> None:
    expect(page.locator("#sound-pace")).to_have_text(re.compile(r" in [0-9.]+ s$"))


def loudness(page: Page) -> float:
    page.wait_for_timeout(10)
    return float(page.evaluate("document.getElementById('level').value"))


def drop(page: Page, name: str, content: bytes) -> None:
    page.evaluate(DROP, [name, base64.b64encode(content).decode()])


def test_a_recording_is_transcribed_and_its_words_can_be_heard(visit):
    found = visit(query="/#sounds")
    page = found.page
    expect(page).to_have_title(re.compile("^Transcribe"))
    page.click("#record")
    expect(page.locator("#record")).to_have_text("Stop")
    expect(page.locator("#clock")).to_have_text(re.compile("^0:0[2-9]"))
    assert any(loudness(page) > 0.3 for _ in range(1000))  # not at once: between notes it is low
    page.click("#record")
    transcribed(page)
    # The first and the last note are cut wherever the recording began and ended, and may sound like others.
    said = page.locator("#transcript").inner_text().split()
    assert said.count("la") > len(said) / 2, said
    word = page.locator("#transcript .word").last
    title = word.get_attribute("title")
    match = re.fullmatch(r"0:([0-9.]+), sure: (?:under )?\d+%", title or "")
    assert match, title
    word.click()
    expect(page.locator("#said-at")).to_have_text(f"{said[-1]}: 0:{match[1]}")
    assert float(match[1]) - 0.06 <= page.evaluate("document.getElementById('player').currentTime")
    assert page.evaluate("document.getElementById('player').duration") > 1.9
    assert found.complaints == []


def test_a_dropped_file_is_transcribed_with_what_is_unsure_marked(visit, service):
    content = test_serve_sounds.encoded(melody(["la", "do", "mi", "so"], seed=3) // 2, "FLAC")
    answer = service.post("/v1/transcribe", content=content).json()
    page = visit().page
    expect(page.locator("#count")).not_to_be_empty()
    assert page.title().startswith("Translate")
    drop(page, "a.flac", content)
    transcribed(page)
    expect(page.locator("#transcript")).to_have_text(answer["text"])
    words = page.locator("#transcript .word")
    for number, word in enumerate(answer["words"]):
        level = sum(word["confidence"] < bound for bound in (0.8, 0.5, 0.2))
        expect(words.nth(number)).to_have_class(f"word level-{level}")
    assert page.locator("#sound-name").inner_text() == "a.flac"
    page.set_input_files("#sound-file", {"name": "b.wav", "mimeType": "audio/wav", "buffer": b"nothing"})
    expect(page.locator("#trouble")).to_contain_text("not a sound file")
    expect(page.locator("#trouble button")).to_have_count(0)  # trying again would not help
    expect(page.locator("#transcript")).to_have_text("")


def test_texts_and_sounds_are_told_apart(visit):
    page = visit().page
    expect(page.locator("#count")).not_to_be_empty()
    expect(page.locator("#modes")).to_be_visible()
    page.click("#modes button[value=sounds]")
    expect(page.locator("#translator")).to_be_hidden()
    page.click("#modes button[value=texts]")
    expect(page.locator("#sounds")).to_be_hidden()
    test_serving_page.translated(page, "1 2", "2 1")
    drop(page, "numbers.txt", b"4 5")
    expect(page.locator("#files a")).to_have_count(1)
    expect(page.locator("#sounds")).to_be_hidden()


def test_silence_is_told(visit):
    page = visit(query="/#sounds").page
    expect(page.locator("#sound-limits")).to_contain_text("10 minutes")
    drop(page, "a.wav", test_serve_sounds.encoded(np.zeros(16_000, np.int16)))
    expect(page.locator("#sound-notes")).to_contain_text("silent")


def test_too_large_a_file_is_not_sent(visit):
    found = visit(query="/#sounds")
    expect(found.page.locator("#sound-limits")).not_to_be_empty()
    drop(found.page, "a.wav", test_serve_sounds.encoded(np.zeros(BYTES, np.int16)))
    expect(found.page.locator("#trouble")).to_contain_text("too large")
    assert not [url for url in found.requests if "transcribe" in url]


def test_a_transcription_can_be_cancelled(visit):
    page = visit(prepare=lambda page: page.route("**/v1/transcribe?*", lambda _: None), query="/#sounds").page
    expect(page.locator("#sound-limits")).not_to_be_empty()
    drop(page, "a.wav", test_serve_sounds.tune())
    page.click("#sound-cancel")
    expect(page.locator("#sound-pace")).to_be_empty()
    page.unroute("**/v1/transcribe?*")
    drop(page, "a.wav", test_serve_sounds.tune())
    transcribed(page)
    expect(page.locator("#sound-cancel")).to_be_hidden()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("NotAllowedError", "was not allowed"),
        ("NotFoundError", "There is no microphone"),
        ("NotReadableError", "another program"),
    ],
)
def test_a_microphone_that_cannot_be_had_is_explained(visit, name, said):
    def refuse(page: Page) -> None:
        page.add_init_script(
            f"navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', '{name}'));"
        )

    page = visit(prepare=refuse, query="/#sounds").page
    expect(page.locator("#sound-limits")).not_to_be_empty()
    page.click("#record")
    expect(page.locator("#trouble")).to_contain_text(said)
    expect(page.locator("#record")).to_have_text("Record")
    drop(page, "a.wav", test_serve_sounds.tune())  # a file is transcribed all the same
    transcribed(page)
    expect(page.locator("#trouble")).to_be_hidden()


def test_a_reader_who_refuses_is_told_how_to_allow(playwright, service):
    browser = launch(playwright, "--use-fake-device-for-media-stream", "--deny-permission-prompts")
    try:
        page = browser.new_page()
        page.goto(f"{service.url}/#sounds")
        expect(page.locator("#sound-limits")).not_to_be_empty()
        page.click("#record")
        expect(page.locator("#trouble")).to_contain_text("Allow it for this page")
    finally:
        browser.close()


def test_an_insecure_address_is_explained(browser, service):
    page = browser.new_page()
    page.goto(f"http://{INSECURE}:{service.port}/#sounds")
    expect(page.locator("#sound-limits")).not_to_be_empty()
    page.click("#record")
    expect(page.locator("#trouble")).to_contain_text("HTTPS")
    page.close()


@pytest.mark.parametrize("width", [320, 390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_every_screen(visit, width, scheme):
    page = visit(width=width, scheme=scheme, query="/#sounds").page
    expect(page.locator("#sound-limits")).not_to_be_empty()
    assert (sum(background(page)) > 384) == (scheme == "light")
    drop(page, f"{'a long name ' * 20}.wav", test_serve_sounds.tune())
    transcribed(page)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    page.click("#record")
    expect(page.locator("#listening")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_a_page_of_sounds_alone_asks_for_its_key(browser, sound_model, tmp_path):
    keys = tmp_path / "keys"
    keys.write_text(hashlib.sha256(b"secret").hexdigest() + "\n")
    service = Served(tmp_path / "log", sound_model, "--workers", 1, "--api-keys", keys)
    try:
        page = browser.new_page()
        page.goto(service.url)
        expect(page.locator("#sounds")).to_be_visible()
        expect(page.locator("#modes")).to_be_hidden()
        drop(page, "a.wav", test_serve_sounds.tune())
        expect(page.locator("#trouble")).to_contain_text("API key")
        page.fill("#key", "secret")
        page.locator("#key").blur()
        drop(page, "no ending", test_serve_sounds.tune())
        transcribed(page)
        page.close()
    finally:
        assert service.stop() == 0


def test_only_a_page_of_sounds_may_hear_and_play(service):
    headers = service.get("").headers
    assert "media-src blob:" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert "microphone=(self)" in headers["permissions-policy"]
