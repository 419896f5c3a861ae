from __future__ import annotations

import pickle
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlingua.data import preparation, store
from interlingua.data.corpus import CorpusSettings
from interlingua.data.preparation import prepare
from interlingua.data.store import Store, build_store
from interlingua.errors import DataError, OutputError
from interlingua.text.symbols import ByteTokenizer, SymbolTokenizer
from interlingua.text.tokenizer import TokenizerPair, TokenizerSettings
from interlingua.text.vocabulary import Vocabulary

BYTES = TokenizerPair(ByteTokenizer("NFC"), ByteTokenizer("none"))
PAIRS = [("a", "xyz"), ("e\u0301", "e\u0301"), ("longer than that", "b"), ("c", "d")]


class TestStore:
    @settings(deadline=None, max_examples=30)
    @given(pairs=st.lists(st.tuples(st.text(), st.text()), min_size=1, max_size=20))
    def test_pairs_come_back_by_number(self, pairs: list[tuple[str, str]]) -> None:
        pairs = [(s.encode(errors="ignore").decode(), t.encode(errors="ignore").decode()) for s, t in pairs]
        with tempfile.TemporaryDirectory() as directory, pytest.MonkeyPatch.context() as patch:
            patch.setattr(store, "CHUNK_PAIRS", 3)
            built = build_store(pairs, BYTES, Path(directory) / "store", max_length=10_000)
            assert len(built) == len(pairs)
            for i, (source, target) in enumerate(pairs):
                source = BYTES.source.normalise(source)
                assert (built.source_text(i), built.target_text(i)) == (source, target)
                assert built.source(i).tolist() == BYTES.source.encode(source)
                assert built.target(i).tolist() == BYTES.target.encode(target)
            assert built.source_lengths.tolist() == [len(built.source(i)) for i in range(len(pairs))]
            assert built.target_lengths.tolist() == [len(built.target(i)) for i in range(len(pairs))]

    def test_it_does_not_depend_on_the_chunks(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        whole = build_store(PAIRS, BYTES, tmp_path / "whole")
        monkeypatch.setattr(store, "CHUNK_PAIRS", 1)
        one_by_one = build_store(PAIRS, BYTES, tmp_path / "one")
        assert whole.digest == one_by_one.digest
        for path in whole.directory.iterdir():
            assert path.read_bytes() == (one_by_one.directory / path.name).read_bytes()

    def test_a_pair_with_too_many_ids_is_counted_and_left_out(self, tmp_path: Path) -> None:
        built = build_store(PAIRS, BYTES, tmp_path / "store", max_length=5)
        assert built.too_long == 1
        assert [built.source_text(i) for i in range(len(built))] == ["a", "é", "c"]
        with pytest.raises(DataError, match=r"no pairs to store.*4 pairs with more than 0 ids"):
            build_store(PAIRS, BYTES, tmp_path / "none", max_length=0)
        assert [path.name for path in tmp_path.iterdir()] == ["store"]

    def test_the_digest_depends_on_texts_and_tokenizers(self, tmp_path: Path) -> None:
        other = TokenizerPair(ByteTokenizer("NFKC"), BYTES.target)
        moved = [("ax", "yz"), *PAIRS[1:]]
        stores = [(PAIRS, BYTES), (PAIRS[:3], BYTES), (PAIRS, other), (moved, BYTES)]
        digests = [
            build_store(pairs, tokenizers, tmp_path / str(i)).digest
            for i, (pairs, tokenizers) in enumerate(stores)
        ]
        assert len(set(digests)) == len(stores)

    def test_large_vocabularies_need_larger_integers(self, tmp_path: Path) -> None:
        words = SymbolTokenizer("words", Vocabulary(str(i) for i in range(70_000)), "none")
        built = build_store([("69999", "a")], TokenizerPair(words, BYTES.target), tmp_path / "store")
        assert built.source(0).tolist() == [70_003]
        assert (built.source(0).dtype, built.target(0).dtype) == (np.int32, np.uint16)

    def test_it_is_mapped_not_loaded_and_pickled_as_a_name(self, tmp_path: Path) -> None:
        built = build_store(PAIRS, BYTES, tmp_path / "store")
        assert isinstance(built.source(0).base, np.ndarray)
        with pytest.raises(ValueError, match="read-only"):
            built.source(0)[0] = 5
        again = pickle.loads(pickle.dumps(built))
        assert again.source(2).tolist() == built.source(2).tolist()
        assert len(pickle.dumps(built)) < 500

    @pytest.mark.parametrize("name", ["source.ids", "target.lengths", "target.text", "store.json"])
    def test_damage_is_named(self, name: str, tmp_path: Path) -> None:
        path = build_store(PAIRS, BYTES, tmp_path / "store").directory / name
        path.write_bytes(path.read_bytes()[:-2])
        with pytest.raises(DataError, match=f"{name}.*damaged"):
            Store(tmp_path / "store")
        path.unlink()
        with pytest.raises(DataError, match=f"{name}.*incomplete"):
            Store(tmp_path / "store")

    def test_an_existing_directory_is_kept(self, tmp_path: Path) -> None:
        with pytest.raises(OutputError, match="exists"):
            build_store(PAIRS, BYTES, tmp_path)


class TestPreparation:
    def files(self, directory: Path) -> CorpusSettings:
        lines = [f"word{i} x{i % 7}\tW {i % 7} O R D\n" for i in range(300)]
        (directory / "train.tsv").write_text("".join(lines))
        (directory / "valid.tsv").write_text("".join(lines[:20]))
        return CorpusSettings(train=(str(directory / "train.tsv"),), valid=(str(directory / "valid.tsv"),))

    def test_the_second_time_nothing_is_done_again(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        corpus, cache = self.files(tmp_path), tmp_path / "deep" / "cache"
        first = prepare(corpus, TokenizerSettings(), cache)
        with monkeypatch.context() as patch:
            patch.setattr(preparation, "build_store", None)
            patch.setattr(preparation, "train_tokenizers", None)
            second = prepare(corpus, TokenizerSettings(), cache)
        assert second.report == first.report
        assert second.train.digest == first.train.digest
        assert second.tokenizers.target.encode("W O") == first.tokenizers.target.encode("W O")
        assert (len(first.train), len(first.valid)) == (300, 20)
        assert first.report["train"]["kept"] == 300
        assert first.report["tokenizers"].endswith("target: words, 12 symbols")
        assert len(list(cache.iterdir())) == 1

    def test_changed_data_or_settings_are_prepared_apart(self, tmp_path: Path) -> None:
        corpus, cache = self.files(tmp_path), tmp_path / "cache"
        settings = TokenizerSettings(source="characters", target="words")
        first = prepare(corpus, settings, cache)
        other = prepare(corpus, TokenizerSettings(source="bytes", target="words"), cache)
        train = tmp_path / "train.tsv"
        train.write_text(train.read_text() + "more\tW\n")
        longer = prepare(corpus, settings, cache)
        given = prepare(corpus, settings, cache, BYTES)
        assert len({p.train.directory for p in (first, other, longer, given)}) == 4
        assert len(longer.train) == 301
        assert given.tokenizers.source.kind == "bytes"
        assert given.report["tokenizers"] == "given"

    def test_damage_in_the_cache_is_repaired(self, tmp_path: Path) -> None:
        corpus, cache = self.files(tmp_path), tmp_path / "cache"
        first = prepare(corpus, TokenizerSettings(), cache)
        (first.train.directory / "target.ids").write_bytes(b"")
        assert prepare(corpus, TokenizerSettings(), cache).train.digest == first.train.digest

    def test_without_validation_files_a_share_is_held_out(self, tmp_path: Path) -> None:
        corpus = CorpusSettings(train=self.files(tmp_path).train)
        prepared = prepare(corpus, TokenizerSettings(), tmp_path / "cache")
        assert len(prepared.train) + len(prepared.valid) == 300
        assert prepared.report["held_out"] == {"share": 0.05, "seed": 0}
        assert f"{len(prepared.valid)} pairs, 5.00% of the sources (seed 0)" in prepared.report["summary"]

    def test_over_long_pairs_are_part_of_the_account(self, tmp_path: Path) -> None:
        corpus = self.files(tmp_path).model_copy(update={"max_length": 9})
        settings = TokenizerSettings(source="characters", target="words")
        prepared = prepare(corpus, settings, tmp_path / "cache")
        train = prepared.report["train"]
        assert train["left_out"] == {"a side is empty": 0, "more than 9 ids on a side": 200}
        assert train["kept"] == len(prepared.train) == 100
        assert "left out: 200 (more than 9 ids on a side)" in prepared.report["summary"]

    def test_a_joint_vocabulary_stays_joint(self, tmp_path: Path) -> None:
        settings = TokenizerSettings(source="words", target="words", joint=True)
        for _ in range(2):
            assert prepare(self.files(tmp_path), settings, tmp_path / "cache").tokenizers.joint
