"""The command that shows and clears prepared data."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from interlingua.data import preparation
from interlingua.data.cache import Cache
from interlingua.data.corpus import CorpusSettings
from interlingua.data.preparation import prepare
from interlingua.text.tokenizer import TokenizerSettings

from .conftest import call


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("INTERLINGUA_CACHE", str(tmp_path / "cache"))
    for number in (1, 2):
        path = tmp_path / f"pairs{number}.tsv"
        path.write_text("".join(f"s{i} {number}\tt{i}\n" for i in range(50)))
        settings = TokenizerSettings(source="bytes", target="bytes")
        prepare(CorpusSettings(train=(str(path),)), settings, tmp_path / "cache")
    return tmp_path / "cache"


def test_it_is_shown(cache: Path, tmp_path: Path) -> None:
    result = call("cache")
    assert result.code == 0
    assert f"{cache}: 2 entries" in result.out
    assert "used today" in result.out
    assert "pairs1.tsv" in result.out
    assert "pairs2.tsv" in result.out


def test_other_rules_of_choosing_tokenizers_prepare_anew(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus, settings = (
        CorpusSettings(train=(str(tmp_path / "pairs1.tsv"),)),
        TokenizerSettings(source="bytes"),
    )
    prepare(corpus, settings, cache)
    prepare(corpus, settings, cache)
    assert len(Cache(cache).entries()) == 3
    monkeypatch.setattr(preparation, "RULES", preparation.RULES + 1)
    prepare(corpus, settings, cache)
    assert len(Cache(cache).entries()) == 4


def test_what_is_old_is_cleared_and_then_the_rest(cache: Path) -> None:
    oldest = Cache(cache).entries()[0]
    os.utime(oldest.directory / "used.json", (1, 1))
    assert "removed: 1 entries" in call("cache", "--clear", "--older-than", 30).out
    assert oldest.directory not in [entry.directory for entry in Cache(cache).entries()]
    end_use = Cache(cache).use(Cache(cache).entries()[0].directory.name, ["mine.tsv"])
    result = call("cache", "--clear")
    assert "removed: 0 entries" in result.out
    assert "in use" in result.out
    assert "mine.tsv" in result.out
    end_use()
    assert "removed: 1 entries" in call("cache", "--clear").out
    assert "nothing is kept" in call("cache").out


def test_entries_of_earlier_versions_are_cleared_as_well(cache: Path) -> None:
    earlier = cache / ("0123456789abcdef" * 2)
    earlier.mkdir()
    (earlier / "report.json").write_text("{}")
    os.utime(earlier, (1, 1))
    assert "3 entries" in call("cache").out
    call("cache", "--clear")
    assert not earlier.exists()


def test_mistakes(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert call("cache", "--older-than", 3).code == 2
    assert len(Cache(cache).entries()) == 2
    monkeypatch.setenv("INTERLINGUA_CACHE_GB", "much")
    result = call("cache")
    assert result.code == 2
    assert "INTERLINGUA_CACHE_GB" in result.err
