"""Sounds to text, from files to transcripts: what is learnt, what is said of mistakes, what is kept."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import interlingua
from interlingua.cli import transcribe as transcribe_verb
from interlingua.errors import BundleError, DataError
from interlingua.inference.transcriber import Transcriber
from interlingua.runs.events import Validated
from interlingua.runs.run import resume, start
from interlingua.settings import merge
from tests.system.conftest import call
from tests.tiny import last_checkpoint, weights
from tests.tones import melody, write_melodies, write_wav

MODEL = {
    "dim": 64, "heads": 4, "feed_forward": 128, "encoder_layers": 2, "decoder_layers": 1, "dropout": 0.0,
    "convolution": 7, "ctc": True,
}  # fmt: skip


def values(train: Path, **training: Any) -> dict[str, Any]:
    """A configuration that learns melodies in seconds."""
    return {
        "preset": "speech-small",
        "data": {"train": str(train), "valid_share": 0.1},
        "model": MODEL,
        "training": {
            "validations": 1, "decode_pairs": 5, "threads": 1, "precision": "fp32", "race": False,
            "batch_seconds": 8, **training,
        },
    }  # fmt: skip


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_melodies(tmp_path_factory.mktemp("melodies"), 400)


@pytest.fixture(scope="module")
def trained(pairs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("runs") / "melodies"
    spelt = {"tokenizer": {"target": "characters"}}  # so that a word has several tokens
    list(start(values(pairs, max_steps=300, learning_rate=4e-3) | spelt, out))
    return out


@pytest.fixture(scope="module")
def transcriber(trained: Path) -> Transcriber:
    model = interlingua.load(trained, threads=1)
    assert isinstance(model, Transcriber)
    return model


def run(*arguments: object, input: str | bytes | None = None) -> subprocess.CompletedProcess[str]:
    done = call(*arguments, stdin=input.encode() if isinstance(input, str) else input or b"")
    return subprocess.CompletedProcess(arguments, done.code, done.out, done.err)


def in_a_process(*arguments: object, input: bytes) -> subprocess.CompletedProcess[str]:
    """The same where standard input must be one."""
    command = [sys.executable, "-m", "interlingua", *map(str, arguments)]
    done = subprocess.run(command, input=input, capture_output=True, check=False)
    return subprocess.CompletedProcess(command, done.returncode, done.stdout.decode(), done.stderr.decode())


def test_melodies_are_learnt(transcriber: Transcriber, tmp_path: Path) -> None:
    test = write_melodies(tmp_path, 40, seed=9)
    lines = [line.split("\t") for line in test.read_text().split("\n")[:-1]]
    outputs = transcriber.translate([str(tmp_path / name) for name, _ in lines])
    right = sum(output.text == said for output, (_, said) in zip(outputs, lines, strict=True))
    assert right >= 36


def test_a_sound_is_transcribed_alike_in_any_company_from_a_file_or_an_array(
    transcriber: Transcriber, tmp_path: Path
) -> None:
    sounds = [melody(["la", "do", "mi"], seed=1), melody(["so"], seed=2), melody(["mi"] * 4, seed=3)]
    path = write_wav(tmp_path / "a.wav", sounds[0])
    alone = transcriber.transcribe([sounds[0]])[0]
    in_company = transcriber.transcribe(sounds)[0]
    of_file = transcriber.transcribe([path])[0]
    assert alone.text == in_company.text == of_file.text == "la do mi"
    assert alone.log_probs == pytest.approx(in_company.log_probs, abs=1e-4)
    assert transcriber.transcribe([sounds[0] / np.float32(32768)])[0].text == alone.text


def test_words_have_times_within_their_sound(transcriber: Transcriber) -> None:
    (found,) = transcriber.transcribe([melody(["la", "so", "do"], seed=5)], words=True)
    assert [word.text for word in found.words] == found.text.split()
    for word, begins_s in zip(found.words, [0.06, 0.24, 0.42], strict=True):
        assert begins_s - 0.1 <= word.start_s <= word.end_s <= begins_s + 0.3
        assert 0 < word.confidence <= 1


def test_a_long_sound_is_cut_at_pauses_and_its_times_go_on(transcriber: Transcriber) -> None:
    names, pause = ["la", "so", "do", "mi"], np.zeros(16_000, np.int16)
    sound = np.concatenate([part for _ in range(12) for part in (melody(names, seed=4), pause)])
    (whole,) = transcriber.transcribe([sound], words=True)
    blocks = [sound[start : start + 7_000] for start in range(0, len(sound), 7_000)]
    streamed = list(transcriber.transcribe_blocks(blocks, words=True))
    assert [part.text for part in whole.parts] == [part.text for part in streamed]
    for no_blocks in (sound, "a.wav"):
        with pytest.raises(DataError, match="a list or the like"):
            list(transcriber.transcribe_blocks(no_blocks))
    floats = [np.zeros(0, np.float32), *(block.astype(np.float32) / 32_768 for block in blocks)]
    assert [part.text for part in transcriber.transcribe_blocks(floats)] == [part.text for part in streamed]
    assert sum(part.text == " ".join(names) for part in streamed) >= 9  # of twelve
    period = (len(sound) / 12) / 16_000
    firsts = [part.words[0].start_s for part in streamed]
    assert firsts == pytest.approx([0.06 + period * number for number in range(12)], abs=0.15)
    assert not transcriber.transcribe([np.zeros(30_000, np.int16)])[0].text  # nothing is invented in silence


def test_training_on_sounds_is_resumed_bit_by_bit_with_augmentation(pairs: Path, tmp_path: Path) -> None:
    list(start(values(pairs, max_steps=12), tmp_path / "whole"))
    events = start(values(pairs, max_steps=12, checkpoint_every_s=1e-9), tmp_path / "broken")
    for event in events:
        if getattr(event, "step", 0) >= 5:
            events.close()
            break
    list(resume(tmp_path / "broken", {}))
    one, other = weights(tmp_path / "whole"), weights(tmp_path / "broken")
    assert all(torch.equal(one[name], other[name]) for name in one)
    one, other = last_checkpoint(tmp_path / "whole"), last_checkpoint(tmp_path / "broken")
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_names_count_from_the_file_that_names_them(pairs: Path, trained: Path, tmp_path: Path) -> None:
    config = interlingua.inference.bundle.read_config(trained)  # type: ignore[attr-defined]
    assert config["data"]["source_kind"] == "sound"
    assert str(pairs.parent) not in (trained / "README.md").read_text()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "no such file"),
        (b"", "empty"),
        (b"RIFF", ""),
        (b"these are words, not sounds\n" * 20, ""),
    ],
)
def test_a_sound_that_cannot_be_used_is_named_with_its_line(
    content: bytes | None, said: str, tmp_path: Path
) -> None:
    pairs = write_melodies(tmp_path, 60)
    if content is not None:
        (tmp_path / "sounds" / "broken.wav").write_bytes(content)
    lines = pairs.read_text().split("\n")
    lines[6] = "sounds/broken.wav\tla"
    pairs.write_text("\n".join(lines))
    with pytest.raises(DataError) as error:
        list(start(values(pairs, max_steps=2), tmp_path / "run"))
    assert "pairs-0.tsv:7" in str(error.value)
    assert "broken.wav" in str(error.value)
    assert said in str(error.value).lower()
    assert not (tmp_path / "run").exists()
    skipping = merge(values(pairs, max_steps=2), {"data": {"on_empty": "skip"}})
    list(start(skipping, tmp_path / "run"))
    info = json.loads((tmp_path / "run" / "info.json").read_text())
    assert sum(info["data"]["train"]["left_out"].values()) == 1


def test_sounds_that_may_be_faulty_are_named(tmp_path: Path) -> None:
    pairs = write_melodies(tmp_path, 60)
    lines = pairs.read_text().split("\n")[:-1]
    loud = np.clip(melody(["la", "do"]).astype(np.int32) * 20, -32768, 32767).astype(np.int16)
    write_wav(tmp_path / "sounds" / "loud.wav", loud)
    lines += ["sounds/loud.wav\tla do", f"sounds/0-1.wav\t{'la do mi so ' * 20}"]
    pairs.write_text("".join(line + "\n" for line in lines))
    told = [str(getattr(event, "text", "")) for event in start(values(pairs, max_steps=2), tmp_path / "run")]
    (account,) = (text for text in told if "may be faulty" in text)
    assert "loud.wav: " in account
    assert "too short for its text" in account


def test_the_verbs_take_a_model_of_sounds(trained: Path, tmp_path: Path) -> None:
    test = write_melodies(tmp_path, 6, seed=3)
    sound = tmp_path / "sounds" / "3-0.wav"
    said = test.read_text().split("\n")[0].split("\t")[1]
    assert run("transcribe", trained, sound).stdout == said + "\n"
    assert run("translate", trained, sound).stdout == said + "\n"
    assert run("transcribe", trained, input=f"{sound}\n{sound}\n").stdout == f"{said}\n{said}\n"
    assert run("transcribe", trained, "-", input=sound.read_bytes()).stdout == said + "\n"
    record = json.loads(run("transcribe", trained, sound, "--json").stdout)
    assert record["text"] == said
    assert [word["word"] for word in record["words"]] == said.split()
    assert run("transcribe", trained, sound, "--srt").stdout.startswith("1\n00:00:00,")
    assert run("transcribe", trained, sound, "--vtt").stdout.startswith("WEBVTT\n\n00:00:00.")
    scores = json.loads(run("evaluate", trained, test, "--json").stdout)
    assert [score["name"] for score in scores] == ["WER", "CER", "sequence_error"]
    assert scores[0]["score"] <= 10
    assert len(run("score", trained, test).stdout.split("\n")) == 7
    about = run("info", trained)
    assert "of sound" in about.stdout
    assert about.returncode == 0
    wrong = run("transcribe", trained, tmp_path / "nowhere.wav")
    assert wrong.returncode == 2
    assert "nowhere.wav" in wrong.stderr
    assert "Traceback" not in wrong.stderr


def test_files_go_through_the_model_together_and_come_out_as_alone(trained: Path, tmp_path: Path) -> None:
    sounds = []
    for number, names in enumerate((["la", "do"], ["mi"], ["so", "so", "la"])):
        sounds.append(write_wav(tmp_path / f"{number}.wav", melody(names, seed=70 + number)))
    alone = [run("transcribe", trained, sound).stdout for sound in sounds]
    together = run("transcribe", trained, *sounds)
    assert together.stdout == "".join(alone)
    words = [
        json.loads(line)["words"]
        for line in run("transcribe", trained, *sounds, "--json").stdout.split("\n")[:3]
    ]
    assert [len(each) for each in words] == [len(line.split()) for line in alone]
    (tmp_path / "bad.wav").write_bytes(b"RIFF")
    for bad in (tmp_path / "bad.wav", tmp_path / "none.wav"):
        stopped = run("transcribe", trained, sounds[0], sounds[1], bad, sounds[2])
        assert stopped.returncode == 2
        assert str(bad) in stopped.stderr
        assert stopped.stdout in (
            "",
            "".join(alone[:2]),
        )  # files that are given are looked at before all else
        streamed = run("transcribe", trained, input=f"{sounds[0]}\n{sounds[1]}\n{bad}\n{sounds[2]}\n")
        assert streamed.returncode == 2
        assert streamed.stdout == "".join(alone[:2])
    (listed := tmp_path / "names.txt").write_text("2.wav\n0.wav\n")  # beside it, wherever one is
    assert run("transcribe", trained, "--input", listed).stdout == alone[2] + alone[0]


def test_a_long_file_on_standard_input_is_cut_as_by_its_name(trained: Path, tmp_path: Path) -> None:
    song = np.concatenate([melody(["la", "so", "do", "mi"], seed=8), np.zeros(16_000, np.int16)])
    fan = np.random.default_rng(8).normal(0, 800, 80_000)  # goes off later than a live sound is waited for
    whole = np.tile(song, 40).astype(np.float64)
    whole[: len(fan)] += fan
    sound = write_wav(tmp_path / "long.wav", whole.clip(-32768, 32767).astype(np.int16))
    named = json.loads(run("transcribe", trained, sound, "--json").stdout)
    assert named["seconds"] > 60  # it does not go through the model as a whole
    command = [sys.executable, "-m", "interlingua", "transcribe", str(trained), "-", "--json"]
    with sound.open("rb") as stream:
        done = subprocess.run(command, stdin=stream, capture_output=True, check=True)
    assert json.loads(done.stdout)["segments"] == named["segments"]


def test_pipes_that_have_a_name_are_read_once(trained: Path, tmp_path: Path) -> None:
    sound = write_wav(tmp_path / "a.wav", melody(["la", "do"], seed=71))
    said = run("transcribe", trained, sound).stdout
    assert in_a_process("transcribe", trained, "/dev/stdin", input=sound.read_bytes()).stdout == said
    os.mkfifo(pipe := tmp_path / "pipe")
    command = [sys.executable, "-m", "interlingua", "transcribe", trained, sound, pipe, "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        pipe.write_bytes(sound.read_bytes())
        lines = process.communicate()[0].decode().split("\n")[:-1]
    assert [json.loads(line)["text"] for line in lines] == [said.strip()] * 2


def test_a_damaged_sound_is_written_down_up_to_the_damage(trained: Path, tmp_path: Path) -> None:
    names, pause = ["la", "so", "do", "mi"], np.zeros(16_000, np.int16)
    sound = np.concatenate([part for _ in range(50) for part in (melody(names, seed=4), pause)])
    whole = write_wav(tmp_path / "whole.wav", sound)
    for seconds in (20, 80):  # short files go through the model together
        (cut_off := tmp_path / "cut.wav").write_bytes(whole.read_bytes()[: seconds * 32_000])
        short = write_wav(tmp_path / "short.wav", melody(["mi"], seed=70))
        done = run("transcribe", trained, short, cut_off, short)
        assert done.returncode == 2
        assert f"{cut_off}: the file is cut off" in done.stderr
        first, heard, rest = done.stdout.split("\n")
        assert first == run("transcribe", trained, short).stdout.strip()
        assert len(heard.split()) == pytest.approx(4 * seconds * 16_000 / (len(sound) / 50), rel=0.1)
        assert not rest
        times = run("transcribe", trained, cut_off, "--srt").stdout.strip().split("\n")[-2]
        assert times.startswith("00:00:") or times.startswith("00:01:")
        assert json.loads(run("transcribe", trained, cut_off, "--json").stdout)["seconds"] == pytest.approx(
            seconds, abs=0.1
        )


def test_sounds_that_cannot_be_read_are_told_and_others_go_on_where_it_is_asked_for(
    trained: Path, tmp_path: Path
) -> None:
    good = [write_wav(tmp_path / f"{name}.wav", melody([name], seed=70)) for name in ("do", "so", "mi")]
    (bad := tmp_path / "bad.wav").write_text("no sound")
    names = [good[0], bad, good[1], tmp_path / "none.wav", good[2]]
    alone = [run("transcribe", trained, name).stdout for name in good]
    done = run("transcribe", trained, "--on-error", "skip", *names)
    assert (done.returncode, done.stdout) == (0, "\n".join([alone[0], alone[1], alone[2]]))
    assert f"{bad}: the file is not a sound file" in done.stderr
    assert "none.wav: there is no such" in done.stderr
    listed = run(
        "transcribe", trained, "--on-error", "skip", "--json", input="".join(f"{n}\n" for n in names)
    )
    records = [json.loads(line) for line in listed.stdout.split("\n")[:-1]]
    assert [record["file"] for record in records] == [str(name) for name in names]
    assert ["error" in record for record in records] == [False, True, False, True, False]
    blank = run("transcribe", trained, "--on-error", "skip", input=f"{good[0]}\n\n{good[1]}\n")
    assert (blank.returncode, blank.stdout) == (0, f"{alone[0]}\n{alone[1]}")
    assert "standard input:2: the line is empty" in blank.stderr
    assert "1 of 3 files could not be read whole" in blank.stderr
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/odd\xff.wav")
    shutil.copy(good[0], tmp_path / "copied.wav").rename(odd)
    done = run("transcribe", trained, "--json", odd, good[1])
    records = [json.loads(line) for line in done.stdout.split("\n")[:-1]]
    assert [record["file"] for record in records] == [odd, str(good[1])], done.stderr
    none = run("transcribe", trained, "--on-error", "skip", names[1], names[3])
    assert (none.returncode, none.stdout) == (2, "\n\n")

    pairs = tmp_path / "test.tsv"
    pairs.write_text("".join(f"{name.name}\tdo\n" for name in names))
    for verb in (["evaluate"], ["score"], ["report", "--test"]):
        model, test = (
            (["--out", tmp_path / "r.html", trained], pairs) if len(verb) > 1 else ([trained], pairs)
        )
        done = run(verb[0], *model, *verb[1:], test)
        assert done.returncode == 2
        assert f"test.tsv:2: {bad}: the file is not a sound file" in done.stderr
        done = run(verb[0], *model, *verb[1:], test, "--on-empty", "skip")
        assert done.returncode == 0, done.stderr
        assert f"left out: 1 (the file is not a sound file that can be read): {pairs}:2" in done.stderr
        assert f"left out: 1 (there is no such file): {pairs}:4" in done.stderr


def test_json_tells_how_long_a_sound_is_and_not_how_long_somebody_spoke(
    trained: Path, tmp_path: Path
) -> None:
    silence = np.zeros(64_000, np.int16)
    ending = np.concatenate([melody(["la", "do"], seed=71), silence])
    for sound in (silence, ending):
        path = write_wav(tmp_path / "a.wav", sound)
        for names in ({"input": f"{path}\n"}, {"input": path.read_bytes()}):
            arguments = ["-"] if isinstance(names["input"], bytes) else []
            done = run("transcribe", trained, *arguments, "--json", **names)
            assert json.loads(done.stdout)["seconds"] == round(len(sound) / 16_000, 3)


def test_a_list_of_names_tells_its_empty_line_and_loads_no_more_sounds_than_it_must(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sound = write_wav(tmp_path / "a.wav", melody(["la", "do"], seed=71))
    done = run("transcribe", trained, input=f"{sound}\n\n{sound}\n")
    assert done.returncode == 2
    assert "standard input:2: the line is empty" in done.stderr
    assert done.stdout == run("transcribe", trained, sound).stdout
    monkeypatch.setattr(transcribe_verb, "FILES_AT_ONCE", 2)
    at_once = []
    translate = Transcriber.translate

    def watched(self: Transcriber, sounds: list[Any], **options: Any) -> Any:
        at_once.append(len(sounds))
        return translate(self, sounds, **options)

    monkeypatch.setattr(Transcriber, "translate", watched)
    transcribe_verb.transcribe(trained, [str(sound)] * 5, threads=1)
    assert at_once == [2, 2, 1]
    assert capsys.readouterr().out == done.stdout * 5


def test_a_model_of_other_features_is_refused(trained: Path, tmp_path: Path) -> None:
    model = tmp_path / "model"
    shutil.copytree(trained, model)
    about = json.loads((model / "source.json").read_text())
    (model / "source.json").write_text(json.dumps({**about, "features": "80 bands of 16000 Hz"}))
    with pytest.raises(BundleError, match="features that this version does not make"):
        interlingua.load(model)


@pytest.mark.parametrize(
    ("languages", "expected"), [(["en", "de"], "BLEU"), (["en", "en-GB"], "WER"), (None, "WER")]
)
def test_translations_of_speech_are_scored_as_translations(
    languages: list[str] | None, expected: str, tmp_path: Path
) -> None:
    """Words in another order are no mistakes of a recogniser; that they are is told by the languages."""
    words = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
    sounds = write_melodies(tmp_path, 40).read_text().splitlines()
    names = [line.split("\t")[0] for line in sounds]
    said = [
        f"{words[i % 10]}s{i} und auch {words[i // 4]}{i}e" for i in range(len(names))
    ]  # as open as sentences
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("".join(f"{name}\t{text}\n" for name, text in zip(names, said, strict=True)))
    given = values(pairs, max_steps=2) | ({"languages": languages} if languages else {})
    out = tmp_path / "run"
    headlines = {event.headline for event in start(given, out) if isinstance(event, Validated)}
    assert headlines == {expected}
    done = run("evaluate", out, pairs, "--json")
    assert json.loads(done.stdout)[0]["name"] == expected, done.stderr
