"""Pictures to text and text to pictures, from files to files: what is learnt, said of mistakes, and kept."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

import interlingua
from interlingua.errors import BundleError, CheckpointError, ConfigurationError, DataError
from interlingua.inference.captioner import Captioner
from interlingua.inference.painter import Painter
from interlingua.pictures.reading import read_picture
from interlingua.runs import codec_phase
from interlingua.runs.events import Validated
from interlingua.runs.plans import make_plans
from interlingua.runs.run import resume, start
from interlingua.settings import merge
from tests.system.conftest import call
from tests.tiles import COLOURS, read_tiles, tiles, write_tiles
from tests.tiny import last_checkpoint, weights

MODEL = {"dim": 64, "heads": 4, "feed_forward": 128, "encoder_layers": 2, "decoder_layers": 2, "dropout": 0.0}
TRAINING = {"validations": 1, "threads": 1, "precision": "fp32", "max_tokens": 1024, "learning_rate": 0.01}


def values(train: Path, **sections: Any) -> dict[str, Any]:
    """A configuration that learns tiles in seconds."""
    return merge(
        {"data": {"train": str(train), "valid_share": 0.1}, "model": MODEL, "training": TRAINING}, sections
    )


def painting(train: Path, **training: Any) -> dict[str, Any]:
    """The same the other way round: pictures are the targets."""
    pictures = {
        "levels": [4, 3],
        "colour_levels": [3, 3],
        "width": 24,
        "blocks": 1,
        "batch": 16,
        "budget_share": 0.5,
        "learning_rate": 0.03,
    }
    return values(train, data={"columns": "2,1"}, pictures=pictures, training=training)


def carry_out(events: Any) -> list[Any]:
    return list(events)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiles(tmp_path_factory.mktemp("tiles"), 400)


@pytest.fixture(scope="module")
def says(pairs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("runs") / "says"
    carry_out(start(values(pairs, training={"max_steps": 300}), out))
    return out


@pytest.fixture(scope="module")
def paints(pairs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("runs") / "paints"
    carry_out(start(painting(pairs, max_steps=400), out))
    return out


@pytest.fixture(scope="module")
def captioner(says: Path) -> Captioner:
    model = interlingua.load(says, threads=1)
    assert isinstance(model, Captioner)
    return model


@pytest.fixture(scope="module")
def painter(paints: Path) -> Painter:
    model = interlingua.load(paints, threads=1)
    assert isinstance(model, Painter)
    return model


def run(
    *arguments: object, input: str | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    with contextlib.chdir(cwd or Path.cwd()):
        done = call(*arguments, stdin=(input or "").encode())
    return subprocess.CompletedProcess(arguments, done.code, done.out, done.err)


def test_what_pictures_show_is_learnt(captioner: Captioner) -> None:
    random = np.random.default_rng(9)
    shown = [random.choice([*COLOURS], 4).tolist() for _ in range(20)]
    said = captioner.translate([tiles(names) for names in shown])
    assert [each.text for each in said] == [" ".join(names) for names in shown]


def test_what_captions_say_is_painted(painter: Painter) -> None:
    random = np.random.default_rng(9)
    asked = [random.choice([*COLOURS], 4).tolist() for _ in range(20)]
    found = painter.paint([" ".join(names) for names in asked], guidance=2, temperature=0.5)
    right = sum(read_tiles(one.pixels) == names for (one,), names in zip(found, asked, strict=True))
    assert right >= 18


def test_a_painting_depends_on_its_caption_and_seed_alone(painter: Painter) -> None:
    captions = ["red green blue black", "blue blue blue blue", "red green blue black", "green red"]
    together = painter.paint(captions, samples=3, seed=4, guidance=1.5)
    for number, caption in enumerate(captions):
        for sample in range(3):
            ((alone,),) = painter.paint([caption], seed=4 + sample, guidance=1.5)
            assert alone.tokens == together[number][sample].tokens
            assert (alone.pixels == together[number][sample].pixels).all()
            assert alone.log_prob == pytest.approx(together[number][sample].log_prob, abs=1e-3)
    assert together[0][0].tokens == together[2][0].tokens
    assert all(len(one.tokens) == 64 for row in together for one in row)  # never an end too early


def test_a_model_is_guided_a_little_unless_it_always_knew_the_caption(
    pairs: Path, painter: Painter, tmp_path: Path
) -> None:
    assert painter.settings.guidance == 1.2
    plain = painter.paint(["red red red red"], seed=1)[0][0]
    for guidance, alike in ((1.2, True), (1, False)):
        given = painter.paint(["red red red red"], seed=1, guidance=guidance)[0][0]
        assert (given.log_prob == plain.log_prob) == alike
    always = merge(painting(pairs, max_steps=2), {"pictures": {"caption_dropout": 0}})
    (plan,) = make_plans(always, "test", tmp_path / "out", tmp_path / "copies")
    assert plan.experiment.search.guidance == 1


def test_wrong_ways_to_paint_are_told(painter: Painter) -> None:
    with_attention = painter.paint(["red red red red"], seed=1, attention=True)[0][0]
    assert with_attention.attention is not None
    assert with_attention.attention.cross.shape[2:] == (65, 5)
    for wrong in ({"guidance": -1}, {"temperature": 0}, {"top_p": 2}):
        with pytest.raises(ConfigurationError):
            painter.paint(["red"], **wrong)
    with pytest.raises(DataError):
        painter.paint("red")


def test_tokens_come_one_after_another(painter: Painter) -> None:
    lengths: list[int] = []
    painter.paint(["red green blue black"], observe=lambda drafts: lengths.append(len(drafts()[0, 0])))
    assert lengths == list(range(1, 65))


def test_pictures_are_scored(painter: Painter, pairs: Path) -> None:
    name, caption = pairs.read_text().split("\n")[0].split("\t")
    wrong = " ".join(reversed(caption.split())) if len(set(caption.split())) > 1 else "red green blue black"
    right, other = painter.score_pairs([(text, str(pairs.parent / name)) for text in (caption, wrong)])
    assert right.log_prob > other.log_prob
    assert len(right.log_probs) == 65


@pytest.mark.parametrize("stop_in", ["codec", "model"])
def test_a_run_is_resumed_bit_by_bit_in_both_phases(stop_in: str, pairs: Path, tmp_path: Path) -> None:
    settings = painting(pairs, max_steps=16, checkpoint_every_s=0.001)
    carry_out(start(settings, tmp_path / "whole"))
    out = tmp_path / "stopped"
    kind = "CodecProgress" if stop_in == "codec" else "Progress"
    stopped = 0
    while not (out / "info.json").exists():
        events = resume(out, {}) if stopped else start(settings, out)
        for event in events:
            at = (
                getattr(event, "updates", 0)
                if stop_in == "codec"
                else event.step
                if kind == type(event).__name__
                else 0
            )
            if type(event).__name__ == kind and at >= 3 and stopped < 2:
                break
        events.close()
        stopped += 1
        assert stopped < 6
    assert stopped > 1
    about = [
        json.loads((run / "info.json").read_text())["data"]["codec"] for run in (out, tmp_path / "whole")
    ]
    assert about[0] == about[1]
    ours, theirs = weights(out), weights(tmp_path / "whole")
    assert ours.keys() == theirs.keys()
    assert all((ours[name] == theirs[name]).all() for name in ours)
    ours, theirs = (load_file(run / "target.safetensors") for run in (out, tmp_path / "whole"))
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    ours, theirs = last_checkpoint(out), last_checkpoint(tmp_path / "whole")
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_stopping_while_the_codec_is_learnt_is_said_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = write_tiles(tmp_path / "data", 40)
    stopped = threading.Event()
    learn = codec_phase.learn_codec

    def stop_at_once(*given: Any) -> Any:
        stopped.set()
        return learn(*given[:-1], stopped)

    monkeypatch.setattr("interlingua.runs.session.learn_codec", stop_at_once)
    *_, ended = start(painting(pairs, max_steps=40), tmp_path / "run")
    assert not ended.finished
    assert ended.reason == "stopped"
    assert [*(tmp_path / "run/training/codec").glob("step-*.safetensors")]
    monkeypatch.undo()
    changed = tmp_path / "data/pictures/0-7.png"
    before = changed.read_bytes()
    Image.new("RGB", (32, 32), (250, 250, 0)).save(changed)
    with pytest.raises(CheckpointError, match="or a file that it names, has changed"):
        carry_out(resume(tmp_path / "run", {}))
    changed.write_bytes(before)
    *notes, ended = resume(tmp_path / "run", {})
    assert ended.finished
    assert any("going on with the codec" in getattr(event, "text", "") for event in notes)


def test_a_picture_that_cannot_be_used_is_named_with_its_line(pairs: Path, tmp_path: Path) -> None:
    lines = pairs.read_text().split("\n")[:30]
    shutil.copytree(pairs.parent / "pictures", tmp_path / "pictures")
    broken = tmp_path / "pictures" / "broken.png"
    broken.write_bytes(b"no picture")
    lines[17] = "pictures/broken.png\tred red red red"
    data = tmp_path / "pairs.tsv"
    data.write_text("\n".join(lines))
    for configuration in (values(data, training={"max_steps": 2}), painting(data, max_steps=2)):
        with pytest.raises(DataError, match="no picture") as caught:
            carry_out(start(configuration, tmp_path / "run", force=True))
        assert "pairs.tsv:18" in str(caught.value.where)
        skipping = merge(configuration, {"data": {"on_empty": "skip"}})
        events = carry_out(start(skipping, tmp_path / "run", force=True))
        assert "this is no picture, or a damaged one" in " ".join(getattr(e, "text", "") for e in events)


def test_the_verbs_take_models_of_pictures(says: Path, paints: Path, pairs: Path, tmp_path: Path) -> None:
    picture = tmp_path / "a.png"
    Image.fromarray(tiles(["red", "green", "blue", "black"])).save(picture)
    assert run("translate", says, input="a.png\n", cwd=tmp_path).stdout == "red green blue black\n"
    assert (
        json.loads(run("translate", says, "--json", input=f"{picture}\n").stdout)["text"]
        == "red green blue black"
    )
    assert "sequence_error" in run("evaluate", says, pairs).stdout
    assert "pictures of 32 x 32" in run("info", says).stdout
    sheet = run(
        "paint",
        paints,
        "red green blue black",
        "--samples",
        9,
        "--output",
        "s.png",
        "--guidance",
        2,
        cwd=tmp_path,
    )
    assert sheet.returncode == 0, sheet.stderr
    with Image.open(tmp_path / "s.png") as image:
        assert image.size[0] > 3 * 32
        assert json.loads(image.info["Comment"])["seed"] == [*range(9)]
    captions = "red green blue black\nblue blue red red\n"
    run(
        "paint", paints, "--out-dir", tmp_path / "pngs", "--temperature", 0.5, "--guidance", 2, input=captions
    )
    assert sorted(path.name for path in (tmp_path / "pngs").iterdir()) == ["000001.png", "000002.png"]
    assert read_tiles(read_picture(tmp_path / "pngs/000002.png", 32)) == ["blue", "blue", "red", "red"]
    with Image.open(tmp_path / "pngs/000002.png") as image:
        made_by = json.loads(image.info["Comment"])
        assert image.info["Title"] == "blue blue red red"
    assert (made_by["seed"], made_by["temperature"], made_by["guidance"]) == (0, 0.5, 2)
    given = [word for key, value in made_by.items() for word in (f"--{key.replace('_', '-')}", value)]
    run("paint", paints, image.info["Title"], "--out-dir", tmp_path / "again", *given)
    again = (tmp_path / "again/000001.png").read_bytes()
    assert again == (tmp_path / "pngs/000002.png").read_bytes()
    report = json.loads(run("evaluate", paints, pairs, "--train", pairs, "--judge", says, "--json").stdout)
    judged = {each["name"]: each["chosen"] for each in report["judged"]}
    assert judged["painted"] > 80 > judged["a training picture by chance"]
    assert report["bits_per_token"] < 3
    assert report["copies"] is not None
    assert "codec" in run("evaluate", paints, pairs).stdout


def test_training_and_evaluate_count_the_same_bits(pairs: Path, tmp_path: Path) -> None:
    valid = pairs.with_name("few.tsv")
    valid.write_text("".join(f"{line}\n" for line in pairs.read_text().split("\n")[:20]))
    given = merge(painting(pairs, max_steps=2), {"data": {"valid": [str(valid)]}})
    *_, validated = [
        event for event in start(given, tmp_path / "run", force=True) if isinstance(event, Validated)
    ]
    report = json.loads(run("evaluate", tmp_path / "run", valid, "--json").stdout)
    assert report["bits_per_token"] == pytest.approx(validated.metrics["bits/token"], rel=1e-4)


def test_samples_are_ranked_by_a_model_that_describes(
    paints: Path, says: Path, painter: Painter, captioner: Captioner, tmp_path: Path
) -> None:
    captions = ["red green blue black", "blue blue red red"]
    painted = painter.paint(captions, samples=4, seed=0, temperature=3, min_p=0, guidance=1)
    ranked = captioner.rank(captions, painted)
    for caption, before, after in zip(captions, painted, ranked, strict=True):
        scores = list(captioner.score_pictures((each.pixels, caption) for each in after))
        assert scores == sorted(scores, reverse=True)
        assert len(set(scores)) > 1
        assert sorted(each.seed for each in after) == [each.seed for each in before]
    with pytest.raises(DataError, match="1 and 2"):
        captioner.rank(captions[:1], painted)
    wild = ("--temperature", 3, "--min-p", 0, "--guidance", 1, "--samples", 4)
    run("paint", paints, *captions, *wild, "--rank", says, "--keep", 2, "--out-dir", "out", cwd=tmp_path)
    names = ["000001-1.png", "000001-2.png", "000002-1.png", "000002-2.png"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == names
    for name, best in zip(names, [*ranked[0][:2], *ranked[1][:2]], strict=True):
        assert (read_picture(tmp_path / "out" / name, 32) == best.pixels).all()
    for options, said in (
        (("--keep", 1), "nothing tells which samples to keep"),
        (("--rank", says), "nothing to rank"),
        (("--samples", 2, "--rank", says, "--keep", 3), "1 to 2"),
        (("--samples", 2, "--rank", paints), "not for pictures"),
        (("--samples", 2, "--rank", tmp_path), "holds no model"),
    ):
        done = run("paint", paints, "red", *options, "--output", tmp_path / "a.png")
        assert (done.returncode, said in done.stderr) == (2, True), done.stderr
    assert not (tmp_path / "a.png").exists()


@pytest.mark.parametrize(
    ("columns", "source"), [("3+2,1", "{style}\t{caption}"), ("2+3,1", "{caption}\t{style}")]
)
def test_a_style_is_a_column(columns: str, source: str, pairs: Path, says: Path, tmp_path: Path) -> None:
    lines = [line for line in pairs.read_text().split("\n") if line]
    shutil.copytree(pairs.parent / "pictures", tmp_path / "pictures")
    data = tmp_path / "pairs.tsv"
    data.write_text("".join(f"{line}\t{('plain', 'bold')[i % 2]}\n" for i, line in enumerate(lines)))
    configuration = merge(painting(data, max_steps=4), {"data": {"columns": columns}})
    carry_out(start(configuration, tmp_path / "run"))
    asked = source.format(style="bold", caption="red blue red blue")
    painter = interlingua.load(tmp_path / "run")
    assert painter.caption_of(asked) == "red blue red blue"
    assert len(painter.paint([asked])[0]) == 1
    alone = run("paint", tmp_path / "run", "red", "--output", tmp_path / "a.png")
    assert (alone.returncode, "the model reads 2" in alone.stderr) == (2, True)
    ranked = run(
        "paint", tmp_path / "run", asked, "--samples", 2, "--rank", says, "--output", tmp_path / "a.png"
    )
    assert (ranked.returncode, ranked.stderr) == (0, "")
    report = json.loads(run("evaluate", tmp_path / "run", data, "--judge", says, "--json").stdout)
    (true,) = (each["chosen"] for each in report["judged"] if each["name"] == "true pictures")
    assert true > 90  # the judge is not asked about styles


def test_paintings_lie_in_the_order_of_captions_and_samples(paints: Path, tmp_path: Path) -> None:
    done = run("paint", paints, "red", "blue", "--samples", 10, "--out-dir", "out", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    names = [f"{caption:06d}-{sample:02d}.png" for caption in (1, 2) for sample in range(1, 11)]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == names
    (tmp_path / "captions.txt").write_text("red\n\nblue\n")
    again = run("paint", paints, "--input", "captions.txt", "--out-dir", "out", cwd=tmp_path)
    assert (tmp_path / "out/000003.png").exists()  # the third line's, though the second is empty
    assert "20 other pictures lie in out from before, such as 000001-01.png" in again.stderr
    (tmp_path / "none.txt").touch()
    assert "there are no captions" in run("paint", paints, "--input", tmp_path / "none.txt", "--out-dir",
                                          tmp_path / "out").stderr  # fmt: skip


def test_a_sheet_too_large_for_memory_is_refused_while_its_captions_still_come(
    paints: Path, tmp_path: Path
) -> None:
    lines = "red\n" * 300
    (tmp_path / "many.txt").write_text(lines)
    options = ("--output", "a.png", "--scale", 64)
    for given in ({"input": lines}, {}):
        named = [] if given else ["--input", "many.txt"]
        done = run("paint", paints, *named, *options, cwd=tmp_path, **given)
        assert done.returncode == 2
        assert "the sheet would be too large" in done.stderr
        assert "--out-dir" in done.stderr


def test_a_test_with_pictures_that_cannot_be_read_is_told_or_counted(
    says: Path, paints: Path, tmp_path: Path
) -> None:
    test = write_tiles(tmp_path, 3)
    name = next((tmp_path / "pictures").iterdir())
    line = next(i for i, row in enumerate(test.read_text().split("\n"), 1) if name.name in row)
    name.write_bytes(name.read_bytes()[:60])
    for verb, model in (("evaluate", says), ("evaluate", paints), ("score", says), ("score", paints)):
        told = run(verb, model, test)
        assert told.returncode == 2
        assert f"{test}:{line}: {name}: the picture is " in told.stderr
    assert len(run("score", says, test, "--on-empty", "skip").stdout.split("\n")) == 2 + 1
    counted = run("evaluate", paints, test, "--on-empty", "skip", "--judge", says, "--json")
    assert f"{test}: left out: 1 (the picture is " in counted.stderr
    judged = json.loads(counted.stdout)["judged"]
    assert {each["choices"] for each in judged} <= {1, 2}  # of two captions none is one of ten


def test_pictures_are_described_by_their_names_however_they_are_given(says: Path, tmp_path: Path) -> None:
    odd = os.fsdecode(b"zwei\nZeilen " + b"\xe9.png")  # a name that is not UTF-8
    for name, colours in (("a.png", ["red"] * 4), (odd, ["blue"] * 4)):
        Image.fromarray(tiles(colours)).save(tmp_path / name)
    said = run("translate", says, "a.png", odd, "--json", "--output", "said.jsonl", cwd=tmp_path)
    assert said.returncode == 0, said.stderr
    lines = (tmp_path / "said.jsonl").read_text(encoding="utf-8").rstrip("\n").split("\n")
    assert [json.loads(line)["source"] for line in lines] == ["a.png", odd]
    assert [json.loads(line)["text"] for line in lines] == ["red red red red", "blue blue blue blue"]
    (tmp_path / "in").mkdir()
    Image.fromarray(tiles(["black"] * 4)).save(tmp_path / "in/b.png")
    (tmp_path / "in/names.txt").write_text("b.png\n\na.png\n")  # beside the list, none, and from here
    listed = run("translate", says, "--input", "in/names.txt", cwd=tmp_path)
    assert listed.stdout == "black black black black\n\nred red red red\n"


def test_what_comes_before_a_picture_that_cannot_be_read_is_written(says: Path, tmp_path: Path) -> None:
    Image.fromarray(tiles(["red"] * 4)).save(tmp_path / "a.png")
    (tmp_path / "bad.png").write_bytes(b"")
    done = run("translate", says, input="a.png\n\nbad.png\na.png\n", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == "red red red red\n\n"
    assert "standard input:3: bad.png: the file is empty" in done.stderr


def test_names_in_pairs_from_standard_input_count_from_here(says: Path, tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    lines = []
    for number in range(12):
        names = random.choice([*COLOURS], 4).tolist()
        Image.fromarray(tiles(names)).save(tmp_path / f"{number}.png")
        lines.append(f"{number}.png\t{' '.join(names)}\n")
    (tmp_path / "pairs.tsv").write_text("".join(lines))
    for verb in ("evaluate", "score"):
        streamed = run(verb, says, "-", "--json", input="".join(lines), cwd=tmp_path)
        assert streamed.returncode == 0, streamed.stderr
        named = run(verb, says, "pairs.tsv", "--json", cwd=tmp_path)
        assert streamed.stdout == named.stdout
    training = ("--columns", "2,1", "--max-steps", 1, "--preset", "tiny", "--set", "pictures.width=8")
    done = run("train", "--train", "-", "--out", "new", *training, input="".join(lines), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "picture_size = 32" in (tmp_path / "new/config.toml").read_text()


def test_a_picture_where_names_should_be_is_told(says: Path, tmp_path: Path) -> None:
    picture = tmp_path / "a.png"
    Image.fromarray(tiles(["red"] * 4)).save(picture)
    named = run("translate", says, "--input", picture)
    before = picture.read_bytes()
    assert run("translate", says, picture, "--output", picture).returncode == 2
    assert picture.read_bytes() == before
    assert (named.returncode, named.stdout) == (2, "")
    assert (
        f"this is a picture, not a file with names of pictures\n  To say what it shows: translate {says}"
        in (named.stderr)
    )
    command = [sys.executable, "-m", "interlingua", "translate", str(says)]
    piped = subprocess.run(command, capture_output=True, input=picture.read_bytes())
    assert piped.returncode == 2
    assert b"this is a picture, not names of pictures" in piped.stderr


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["translate", "{says}", ""], "the name of the picture is empty"),
        (["translate", "{paints}", "red"], "this model is for painting"),
        (["paint", "{says}", "red", "--output", "a.png"], "this model is for pictures"),
        (["paint", "{paints}", "red"], "where the pictures go is not said"),
        (["paint", "{paints}", "red", "--output", "a.png", "--out-dir", "b"], "one place only"),
        (["paint", "{paints}", "red", "--output", "a.jpg"], "written as PNG"),
        (["paint", "{paints}", "red", "--input", "a.txt", "--output", "a.png"], "captions and a file"),
        (["paint", "{paints}", "red", "--output", "a.png", "--temperature", "0"], "temperature"),
        (["paint", "{paints}", "red", "--output", "a.png", "--seed", "2147483647", "--samples", "2"], "seed"),
        (["paint", "{paints}", "--input", "none.txt", "--output", "a.png"], "none.txt"),
        (["paint", "{paints}", "{pairs}", "--output", "a.png"], "this is a file, not a caption"),
        (["paint", "{paints}", os.fsdecode(b"caf\xe9"), "--output", "a.png"], "the caption is not UTF-8"),
        (["paint", "{paints}", "red", "--output", "-"], "written to files"),
        (
            ["paint", "{paints}", "red", "--output", "a.png", "--samples", "10000", "--scale", "9"],
            "too large",
        ),
        (["evaluate", "{paints}", "{pairs}", "--beam", "3", "--tag", "de"], "(found: '--tag, --beam')"),
        (["translate", "{says}", "none.png"], "no such file"),
        (["translate", "{says}", "a.png", "--alignment"], "does not go with pictures"),
        (["evaluate", "{says}", "{pairs}", "--judge", "{says}"], "for models that paint"),
        (["evaluate", "{paints}", "{pairs}", "--judge", "{paints}"], "this model is for painting"),
        (["transcribe", "{says}", "a.wav"], "a.wav"),
    ],
)
def test_mistakes_are_said(
    arguments: list[str], what: str, says: Path, paints: Path, pairs: Path, tmp_path: Path
) -> None:
    places = {"paints": paints, "says": says, "pairs": pairs}
    done = run(*(argument.format(**places) for argument in arguments), cwd=tmp_path)
    assert done.returncode == 2
    assert what in done.stderr
    assert "Traceback" not in done.stderr
    assert not [*tmp_path.iterdir()]


def test_pictures_are_painted_of_texts_alone(pairs: Path, tmp_path: Path) -> None:
    names = [line.split("\t")[0] for line in pairs.read_text().split("\n") if line]
    both = pairs.with_name("both.tsv")
    both.write_text("".join(f"{name}\t{name}\n" for name in names))
    with pytest.raises(ConfigurationError, match="pictures are painted of texts"):
        carry_out(start(values(both, training={"max_steps": 2}), tmp_path / "run"))


def test_a_codec_that_is_gone_is_told_and_not_made_up(paints: Path, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(paints, copy)
    (copy / "target.safetensors").unlink()
    with pytest.raises(BundleError, match="codec of pictures is missing"):
        interlingua.load(copy)
    with pytest.raises(CheckpointError, match="codec of this run is gone"):
        carry_out(resume(copy, {"training": {"max_steps": 500}}))


def test_levels_of_more_codes_than_ids_are_refused(pairs: Path, tmp_path: Path) -> None:
    for levels in ([64, 64, 64], [64] * 12):
        with pytest.raises(ConfigurationError, match="65,532 is the most"):
            carry_out(
                start(merge(painting(pairs, max_steps=2), {"pictures": {"levels": levels}}), tmp_path / "run")
            )
    assert not (tmp_path / "run").exists()


def test_corrections_of_models_of_pictures_are_refused(says: Path, tmp_path: Path) -> None:
    done = run("serve", says, "--port", 0, "--corrections", tmp_path / "corrections")
    assert done.returncode == 2
    assert "--corrections: corrections are of models from text to text" in done.stderr
    assert not (tmp_path / "corrections").exists()


def test_guidance_is_for_painting(captioner: Captioner) -> None:
    with pytest.raises(ConfigurationError, match="guidance is for models that paint"):
        captioner.translate([tiles(["red"] * 4)], guidance=2)


def test_a_caption_longer_than_any_that_was_learnt_is_told(
    paints: Path, painter: Painter, tmp_path: Path
) -> None:
    assert painter.max_source_length == 4  # words of each caption
    long = " ".join(["red"] * 5)
    assert [painter.is_too_long(caption) for caption in ("red green blue black", long)] == [False, True]
    done = run("paint", paints, long, "red red red red", "--output", "a.png", cwd=tmp_path)
    assert done.returncode == 0
    assert "1 caption is longer than those that the model learnt from" in done.stderr


@pytest.mark.parametrize("mixed", [False, True])
def test_captions_that_are_labels_are_all_learnt(mixed: bool, pairs: Path, tmp_path: Path) -> None:
    shutil.copytree(pairs.parent / "pictures", tmp_path / "pictures")
    lines = [line.split("\t") for line in pairs.read_text().splitlines()]
    labelled = tmp_path / "labels.tsv"
    labelled.write_text("".join(f"{name}\t{caption.split()[0]}\n" for name, caption in lines))
    settings = merge(painting(labelled, max_steps=2), {"data": {"valid_share": 0.2}})
    if mixed:
        old = labelled.with_name("old.tsv")
        old.write_text(labelled.read_text())
        settings = merge(settings, {"data": {"mix": str(old)}})
        settings = {"data": settings["data"], "training": settings["training"]}
        carry_out(start(painting(labelled, max_steps=2), tmp_path / "base"))
        settings["base_model"] = str(tmp_path / "base")
    (plan, *_) = make_plans(settings, "test", tmp_path / "out", tmp_path / "copies")
    train, valid = plan.prepared.train, plan.prepared.valid
    pictures = [{Path(store.target_text(i)).name for i in range(len(store))} for store in (train, valid)]
    assert {train.source_text(i) for i in range(len(train))} == {*COLOURS}
    assert not pictures[0] & pictures[1]
    assert len(pictures[1]) > 40
