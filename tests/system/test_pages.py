"""The pages of `look` and `report` in a real browser: Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from .conftest import call
from .served import PATIENCE_S

REQUIRED = "INTERLINGUA_TEST_BROWSER"
"""Set where a browser has to be there, so that these tests are never skipped unnoticed."""
expect.set_options(timeout=1000 * PATIENCE_S)  # of the pages of services too


class Visit(NamedTuple):
    """A page that is open, and what it should never have done."""

    page: Page
    requests: list[str]
    complaints: list[str]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        reason = "there is no Chromium; to run these tests: apt-get install chromium"
        if os.environ.get(REQUIRED):
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def pages(model: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Both pages, made by the command line."""
    directory = tmp_path_factory.mktemp("pages")
    other = directory / "other"
    shutil.copytree(model, other)
    found = {name: directory / f"{name}.html" for name in ("look", "report")}
    results = [
        call("look", model, "1 2 3 4", "--out", found["look"], "--threads", 1),
        call("report", model, other, "--test", data / "test.tsv", "--out", found["report"], "--threads", 1),
    ]
    assert [result.code for result in results] == [0, 0], [result.err for result in results]
    return found


@pytest.fixture
def visit(browser: Browser) -> Iterator[Any]:
    opened = []

    def go(path: Path, *, width: int = 1280, scheme: Any = "light", touch: bool = False) -> Visit:
        context = browser.new_context(
            viewport={"width": width, "height": 844}, color_scheme=scheme, has_touch=touch
        )
        page = context.new_page()
        found = Visit(page, [], [])
        page.on("request", lambda request: found.requests.append(request.url))
        page.on("console", lambda message: found.complaints.append(message.text))
        page.on("pageerror", lambda error: found.complaints.append(str(error)))
        page.goto(path.as_uri())
        opened.append((context, found, path.as_uri()))
        return found

    yield go
    for context, found, own in opened:
        context.close()
        assert found.requests == [own]
        assert found.complaints == []


def pixels(page: Page, selector: str) -> str:
    """The content of a canvas."""
    return str(page.eval_on_selector(selector, "canvas => canvas.toDataURL()"))


def background(page: Page) -> list[int]:
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return [int(part) for part in colour.removeprefix("rgb(").removesuffix(")").split(",")]


def test_hovering_a_token_lights_its_row_everywhere(visit, pages):
    page = visit(pages["look"]).page
    page.hover("#joined [data-key=t1]")
    for place in ("#joined", "#large .rows", "#probabilities", "#alignment", "#tree", "#mask .rows"):
        lit = page.locator(f"{place} .lit[data-key=t1], {place} .lit[data-row=t1]")
        expect(lit.first).to_be_attached()
    expect(page.locator("#large .light.row")).to_have_count(1)
    expect(page.locator("#code .light.row")).to_have_count(1)
    assert page.locator("#heads .light.row").count() == page.locator("#heads .thumb").count()
    label = page.locator("#joined [data-key=t1]").inner_text()
    expect(page.locator("#query-of")).to_contain_text(label)
    page.hover("#joined [data-key=s0]")
    expect(page.locator("#large .light.column")).to_have_count(1)
    expect(page.locator(".lit[data-key=t1]")).to_have_count(0)
    page.hover("h2 >> nth=0")
    expect(page.locator(".lit, .light")).to_have_count(0)


def test_keyboard_and_finger_light_tokens_too(visit, pages):
    page = visit(pages["look"], width=390, touch=True).page
    page.focus("#joined [data-key=s1]")
    expect(page.locator("#large .light.column")).to_have_count(1)
    page.tap("#joined [data-key=t2]")
    expect(page.locator("#probabilities .lit[data-row=t2]")).to_have_count(1)
    page.tap("#beam h2")
    expect(page.locator(".lit")).to_have_count(0)


def test_choosing_a_head_changes_the_large_map(visit, pages):
    page = visit(pages["look"]).page
    seen = set()
    heads = page.locator("#heads button")
    for i in range(heads.count()):
        heads.nth(i).click()
        seen.add(pixels(page, "#large canvas"))
        expect(page.locator("#heads button[aria-pressed=true]")).to_have_count(1)
    assert len(seen) == heads.count() == 3  # two heads and their mean
    for kind in ("encoder", "decoder"):
        page.click(f"#kinds button[value={kind}]")
        assert kind in page.locator("#chosen").inner_text().lower()
        seen.add(pixels(page, "#large canvas"))
    assert len(seen) == 5


def test_the_weights_of_a_query_are_those_of_the_data(visit, pages):
    page = visit(pages["look"]).page
    page.locator("#heads button").first.click()
    page.hover("#joined [data-key=t2]")
    data = json.loads(page.locator("#data").text_content() or "")
    expected = data["attention"]["cross"]["weights"][0][0][2]
    shown = page.locator("#weights .weight > span:nth-of-type(1)").all_inner_texts()
    assert [float(text) for text in shown] == pytest.approx(expected)
    cells = page.locator("#large .cells").bounding_box()
    assert cells is not None
    page.mouse.move(cells["x"] + 1, cells["y"] + 1)
    weight = data["attention"]["cross"]["weights"][0][0][0][0]
    expect(page.locator("#readout")).to_contain_text(f"{weight:.3f}")


def test_the_tree_draws_every_node_and_says_what_became_of_it(visit, pages):
    page = visit(pages["look"]).page
    data = json.loads(page.locator("#data").text_content() or "")
    assert page.locator("#tree g").count() == len(data["tree"])
    ranks = page.locator("#tree .badge").all_text_contents()
    assert sorted(ranks) == [f"#{i + 1}" for i in range(len(data["outputs"]))]
    page.locator("#tree g").first.hover()
    expect(page.locator("#node")).to_contain_text("log-probability")


@pytest.mark.parametrize("name", ["look", "report"])
@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_wider_than_the_screen(visit, pages, name, width):
    page = visit(pages[name], width=width).page
    assert page.evaluate("document.documentElement.scrollWidth") == width
    page.set_viewport_size({"width": 360, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") == 360


@pytest.mark.parametrize("name", ["look", "report"])
def test_dark_and_light_follow_the_reader(visit, pages, name):
    light, dark = (visit(pages[name], scheme=scheme).page for scheme in ("light", "dark"))
    assert min(background(light)) > 200
    assert max(background(dark)) < 60
    if name == "look":
        before = pixels(light, "#large canvas")
        light.emulate_media(color_scheme="dark")
        changed = "before => document.querySelector('#large canvas').toDataURL() !== before"
        light.wait_for_function(changed, arg=before)  # the page repaints when it is told, a moment later
        assert pixels(light, "#large canvas") == pixels(dark, "#large canvas") != before


def test_charts_can_be_read_and_turned_to_minutes(visit, pages):
    page = visit(pages["report"]).page
    charts = page.locator("#charts .chart")
    assert charts.count() == 6  # loss, two metrics, learning rate, speed, gradient norm
    assert page.locator("#by-length rect").count() >= 2
    picture = charts.first.locator("svg")
    before = picture.inner_html()
    picture.hover()
    expect(charts.first.locator("output")).to_have_text(re.compile("^step"))
    told = charts.first.locator("output").inner_text()
    assert "training" in told
    assert "validation" in told
    page.click("#axis button[value=minutes]")
    assert charts.first.locator("svg").inner_html() != before
    charts.first.locator("svg").hover()
    expect(charts.first.locator("output")).to_have_text(re.compile("^minute"))


def test_what_runs_out_of_a_chart_is_marked(visit, model: Path, tmp_path: Path):
    run, out = tmp_path / "run", tmp_path / "report.html"
    shutil.copytree(model, run)
    common = {"elapsed_s": 1.0, "target_tokens": 10, "target_tokens_per_s": 10.0, "learning_rate": 0.1}
    records = [
        {"event": "progress", "step": step, "loss": 2.0 + 30 * (step == 1), "gradient_norm": 1.0, **common}
        for step in range(1, 201)
    ]
    (run / "training" / "log.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    assert call("report", run, "--curves-only", "--out", out).code == 0
    page = visit(out).page
    loss, *others = page.locator("#charts .chart").all()
    assert loss.locator("text.beyond").all_text_contents() == ["↑ 32"]
    arrow, chart = loss.locator("path.beyond").bounding_box(), loss.locator("svg").bounding_box()
    assert chart["y"] <= arrow["y"] < chart["y"] + 12
    assert all(other.locator(".beyond").count() == 0 for other in others)


def test_equal_runs_are_not_told_apart(visit, pages):
    page = visit(pages["report"]).page
    rows = page.locator("#differences tr").all_inner_texts()[1:]
    assert len(rows) == 2
    assert all("may be chance" in row for row in rows)


def test_json_is_what_the_page_holds(model: Path, pages):
    told = call("look", model, "1 2 3 4", "--json", "--threads", 1)
    assert told.code == 0, told.err
    assert told.err == ""
    page = pages["look"].read_text(encoding="utf-8")
    assert told.out.strip() in page
    report = call("report", model, "--json", "--curves-only")
    told = json.loads(report.out)
    assert [run["name"] for run in told["runs"]] == [model.name]
    assert told["quality"] is None


def test_without_a_test_set_the_validation_pairs_judge(model: Path, tmp_path: Path):
    info = json.loads((model / "info.json").read_text())
    out = tmp_path / "report.html"
    result = call("report", model, "--json", "--out", out, "--threads", 1)
    assert result.code == 0, result.err
    quality = json.loads(result.out)["quality"]
    assert quality["test"] is None
    assert quality["pairs"] == info["validation_pairs"]
    (run,) = quality["runs"]
    assert run["worst"]
    assert run["scores"][0]["score"] == pytest.approx(info["scores"][0]["score"], abs=0.01)
    assert "pairs of the validation set" in out.read_text(encoding="utf-8")


def test_runs_with_other_validation_pairs_are_not_compared(model: Path, tmp_path: Path):
    other = tmp_path / "other"
    shutil.copytree(model, other)
    config = (other / "config.toml").read_text()
    (other / "config.toml").write_text(config.replace("valid.tsv", "test.tsv"))
    for path, reason in ((other, "validated on other pairs"), (tmp_path / "moved", "not where they were")):
        if not path.exists():
            shutil.copytree(model, path)
            (path / "config.toml").write_text(config.replace(".tsv", ".gone"))
        result = call("report", model, path, "--json", "--threads", 1)
        assert result.code == 0, result.err
        assert reason in result.err
        assert json.loads(result.out)["quality"] is None
