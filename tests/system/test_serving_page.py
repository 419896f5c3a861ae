"""The page of `serve` in a real browser, with a service of real workers behind it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from playwright.sync_api import Page, Route, expect

from . import test_pages, test_serve

browser = test_pages.browser
models = test_serve.models
background = test_pages.background


class Visit(NamedTuple):
    """A page that is open, and what it asked for and complained of."""

    page: Page
    requests: list[str]
    complaints: list[str]


@pytest.fixture(scope="module")
def service(models: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[test_serve.Served]:
    log = tmp_path_factory.mktemp("log") / "log"
    service = test_serve.Served(log, *models, "--workers", 1, "--max-characters", 300, "--set", "draft_ms=0")
    yield service
    assert service.stop() == 0


@pytest.fixture
def visit(browser, service) -> Iterator[Any]:
    opened = []

    def go(*, width: int = 1280, scheme: Any = "light", prepare: Any = None, query: str = "") -> Visit:
        context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme)
        page = context.new_page()
        found = Visit(page, [], [])
        page.on("request", lambda request: found.requests.append(request.url))
        page.on("console", lambda message: found.complaints.append(message.text))
        page.on("pageerror", lambda error: found.complaints.append(str(error)))
        if prepare:
            prepare(page)
        page.goto(service.url + query)
        opened.append((context, found))
        return found

    yield go
    for context, found in opened:
        context.close()
        assert all(url.removeprefix("blob:").startswith(service.url) for url in found.requests)
        # Chromium itself notes every answer that is an error; nothing else may be said.
        assert [text for text in found.complaints if not text.startswith("Failed to load resource")] == []


def translated(page: Page, text: str, expected: str) -> None:
    page.fill("#input", text)
    expect(page.locator("#output")).to_have_text(expected, use_inner_text=True)
    expect(page.locator("#output")).to_have_attribute("aria-busy", "false")


def note(page: Page, selector: str) -> None:
    """Keeps what is told somewhere from now on: what stands there for a second may be missed else."""
    page.evaluate(
        """(selector) => {
            window.noted = [];
            const place = document.querySelector(selector);
            const look = () => window.noted.push(place.textContent);
            const all = { childList: true, characterData: true, subtree: true };
            new MutationObserver(look).observe(place, all);
        }""",
        selector,
    )


def was_told(page: Page, *texts: str) -> bool:
    """Whether all of these stood together where `note` looks."""
    return any(all(text in told for text in texts) for told in page.evaluate("window.noted"))


def refuse(status: int, message: str, **headers: str) -> Any:
    def answer(route: Route) -> None:
        body = json.dumps({"error": message})
        route.fulfill(status=status, body=body, content_type="application/json", headers=headers)

    return answer


def test_typing_gives_a_translation_line_by_line(visit):
    found = visit()
    page = found.page
    page.locator("#input").press_sequentially("1 2 3")
    expect(page.locator("#output")).to_have_text("3 2 1")
    assert page.locator("#count").inner_text() == "5 / 300"
    translated(page, "1 2\n\n 4 5", "2 1\n\n 5 4")
    assert page.locator(".sentence").all_inner_texts() == ["2 1", "5 4"]
    translated(page, "", "")
    assert page.locator("#copy").is_disabled()
    assert found.complaints == []


def test_each_event_replaces_the_text_so_far(visit):
    # The last event of this answer never comes, so what is shown is the latest of the others.
    events = [("progress", {"index": 0, "text": text}) for text in ("9", "8\n8", "7\n7\n7")]
    body = "".join(f"event: {name}\ndata: {json.dumps(content)}\n\n" for name, content in events)

    def answer(route: Route) -> None:
        route.fulfill(body=body, content_type="text/event-stream")

    page = visit(prepare=lambda page: page.route("**/v1/translate", answer)).page
    page.fill("#input", "1")
    expect(page.locator("#output")).to_have_text("7\n7\n7", use_inner_text=True)
    expect(page.locator("#trouble")).to_contain_text("cannot be reached")


def test_a_sentence_grows_while_it_is_decoded(visit):
    page = visit().page
    watch = """() => {
        window.seen = [];
        const output = document.getElementById("output");
        const look = () => window.seen.push([output.textContent, output.classList.contains("draft")]);
        new MutationObserver(look).observe(output, { childList: true, attributes: true });
    }"""
    page.evaluate(watch)
    drafts: list[set[str]] = []
    for first in range(10):  # a draft that another program holds up keeps the worker from more of them
        page.evaluate("window.seen = []")
        page.fill("#input", " ".join(str((first + i) % 10) for i in range(9)))
        expect(page.locator(".sentence")).to_have_count(1)
        seen = page.evaluate("window.seen")
        assert seen[-1] == [page.locator("#output").inner_text(), False]
        expect(page.locator("#pace")).to_contain_text(" s")
        drafts.append({text for text, draft in seen if draft})
        if len(drafts[-1]) > 2:
            break
        translated(page, "", "")
    assert len(drafts[-1]) > 2, drafts


def test_an_event_of_overload_is_tried_again_when_it_says(visit):
    told = {"error": "This took too long.", "retryAfter": 1}

    def answer(route: Route) -> None:
        route.fulfill(body=f"event: error\ndata: {json.dumps(told)}\n\n", content_type="text/event-stream")

    page = visit(prepare=lambda page: page.route("**/v1/translate", answer, times=1)).page
    note(page, "#trouble")
    page.fill("#input", "1 2")
    expect(page.locator("#output")).to_have_text("2 1")
    assert was_told(page, "This took too long.", "Trying again in 1 s")


def test_the_services_limits_are_kept(visit):
    def settings(route: Route) -> None:
        answer = route.fetch()
        limits = {"maxFileCharacters": 5, "maxAlternatives": 2, "fileMinutes": 7}
        route.fulfill(response=answer, json=answer.json() | limits)

    page = visit(prepare=lambda page: page.route("**/frontend/settings", settings)).page
    translated(page, "1 2", "2 1")
    for content, said in (("1 2 3 4", "at most 5 characters"), ("1 2", "kept for 7 min")):
        page.set_input_files("#file", {"name": "a.txt", "mimeType": "text/plain", "buffer": content.encode()})
        expect(page.locator("#files li").last).to_contain_text(said)
    with page.expect_request("**/v1/translate") as asked:
        page.click(".sentence")
    assert json.loads(asked.value.post_data or "")["alternatives"] == 2


def test_an_alternative_takes_the_sentences_place(visit):
    page = visit().page
    translated(page, "1 2 3\n4 5", "3 2 1\n5 4")
    page.locator(".sentence").first.press("Enter")
    choices = page.locator(".alternatives button")
    expect(choices.first).to_have_attribute("aria-pressed", "true")
    assert choices.first.get_attribute("value") == "3 2 1"
    other = choices.nth(1).get_attribute("value")
    choices.nth(1).click()
    translated(page, "1 2 3\n6", f"{other}\n6")  # the choice outlives an edit elsewhere
    page.locator(".sentence").first.click()
    choices.first.click()
    expect(page.locator("#output")).to_have_text("3 2 1\n6", use_inner_text=True)
    page.keyboard.press("Escape")
    assert page.locator("#panel").is_hidden()
    assert page.evaluate("document.activeElement.className") == "sentence"


def test_attention_of_a_token(visit, service):
    found = visit()
    page = found.page
    translated(page, "1 2 3 4", "4 3 2 1")
    page.click(".sentence")
    page.click("#tabs button[value=attention]")
    targets = page.locator(".token.to")
    expect(targets.first).to_be_visible()
    asked = {"q": "1 2 3 4", "source": "en", "target": "de", "attention": True}
    part = service.post("/v1/translate", json=asked).json()["translations"][0]["parts"][0]
    assert targets.count() == len(part["tokens"]) + 1
    assert page.locator(".token.from").count() == len(part["source_tokens"]) + 1
    heads = [head for layer in part["attention"]["cross"] for head in layer]
    for row in (0, 2):
        targets.nth(row).focus()
        share = max(sum(head[row][j] for head in heads) / len(heads) for j in range(len(heads[0][row])))
        told = [int(number) for number in re.findall(r"(\d+)%", page.locator(".readout").inner_text())]
        assert told[0] == pytest.approx(100 * share, abs=1)
        assert targets.nth(row).get_attribute("aria-pressed") == "true"
    cells = page.locator(".map .cells")
    assert cells.locator("canvas").evaluate("c => [c.width, c.height]") == [
        len(heads[0][0]), len(heads[0])
    ]  # fmt: skip
    cells.hover(position={"x": 2, "y": 2})
    expect(targets.first).to_have_attribute("aria-pressed", "true")
    assert found.complaints == []


def test_a_model_without_attention_says_so(visit):
    def bare(route: Route) -> None:
        if not json.loads(route.request.post_data or "").get("attention"):
            return route.continue_()
        answer = route.fetch()
        content = answer.json()
        del content["translations"][0]["parts"][0]["attention"]
        return route.fulfill(response=answer, json=content)

    page = visit(prepare=lambda page: page.route("**/v1/translate", bare)).page
    translated(page, "1", "1")
    page.click(".sentence")
    page.click("#tabs button[value=attention]")
    expect(page.locator("#inside")).to_contain_text("no attention")


def test_unlikely_words_are_marked_and_listed(visit):
    page = visit().page
    translated(page, "1 2", "2 1")
    words = [{"text": "2 1", "tokens": ["2", "\u25811"], "log_probs": [-2.0, -0.01, 0.0]}, "2 1", "de"]
    run = "async ([part, text, language]) => (await import('/words.js')).words(text, part, language)"
    found = page.evaluate(run, words)
    assert [word["text"] for word in found] == ["2", " ", "1"]
    assert found[0]["probability"] == pytest.approx(0.135, abs=1e-3)
    assert found[1]["probability"] is None
    assert page.locator("#legend").is_hidden()
    page.click("#shade")
    assert page.locator("#shade").get_attribute("aria-pressed") == "true"
    assert page.locator("#legend").is_visible()
    assert "sure of" in page.locator("#unsure").inner_text()
    page.eval_on_selector("#output .word", "word => { word.className = 'word level-3'; }")
    line = "getComputedStyle(document.querySelector('#output .word')).textDecorationLine"
    assert page.evaluate(line) == "underline"
    page.click("#shade")
    assert page.evaluate(line) == "none"


def test_a_word_of_several_tokens_is_as_likely_as_all_of_them_together(visit):
    page = visit().page
    halves = [math.log(0.5)] * 9
    run = "async ([part, text]) => (await import('/words.js')).words(text, part, 'de')"

    def likely(text: str, tokens: list[str]) -> dict[str, float]:
        part = {"text": text, "tokens": tokens, "log_probs": halves[: len(tokens) + 1]}
        found = page.evaluate(run, [part, text])
        return {word["text"]: round(word["probability"], 4) for word in found if word["probability"]}

    wanted = {"sehr": 0.5, "unglaublich": 0.125, ".": 0.5}
    assert likely("sehr unglaublich.", ["\u2581sehr", "\u2581un", "glaub", "lich", "."]) == wanted
    # A space alone is the beginning of the word after it; a token of one byte is part of a letter.
    assert likely("ja nein", ["\u2581", "ja", "\u2581", "nein"]) == {"ja": 0.25, "nein": 0.25}
    assert likely("\u00e9t\u00e9 la", ["<0xC3>", "<0xA9>", "t", "\u00e9", "\u2581la"])["la"] == 0.5


def test_alternatives_stand_in_the_order_of_their_numbers(visit):
    def shuffled(route: Route) -> None:
        answer = route.fetch()
        if not json.loads(route.request.post_data or "").get("alternatives"):
            return route.fulfill(response=answer)
        content = answer.json()
        (part,) = content["translations"][0]["parts"]
        part["alternatives"] = [
            {**part, "text": f"other {total}", "alternatives": [], "log_probs": [total, 0, 0, 0]}
            for total in (-5, -9, -4, -7)
        ]
        return route.fulfill(response=answer, json=content)

    page = visit(prepare=lambda page: page.route("**/v1/translate", shuffled)).page
    translated(page, "1 2 3", "3 2 1")
    page.click(".sentence")
    choices = page.locator(".alternatives button")
    expect(choices).to_have_count(5)
    values = [button.get_attribute("value") for button in choices.all()]
    assert values == ["3 2 1", "other -4", "other -5", "other -7", "other -9"]


def test_a_link_brings_languages_and_text(visit):
    page = visit(query="/?source=de&target=en&q=1+2%0A%C3%A9").page
    expect(page.locator("#output")).to_contain_text("2 1")
    assert page.input_value("#input") == "1 2\n\u00e9"
    assert [page.input_value(f"#{side}") for side in ("source", "target")] == ["de", "en"]
    page = visit(query="/?source=xx&target=%3Cb%3E&q=").page
    translated(page, "1 2", "2 1")
    assert page.input_value("#input") == "1 2"


def test_a_tag_is_chosen_where_there_are_some(visit):
    def tagged(route: Route) -> None:
        answer = route.fetch()
        languages = answer.json()
        (english,) = (each for each in languages if each["code"] == "en")
        english["tags"] = {"de": ["law", "small talk"]}
        route.fulfill(response=answer, json=languages)

    def prepare(page: Page) -> None:
        page.route("**/languages", tagged)
        page.route("**/v1/translate", refuse(400, "this is only to see what is asked for"))

    page = visit(prepare=prepare, query="/?source=en&target=de&tag=small+talk").page
    tag = page.locator("#tag")
    expect(tag).to_be_visible()
    assert tag.locator("option").all_inner_texts() == ["law", "small talk"]
    for wanted in ("small talk", "law"):
        with page.expect_request("**/v1/translate") as request:
            if wanted == "law":
                tag.select_option("law")
            else:
                page.fill("#input", "1 2")
        assert json.loads(request.value.post_data or "")["tag"] == wanted
    with page.expect_request("**/translate_file") as request:
        page.set_input_files("#file", {"name": "a.txt", "mimeType": "text/plain", "buffer": b"1 2"})
    assert 'name="tag"\r\n\r\nlaw\r\n' in (request.value.post_data or "")
    with page.expect_request("**/v1/translate") as request:
        page.select_option("#source", "de")
    assert "tag" not in json.loads(request.value.post_data or "")
    expect(tag).to_be_hidden()


def test_the_model_is_named_and_texts_have_the_direction_of_their_script(visit):
    page = visit().page
    translated(page, "1 2", "2 1")
    expect(page.locator("#model")).to_have_text("Model: en-de")
    translated(page, "", "")
    expect(page.locator("#model")).to_have_text("")
    page.fill("#input", "\u05e9\u05dc\u05d5\u05dd 1")
    assert page.evaluate("getComputedStyle(document.querySelector('#input')).direction") == "rtl"
    translated(page, "1 2", "2 1")
    page.click(".sentence")
    page.locator(".alternatives button").first.wait_for()
    undirected = page.evaluate(
        """[...document.querySelectorAll("textarea, #output, #sentence, .alternatives [lang]")]
            .filter((each) => each.dir !== "auto").map((each) => each.outerHTML)"""
    )
    assert undirected == []


def test_what_is_too_wide_for_a_narrow_screen_scrolls_and_shows_it(visit):
    page = visit(width=320).page
    page.fill("#input", "1 2 3 4 5 6 7 8 9 1 2 3")
    page.click(".sentence")
    page.click("#tabs button[value=attention]")
    frame = page.locator("#inside .scroll")
    expect(frame).to_be_visible()
    assert frame.evaluate("each => each.scrollWidth > each.clientWidth")
    assert frame.evaluate("each => getComputedStyle(each).scrollbarColor") != "auto"
    frame.focus()
    page.keyboard.press("ArrowRight")
    moved = "each => new Promise((done) => { if (each.scrollLeft) done(); each.onscroll = () => done(); })"
    frame.evaluate(moved)
    page.click("#help")
    table = page.locator("dialog table")
    assert table.evaluate("each => each.getBoundingClientRect().right <= innerWidth")
    assert page.evaluate("document.documentElement.scrollWidth") == 320


def test_sentences_that_the_service_mended_are_found(visit):
    page = visit().page
    parts = [{"text": text} for text in ("eins", "w w w", "drei")]
    run = "async ([text, parts]) => (await import('/words.js')).takeApart(text, parts)"
    pieces = page.evaluate(run, [" eins\n\nwww.a.org\ndrei\n", parts])
    texts = [piece if isinstance(piece, str) else [piece["text"]] for piece in pieces]
    assert texts == [" ", ["eins"], "\n\n", ["www.a.org"], "\n", ["drei"], "\n"]


def test_swapping_takes_the_translation_along(visit):
    page = visit().page
    translated(page, "1 2 3", "3 2 1")
    page.keyboard.press("Control+Shift+S")
    expect(page.locator("#source")).to_have_value("de")
    expect(page.locator("#target")).to_have_value("en")
    expect(page.locator("#input")).to_have_value("3 2 1")
    expect(page.locator("#output")).to_have_text("1 2 3")
    page.reload()  # the choice is remembered
    expect(page.locator("#source")).to_have_value("de")
    page.select_option("#source", "auto")
    translated(page, "1 2", "2 1")
    expect(page.locator("#source option:checked")).to_contain_text("Detected")


@pytest.mark.parametrize("name", ["numbers.txt", "numbers.srt", "numbers.HTML"])
def test_dropped_and_chosen_files_are_translated(visit, tmp_path, name):
    content = "1\n00:00:01,000 --> 00:00:02,000\n4 5\n" if name.endswith("srt") else "4 5"
    page = visit().page
    drop = """([name, content]) => {
        const data = new DataTransfer();
        data.items.add(new File([content], name));
        for (const type of ["dragover", "drop"]) {
            const options = { dataTransfer: data, bubbles: true, cancelable: true };
            document.body.dispatchEvent(new DragEvent(type, options));
        }
    }"""
    expect(page.locator("#count")).not_to_be_empty()
    page.evaluate(drop, [name, content])
    (tmp_path / name).write_text(content)
    page.set_input_files("#file", tmp_path / name)
    links = page.locator("#files a")
    expect(links).to_have_count(2)
    for i in range(2):
        with page.expect_download() as download:
            links.nth(i).click()
        assert "5 4" in download.value.path().read_text()
        assert download.value.suggested_filename.startswith("numbers_de.")
    page.set_input_files("#file", {"name": "a.pdf", "mimeType": "application/pdf", "buffer": b"%PDF"})
    expect(page.locator("#files li").last).to_contain_text("cannot be translated")


def test_too_much_text_is_not_sent(visit):
    found = visit()
    found.page.fill("#input", "🙂" * 302)
    expect(found.page.locator("#count")).to_have_text("2 too many characters")
    found.page.keyboard.press("Control+Enter")
    translated(found.page, "1 2", "2 1")
    assert len([url for url in found.requests if url.endswith("/translate")]) == 1


def test_a_refusal_is_told_and_tried_again_when_it_says(visit):
    def once(page: Page) -> None:
        page.route("**/v1/translate", refuse(503, "Too much is waiting.", **{"Retry-After": "1"}), times=1)

    page = visit(prepare=once).page
    note(page, "#trouble")
    page.fill("#input", "1 2")
    expect(page.locator("#output")).to_have_text("2 1")
    assert was_told(page, "Too much is waiting.", "Trying again in 1 s")
    assert page.locator("#trouble").is_hidden()
    page.route("**/v1/translate", refuse(400, "Not like this."))
    page.fill("#input", "1")
    expect(page.locator("#trouble")).to_have_text("Not like this.")


def test_a_service_that_has_gone_is_missed_until_it_is_back(visit):
    page = visit().page
    translated(page, "3", "3")
    page.context.set_offline(True)
    page.fill("#input", "1 2")
    expect(page.locator("#trouble")).to_contain_text("cannot be reached")
    page.click("#trouble button")
    expect(page.locator("#trouble")).to_contain_text("Trying again in")
    expect(page.locator("#output")).to_have_class(re.compile("stale"))  # it belongs to another text
    page.context.set_offline(False)
    expect(page.locator("#output")).to_have_text("2 1")
    assert page.locator("#trouble").is_hidden()
    expect(page.locator("#output")).not_to_have_class(re.compile("stale"))


def test_a_key_is_asked_for_only_where_it_is_needed(visit):
    def locked(page: Page) -> None:
        def settings(route: Route) -> None:
            answer = route.fetch()
            route.fulfill(response=answer, json=answer.json() | {"keyRequired": True})

        page.route("**/frontend/settings", settings)

    assert visit().page.locator("#key").is_hidden()
    page = visit(prepare=locked).page
    page.fill("#input", "1 2")
    expect(page.locator("#trouble")).to_contain_text("API key")
    with page.expect_request("**/v1/translate") as asked:
        page.fill("#key", "secret ключ")
        page.keyboard.press("Enter")
    assert json.loads(asked.value.post_data or "")["api_key"] == "secret ключ"
    expect(page.locator("#output")).to_have_text("2 1")


def test_help_and_copy(visit):
    page = visit().page
    page.fill("#input", "1 2")
    expect(page.locator("#output")).to_have_text("2 1")
    page.focus("#copy")
    page.keyboard.press("?")
    expect(page.locator("#about")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#about")).to_be_hidden()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    note(page, "#copy")
    page.click("#copy")
    page.wait_for_function("window.noted.some((told) => told.includes('Copied'))")
    assert page.evaluate("navigator.clipboard.readText()") == "2 1"


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_nothing_is_wider_than_the_screen(visit, width):
    page = visit(width=width).page
    translated(page, "1 2 3 4 5", "5 4 3 2 1")
    page.click("#shade")
    page.click(".sentence")
    for tab in ("alternatives", "attention"):
        page.click(f"#tabs button[value={tab}]")
        expect(page.locator("#inside button").first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") == width
    page.fill("#input", "1" * 300)
    expect(page.locator("#output")).not_to_have_text("5 4 3 2 1")
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_dark_and_light_follow_the_reader(visit):
    light, dark = (visit(scheme=scheme).page for scheme in ("light", "dark"))
    assert min(background(light)) > 200
    assert max(background(dark)) < 60


def test_everything_has_a_name(visit):
    page = visit().page
    translated(page, "1 2", "2 1")
    nameless = page.evaluate(
        """[...document.querySelectorAll("button, select, textarea, input:not([aria-hidden])")]
            .filter((each) => !each.ariaLabel && !each.labels?.length)
            .filter((each) => each.tagName !== "BUTTON" || !each.textContent.trim())
            .map((each) => each.outerHTML)"""
    )
    assert nameless == []
    assert page.get_attribute("#output", "lang") == "de"
    assert page.get_attribute("#output", "aria-live") == "polite"
