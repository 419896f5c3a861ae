from __future__ import annotations

import errno
import json
import os
import pickle
import tempfile
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlingua.data import corpus as corpus_module
from interlingua.data import preparation, store_writer
from interlingua.data.cache import Cache, choose_size_limit
from interlingua.data.corpus import CorpusSettings
from interlingua.data.preparation import Prepared, prepare
from interlingua.data.store import Store, build_store
from interlingua.errors import ConfigurationError, DataError, OutputError
from interlingua.text.subwords import SubwordTokenizer
from interlingua.text.symbols import ByteTokenizer, SymbolTokenizer
from interlingua.text.tokenizer import TokenizerPair, TokenizerSettings
from interlingua.text.vocabulary import Vocabulary
from tests.tones import melody, write_melodies, write_wav

BYTES = TokenizerPair(ByteTokenizer("NFC"), ByteTokenizer("none"))
PAIRS = [("a", "xyz"), ("e\u0301", "e\u0301"), ("longer than that", "b"), ("c", "d")]


class TestStore:
    @settings(deadline=None, max_examples=30)
    @given(pairs=st.lists(st.tuples(st.text(), st.text()), min_size=1, max_size=20))
    def test_pairs_come_back_by_number(self, pairs: list[tuple[str, str]]) -> None:
        pairs = [(s.encode(errors="ignore").decode(), t.encode(errors="ignore").decode()) for s, t in pairs]
        with tempfile.TemporaryDirectory() as directory, pytest.MonkeyPatch.context() as patch:
            patch.setattr(store_writer, "CHUNK_PAIRS", 3)
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
        monkeypatch.setattr(store_writer, "CHUNK_PAIRS", 1)
        one_by_one = build_store(PAIRS, BYTES, tmp_path / "one")
        assert whole.digest == one_by_one.digest
        for path in whole.directory.iterdir():
            assert path.read_bytes() == (one_by_one.directory / path.name).read_bytes()

    def test_a_pair_with_too_many_ids_is_counted_and_left_out(self, tmp_path: Path) -> None:
        built = build_store(PAIRS, BYTES, tmp_path / "store", max_length=5)
        assert built.left_out == {"more than 5 ids on a side": 1}
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
            patch.setattr(preparation, "StoreWriter", None)
            patch.setattr(preparation, "train_codecs", None)
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

    def test_sounds_of_the_same_names_are_prepared_apart(self, tmp_path: Path) -> None:
        cache, prepared = tmp_path / "cache", []
        places = [tmp_path / "one", tmp_path / "other", tmp_path / "one"]
        for number, place in enumerate(places):
            pairs = write_melodies(place, 24)
            if number:
                write_wav(place / "sounds" / "0-3.wav", melody(["la"] * (number + 2), seed=number))
            files = CorpusSettings(train=(str(pairs),), valid=(str(pairs),))
            prepared.append(prepare(files, TokenizerSettings(), cache))
        same = prepare(files, TokenizerSettings(), cache)
        assert same.train.directory == prepared[-1].train.directory
        assert len({each.train.directory for each in prepared}) == 3
        assert len({each.train.source(3).tobytes() for each in prepared}) == 3

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
        count = len(prepared.valid)
        said = f"{count} of 300 pairs, {count / 3:.1f}% (by source, seed 0)"
        assert said in prepared.report["summary"]

    def test_over_long_pairs_are_part_of_the_account(self, tmp_path: Path) -> None:
        corpus = self.files(tmp_path).model_copy(update={"max_length": 9})
        settings = TokenizerSettings(source="characters", target="words")
        prepared = prepare(corpus, settings, tmp_path / "cache")
        train = prepared.report["train"]
        assert train["left_out"] == {"a side is empty": 0, "more than 9 ids on a side": 200}
        assert train["kept"] == len(prepared.train) == 100
        (file,) = train["files"]
        assert f"left out: 200 (more than 9 ids on a side): {file}:1" in prepared.report["summary"]

    def test_each_of_several_long_sources_is_named_where_it_stands(self, tmp_path: Path) -> None:
        long, other = "a" * 20, "b" * 20
        lines = ["a\tb", f"{long}\t{other}", "c\td", f"{long}\ty", f"x\t{other}", f"{long}\ty"]
        pairs = tmp_path / "pairs.tsv"
        pairs.write_text("".join(f"{line}\n" for line in [*lines, *(f"{i}\t{i}" for i in range(99))]))
        corpus = CorpusSettings(train=(str(pairs),), valid=(str(pairs),), max_length=9)
        prepared = prepare(
            corpus, TokenizerSettings(source="characters", target="characters"), tmp_path / "c"
        )
        told = ", ".join(f"{pairs}:{line}" for line in (2, 4, 5, 6))
        assert f"left out: 4 (more than 9 ids on a side): {told}\n" in prepared.report["summary"]

    def test_a_changed_byte_in_the_cache_is_noticed_and_said(self, tmp_path: Path) -> None:
        corpus, cache = self.files(tmp_path), tmp_path / "cache"
        first = prepare(corpus, TokenizerSettings(), cache)
        path = first.train.directory / "target.ids"
        content = bytearray(path.read_bytes())
        content[100] ^= 255
        path.unlink()  # the old content stays mapped
        path.write_bytes(bytes(content))
        again = prepare(corpus, TokenizerSettings(), cache)
        assert again.train.target(17).tolist() == first.train.target(17).tolist()
        assert "damaged and is made anew" in again.account
        assert "damaged" not in prepare(corpus, TokenizerSettings(), cache).account

    def test_the_account_names_the_files_of_this_run(self, tmp_path: Path) -> None:
        corpus, cache = self.files(tmp_path), tmp_path / "cache"
        prepare(corpus, TokenizerSettings(), cache)
        copy = tmp_path / "copy.txt"
        copy.write_bytes((tmp_path / "train.tsv").read_bytes())
        again = prepare(corpus.model_copy(update={"train": (str(copy),)}), TokenizerSettings(), cache)
        assert again.report["train"]["files"] == [str(copy)]
        assert f"{copy}: 300 pairs read" in again.report["summary"]
        assert "train.tsv" not in again.account
        assert [entry.files for entry in Cache(cache).entries()] == [[str(copy), corpus.valid[0]]]

    def test_validation_sources_that_are_trained_on_are_said(self, tmp_path: Path) -> None:
        corpus = self.files(tmp_path)
        (tmp_path / "valid.tsv").write_text("word1 x1\tW\n" * 3 + "other\tW 1\nnext\tW 2\nlast\tW 3\n")
        summary = prepare(corpus, TokenizerSettings(), tmp_path / "cache").report["summary"]
        assert "warning: 25.0% of the validation sources are training sources as well" in summary
        (tmp_path / "valid.tsv").write_text("other\tW\nnext\tW 1\n")
        assert "as well" not in prepare(corpus, TokenizerSettings(), tmp_path / "cache").report["summary"]

    def test_a_swapped_validation_file_is_said(self, tmp_path: Path) -> None:
        corpus = self.files(tmp_path)
        swapped = [
            "\t".join(line.split("\t")[::-1]) for line in (tmp_path / "train.tsv").read_text().split("\n")
        ]
        (tmp_path / "valid.tsv").write_text("\n".join(swapped[:20]) + "\n")
        kinds = TokenizerSettings(source="bytes", target="bytes")
        assert "look swapped" in prepare(corpus, kinds, tmp_path / "cache").report["summary"]

    def test_the_first_pairs_are_shown_but_not_kept_with_the_model(self, tmp_path: Path) -> None:
        prepared = prepare(self.files(tmp_path), TokenizerSettings(), tmp_path / "cache")
        assert "read as: word0 x0 → W 0 O R D" in prepared.account
        assert "word0" not in json.dumps(prepared.report)

    def test_data_that_changes_while_it_is_prepared_leaves_nothing(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        corpus, cache = self.files(tmp_path), tmp_path / "cache"
        train = tmp_path / "train.tsv"
        learn = preparation.train_codecs

        def learn_and_change(*arguments: Any) -> Any:
            learnt = learn(*arguments)
            train.write_text(train.read_text().replace("word7 ", "word8 "))
            return learnt

        monkeypatch.setattr(preparation, "train_codecs", learn_and_change)
        with pytest.raises(DataError, match=r"train\.tsv: the file changed while it was read"):
            prepare(corpus, TokenizerSettings(), cache)
        assert Cache(cache).entries() == []
        assert not [path for path in cache.rglob("*") if path.is_file() and path.suffix != ".lock"]

    def test_held_out_pairs_are_written_in_one_pass(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        passes = 0
        read = corpus_module.read_pairs

        def count(*arguments: Any) -> Any:
            nonlocal passes
            passes += 1
            return read(*arguments)

        def fixed(*_: Any) -> Any:
            return BYTES, "bytes"

        monkeypatch.setattr(corpus_module, "read_pairs", count)
        monkeypatch.setattr(preparation, "train_codecs", fixed)
        corpus = CorpusSettings(train=self.files(tmp_path).train)
        prepared = prepare(corpus, TokenizerSettings(), tmp_path / "cache")
        assert len(prepared.valid) > 0
        assert passes == 4  # to count, to see that both parts have pairs (two beginnings), to store

    def test_a_full_disk_leaves_nothing_half_written(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def write(*_: Any) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(store_writer._SideWriter, "append", write)
        with pytest.raises(OutputError, match=r"No space left.*\n.*interlingua cache --clear"):
            prepare(self.files(tmp_path), TokenizerSettings(), tmp_path / "cache")
        assert Cache(tmp_path / "cache").entries() == []
        assert not list((tmp_path / "cache").rglob("*.ids"))

    def test_without_a_writable_cache_a_temporary_one_serves(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("no directory")
        prepared = prepare(self.files(tmp_path), TokenizerSettings(), tmp_path / "file" / "cache")
        assert len(prepared.train) == 300
        assert "cannot be kept for the next time" in prepared.account
        assert "INTERLINGUA_CACHE" in prepared.account

    def test_two_processes_prepare_one_after_the_other(self, tmp_path: Path) -> None:
        corpus, cache = self.files(tmp_path), tmp_path / "cache"
        key = prepare(corpus, TokenizerSettings(), cache).train.directory.parent.name
        Cache(cache).remove(Cache(cache).entries()[0])
        done: list[Any] = []
        thread = Thread(target=lambda: done.append(prepare(corpus, TokenizerSettings(), cache)))
        with Cache(cache).lock(key):
            thread.start()
            thread.join(timeout=0.2)
            assert not done
        thread.join()
        assert len(done[0].train) == 300

    def test_a_joint_vocabulary_stays_joint(self, tmp_path: Path) -> None:
        settings = TokenizerSettings(source="words", target="words", joint=True)
        for _ in range(2):
            assert prepare(self.files(tmp_path), settings, tmp_path / "cache").tokenizers.joint


class TestCache:
    def prepare(self, directory: Path, *numbers: int) -> list[Prepared]:
        prepared = []
        for number in numbers:
            path = directory / f"{number}.tsv"
            path.write_text("".join(f"s{i} {number}\tt{i}\n" for i in range(50)))
            settings = TokenizerSettings(source="bytes", target="bytes")
            prepared.append(prepare(CorpusSettings(train=(str(path),)), settings, directory / "cache"))
        return prepared

    def files(self, directory: Path) -> list[str]:
        return [Path(entry.files[0]).stem for entry in Cache(directory / "cache").entries()]

    def test_the_least_recently_used_goes_first_but_never_one_in_use(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        in_use, *_ = self.prepare(tmp_path, 1, 2, 3)
        del _
        for entry in Cache(tmp_path / "cache").entries():
            number = int(Path(entry.files[0]).stem)
            os.utime(entry.directory / "used.json", (number, number))
        monkeypatch.setenv("INTERLINGUA_CACHE_GB", str(3.5 * entry.size / 1e9))
        self.prepare(tmp_path, 4)
        assert self.files(tmp_path) == ["1", "3", "4"]
        monkeypatch.setenv("INTERLINGUA_CACHE_GB", "0")
        last = self.prepare(tmp_path, 4)
        assert self.files(tmp_path) == ["1", "4"]
        del in_use, last
        assert Cache(tmp_path / "cache").remove(Cache(tmp_path / "cache").entries()[0])
        assert self.files(tmp_path) == ["4"]

    def test_what_a_killed_process_left_does_not_hold_an_entry(self, tmp_path: Path) -> None:
        self.prepare(tmp_path, 1)
        cache = Cache(tmp_path / "cache")
        entry = cache.entries()[0]
        (cache.directory / "locks" / f"{entry.directory.name}.1-dead.used").touch()
        assert cache.remove(entry)
        assert cache.entries() == []

    def test_the_limit_is_checked(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        assert 0 < choose_size_limit(tmp_path) <= 20 * 2**30
        monkeypatch.setenv("INTERLINGUA_CACHE_GB", "plenty")
        with pytest.raises(ConfigurationError, match="INTERLINGUA_CACHE_GB"):
            choose_size_limit(tmp_path)


class TestUnknownSymbols:
    def prepare(self, directory: Path, valid: str, given: TokenizerPair | None = None, **kinds: Any) -> Any:
        (directory / "train.tsv").write_text("".join(f"abc {i % 9}\txyz\n" for i in range(200)))
        (directory / "valid.tsv").write_text(valid)
        corpus = CorpusSettings(train=(str(directory / "train.tsv"),), valid=(str(directory / "valid.tsv"),))
        return prepare(corpus, TokenizerSettings(**kinds), directory / "cache", given)

    def test_they_are_counted_with_examples(self, tmp_path: Path) -> None:
        valid = "abж ж1\txyz\n" + "abc 1\txyz\n" * 99
        prepared = self.prepare(tmp_path, valid, source="characters", target="characters")
        counts = prepared.report["unknown"]
        assert counts["train"]["source"]["unknown"] == counts["valid"]["target"]["unknown"] == 0
        source = counts["valid"]["source"]
        assert (source["unknown"], source["texts"], source["examples"]) == (2, 1, {"ж": 2})
        assert "validation sources: 2 symbols (0.40%), in 1 of 100 pairs" in prepared.report["summary"]
        assert "'ж' (2 times)" in prepared.account
        assert "warning" not in prepared.report["summary"].split("vocabulary")[1]

    def test_validation_sources_of_other_code_points_are_seen_in_training(self, tmp_path: Path) -> None:
        (tmp_path / "train.tsv").write_text("".join(f"caf\u00e9 {i}\txyz {i}\n" for i in range(100)))
        (tmp_path / "valid.tsv").write_text("".join(f"cafe\u0301 {i}\txyz {i}\n" for i in range(50)))
        files = {part: (str(tmp_path / f"{part}.tsv"),) for part in ("train", "valid")}
        prepared = prepare(CorpusSettings(**files), TokenizerSettings(), tmp_path / "cache")
        assert "warning: 100.0% of the validation sources are training sources" in prepared.account

    def test_many_are_a_warning_and_most_an_error(self, tmp_path: Path) -> None:
        kinds = {"source": "words", "target": "words"}
        prepared = self.prepare(tmp_path, "abc new\txyz\nabc 1\txyz\n", **kinds)
        assert "warning: validation sources: 1 symbols (25.00%)" in prepared.report["summary"]
        with pytest.raises(DataError, match=r"valid\.tsv: most symbols of the targets are unknown"):
            self.prepare(tmp_path, "abc 1\tother\n", **kinds)

    def test_another_alphabet_than_the_given_tokenizers_is_an_error(self, tmp_path: Path) -> None:
        cyrillic = TokenizerPair(
            SymbolTokenizer("characters", Vocabulary("абв 12345"), "NFC"),
            SymbolTokenizer("characters", Vocabulary("xyz"), "NFC"),
        )
        with pytest.raises(DataError, match=r"train\.tsv: most symbols of the sources.*model to start from"):
            self.prepare(tmp_path, "abc 1\txyz\n", cyrillic)
        assert Cache(tmp_path / "cache").entries() == []

    def test_subwords_spell_new_characters_in_bytes(self, tmp_path: Path) -> None:
        texts = [f"abc {i % 9}" for i in range(200)]
        subwords = SubwordTokenizer.train(texts, "bpe", "NFC", 330)
        given = TokenizerPair(subwords, ByteTokenizer("NFC"))
        prepared = self.prepare(tmp_path, "abc ж 1\txyz\n", given)
        assert prepared.report["unknown"]["train"]["source"]["unknown"] == 0
        assert prepared.report["unknown"]["valid"]["source"]["examples"] == {"ж": 1}
        assert "are spelled in bytes: 'ж' (1 times)" in prepared.report["summary"]
        assert prepared.valid.source(0).tolist() == subwords.encode("abc ж 1")
