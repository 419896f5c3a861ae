"""Sources of several columns: a word and its tags, a sentence and its domain."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlingua.data.codecs import digest, load_tokenizers, save_tokenizers
from interlingua.data.corpus import CorpusSettings, read_pairs
from interlingua.data.unknown import UnknownSymbols
from interlingua.errors import ConfigurationError, DataError
from interlingua.kinds import UNK
from interlingua.text.column_tokenizer import ColumnTokenizer, TextColumn
from interlingua.text.columns import NO_OTHERS
from interlingua.text.facts import TextFacts, measure_facts
from interlingua.text.symbols import SymbolTokenizer
from interlingua.text.tokenizer import TokenizerPair, TokenizerSettings, train_tokenizers

TAGS = ["V;PST;1;SG", "V;PST;3;PL", "N;ACC;SG", "N;DAT;PL", "V;PRS;3;SG"]
WORDS = ["gehen", "laufen", "Haus", "Baum", "essen", "schön", "naïve", "straße"]
STEMS = [one + other.lower() for one in WORDS for other in WORDS]
PAIRS = [(f"{word}\t{TAGS[(i + j) % 5]}", word[::-1]) for i, word in enumerate(STEMS) for j in range(4)]


@pytest.fixture(scope="module")
def tokenizers() -> TokenizerPair:
    return train_tokenizers(PAIRS, TokenizerSettings())[0]


def columns(pair: TokenizerPair) -> tuple[SymbolTokenizer, ...]:
    assert isinstance(pair.source, ColumnTokenizer)
    assert all(isinstance(column, SymbolTokenizer) for column in pair.source.columns)
    return pair.source.columns  # type: ignore[return-value]


def test_each_column_gets_its_own_kind_and_its_own_ids(tokenizers: TokenizerPair) -> None:
    letters, tags = columns(tokenizers)
    assert (letters.kind, tags.kind, tags.between) == ("characters", "words", ";")
    source = tokenizers.source
    assert source.pieces(source.encode("Baum\tN;ACC;SG")) == [*"Baum", "│", "N", "ACC", "SG"]
    # An N of a word is not the N of a noun.
    (n_of_word, *_), n_of_tag = source.encode("naïve\tN"), source.encode("a\tN")[-1]
    assert n_of_word != n_of_tag
    ids = {i for text, _ in PAIRS for i in source.encode(text)}
    assert max(ids) < len(source)
    assert not tokenizers.joint


@given(st.sampled_from(WORDS), st.lists(st.sampled_from(";".join(TAGS).split(";")), min_size=1, max_size=5))
def test_texts_come_back(word: str, tags: list[str]) -> None:
    source = train_tokenizers(PAIRS, TokenizerSettings())[0].source
    text = f"{word}\t{';'.join(tags)}"
    assert source.decode(source.encode(text)) == text
    assert source.normalise(f" {word} \t {';'.join(tags)}") == text  # white space, but the tab stays


def test_many_texts_are_encoded_like_one_and_subwords_at_random_keep_the_text() -> None:
    texts = [
        f"the {word} of {other}\t{'law' if word < other else 'news'}" for word in WORDS for other in WORDS
    ]
    settings = TokenizerSettings(source="unigram", vocabulary_size=330)
    source = train_tokenizers([(text, "x y") for text in texts], settings)[0].source
    assert isinstance(source, ColumnTokenizer)
    plain = source.encode_batch(texts)
    assert plain == [source.encode(text) for text in texts]
    assert source.encode_batch([]) == []
    sampled = source.encode_sampled(texts, 0.1, 3)
    assert sampled == source.encode_sampled(texts, 0.1, 3) != source.encode_sampled(texts, 0.1, 4)
    assert [source.decode(ids) for ids in sampled] == texts
    assert sum(map(len, sampled)) > sum(map(len, plain))


def paradigms(stems: list[str]) -> list[tuple[str, str, str]]:
    """Lemma, tags and form: few lemmas, each with many forms."""
    endings = ["", "te", "ten", "test", "t", "st", "en", "end", "er", "ung", "bar", "sam"]
    return [(stem, f"V;{i}", f"ge{stem}{ending}") for stem in stems for i, ending in enumerate(endings)]


def test_what_is_written_together_is_spelt_though_its_words_are_few() -> None:
    draw = random.Random(0)
    script = [chr(0x4E00 + i) for i in range(200)]
    words = ["".join(draw.choices(script, k=draw.randint(1, 3))) for _ in range(300)]
    lines = [draw.choices(words, k=draw.randint(2, 5)) for _ in range(1500)]
    pairs = [("".join(line), " ".join(line)) for line in lines]
    assert {side.kind for side in train_tokenizers(pairs, TokenizerSettings())[0]} == {"characters"}
    columns_too = [(f"{source}\t{draw.choice('xy')}", target) for source, target in pairs]
    pair = train_tokenizers(columns_too, TokenizerSettings())[0]
    assert [column.kind for column in columns(pair)] == ["characters", "words"]
    assert pair.target.kind == "characters"
    asked = train_tokenizers(columns_too, TokenizerSettings(target="words"))[0]
    assert asked.target.kind == "words"


def test_lemmas_are_spelt_however_few_they_are() -> None:
    forms = paradigms(STEMS[:40])
    apart = [(f"{lemma}\t{tags}", form) for lemma, tags, form in forms]
    pair = train_tokenizers(apart, TokenizerSettings())[0]
    assert [column.kind for column in columns(pair)] == ["characters", "words"]
    assert not pair.source.unknown("neubaum\tV;3")
    in_one = [(f"{lemma} {tags.replace(';', ' ')}", form) for lemma, tags, form in forms]
    assert train_tokenizers(in_one, TokenizerSettings())[0].source.kind == "characters"
    back = train_tokenizers([(form, text) for text, form in in_one], TokenizerSettings())[0]
    assert back.target.kind == "characters"
    # commands are not spelt in what is to be done, nor labels in what they are of
    commands = [
        (f"{word} {i}", f"{i} I_{word.upper()}") for word in ("walk", "look", "jump") for i in range(9)
    ] * 9
    assert {side.kind for side in train_tokenizers(commands, TokenizerSettings())[0]} == {"words"}
    shows = [
        (f"show me the {stem} flights at {i}", ["flight", "light", "meal"][i % 3])
        for i, stem in enumerate(STEMS * 4)
    ]
    assert train_tokenizers(shows, TokenizerSettings())[0].target.kind == "words"
    slots = [(f"from {one} to {two}", "B-fromloc O B-toloc O") for one in STEMS for two in STEMS[:20]]
    assert train_tokenizers(slots, TokenizerSettings())[0].target.kind == "words"
    moods = [
        (f"{stem} ist {'gut' if i % 2 else 'schlecht'}", "+-"[i % 2]) for i, stem in enumerate(STEMS * 4)
    ]
    assert train_tokenizers(moods, TokenizerSettings())[0].target.kind == "words"


def test_a_blank_column_beside_the_text_leaves_the_text() -> None:
    lists = [(f"{word}\t{'' if i % 4 else 'loud'}", f"{i % 7}") for word in WORDS for i in range(40)]
    source = train_tokenizers(lists, TokenizerSettings())[0].source
    assert [column.kind for column in source.columns] == ["words", "words"]
    assert len(source.encode("Haus\t")) == 2  # the word, and what is between columns
    assert source.encode("\t") == source.encode("") == []
    tagged = [(f"{'de' if i % 2 else 'fr'}\t{stem}", stem[::-1]) for i, stem in enumerate(STEMS * 4)]
    assert train_tokenizers(tagged, TokenizerSettings())[0].source.encode("de\t") == []  # no text, no target


def test_unknown_symbols_are_counted_by_column() -> None:
    source = train_tokenizers(PAIRS, TokenizerSettings())[0].source
    counts = UnknownSymbols(source)
    texts = ["Haus\tN;ACC;SG", "Zaum\tN;ABL;SG"]
    ids = [source.encode(text) for text in texts]
    counts.add(np.concatenate(ids), np.array([*map(len, ids)]), texts)
    found = counts.as_dict()
    assert (found["symbols"], found["unknown"], found["texts"]) == (4 + 3 + 4 + 3, 2, 1)
    assert found["examples"] == {"Z": 1, "ABL": 1}
    assert not found["spelled"]


def test_what_is_unknown_is_told_by_column(tokenizers: TokenizerPair) -> None:
    source = tokenizers.source
    assert source.unknown("Zaum\tN;ABL;SG") == ["Z", "ABL"]
    assert source.encode("Zaum\tN;ABL;SG").count(UNK) == 2


def test_another_number_of_columns_is_an_error(tokenizers: TokenizerPair) -> None:
    for text, has in (("Haus", "1 column,"), ("Haus\tN\tSG", "3 columns")):
        with pytest.raises(DataError, match=has):
            tokenizers.source.encode(text)


def test_the_files_hold_all(tmp_path: Path) -> None:
    texts = [f"the {word} of {other}" for word in WORDS for other in WORDS]
    pairs = [(f"{text}\t{'law' if i % 2 else 'news'}", text) for i, text in enumerate(texts)]
    before, _ = train_tokenizers(pairs, TokenizerSettings(source="unigram", vocabulary_size=330))
    save_tokenizers(before, tmp_path)
    after = load_tokenizers(tmp_path)
    assert [*map(digest, after)] == [*map(digest, before)]
    for text, _ in pairs:
        assert after.source.encode(text) == before.source.encode(text)


def test_free_text_of_one_column_may_hold_tabs(tmp_path: Path) -> None:
    pairs = [("a\tb c", "x"), ("a b", "y"), ("c\ta\tb", "z")] * 30
    assert not isinstance(train_tokenizers(pairs, TokenizerSettings())[0].source, ColumnTokenizer)


def test_a_joint_vocabulary_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="vocabularies of their own"):
        train_tokenizers(PAIRS, TokenizerSettings(joint=True))


def texts(count: int, first: int = 0) -> list[str]:
    """Single sentences of an open vocabulary."""
    stems = [f"{one.lower()}{two.lower()}" for one in STEMS for two in STEMS][first : first + count]
    return [f"this is about {stem}, once more." for stem in stems]


def test_the_column_that_is_natural_language_is_known() -> None:
    sentences, targets, tags = texts(300), texts(300, 300), [f"tag{i % 3}" for i in range(300)]

    def facts(*columns: list[str]) -> TextFacts:
        return measure_facts([*zip(map("\t".join, zip(*columns, strict=True)), targets, strict=True)], "de")

    alone = facts(sentences)
    assert alone.natural
    assert facts(tags, sentences) == alone._replace(column=1)
    assert facts(sentences, tags) == alone._replace(column=0)
    assert facts(tags, sentences, tags) == alone._replace(column=1)
    twice = [f"{one} {one}" for one in sentences]
    assert (alone.passages, facts(tags, sentences).passages, facts(tags, twice).passages) == (
        False, False, True
    )  # fmt: skip


def test_columns_are_of_one_text_where_not_just_one_is_natural_language() -> None:
    sentences, before, targets = texts(300), texts(300, 300), texts(300, 600)
    pairs = [(f"{one}\t{two}", target) for one, two, target in zip(before, sentences, targets, strict=True)]
    found = measure_facts(pairs)
    assert (found.natural, found.column) == (False, None)
    found = measure_facts(PAIRS)
    assert (found.natural, found.column) == (False, None)


def test_the_text_is_found_again_among_columns_and_ids(tokenizers: TokenizerPair) -> None:
    source = tokenizers.source
    text = "Baum\tN;ACC;SG"
    for column, own in enumerate(text.split("\t")):
        text_column = TextColumn(source, column)
        taken, others = text_column.take_out(text)
        assert (taken, others.complete(taken)) == (own, text)
        ids = source.encode(text)
        pieces = source.pieces(ids)
        assert source.pieces(ids[text_column.span(ids)]) == (pieces[5:] if column else pieces[:4])
    letters = tokenizers.target
    assert TextColumn(letters, None).take_out("a\tb") == ("a\tb", NO_OTHERS)
    assert TextColumn(letters, None).span([1, 2, 3]) == slice(0, 3)


def test_files_with_several_source_columns(tmp_path: Path) -> None:
    tsv, jsonl = tmp_path / "a.tsv", tmp_path / "a.jsonl"
    tsv.write_text("Haus\tHäuser\tN;PL\n", encoding="utf-8")
    jsonl.write_text('{"lemma": "Haus", "form": "Häuser", "tags": ["N;PL", "a\\tb"]}\n', encoding="utf-8")
    lines = tmp_path / "lines.jsonl"
    lines.write_text('{"source": "one\\ttwo\\n", "target": "eins\\r\\n  zwei"}\n')
    assert list(read_pairs(str(lines), CorpusSettings())) == [("one two", "eins zwei")]
    for given_columns in ("1+3,2", ((1, 3), 2), [[1, 3], 2]):
        settings = CorpusSettings.parse({"columns": given_columns}, "test")
        assert list(read_pairs(str(tsv), settings)) == [("Haus\tN;PL", "Häuser")]
        assert CorpusSettings.parse(settings.model_dump(mode="json"), "test") == settings
    settings = CorpusSettings.parse({"keys": "lemma+tags,form"}, "test")
    assert list(read_pairs(str(jsonl), settings)) == [("Haus\tN;PL\ta b", "Häuser")]
    assert CorpusSettings.parse({"columns": [1, 2]}, "test").model_dump(mode="json")["columns"] == [1, 2]


@pytest.mark.parametrize(
    ("keys", "lines"),
    [
        (("source", "target"), ['{"source": ["a", "X"], "target": "b"}', '{"source": ["a"], "target": "b"}']),
        (("source", "target"), ['{"source": ["a", "X"], "target": "b"}', '{"source": "a", "target": "b"}']),
        (("lemma+tags", "form"), ['{"lemma": "a", "tags": ["V"], "form": "b"}',
                                  '{"lemma": "a", "tags": ["V", "PL"], "form": "b"}']),
    ],
)  # fmt: skip
def test_lists_of_different_lengths_are_a_mistake(
    keys: tuple[str, str], lines: list[str], tmp_path: Path
) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text("".join(f"{line}\n" for line in [lines[0], "", lines[0], lines[1]]))
    with pytest.raises(DataError, match=r"a\.jsonl:4: .* as many columns as that of line 1.*\n.*semicolons"):
        list(read_pairs(str(file), CorpusSettings(keys=keys)))


def test_an_empty_list_is_an_empty_source(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text('{"source": [], "target": "x"}\n{"source": ["a", "X"], "target": "b"}\n')
    assert list(read_pairs(str(file), CorpusSettings(on_empty="skip"))) == [("", "x"), ("a\tX", "b")]


@pytest.mark.parametrize("wrong", ["1+0,2", "1+x,2", "1", "+,2", "1,2,3"])
def test_columns_that_cannot_be_are_refused(wrong: str) -> None:
    with pytest.raises(ConfigurationError, match="columns"):
        CorpusSettings.parse({"columns": wrong}, "test")
