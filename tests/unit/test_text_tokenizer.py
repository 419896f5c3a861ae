from __future__ import annotations

import json
import math
import random
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlingua.data.codecs import load_tokenizers, save_tokenizers
from interlingua.errors import BundleError, ConfigurationError, DataError
from interlingua.evaluation.tasks import Task, recognise_task
from interlingua.kinds import BOS, EOS, PAD, UNK
from interlingua.text import subwords
from interlingua.text.choice import SideStatistics, choose_kind
from interlingua.text.normalise import normalise
from interlingua.text.subwords import SubwordTokenizer
from interlingua.text.symbols import ByteTokenizer, SymbolTokenizer
from interlingua.text.tokenizer import Tokenizer, TokenizerSettings, train_tokenizers
from interlingua.text.tokenizer_files import digest, load_tokenizer, save_tokenizer
from interlingua.text.vocabulary import Vocabulary

SENTENCES = [
    f"The {colour} {animal} {verb} over {number} lazy dogs, doesn't it?"
    for colour in ("brown", "white", "grey")
    for animal in ("fox", "horse", "bird", "châtaigne")
    for verb in ("jumps", "runs", "flies")
    for number in ("two", "three", "12")
]
SUBWORDS = {kind: SubwordTokenizer.train(SENTENCES, kind, "NFC", 400) for kind in ("unigram", "bpe")}
# fmt: off
CASES = ["", " ", "  a  b ", "▁", "a▁b", " ▁ ▁▁", "\U0010ffff", "▁\U0010ffffs\U0010ffffe", "\t", "\n",
         "\r\n", "\0", "a\0b", "e\u0301", "<unk> </s> <0x41>", "你好", "\u2028\u0085\v", "\ufeffx",
         "▁\u0301", "\u2585"]
# fmt: on
TEXTS = st.text(
    alphabet=st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from(" ▁\U0010ffffseab\n"))
)


def exact_tokenizers() -> list[Tokenizer]:
    return [*SUBWORDS.values(), ByteTokenizer("NFC")]


@pytest.mark.parametrize("tokenizer", exact_tokenizers(), ids=lambda tokenizer: tokenizer.kind)
class TestExactTokenizers:
    @settings(max_examples=300, deadline=None)
    @given(text=TEXTS)
    def test_any_text_comes_back(self, tokenizer: Tokenizer, text: str) -> None:
        ids = tokenizer.encode(text)
        assert tokenizer.decode(ids) == normalise(text, "NFC")
        assert all(UNK < i < len(tokenizer) for i in ids)
        assert BOS not in ids
        assert EOS not in ids
        assert len(tokenizer.pieces(ids)) == len(ids)

    @pytest.mark.parametrize("text", CASES, ids=ascii)
    def test_awkward_texts_come_back(self, tokenizer: Tokenizer, text: str) -> None:
        assert tokenizer.decode(tokenizer.encode(text)) == normalise(text, "NFC")

    def test_a_batch_is_encoded_like_its_texts(self, tokenizer: Tokenizer) -> None:
        texts = CASES * 10
        assert tokenizer.encode_batch(texts) == [tokenizer.encode(text) for text in texts]

    def test_special_ids_are_skipped(self, tokenizer: Tokenizer) -> None:
        ids = tokenizer.encode("a dog")
        assert tokenizer.decode([BOS, *ids, UNK, EOS, PAD, PAD]) == "a dog"
        assert tokenizer.pieces([PAD, UNK, BOS, EOS]) == ["<pad>", "<unk>", "<s>", "</s>"]

    def test_a_lone_surrogate_is_the_users_mistake(self, tokenizer: Tokenizer) -> None:
        with pytest.raises(DataError, match="lone surrogate"):
            tokenizer.encode("a\ud800")


def segmentations(text: str, pieces: dict[str, float]) -> dict[tuple[str, ...], float]:
    """All ways to put a text together from pieces, with their log-probabilities."""
    found = {(): 0.0} if not text else {}
    for end in range(1, len(text) + 1):
        if text[:end] in pieces:
            rest = segmentations(text[end:], pieces)
            found |= {(text[:end], *way): pieces[text[:end]] + score for way, score in rest.items()}
    return found


def test_unigram_subwords_are_sampled_with_their_smoothed_probabilities() -> None:
    tokenizer, alpha, draws = SUBWORDS["unigram"], 0.2, 20_000
    scores = [tokenizer._processor.GetScore(i) for i in range(len(tokenizer))]
    pieces = dict(zip(tokenizer.pieces(range(260, len(tokenizer))), scores[260:], strict=True))
    word = max(" ".join(SENTENCES).split(), key=lambda word: len(segmentations(f"▁{word}", pieces)))
    ways = segmentations(f"▁{word}", pieces)
    assert len(ways) > 2
    total = sum(math.exp(alpha * score) for score in ways.values())
    counts = Counter(
        tuple(tokenizer.pieces(ids)) for ids in tokenizer.encode_sampled([word] * draws, alpha, 1)
    )
    assert counts.keys() <= ways.keys()
    for way, score in ways.items():
        assert counts[way] / draws == pytest.approx(math.exp(alpha * score) / total, abs=0.015)


def test_merges_are_left_out_as_often_as_asked_for() -> None:
    tokenizer = SUBWORDS["bpe"]
    lengths = [sum(map(len, tokenizer.encode_sampled(SENTENCES, alpha, 1))) for alpha in (0.0, 0.1, 0.5, 1.0)]
    assert lengths == sorted(set(lengths))
    assert lengths[-1] == sum(len(f"▁{text}") for text in SENTENCES)
    learnt = tokenizer.pieces(range(260, len(tokenizer)))
    pair = next(piece for piece in learnt if len(piece) == 2 and piece[0] == "▁")
    whole = sum(len(ids) == 1 for ids in tokenizer.encode_sampled([pair[1:]] * 10_000, 0.3, 1))
    assert whole / 10_000 == pytest.approx(0.7, abs=0.02)


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
class TestSubwords:
    def test_a_word_has_one_piece_wherever_it_stands(self, kind: str) -> None:
        first, second = SUBWORDS[kind].encode("horse"), SUBWORDS[kind].encode("brown horse")
        assert second[-len(first) :] == first

    @given(texts=st.lists(TEXTS, max_size=3))
    def test_sampled_subwords_come_back_and_without_chance_are_the_best(
        self, kind: str, texts: list[str]
    ) -> None:
        tokenizer, texts = (
            SUBWORDS[kind],
            [normalise(text, "NFC") for text in [*texts, *CASES, *SENTENCES[:3]]],
        )
        sampled = tokenizer.encode_sampled(texts, 0.3, 5)
        assert [tokenizer.decode(ids) for ids in sampled] == texts
        certain = tokenizer.encode_sampled(texts, 1e4 if kind == "unigram" else 0.0, 5)
        assert [list(map(len, tokenizer.pieces(ids))) for ids in certain] == [
            list(map(len, tokenizer.pieces(ids))) for ids in tokenizer.encode_batch(texts)
        ]

    def test_sampled_subwords_are_the_same_in_every_process(self, kind: str) -> None:
        program = (
            "import json, sys; from interlingua.text.subwords import SubwordTokenizer;"
            "model, kind, texts = json.load(sys.stdin);"
            "tokenizer = SubwordTokenizer(bytes.fromhex(model), kind, 'NFC');"
            "print(json.dumps([tokenizer.encode_sampled(texts, 0.3, seed) for seed in (7, 8)]))"
        )
        given = json.dumps([SUBWORDS[kind].model.hex(), kind, SENTENCES])
        found = [
            json.loads(
                subprocess.run(
                    [sys.executable, "-c", program], input=given, capture_output=True, text=True, check=True
                ).stdout
            )
            for _ in range(2)
        ]
        assert (
            found[0] == found[1] == [SUBWORDS[kind].encode_sampled(SENTENCES, 0.3, seed) for seed in (7, 8)]
        )
        assert found[0][0] != found[0][1]

    def test_training_twice_gives_the_same_model(self, kind: str) -> None:
        again = SubwordTokenizer.train(SENTENCES, kind, "NFC", 400)  # type: ignore[arg-type]
        assert again.model == SUBWORDS[kind].model

    @pytest.mark.parametrize(
        "texts", [["a"], ["a b"], ["ab ab"], ["\0 x \n y"], ["▁ ▁"], ["\u2585 x"], ["é" * 9000]]
    )
    def test_the_tiniest_data_will_do(self, kind: str, texts: list[str]) -> None:
        tokenizer = SubwordTokenizer.train(texts, kind, "NFC", 500)  # type: ignore[arg-type]
        assert 260 < len(tokenizer) <= 500
        for text in [*texts, "anything else"]:
            assert tokenizer.decode(tokenizer.encode(text)) == text

    def test_a_huge_alphabet_leaves_room_for_longer_pieces(self, kind: str) -> None:
        texts = ["".join(chr(0x4E00 + (i * j) % 3000) for j in range(1, 9)) for i in range(2000)]
        frequent = ["你好 世界"] * 100_000
        tokenizer = SubwordTokenizer.train(frequent + texts, kind, "NFC", 600)  # type: ignore[arg-type]
        assert len(tokenizer) <= 600
        assert tokenizer.decode(tokenizer.encode(texts[5])) == texts[5]

    def test_a_long_text_is_learnt_from_evenly(self, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
        texts = ["first words"] * 500 + ["zuletzt genannt"] * 500
        monkeypatch.setattr(subwords, "MAX_TRAINING_TEXT", 2_000)
        assert len(list(subwords._training_lines(texts, "NFC"))) < 200
        tokenizer = SubwordTokenizer.train(texts, kind, "NFC", 400)  # type: ignore[arg-type]
        pieces = tokenizer.pieces(tokenizer.encode("first words zuletzt genannt"))
        assert not any(piece.startswith("<0x") for piece in pieces)

    def test_a_vocabulary_without_room_is_refused(self, kind: str) -> None:
        with pytest.raises(ConfigurationError, match=r"vocabulary_size.*200"):
            SubwordTokenizer.train(SENTENCES, kind, "NFC", 200)  # type: ignore[arg-type]

    def test_the_room_that_both_sides_need_is_told_at_once(self, kind: str) -> None:
        targets = "".join(map(chr, range(0x3B1, 0x3C9)))  # more characters than the sources have
        pairs = [("ab", targets), ("ba", targets[::-1])]
        settings = TokenizerSettings(source=kind, target=kind, joint=False, vocabulary_size=200)  # type: ignore[arg-type]
        with pytest.raises(ConfigurationError) as raised:
            train_tokenizers(pairs, settings)
        enough = re.search(r"At least (\d+)", str(raised.value))
        assert enough
        train_tokenizers(pairs, settings.model_copy(update={"vocabulary_size": int(enough[1])}))


class TestSymbols:
    @given(words=st.lists(st.sampled_from(["", "AH", "B", "<unk>", "<pad>", "é", "▁"])))
    def test_words_give_back_any_text_of_known_words(self, words: list[str]) -> None:
        tokenizer = SymbolTokenizer.train(["AH B é ▁ <unk> <pad>"], "words", "NFC")
        text = " ".join(words)
        assert tokenizer.decode(tokenizer.encode(text)) == text

    @given(text=st.text(alphabet="ab é\n▁\0"))
    def test_characters_give_back_any_text_of_known_characters(self, text: str) -> None:
        tokenizer = SymbolTokenizer.train(["ab é\n▁\0"], "characters", "NFC")
        ids = tokenizer.encode(text)
        assert tokenizer.decode(ids) == text
        assert len(ids) == len(text)

    def test_an_unknown_symbol_is_unk(self) -> None:
        tokenizer = SymbolTokenizer.train(["a b"], "words", "NFC")
        assert tokenizer.encode("a c b")[1] == UNK

    def test_the_size_keeps_the_most_frequent(self) -> None:
        tokenizer = SymbolTokenizer.train(["b b a c c c"], "words", "NFC", size=7)
        assert len(tokenizer) == 7
        assert tokenizer.vocabulary.symbols == ("", "c", "b")


class TestVocabulary:
    @pytest.mark.parametrize("kind", ["words", "characters"])
    def test_the_most_symbols_fit_16_bits(self, kind: str) -> None:
        texts = [chr(code) for code in range(0x10000, 0x10000 + 70_000)]
        tokenizer = SymbolTokenizer.train(texts, kind, "none")  # type: ignore[arg-type]
        assert len(tokenizer) == 1 << 16
        assert max(i for text in ("", *texts) for i in tokenizer.encode(text)) < 1 << 16

    def test_special_names_in_a_text_are_symbols_of_their_own(self) -> None:
        vocabulary = Vocabulary(["<pad>", "x"])
        assert vocabulary.id("<pad>") == 4
        assert vocabulary.id("</s>") == UNK
        assert [vocabulary.symbol(i) for i in (0, 4, 5)] == ["<pad>", "<pad>", "x"]
        assert len(vocabulary) == 6

    def test_symbols_are_distinct(self) -> None:
        with pytest.raises(ValueError, match="distinct"):
            Vocabulary(["a", "a"])


class TestChoice:
    def test_phonemes_are_words_and_spellings_characters(self) -> None:
        pairs = [(f"w{a}{b}x", f"W {a.upper()} {b.upper()} K") for a in "aeiou" for b in "aeiou"] * 4
        pair, reason = train_tokenizers(pairs, TokenizerSettings())
        assert (pair.source.kind, pair.target.kind) == ("characters", "words")
        assert reason == "source: characters, 7 symbols; target: words, 8 symbols"

    @pytest.mark.parametrize(
        ("letters", "length", "kind"),
        [("acgt", 150, "characters"), ("CNO()=123", 90, "characters"), ("acgt", 500, "unigram"),
         ("กขคงจฉชซฌญฎ", 90, "unigram"), ("กขคงจฉชซฌญฎ", 30, "characters")],
    )  # fmt: skip
    def test_long_texts_that_no_language_writes_are_read_by_characters(
        self, letters: str, length: int, kind: str
    ) -> None:
        numbers = random.Random(5)
        texts = ["".join(numbers.choices(letters, k=length)) for _ in range(100)]
        assert choose_kind(SideStatistics.of(texts)) == kind

    def test_sentences_of_one_script_share_unigram_subwords(self) -> None:
        words = [f"{a}{b}{c}" for a in "bcdfgk" for b in "aeiou" for c in ("rn", "st", "mel", "x")]
        pairs = [(" ".join(words[i : i + 6]), " ".join(words[i + 3 : i + 9]) + "e") for i in range(110)]
        pair, reason = train_tokenizers(pairs, TokenizerSettings())
        assert pair.joint
        assert pair.source.kind == "unigram"
        assert reason.startswith("joint: unigram, ")

    def test_two_scripts_stay_apart(self) -> None:
        pairs = [(f"sentence number {i}", f"предложение номер {i}") for i in range(300)]
        pair, _ = train_tokenizers(pairs, TokenizerSettings())
        assert not pair.joint

    @pytest.mark.parametrize("damaged", [0, 5])
    @pytest.mark.parametrize("side", [0, 1])
    def test_a_damaged_line_does_not_decide(self, damaged: int, side: int) -> None:
        draw = random.Random(1)
        words = ["".join(draw.choices("abcdefghij", k=draw.randint(2, 9))) for _ in range(500)]
        pairs = [(word, " ".join(f"{letter.upper()}{letter}" for letter in word)) for word in words]
        document = " ".join(chr(code) * 3 for code in range(0x4E00, 0x4E00 + 2_000))
        broken = [(document, "AA") if side == 0 else ("a", document)] * damaged
        pair, _ = train_tokenizers([*pairs, *broken], TokenizerSettings())
        assert (pair.source.kind, pair.target.kind) == ("characters", "words")
        assert recognise_task(target for _, target in [*pairs, *broken]) == Task("sequence_error", "words")

    @pytest.mark.parametrize("back", [False, True])
    def test_numbers_are_spelt_where_they_stand_on_both_sides(self, back: bool) -> None:
        months = ["January", "February", "March", "April", "May", "June", "July"]
        dates = [
            (day, month, year) for day in range(1, 29) for month in range(7) for year in range(1950, 2020)
        ]
        pairs = [
            (f"{day} {months[month]} {year}", f"{year}-{month + 1:02}-{day:02}") for day, month, year in dates
        ]
        pair, _ = train_tokenizers([each[::-1] if back else each for each in pairs], TokenizerSettings())
        assert (pair.source.kind, pair.target.kind) == ("characters", "characters")

    def test_a_huge_line_does_not_make_the_vocabulary_larger(self) -> None:
        pairs = [(text, text) for text in SENTENCES * 20]
        sizes = [
            len(
                train_tokenizers([*pairs, *more], TokenizerSettings(source="unigram", target="unigram"))[
                    0
                ].source
            )
            for more in ([], [("a b " * 500_000, "a b")])
        ]
        assert abs(sizes[1] - sizes[0]) <= 100

    def test_given_kinds_are_kept(self) -> None:
        pair, reason = train_tokenizers([("a b", "c")], TokenizerSettings(source="bytes", target="bytes"))
        assert pair.joint
        assert reason == "joint: bytes"

    def test_two_kinds_cannot_be_joint(self) -> None:
        with pytest.raises(ConfigurationError, match="same kind"):
            train_tokenizers([("a", "b")], TokenizerSettings(source="bytes", target="words", joint=True))

    def test_a_sample_bounds_what_is_learnt_from(self) -> None:
        pairs = [(f"w{i}", "x") for i in range(1000)]
        choice = TokenizerSettings(source="words", target="words", sample=50)
        pair, _ = train_tokenizers(pairs, choice, seed=3)
        again, _ = train_tokenizers(pairs, choice, seed=3)
        assert len(pair.source) == 4 + 1 + 50
        assert digest(pair.source) == digest(again.source)

    def test_no_pairs_are_an_error(self) -> None:
        with pytest.raises(DataError, match="no pairs"):
            train_tokenizers([], TokenizerSettings())


class TestSaving:
    TOKENIZERS = (
        *exact_tokenizers(),
        SymbolTokenizer.train(["a é"], "words", "NFKC"),
        SymbolTokenizer.train(["a é\u2028"], "characters", "none"),
    )

    @pytest.mark.parametrize("tokenizer", TOKENIZERS, ids=lambda tokenizer: tokenizer.kind)
    def test_a_loaded_tokenizer_is_the_saved_one(self, tokenizer: Tokenizer, tmp_path: Path) -> None:
        save_tokenizer(tokenizer, tmp_path, "source")
        loaded = load_tokenizer(tmp_path, "source")
        assert digest(loaded) == digest(tokenizer)
        assert loaded.kind == tokenizer.kind
        assert loaded.encode_batch(CASES) == tokenizer.encode_batch(CASES)

    @pytest.mark.parametrize("damage", ["missing", "truncated", "garbage", "model missing", "model altered"])
    def test_damage_is_named(self, damage: str, tmp_path: Path) -> None:
        save_tokenizer(SUBWORDS["bpe"], tmp_path, "joint")
        description, model = tmp_path / "joint.json", tmp_path / "joint.model"
        match damage:
            case "missing":
                description.unlink()
            case "truncated":
                description.write_bytes(description.read_bytes()[:20])
            case "garbage":
                description.write_text("[3]")
            case "model missing":
                model.unlink()
            case "model altered":
                model.write_bytes(model.read_bytes()[:-7])
        with pytest.raises(BundleError, match="joint"):
            load_tokenizer(tmp_path, "joint")


SPACES = "\t\n\v\f\r\x1c\x85\xa0\u1680\u2003\u2009\u2028\u2029\u202f\u205f\u3000"
INVISIBLE = "\0\x1b\x7f\x9f\xad\u061c\u200b\u200e\u200f\u202a\u202e\u2060\u2066\u2069\ufeff"
KEPT = "\u200c\u200d\ufe0f\U000e0067"  # joiners, a variation selector, a tag


class TestTextNormalisation:
    @pytest.mark.parametrize("space", SPACES, ids=ascii)
    def test_white_space_of_every_kind_is_a_space(self, space: str) -> None:
        assert normalise(f"{space} I love{space}{space} you.{space}", "text") == "I love you."

    @pytest.mark.parametrize("character", INVISIBLE, ids=ascii)
    def test_what_no_reader_sees_goes(self, character: str) -> None:
        assert normalise(f"{character}e{character}\u0301a", "text") == "\xe9a"

    @pytest.mark.parametrize("character", KEPT, ids=ascii)
    def test_what_scripts_and_emoji_need_stays(self, character: str) -> None:
        assert normalise(f"a{character}b", "text") == f"a{character}b"

    @given(text=TEXTS)
    def test_twice_is_once(self, text: str) -> None:
        once = normalise(text, "text")
        assert normalise(once, "text") == once
        assert normalise(once, "target text") == once

    def test_ten_thousand_marks_are_read(self) -> None:
        assert normalise("a" + "\u0301\u0323" * 5_000, "text")

    @pytest.mark.parametrize("kind", ["unigram", "words", "characters", "bytes"])
    @pytest.mark.parametrize("joint", [True, False])
    def test_sources_are_read_by_it_and_targets_keep_their_spaces(
        self, kind: str, joint: bool, tmp_path: Path
    ) -> None:
        pairs = [(text, text.replace("?", "\xa0?\xad")) for text in (*SENTENCES, "I love you.")]
        chosen = TokenizerSettings.parse({"source": kind, "target": kind, "joint": joint}, where="test")
        pair, _ = train_tokenizers(pairs, chosen)
        save_tokenizers(pair, tmp_path)
        for each in (pair, load_tokenizers(tmp_path)):
            assert each.joint is joint
            assert each.source.encode("I\xa0love\u200b \tyou.") == each.source.encode("I love you.")
            ids = each.target.encode("lazy\xa0?\xad")
            if kind != "words":
                assert each.target.decode(ids) == "lazy\xa0?"
                assert kind == "bytes" or not any(
                    piece.startswith("<0x") for piece in each.target.pieces(ids)
                )
        assert [digest(one) for one in pair] == [digest(one) for one in load_tokenizers(tmp_path)]


def test_what_a_vocabulary_lacks() -> None:
    assert SUBWORDS["unigram"].unknown("The fox \u4f60 \u597d \u4f60") == ["\u4f60", "\u597d"]
    assert SymbolTokenizer.train(["AH B"], "words", "NFC").unknown("AH X B X") == ["X"]
    assert SymbolTokenizer.train(["ab"], "characters", "NFC").unknown("abc") == ["c"]
    assert ByteTokenizer("NFC").unknown("\u4f60") == []
