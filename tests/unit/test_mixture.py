"""Several corpora with weights and tags: how often pairs are seen, what is prepared, what is refused."""

from __future__ import annotations

import json
from collections import Counter
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from interlingua.data import preparation
from interlingua.data.codecs import load_tokenizers, save_tokenizers
from interlingua.data.corpus import Corpus, CorpusSettings
from interlingua.data.loader import Position, load_batches
from interlingua.data.mixture import Part, count_parts
from interlingua.data.preparation import Prepared, prepare
from interlingua.data.sampler import epoch_batches
from interlingua.data.settings import MixedCorpus
from interlingua.data.split import split
from interlingua.errors import ConfigurationError, DataError
from interlingua.runs.experiment import Experiment
from interlingua.runs.lengths import describe_outliers, measure_lengths
from interlingua.runs.recipes import epoch_tokens, target_tokens
from interlingua.text.column_tokenizer import ColumnTokenizer
from interlingua.text.columns import check_tag
from interlingua.text.tokenizer import TokenizerPair, TokenizerSettings, train_tokenizers

CHARACTERS = TokenizerSettings(source="characters", target="characters")
WEIGHTS = st.sampled_from([0.01, 0.1, 1 / 3, 0.5, 0.75, 1.0, 1.5, 2.0, 2.5, 7.3])
PARTS = st.lists(st.builds(Part, st.integers(0, 40), WEIGHTS), min_size=1, max_size=4)


def seen(parts: list[Part], epoch: int, seed: int = 3) -> Counter[int]:
    lengths = np.arange(sum(part.pairs for part in parts)) % 11 + 1
    batches = epoch_batches(lengths, lengths[::-1], 50, seed, epoch, parts)
    return Counter(i for batch in batches for i in batch.tolist())


class TestOldPairs:
    """Pairs that are mixed in beside those that a model is trained further on."""

    @settings(deadline=None)
    @given(st.integers(1, 400), st.lists(st.tuples(st.integers(1, 400), WEIGHTS), min_size=1, max_size=3),
           st.floats(0.1, 0.9))  # fmt: skip
    def test_their_share_of_what_is_seen_is_as_stated(
        self, new: int, old: list[tuple[int, float]], share: float
    ) -> None:
        mixture = [MixedCorpus(files=("new",))]
        mixture += [MixedCorpus(files=("old",), weight=weight, mixed_in=True) for _, weight in old]
        counts = [new, *(pairs for pairs, _ in old)]
        first, *others = count_parts(counts, mixture, share)
        assert first == Part(new, 1.0)
        seen_old = sum(pairs * weight for pairs, weight in others)
        assert seen_old / (new + seen_old) == pytest.approx(share)
        for (_, weight), (_, given_weight) in zip(others, old, strict=True):  # among themselves as before
            assert weight / others[0].weight == pytest.approx(given_weight / old[0][1])
        parts = [first, *others]
        lengths = np.ones(sum(counts), np.int64)
        first_epoch, again = (list(map(list, epoch_batches(lengths, lengths, 50, 3, 2, parts))) for _ in "ab")
        assert first_epoch == again
        drawn = [i for batch in first_epoch for i in batch]
        assert abs(sum(i >= new for i in drawn) - seen_old) <= len(old)

    @settings(max_examples=25, deadline=None)
    @given(st.integers(30, 120), st.integers(30, 3000), st.integers(0, 30))
    def test_each_kind_holds_out_some_of_its_own_and_no_source_is_on_both_sides(
        self, new: int, old: int, shared: int
    ) -> None:
        with TemporaryDirectory() as name:
            files = [write(Path(name) / "new", *numbered("n", new), *numbered("s", shared)),
                     write(Path(name) / "old", *numbered("o", old), *numbered("s", shared))]  # fmt: skip
            data = CorpusSettings(train=(files[0],), mix=(files[1],))
            corpus = Corpus.of(data.train_files, data)
            train, valid = map(list, split(corpus))
        every = [*numbered("n", new), *numbered("o", old), *numbered("s", shared), *numbered("s", shared)]
        assert sorted([*train, *valid]) == sorted(every)
        assert not {pair.source for pair in train} & {pair.source for pair in valid}
        for letter in "no":
            assert any(pair.source.startswith(letter) for pair in valid)

    def test_validation_files_are_of_the_new_pairs_and_old_ones_are_held_out(self, tmp_path: Path) -> None:
        new, old, valid = (write(tmp_path / name, *numbered(name[0], 60)) for name in ("new", "old", "valid"))
        data = CorpusSettings(train=(new,), mix=(old,), valid=(valid,))
        prepared = prepare(data, CHARACTERS, tmp_path / "cache")
        assert prepared.report["valid_mixed_in"] == [False, True, False]
        none, held_out, given_ones = prepared.valid_by_file
        assert (none, given_ones) == (0, 60)
        assert 0 < held_out < 60
        assert [part.pairs for part in prepared.parts] == [60, 60 - held_out]
        sources = [prepared.valid.source_text(i) for i in range(len(prepared.valid))]
        assert all(source.startswith("o") for source in sources[:held_out])
        assert all(source.startswith("v") for source in sources[held_out:])

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            ({"corpora": [{"files": "a", "mixed_in": True}]}, "no new pairs"),
            ({"corpora": [{"files": "a", "tag": "x"}], "mix": "b"}, "mix has no tag"),
            ({"train": "a", "mix": "b", "mix_share": 1}, "mix_share"),
            ({"train": "a", "mix": "b", "mix_share": 0}, "mix_share"),
        ],
    )
    def test_what_they_cannot_be_is_explained(self, data: dict[str, Any], message: str) -> None:
        with pytest.raises(ConfigurationError, match=message):
            Experiment.parse({"data": data}, "exp.toml")


class TestSampling:
    @settings(deadline=None)
    @given(PARTS, st.integers(1, 12))
    def test_each_pair_is_seen_as_often_as_its_weight_says(self, parts: list[Part], epochs: int) -> None:
        total: Counter[int] = Counter()
        for epoch in range(epochs):
            of_epoch, first = seen(parts, epoch), 0
            for pairs, weight in parts:
                counts = [of_epoch[i] for i in range(first, first + pairs)]
                assert all(abs(count - weight) < 1 + 1e-9 or count == np.ceil(weight) for count in counts)
                assert abs(sum(counts) - weight * pairs) <= 1
                first += pairs
            assert not [i for i in of_epoch if i >= first]
            total += of_epoch
        first = 0
        for pairs, weight in parts:
            counts = [total[i] for i in range(first, first + pairs)]
            assert max(counts, default=0) - min(counts, default=0) <= 1
            assert abs(sum(counts) - epochs * weight * pairs) <= 0.5 + 1e-6
            first += pairs

    def test_a_half_and_the_other_half(self) -> None:
        parts = [Part(10, 0.5), Part(4, 2.5)]
        first, second = seen(parts, 0), seen(parts, 1)
        assert sum(first.values()) == sum(second.values()) == 15
        assert [(first + second)[i] for i in range(14)] == [1] * 10 + [5] * 4
        assert {first[i] for i in range(10, 14)} == {2, 3}
        assert set(seen(parts, 0, seed=4)) != set(first)  # another half

    def test_it_is_a_pure_function_and_a_weight_of_1_changes_nothing(self) -> None:
        lengths = np.random.default_rng(0).integers(1, 30, 500)

        def batches(seed: int, epoch: int, parts: list[Part]) -> list[list[int]]:
            return [each.tolist() for each in epoch_batches(lengths, lengths, 100, seed, epoch, parts)]

        parts = [Part(200, 1.7), Part(300, 0.4)]
        late = batches(5, 9, parts)
        batches(5, 0, parts)
        assert batches(5, 9, parts) == late != batches(6, 9, parts)
        assert (
            batches(5, 2, []) == batches(5, 2, [Part(500, 1.0)]) == batches(5, 2, [Part(1, 1), Part(499, 1)])
        )

    def test_epochs_without_a_pair_are_passed_over(self, prepared: Prepared) -> None:
        parts = [Part(len(prepared.train), 0.25 / len(prepared.train))]
        (_, first), (_, second) = islice(load_batches(prepared.train, 60, 7, Position(), None, parts), 2)
        assert second.epoch - first.epoch == 4

    def test_loading_goes_on_exactly_where_it_stopped(self, prepared: Prepared) -> None:
        count = len(prepared.train) // 2
        parts = [Part(count, 0.3), Part(len(prepared.train) - count, 1.6)]

        def load(start: Position) -> Any:
            return load_batches(prepared.train, 60, 7, start, None, parts)

        whole = list(islice(load(Position()), 60))
        assert whole[-1][1].epoch > 1
        for stop in (1, 20, 45):
            for (batch, position), expected in zip(load(whole[stop - 1][1]), whole[stop:], strict=False):
                assert position == expected[1]
                assert torch.equal(batch.source.values, expected[0].source.values)


def write(path: Path, *pairs: tuple[str, str]) -> str:
    path.write_text("".join(f"{source}\t{target}\n" for source, target in pairs), encoding="utf-8")
    return str(path)


def numbered(name: str, count: int) -> list[tuple[str, str]]:
    return [(f"{name}{i}", f"{i}{name}") for i in range(count)]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    directory = tmp_path_factory.mktemp("prepared")
    corpus = CorpusSettings(train=(write(directory / "a", *numbered("a", 80)),))
    return prepare(corpus, CHARACTERS, directory / "cache")


def corpora(*tables: dict[str, Any], **more: Any) -> CorpusSettings:
    return CorpusSettings.parse({"corpora": [*tables], **more})


class TestPreparation:
    def test_pairs_are_counted_by_corpus_in_what_is_stored(self, tmp_path: Path) -> None:
        """Duplicates dropped, pairs too long and held-out ones are of no part."""
        a = write(tmp_path / "a", *numbered("a", 40), *numbered("a", 3))
        b = write(tmp_path / "b", ("b" * 30, "b"), *numbered("b", 25), *numbered("a", 2))
        c = write(tmp_path / "c", *numbered("c", 30))
        data = corpora({"files": [a]}, {"files": [b, c], "weight": 3}, drop_duplicates=True, max_length=20)
        found = prepare(data, CHARACTERS, tmp_path / "cache")
        texts = [found.train.source_text(i) for i in range(len(found.train))]
        of_a = sum("a" in text for text in texts)
        assert found.parts == (Part(of_a, 1.0), Part(len(texts) - of_a, 3.0))
        assert len(texts) + len(found.valid) == 40 + 25 + 30
        assert [corpus["duplicates"] for corpus in found.report["corpora"]] == [3, 2]
        assert found.report["corpora"][1] == {
            "name": b, "files": [b, c], "weight": 3.0, "pairs": len(texts) - of_a,
            "seen": 3 * (len(texts) - of_a), "duplicates": 2,
        }  # fmt: skip
        by_file = zip(found.report["valid_corpora"], found.valid_by_file, strict=True)
        held_out = Counter(name for name, count in by_file for _ in range(count))
        assert held_out.total() == len(found.valid)
        names = [a] * held_out[a] + [b] * held_out[b]
        valid = [found.valid.source_text(i) for i in range(len(found.valid))]
        assert [a if "a" in text else b for text in valid] == names
        said = f"  {b} ({b}, {c}): {len(texts) - of_a} training pairs, weight 3, "
        assert said + f"{3 * (len(texts) - of_a):,} seen an epoch; exact duplicates: 2" in found.account

    @pytest.mark.parametrize("kind", ["characters", "words"])
    def test_counts_are_of_the_store_that_the_tokenizers_made(self, kind: Any, tmp_path: Path) -> None:
        files = [write(tmp_path / name, ("x" * 30, name), *numbered(name, 20)) for name in "ab"]
        tables = [{"files": file, "valid": file, "weight": 2} for file in files]
        settings = TokenizerSettings(source=kind, target=kind)
        found = prepare(corpora(*tables, max_length=20), settings, tmp_path / "cache")
        count = {"characters": 20, "words": 21}[kind]
        assert found.parts == (Part(count, 2.0), Part(count, 2.0))
        assert found.valid_by_file == (count, count)
        assert len(found.train) == len(found.valid) == 2 * count

    def test_one_preparation_does_for_all_weights(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        a, b = write(tmp_path / "a", *numbered("a", 40)), write(tmp_path / "b", *numbered("b", 40))
        plain = prepare(CorpusSettings(train=(a, b)), CHARACTERS, tmp_path / "cache")
        assert "corpora" not in plain.report
        monkeypatch.setattr(preparation, "StoreWriter", None)
        for weights in ((1.0, 1.0), (0.5, 4.0)):
            tables = [{"files": file, "weight": weight} for file, weight in zip((a, b), weights, strict=True)]
            found = prepare(corpora(*tables), CHARACTERS, tmp_path / "cache")
            assert found.train.directory == plain.train.directory
            assert tuple(part.weight for part in found.parts) == weights
            counts = [part.pairs for part in found.parts]
            assert epoch_tokens(found) == pytest.approx(
                sum(weight * (found.train.target_lengths[start : start + count].sum() + count)
                    for weight, start, count in zip(weights, (0, counts[0]), counts, strict=True)), abs=1,
            )  # fmt: skip
        assert epoch_tokens(plain) == target_tokens(plain.train)

    @pytest.mark.parametrize("weight", [1e-9, 1e12])
    def test_an_epoch_of_no_usable_size_is_refused(self, weight: float, tmp_path: Path) -> None:
        data = corpora({"files": write(tmp_path / "a", *numbered("a", 40)), "weight": weight})
        with pytest.raises(ConfigurationError, match=r"data\.corpora: .*epoch of no usable size"):
            prepare(data, CHARACTERS, tmp_path / "cache")

    def test_tags_are_a_column_of_their_own_with_a_closed_vocabulary(self, tmp_path: Path) -> None:
        de = write(tmp_path / "de", *numbered("a", 300))
        fr, rare = write(tmp_path / "fr", *numbered("a", 300)), write(tmp_path / "rare", ("x1", "y"))
        data = corpora(
            {"files": de, "tag": "de"}, {"files": fr, "tag": "fr to fr"}, {"files": rare, "tag": "rare"},
            valid_share=0.1,
        )  # fmt: skip
        few = CHARACTERS.model_copy(update={"sample": 50})  # too few for the rare tag to be among them
        found = prepare(data, few, tmp_path / "cache")
        source = found.tokenizers.source
        assert isinstance(source, ColumnTokenizer)
        assert source.tags == ["de", "fr to fr", "rare"]
        assert source.columns[1].kind == "characters"  # what was asked for is meant for the texts
        assert source.pieces(source.encode("fr to fr\ta1")) == ["fr to fr", "│", "a", "1"]
        sources = [found.train.source_text(i) for i in range(len(found.train))]
        assert {text.partition("\t")[0] for text in sources} == {"de", "fr to fr", "rare"}
        assert found.report["train"]["duplicates"] == 0  # one pair with two tags is two
        # A source is held out with all its tags.
        held_out = [found.valid.source_text(i).partition("\t")[2] for i in range(len(found.valid))]
        assert not {*held_out} & {text.partition("\t")[2] for text in sources}
        assert Counter(held_out).most_common()[-1][1] == 2
        save_tokenizers(found.tokenizers, tmp_path)
        assert load_tokenizers(tmp_path).source.encode("fr to fr\ta1") == source.encode("fr to fr\ta1")

    @pytest.mark.parametrize(("long", "kind"), [("av", "training"), ("v", "validation"), ("a", "training")])
    def test_which_pairs_are_all_too_long_is_said(self, long: str, kind: str, tmp_path: Path) -> None:
        files = {
            name: write(tmp_path / name, *numbered("x" * 30 if name in long else name, 9)) for name in "av"
        }
        data = CorpusSettings(train=(files["a"],), valid=(files["v"],), max_length=20)
        place = files["a"] if kind == "training" else files["v"]
        with pytest.raises(
            DataError, match=f"{place}: there are no {kind} pairs to store .*9 pairs with more"
        ):
            prepare(data, CHARACTERS, tmp_path / "cache")

    def test_another_tag_is_prepared_apart(self, tmp_path: Path) -> None:
        file = write(tmp_path / "a", *numbered("a", 40))
        found = [prepare(corpora({"files": file, **more}), CHARACTERS, tmp_path / "cache")
                 for more in ({}, {"tag": "a"}, {"tag": "b"})]  # fmt: skip
        assert len({each.train.directory for each in found}) == 3

    def test_validation_files_get_the_tag_of_their_corpus(self, tmp_path: Path) -> None:
        one, other = (write(tmp_path / name, *numbered(name, 40)) for name in "ab")
        valid = [write(tmp_path / f"{name}v", *numbered(f"{name}{name}", 5)) for name in "ab"]
        tables = [{"files": file, "tag": tag, "valid": own} for file, tag, own in
                  zip((one, other), ("A", "B"), valid, strict=True)]  # fmt: skip
        found = prepare(corpora(*tables), CHARACTERS, tmp_path / "cache")
        texts = [found.valid.source_text(i) for i in range(10)]
        assert [text[0] for text in texts] == [*"AAAAABBBBB"]
        assert found.report["valid_corpora"] == ["A", "B"]
        assert found.valid_by_file == (5, 5)

    def test_what_looks_wrong_is_seen_in_spite_of_tags(self, tmp_path: Path) -> None:
        file = write(tmp_path / "a", ("source", "target"), *((f"same{i}", f"same{i}") for i in range(40)))
        data = corpora(
            {"files": file, "tag": "de", "valid": write(tmp_path / "v", ("same1", "same"), ("same", "m"))}
        )
        summary = prepare(data, CHARACTERS, tmp_path / "cache").report["summary"]
        assert "looks like a header" in summary
        assert "source and target are equal in" in summary
        assert "50.0% of the validation sources are training sources as well" in summary
        with pytest.raises(DataError, match="the source is empty"):
            Corpus.of(corpora({"files": write(tmp_path / "e", (" ", "x")), "tag": "de"}).train_files,
                      corpora({"files": "e", "tag": "de"})).report()  # fmt: skip

    def test_tabs_in_a_text_are_no_columns_beside_a_tag(self, tmp_path: Path) -> None:
        (tmp_path / "s").write_text("a\tb\n" * 3 + "c\n", encoding="utf-8")
        (tmp_path / "t").write_text("x\n" * 4, encoding="utf-8")
        record = json.dumps({"source": "d\te", "target": "y"})
        (tmp_path / "j.jsonl").write_text(f"{record}\n", encoding="utf-8")
        files = [[str(tmp_path / "s"), str(tmp_path / "t")], str(tmp_path / "j.jsonl")]
        data = corpora({"files": files, "tag": "de"})
        sources = [pair.source for pair in Corpus.of(data.train_files, data)]
        assert sources == ["de\ta b"] * 3 + ["de\tc", "de\td e"]

    def test_columns_that_differ_beside_a_tag_are_an_error(self) -> None:
        with pytest.raises(DataError, match="more columns than others"):
            train_tokenizers([("de\ta", "x"), ("de\ta\tb", "x")], CHARACTERS, ["de"])

    def test_a_model_to_start_from_must_know_the_tags(self, tmp_path: Path) -> None:
        file = write(tmp_path / "a", *numbered("a", 40))
        tagged = prepare(corpora({"files": file, "tag": "de"}), CHARACTERS, tmp_path / "cache").tokenizers
        again = prepare(corpora({"files": file, "tag": "de"}), CHARACTERS, tmp_path / "cache", tagged)
        assert again.tokenizers.source.encode("de\ta1") == tagged.source.encode("de\ta1")
        with pytest.raises(ConfigurationError, match=r"no such tag \(found: 'fr'\)\n.*One of: de"):
            prepare(corpora({"files": file, "tag": "fr"}), CHARACTERS, tmp_path / "cache", tagged)
        plain = prepare(CorpusSettings(train=(file,)), CHARACTERS, tmp_path / "cache").tokenizers
        with pytest.raises(ConfigurationError, match="the sources of the model have no tag"):
            prepare(corpora({"files": file, "tag": "fr"}), CHARACTERS, tmp_path / "cache", plain)
        with pytest.raises(DataError, match=r"the text has 1 column, and the model reads 2.*\n.*tag.*de"):
            prepare(CorpusSettings(train=(file,)), CHARACTERS, tmp_path / "cache", tagged)

    def test_lengths_are_of_distinct_pairs_and_outliers_are_found_in_their_files(
        self, tmp_path: Path
    ) -> None:
        a = write(tmp_path / "a", *numbered("a", 300))
        b = write(tmp_path / "b", *numbered("b", 300), ("b", "c" * 400))
        tables = [{"files": a, "tag": "A"}, {"files": b, "tag": "B", "valid": a}]
        found = [prepare(corpora(tables[0], {**tables[1], "weight": w}), CHARACTERS, tmp_path / "c")
                 for w in (1, 50)]  # fmt: skip
        lengths = [measure_lengths(each.train) for each in found]
        assert lengths[0] == lengths[1]
        said = describe_outliers(found[0].train, found[0].tokenizers, corpora(*tables), lengths[0])
        assert said is not None
        assert f"{b}:301: " in said


@pytest.mark.parametrize("tag", ["", " ", "\u200b", "fr", "de\tx", "A"])
def test_unknown_tags_are_refused_with_the_known_ones(tag: str) -> None:
    pairs = [(f"{tag}\tword", "x") for tag in ("de", "nl")] * 5
    tokenizers = train_tokenizers(pairs, CHARACTERS, ["de", "nl"])[0]
    check_tag("nl", tokenizers.source, "--tag")
    check_tag(" nl", tokenizers.source, "--tag")  # white space is normalised as it is in sources
    with pytest.raises(ConfigurationError, match=r"--tag: the model knows no such tag.*\n.*One of: de, nl"):
        check_tag(tag, tokenizers.source, "--tag")


def test_models_without_a_closed_first_column_have_no_tags() -> None:
    words = [f"{a}{b}{c}" for a in "abcdef" for b in "ghijkl" for c in "mnopqr"]
    free = train_tokenizers([(f"{word}\tX", word) for word in words], CHARACTERS)[0]
    plain = train_tokenizers([(word, word) for word in words], CHARACTERS)[0]
    for tokenizers in (free, plain):
        with pytest.raises(ConfigurationError, match="have no tag"):
            check_tag("X", tokenizers.source, "--tag")


def test_blank_texts_have_no_ids() -> None:
    source = train_tokenizers([("de\tword", "x"), ("nl\two", "x")], CHARACTERS, ["de", "nl"])[0].source
    assert [source.encode(text) for text in ("", " ", "de\t", "de\t ")] == [[]] * 4
    assert source.encode("de\tw")


MISTAKES = [
    ({"train": "a", "corpora": [{"files": "a"}]}, "train and corpora both"),
    ({"corpora": [{"files": []}]}, r"corpora\.0\.files"),
    ({"corpora": [{}]}, r"corpora\.0\.files: is missing"),
    ({"corpora": [{"files": "a", "wieght": 2}]}, r"unknown key 'data\.corpora\.0\.wieght'"),
    ({"corpora": [{"files": "a", "weight": 0}]}, r"corpora\.0\.weight.*greater than 0"),
    ({"corpora": [{"files": "a"}, {"files": "b", "weight": -1}]}, r"corpora\.1\.weight.*greater than 0"),
    ({"corpora": [{"files": "a", "weight": float("inf")}]}, r"weight.*finite"),
    ({"corpora": [{"files": "a", "weight": float("nan")}]}, r"weight"),
    ({"corpora": [{"files": "a", "weight": True}]}, r"corpora\.weight: true and false"),
    ({"corpora": [{"files": "a", "weight": "much"}]}, r"weight.*should be a number"),
    ({"corpora": [{"files": "a", "tag": ""}]}, r"tag: should be a text on one line"),
    ({"corpora": [{"files": "a", "tag": "\u200b"}]}, r"tag: should be a text on one line"),
    ({"corpora": [{"files": "a", "tag": "a\tb"}]}, r"tag: should be a text on one line"),
    ({"corpora": [{"files": "a", "tag": "a\n"}]}, r"tag: should be a text on one line"),
    ({"corpora": [{"files": "a", "tag": "a\u2028b"}]}, r"tag: should be a text on one line"),
    ({"corpora": [{"files": "a", "tag": 5}]}, r"tag: should be a text"),
    (
        {"corpora": [{"files": "a", "tag": "a"}, {"files": "b"}]},
        r"all corpora have a tag or none.* b has none",
    ),
    ({"corpora": [{"files": "a", "tag": "a"}], "valid": "v"}, r"valid has no tag"),
    ({"corpora": ["a.tsv"]}, r"corpora\.0: should be a section"),
    ({"corpora": 5}, r"corpora: should be a list"),
]


@pytest.mark.parametrize(("data", "message"), MISTAKES)
def test_what_corpora_cannot_be_is_explained(data: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Experiment.parse({"data": data}, "exp.toml")


def test_settings_come_back_from_plain_values() -> None:
    tables = [{"files": ["a", ["b.en", "b.de"]], "weight": 0.5, "tag": " x  y "}, {"files": "c", "tag": "z"}]
    parsed = corpora(*tables)
    assert CorpusSettings.parse(parsed.model_dump(mode="json", exclude_none=True)) == parsed
    assert parsed.corpora[0].tag == "x y"
    assert CorpusSettings.parse({"corpora": {"files": "a"}}).corpora[0].files == ("a",)
    files = CorpusSettings.parse({"train": ["a", "b"], "valid": "c"})
    assert [(each.file, each.tag) for each in (*files.train_files, *files.valid_files)] == [
        ("a", None), ("b", None), ("c", None)]  # fmt: skip


def test_untagged_files_may_share_validation_files(tmp_path: Path) -> None:
    a, b, v, w = (write(tmp_path / name, *numbered(name, 30)) for name in "abvw")
    data = corpora({"files": a}, {"files": b, "valid": w}, valid=[v])
    assert [(each.file, each.corpus) for each in data.valid_files] == [(v, v), (w, b)]
    assert len(prepare(data, CHARACTERS, tmp_path / "cache").valid) == 60


def test_holding_out_does_not_depend_on_corpora(tmp_path: Path) -> None:
    a, b = write(tmp_path / "a", *numbered("a", 40)), write(tmp_path / "b", *numbered("b", 40))
    plain, mixed = CorpusSettings(train=(a, b)), corpora({"files": a}, {"files": b, "weight": 9})
    held_out = [[*split(Corpus.of(each.train_files, each))[1]] for each in (plain, mixed)]
    assert held_out[0] == held_out[1]


def test_pairs_of_columns_get_their_tag_first(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("Haus\tHäuser\tN;PL\n", encoding="utf-8")
    data = corpora({"files": str(tmp_path / "a"), "tag": "de"}, columns="1+3,2")
    assert list(Corpus.of(data.train_files, data)) == [("de\tHaus\tN;PL", "Häuser")]
    assert isinstance(train_tokenizers([("de\tHaus\tN;PL", "x")] * 9, CHARACTERS, ["de"])[0], TokenizerPair)
