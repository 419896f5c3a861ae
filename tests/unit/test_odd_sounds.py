"""Pairs whose sounds and texts can hardly belong together, and sounds that are all too long."""

from __future__ import annotations

from pathlib import Path

import pytest

from interlingua.data.preparation import prepare
from interlingua.data.settings import CorpusSettings
from interlingua.errors import DataError
from interlingua.text.tokenizer import TokenizerSettings
from tests.tones import write_melodies


def account(train: Path, valid: Path, cache: Path, **settings: float) -> str:
    corpus = CorpusSettings(train=(str(train),), valid=(str(valid),), source_kind="sound", **settings)
    return str(prepare(corpus, TokenizerSettings(), cache).report["summary"])


def test_parts_of_one_recording_are_told_to_be_taken_for_the_whole(tmp_path: Path) -> None:
    """As with rows of a manifest that give an offset and a duration beside a long file."""
    pairs, valid = write_melodies(tmp_path, 12), write_melodies(tmp_path, 4, seed=1)
    assert "several texts" not in account(pairs, valid, tmp_path / "cache")
    lines = pairs.read_text(encoding="utf-8")
    shared = "".join(f"sounds/0-3.wav\t{said}\n" for said in ("la", "do", "la", "mi"))
    pairs.write_text(lines + shared + lines, encoding="utf-8")
    said = account(pairs, valid, tmp_path / "cache")
    assert "warning: files that may be faulty: 1 (used)" in said
    assert "0-3.wav: several texts, each of which is taken for that of the whole sound" in said


def test_odd_sounds_are_counted_where_validation_pairs_are_held_out(tmp_path: Path) -> None:
    """Among those that are trained on as well."""
    pairs = write_melodies(tmp_path, 40)
    lines = pairs.read_text(encoding="utf-8").strip().split("\n")
    names = [line.split("\t")[0] for line in lines]
    pairs.write_text("".join(f"{name}\t{'do re mi ' * 20}\n" for name in names), encoding="utf-8")
    corpus = CorpusSettings(train=(str(pairs),), source_kind="sound", valid_share=0.2)
    said = str(prepare(corpus, TokenizerSettings(), tmp_path / "cache").report["summary"])
    assert "held out for validation" in said
    assert f"files that may be faulty: {len(names)} (used)" in said


def test_sounds_that_are_all_too_long_are_told_with_what_to_do(tmp_path: Path) -> None:
    pairs, valid = write_melodies(tmp_path, 12), write_melodies(tmp_path, 4, seed=1)
    with pytest.raises(DataError) as caught:
        account(pairs, valid, tmp_path / "cache", max_seconds=0.05)
    assert "12 pairs with more than 0.05 s of sound" in str(caught.value)
    assert "larger data.max_seconds" in str(caught.value)
