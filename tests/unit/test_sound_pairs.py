"""Pairs of sounds and texts: what a column is seen to name, and what is said of names without a file."""

from __future__ import annotations

import json
import shutil
import unicodedata
from pathlib import Path

import pytest

from interlingua.data.corpus import Corpus
from interlingua.data.durations import measure_sounds
from interlingua.data.settings import CorpusSettings
from interlingua.data.sources import recognise_kinds
from interlingua.errors import DataError
from tests.tones import write_melodies


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    return write_melodies(tmp_path, 12)


def rewrite(pairs: Path, old: str, new: str, lines: slice = slice(None)) -> CorpusSettings:
    """The settings of the pairs with their names written otherwise on some lines."""
    content = pairs.read_text(encoding="utf-8").split("\n")[:-1]
    content[lines] = [line.replace(old, new) for line in content[lines]]
    pairs.write_text("".join(line + "\n" for line in content), encoding="utf-8")
    return CorpusSettings(train=(str(pairs),))


def mistake(settings: CorpusSettings) -> str:
    """What is said when the sounds are looked at."""
    corpus = Corpus.of(settings.train_files, recognise_kinds(settings))
    with pytest.raises(DataError) as caught:
        measure_sounds(list(corpus), corpus)
    return str(caught.value)


@pytest.mark.parametrize("ending", [".sph", ".mp4", ".WAV", ".3gp"])
def test_any_ending_of_sound_files_makes_a_column_of_sounds(pairs: Path, ending: str) -> None:
    assert recognise_kinds(rewrite(pairs, ".wav", ending)).source_kind == "sound"


def test_a_heading_or_an_odd_file_makes_no_text_of_sounds(pairs: Path) -> None:
    assert recognise_kinds(rewrite(pairs, ".wav", ".bin", slice(2, 4))).source_kind == "sound"
    headed = rewrite(pairs, "sounds/0-0.wav", "path", slice(1))
    said = mistake(headed)
    assert f"{pairs}:1: {pairs.parent / 'path'}: there is no such file" in said
    assert "--columns path,text" in said


def test_files_without_an_ending_are_looked_into(pairs: Path) -> None:
    for file in (pairs.parent / "sounds").iterdir():
        shutil.copy(file, file.with_suffix(""))
    settings = rewrite(pairs, ".wav", "")
    assert recognise_kinds(settings).source_kind == "sound"
    for file in (pairs.parent / "sounds").iterdir():
        file.unlink()
    assert recognise_kinds(settings).source_kind == "text"


@pytest.mark.parametrize(("old", "name"), [("sounds/", "sounds/&.wav"), ("", "&.wav")])
def test_names_without_ends_are_not_learnt_as_texts(pairs: Path, old: str, name: str) -> None:
    rewrite(pairs, ".wav", "")
    with pytest.raises(DataError, match="sound files without their ends") as caught:
        recognise_kinds(rewrite(pairs, old, ""))
    assert f"+#{name}#' {pairs} > {pairs.with_name('pairs-0-files.tsv')}" in str(caught.value)
    texts = recognise_kinds(rewrite(pairs, old, "").model_copy(update={"source_kind": "text"}))
    assert texts.source_kind == "text"
    words = [line.split("\t")[1] for line in pairs.read_text().split("\n")[:-1]]
    pairs.write_text("".join(f"{number}x\t{word}\n" for number, word in enumerate(words)))
    assert recognise_kinds(CorpusSettings(train=(str(pairs),))).source_kind == "text"


def test_sounds_as_targets_are_refused_unless_their_names_are_meant(pairs: Path) -> None:
    turned = [line.split("\t")[::-1] for line in pairs.read_text().split("\n")[:-1]]
    pairs.write_text("".join("\t".join(line) + "\n" for line in turned))
    with pytest.raises(DataError, match="make no sounds") as caught:
        recognise_kinds(CorpusSettings(train=(str(pairs),)))
    assert "--columns 2,1" in str(caught.value)
    meant = recognise_kinds(CorpusSettings(train=(str(pairs),), target_kind="text"))
    assert (meant.source_kind, meant.target_kind) == ("text", "text")
    turned_back = CorpusSettings.parse({"train": [str(pairs)], "columns": "2,1"}, where="test")
    assert recognise_kinds(turned_back).source_kind == "sound"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("sounds/", "sounds\\", "There is {}/sounds/0-0.wav"),
        (".wav", ".flac", "There is {}/sounds/0-0.wav"),
        (".wav", ".WAV", "There is {}/sounds/0-0.wav"),
        (".wav", "", "There is {}/sounds/0-0.wav"),
        ("sounds/0-0.wav", '"sounds/0-0.wav"', "There is {}/sounds/0-0.wav"),
        (
            "sounds/",
            "",
            "There is {0}/sounds/0-0.wav; to have names count from there: --set data.source_root={0}/sounds",
        ),
        ("sounds/", "clips/", "There is no directory {}/clips"),
        ("sounds/", "https://example.org/", "no addresses"),
    ],
)
def test_a_name_without_a_file_tells_what_is_there(pairs: Path, old: str, new: str, said: str) -> None:
    settings = rewrite(pairs, old, new, slice(1))
    message = mistake(settings)
    assert message.startswith(f"{pairs}:1: ")
    assert said.format(pairs.parent) in message


@pytest.mark.parametrize(("on_disk", "written"), [("NFD", "NFC"), ("NFC", "NFD")])
def test_accents_in_another_form_are_told(pairs: Path, on_disk: str, written: str) -> None:
    sound = pairs.parent / "sounds" / "0-0.wav"
    sound.rename(sound.with_name(unicodedata.normalize(on_disk, "ánh-Hiếu.wav")))
    settings = rewrite(pairs, "0-0.wav", unicodedata.normalize(written, "ánh-Hiếu.wav"), slice(1))
    assert f"Unicode's form {on_disk}" in mistake(settings)


def test_a_part_of_a_sound_is_not_taken_for_the_whole(pairs: Path) -> None:
    manifest = pairs.with_suffix(".jsonl")
    settings = CorpusSettings(train=(str(manifest),), keys=("audio_filepath", "text"))
    for offset in (0.0, 1.25):
        record = {"audio_filepath": "sounds/0-0.wav", "duration": 0.5, "text": "la", "offset": offset}
        manifest.write_text(json.dumps(record) + "\n")
        if not offset:
            assert recognise_kinds(settings).source_kind == "sound"
    with pytest.raises(DataError, match=r"\.jsonl:1: the pair is of a part") as caught:
        recognise_kinds(settings)
    assert "ffmpeg -ss 1.25 -t 0.5 -i sounds/0-0.wav" in str(caught.value)
