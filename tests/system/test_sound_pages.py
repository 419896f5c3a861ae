"""`look` and `report` of a model of sounds: by the command line, and their pages in a real browser."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.tones import melody, write_melodies, write_wav

from . import test_pages, test_sound
from .conftest import call

browser, visit = test_pages.browser, test_pages.visit
pairs, recogniser = test_sound.pairs, test_sound.trained


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of sounds: one of three words, a long one, one that is none; and pairs to be judged by."""
    directory = tmp_path_factory.mktemp("sounds")
    write_wav(directory / "three.wav", melody(["la", "so", "do"], seed=5))
    pause = np.zeros(16_000, np.int16)
    parts = [part for seed in range(4) for part in (melody(["la", "so", "do", "mi"], seed=seed), pause)]
    write_wav(directory / "long.wav", np.concatenate(parts))
    (directory / "words.txt").write_text("These are words.\n" * 20)
    write_melodies(directory, 24, seed=9)
    return directory


@pytest.fixture(scope="module")
def pages(recogniser: Path, sounds: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """All pages, made by the command line."""
    directory = tmp_path_factory.mktemp("pages")
    found = {name: directory / f"{name}.html" for name in ("look", "long", "report")}
    results = [
        call("look", recogniser, sounds / "three.wav", "--out", found["look"], "--threads", 1),
        call("look", recogniser, sounds / "long.wav", "--out", found["long"], "--threads", 1),
        call(
            "report", recogniser, "--test", sounds / "pairs-9.tsv", "--out", found["report"], "--threads", 1
        ),
    ]
    assert [result.code for result in results] == [0] * 3, [result.err for result in results]
    assert "this is part 1 of" in results[1].err
    return found


def held(page: Path) -> dict[str, object]:
    text = page.read_text(encoding="utf-8")
    return json.loads(text.split('id="data">')[1].split("</script>")[0])


def test_a_word_lights_its_time_and_its_attention(visit, pages):
    page = visit(pages["look"]).page
    page.hover("#words [data-key=w1]")
    for place in ("#words", "#said", "#large .rows"):
        expect(page.locator(f"{place} .lit[data-key=w1]")).to_have_count(1)
    expect(page.locator("#probabilities .lit[data-row^=t]")).to_have_count(2)  # the letters of the word
    expect(page.locator("#large .light.row")).to_have_count(1)
    band, said = (page.locator(each).bounding_box() for each in ("#band", "#said [data-key=w1]"))
    spectrogram, spikes = (page.locator(each).bounding_box() for each in ("#spectrogram", "#spikes"))
    assert band["x"] == pytest.approx(said["x"], abs=1)
    assert (
        spectrogram["x"]
        == spikes["x"]
        == pytest.approx(page.locator("#large .cells").bounding_box()["x"], abs=1)
    )
    word = held(pages["look"])["words"][1]
    span = held(pages["look"])["num_positions"] * held(pages["look"])["position_s"]
    place = (band["x"] - spectrogram["x"]) / spectrogram["width"] * span
    assert place == pytest.approx(word["start_s"], abs=0.005)
    page.click("#kinds button[value=tokens]")
    page.hover("#words [data-key=w1]")
    expect(page.locator("#large .light.row")).to_have_count(2)
    page.hover("h2 >> nth=0")
    expect(page.locator(".lit, .light")).to_have_count(0)
    assert not page.is_visible("#band")


def test_strips_line_up_when_they_are_wider_than_the_screen(visit, pages):
    page = visit(pages["long"], width=390).page
    page.eval_on_selector("#timeline", "each => each.style.setProperty('--least-width', '2000px')")
    last = page.locator("#words .word").last
    last.hover()
    key = last.get_attribute("data-key")
    band, said = (page.locator(each).bounding_box() for each in ("#band", f"#said [data-key={key}]"))
    assert band["x"] == pytest.approx(said["x"], abs=1)
    frame = page.locator("#sliding").bounding_box()
    assert frame["x"] <= band["x"] <= frame["x"] + frame["width"]  # it was brought into sight
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_a_word_is_played_alone_and_the_whole_from_the_button(visit, pages):
    page = visit(pages["long"]).page
    word = held(pages["long"])["words"][0]
    page.evaluate("""() => {
        window.heard = [];
        const play = HTMLMediaElement.prototype.play;
        HTMLMediaElement.prototype.play = function () {
          window.sound = this;
          window.heard.push(this.currentTime);
          return play.call(this);
        };
    }""")
    page.click("#words [data-key=w0]")
    assert page.evaluate("heard[0]") == pytest.approx(max(0, word["start_s"] - 0.05), abs=0.02)
    page.wait_for_function("() => sound.paused")
    assert page.evaluate("sound.currentTime") >= word["end_s"]
    assert not page.evaluate("sound.ended")
    page.click("#play")
    page.wait_for_function("() => sound.ended")
    expect(page.locator("#play")).to_have_text("▶ Play")  # it is told a moment after it has ended
    assert page.evaluate("sound.duration") == pytest.approx(held(pages["long"])["seconds"], abs=0.001)


def test_choosing_a_head_changes_the_map_over_time(visit, pages):
    page = visit(pages["look"]).page
    heads, seen = page.locator("#heads button"), set()
    for i in range(heads.count()):
        heads.nth(i).click()
        seen.add(test_pages.pixels(page, "#large canvas"))
        expect(page.locator("#heads button[aria-pressed=true]")).to_have_count(1)
    assert len(seen) == heads.count() > 2


def test_the_pointer_reads_spikes_and_weights(visit, pages):
    page, data = visit(pages["look"]).page, held(pages["look"])
    spike = int(np.argmax(data["ctc"]["probabilities"]))
    page.locator("#spikes").scroll_into_view_if_needed()
    box = page.locator("#spikes").bounding_box()
    page.mouse.move(box["x"] + box["width"] * (spike + 0.5) / data["num_positions"], box["y"] + 40)
    expect(page.locator("#readout")).to_contain_text(f"{100 * data['ctc']['probabilities'][spike]:.1f}%")
    page.hover("#large .cells")
    expect(page.locator("#readout")).to_contain_text("a weight of")
    expect(page.locator("#readout")).to_contain_text(" s ")


@pytest.mark.parametrize("name", ["look", "long", "report"])
@pytest.mark.parametrize("width", [360, 390, 1280])
def test_nothing_is_wider_than_the_screen(visit, pages, name, width):
    page = visit(pages[name], width=width).page
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_dark_and_light_follow_the_reader(visit, pages):
    light, dark = (visit(pages["look"], scheme=scheme).page for scheme in ("light", "dark"))
    assert max(test_pages.background(dark)) < 60
    before = test_pages.pixels(light, "#spectrogram canvas")
    light.emulate_media(color_scheme="dark")
    changed = "before => document.querySelector('#spectrogram canvas').toDataURL() !== before"
    light.wait_for_function(changed, arg=before)
    assert test_pages.pixels(dark, "#spectrogram canvas") != before


def test_json_is_what_the_page_holds(recogniser: Path, sounds: Path, pages) -> None:
    told = call("look", recogniser, sounds / "three.wav", "--json", "--threads", 1)
    assert told.code == 0, told.err
    assert told.out.strip() in pages["look"].read_text(encoding="utf-8")
    transcript = call("transcribe", recogniser, sounds / "three.wav", "--threads", 1).out.strip()
    assert json.loads(told.out)["outputs"][0]["text"] == transcript != ""
    second = call("look", recogniser, sounds / "long.wav", "--part", 2, "--json", "--threads", 1)
    assert json.loads(second.out)["part"] == 2
    assert json.loads(second.out)["start_s"] > 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere.wav"], ["nowhere.wav", "no such file"]),
        (["A dog runs."], ["no such file", "model of sounds"]),
        (["words.txt"], ["words.txt", "not a sound"]),
        (["."], ["directory"]),
        ([""], ["empty"]),
        (["three.wav", "long.wav"], ["only one sound"]),
        (["three.wav", "--tag", "de"], ["no tags"]),
        (["three.wav", "--part", "2"], ["no such part"]),
        (["three.wav", "--out", "three.wav"], ["--out", "same file"]),
    ],
)
def test_mistakes_are_explained(recogniser, sounds, arguments, said, monkeypatch) -> None:
    monkeypatch.chdir(sounds)
    before = (sounds / "three.wav").read_bytes()
    result = call("look", recogniser, *arguments)
    assert result.code == 2
    assert all(each in result.err for each in said), result.err
    assert "Traceback" not in result.err
    assert not (sounds / "look.html").exists()
    assert (sounds / "three.wav").read_bytes() == before


def test_a_model_of_texts_refuses_sounds_and_several_texts(model, sounds, monkeypatch) -> None:
    monkeypatch.chdir(sounds)
    result = call("look", model, "three.wav")
    assert (result.code, "translates texts" in result.err) == (2, True)
    result = call("look", model, "1", "2", "3")
    assert (result.code, "in quotes" in result.err) == (2, True)
    assert call("look", model, "a.wav " * 60 + "b.wav", "--json", "--threads", 1).code == 0


def test_a_report_names_files_alone_and_tells_word_errors(visit, pages, sounds: Path):
    quality = held(pages["report"])["quality"]
    (run,) = quality["runs"]
    assert [score["name"] for score in run["scores"]] == ["WER", "CER", "sequence_error"]
    assert (quality["unit"], quality["pairs"]) == ("seconds", 24)
    assert sum(each["pairs"] for each in run["by_length"]) == 24
    errors = run["word_errors"]
    verbose = f"{errors['substituted'] + errors['deleted'] + errors['inserted']}/{errors['words']}"
    assert verbose == run["scores"][0]["verbose_score"]
    names = [each["source"] for each in (*run["worst"], *run["best"])]
    assert all((sounds / "sounds" / name).is_file() for name in names)
    assert str(sounds) not in pages["report"].read_text(encoding="utf-8")
    page = visit(pages["report"]).page
    assert page.is_visible("#word-errors")
    assert page.locator("#by-length rect").count() >= 2


def test_validation_sounds_judge_without_a_test_file(recogniser: Path, tmp_path: Path) -> None:
    info = json.loads((recogniser / "info.json").read_text())
    result = call("report", recogniser, "--json", "--threads", 1)
    assert result.code == 0, result.err
    quality = json.loads(result.out)["quality"]
    assert quality["pairs"] == info["validation_pairs"]
    # The training ranked what it had found anew, for the length penalty, where this searches anew.
    assert quality["runs"][0]["scores"][0]["score"] == pytest.approx(info["scores"][0]["score"], abs=5)
    config = (recogniser / "config.toml").read_text()
    moved = tmp_path / "moved"
    shutil.copytree(recogniser, moved)
    (moved / "config.toml").write_text(config.replace("[data]\n", f'[data]\nsource_root = "{tmp_path}"\n', 1))
    result = call("report", moved, "--json", "--threads", 1)
    assert result.code == 0, result.err
    assert "sounds of the validation pairs are not where they were" in result.err
    assert json.loads(result.out)["quality"] is None


def test_mistakes_of_a_report_are_explained(
    recogniser: Path, model: Path, sounds: Path, tmp_path: Path
) -> None:
    test = tmp_path / "test.tsv"
    test.write_text(f"{sounds}/three.wav\tla so do\n{sounds}/words.txt\tla\n")
    result = call("report", recogniser, "--test", test, "--out", tmp_path / "r.html")
    assert result.code == 2
    assert "test.tsv:2" in result.err
    result = call("report", recogniser, model, "--test", sounds / "pairs-9.tsv", "--out", tmp_path / "r.html")
    assert (result.code, "different kinds" in result.err) == (2, True)
    assert not (tmp_path / "r.html").exists()
    assert call("report", recogniser, model, "--curves-only", "--out", tmp_path / "r.html").code == 0
