"""Glossaries and corrections of a service of real workers, by HTTP and in a real browser."""

from __future__ import annotations

import concurrent.futures
import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from playwright.sync_api import Page, expect

import interlingua
from interlingua.data.reading import read_tsv
from tests.system.conftest import call
from tests.system.served import PATIENCE_S

from . import test_pages, test_serve

browser = test_pages.browser
models = test_serve.models


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kept") / "corrections"


@pytest.fixture(scope="module")
def service(models: list[Path], folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    terms = tmp_path_factory.mktemp("terms") / "terms.tsv"
    terms.write_text("9 9\t0 0 0\n")
    options = ("--workers", 1, "--glossary", f"en-de={terms}", "--corrections", folder)
    service = test_serve.Served(tmp_path_factory.mktemp("log") / "log", *models, *options)
    yield service
    assert service.stop() == 0


@pytest.fixture
def page(browser, service) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(service.url)
    yield page
    context.close()
    assert complaints == []


def pairs(path: Path) -> list[tuple[str, str]]:
    return list(read_tsv(path, None))


def test_terms_come_out_and_mixed_requests_do_not_mix(service, models):
    offline = interlingua.load(models[0], threads=1)
    assert "0 0 0" in service.translate("1 9 9")
    html = service.translate("<p>1 <b>2</b></p>", format="html", glossary={"2": "6"})
    assert html.startswith("<p>")
    assert "6" in html
    glossaries = [{"1": str(i), "3": "8"} if i % 2 else {} for i in range(10)]
    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda terms: service.translate("1 2 3", glossary=terms), glossaries))
    expected = offline.translate(["1 2 3"] * 10, glossary=glossaries)
    assert answers == [translation.text for translation in expected]
    assert answers[0] == "3 2 1"
    assert all(str(i) in answers[i] and "8" in answers[i] for i in range(1, 10, 2))


def test_drafts_hold_no_terms_of_others(models, tmp_path):
    """One sentence from many clients at a time, each with terms of its own."""
    options = ("--workers", 1, "--set", "draft_ms=0", "--set", "wait_ms=300")
    service = test_serve.Served(tmp_path / "log", models[0], *options)

    def stream(i: int) -> list[str]:
        asked = {
            "q": "1 2 3 4",
            "source": "en",
            "target": "de",
            "stream": True,
            "glossary": {"2": f"{i} {i}"},
        }
        with httpx.stream("POST", service.url + "/v1/translate", json=asked, timeout=PATIENCE_S) as answer:
            told = [line for line in answer.iter_lines() if line.startswith("data: ")]
        return [json.loads(line.removeprefix("data: ")).get("text", "") for line in told[:-1]]

    with concurrent.futures.ThreadPoolExecutor(5) as pool:
        all_drafts = list(pool.map(stream, range(5, 10)))
    for i, drafts in zip(range(5, 10), all_drafts, strict=True):
        assert drafts
        others = {str(other) * 2 for other in range(5, 10)} - {str(i) * 2}
        assert not any(other in draft.replace(" ", "") for other in others for draft in drafts), drafts
    assert service.stop() == 0


def test_the_schema_is_what_the_service_does(service):
    description = schemathesis.openapi.from_url(service.url + "/openapi.json")
    for path in ("/v1/corrections", "/translate"):

        @given(case=description[path]["POST"].as_strategy())
        @settings(
            max_examples=15, deadline=None, derandomize=True, database=None,
            phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        def visit(case):
            case.call_and_validate(timeout=PATIENCE_S)

        visit()


def test_translate_keeps_a_glossary(models, tmp_path):
    (tmp_path / "terms.tsv").write_text("1\t7\n5\tfive\n")
    (tmp_path / "in").write_text("1 2\n5\n3\n")
    options = ("--glossary", tmp_path / "terms.tsv", "--input", tmp_path / "in")
    done = call("translate", models[0], *options)
    assert "7" in done.out.splitlines()[0]
    assert done.out.splitlines()[2] == "3"
    assert "1 line: a term of the glossary is missing" in done.err
    done = call("translate", models[0], *options, "--json")
    told = [json.loads(line).get("terms") for line in done.out.splitlines()]
    assert told == [
        [{"source": "1", "target": "7", "satisfied": True}],
        [{"source": "5", "target": "five", "satisfied": False}],
        None,
    ]


def test_what_was_saved_outlives_a_kill(models, tmp_path):
    folder = tmp_path / "corrections"
    service = test_serve.Served(tmp_path / "log", models[0], "--workers", 1, "--corrections", folder)
    saved: list[str] = []

    def save(i: int) -> None:
        asked = {"q": f"{i}", "translation": f"t{i}", "source": "en", "target": "de"}
        if service.post("/v1/corrections", json=asked).status_code == 200:
            saved.append(f"{i}")
        if len(saved) >= 50:  # another thread may have saved one more
            service.process.send_signal(signal.SIGKILL)

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for future in [pool.submit(save, i) for i in range(400)]:
            if future.exception():
                assert isinstance(future.exception(), httpx.TransportError)
    service.process.wait()
    with (folder / "en-de.tsv").open("ab") as file:
        file.write(b"half a li")
    service = test_serve.Served(tmp_path / "log", models[0], "--workers", 1, "--corrections", folder)
    assert service.stop() == 0
    found = pairs(folder / "en-de.tsv")
    assert set(saved) <= {source for source, _ in found}
    assert all(target == f"t{source}" for source, target in found)


def test_the_page_keeps_a_glossary(page):
    assert not page.locator("#glossary").is_visible()
    page.fill("#input", "1 2 3\n4")
    expect(page.locator("#output")).to_have_text("3 2 1\n4", use_inner_text=True)
    page.click("summary")
    page.get_by_label("How words are to be translated").fill("1 = 7\n\nno term\n4 = x")
    expect(page.locator(".sentence").first).to_contain_text("7")
    expect(page.locator(".sentence").nth(1)).to_have_text("4")
    expect(page.locator("#notes")).to_contain_text("x (4)")
    expect(page.locator("#glossary-note")).to_contain_text("line 3")
    expect(page.locator("#glossary-count")).to_have_text("2")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.locator(".sentence").first.click()
    expect(page.locator(".alternatives button").nth(1)).to_be_visible()
    values = [button.get_attribute("value") for button in page.locator(".alternatives button").all()]
    assert all("7" in value for value in values)
    page.reload()
    expect(page.locator("#glossary")).to_have_value("1 = 7\n\nno term\n4 = x")
    page.select_option("#source", "de")  # each pair of languages has its own
    expect(page.locator("#glossary")).to_have_value("")
    page.fill("#input", "1 2")
    expect(page.locator("#output")).to_have_text("2 1")


def test_the_page_saves_a_correction(page, folder):
    page.fill("#input", "1 2\n3 4")
    expect(page.locator("#output")).to_have_text("2 1\n4 3", use_inner_text=True)
    page.locator(".sentence").nth(1).click()
    area = page.get_by_label("A better translation")
    expect(area).to_have_value("4 3")
    area.fill("vier\n<b>drei</b>")
    page.click("text=Save correction")
    expect(page.locator("#correction")).to_contain_text("Saved")
    expect(page.locator("#output")).to_have_text("2 1\nvier <b>drei</b>", use_inner_text=True)
    assert ("3 4", "vier <b>drei</b>") in pairs(folder / "en-de.tsv")
    page.keyboard.press("Escape")
    page.locator(".sentence").nth(1).click()
    own = page.locator(".alternatives button", has_text="your own")
    expect(own).to_have_attribute("aria-pressed", "true")
