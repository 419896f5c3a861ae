"""SentencePiece's pieces under the ids of another vocabulary."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from interlingua.data.codecs import load_tokenizers, save_tokenizers
from interlingua.data.unknown import UnknownSymbols
from interlingua.errors import BundleError, DataError
from interlingua.kinds import EOS, SPECIALS, UNK
from interlingua.terms.tokenization import TermTokenizer
from interlingua.text.column_tokenizer import TextColumn
from interlingua.text.piece_tokenizer import SPACE, PieceTokenizer
from interlingua.text.tokenizer import TokenizerPair
from interlingua.text.tokenizer_files import digest
from interlingua.text.vocabulary import Vocabulary
from tests.marian import ENGLISH, GERMAN, pieces_of, train_pieces

CODES = [">>deu<<", ">>fra<<"]


@pytest.fixture(scope="module")
def models() -> tuple[bytes, bytes]:
    return train_pieces(ENGLISH), train_pieces(GERMAN, model_type="bpe")


def tokenizer_of(model: bytes, *, codes: bool = False, leave_out: str | None = None) -> PieceTokenizer:
    pieces = [piece for piece in sorted(pieces_of(model)) if piece != leave_out]
    return PieceTokenizer(model, Vocabulary([*(CODES if codes else []), *pieces]))


def test_texts_come_back(models: tuple[bytes, bytes]) -> None:
    for model, texts in zip(models, (ENGLISH, GERMAN), strict=True):
        tokenizer = tokenizer_of(model)
        encoded = tokenizer.encode_batch(texts)
        assert [*map(tokenizer.decode, encoded)] == [text.replace("„", "„") for text in texts]
        assert encoded == [tokenizer.encode(text) for text in texts]
        assert all(len(SPECIALS) <= i < len(tokenizer) for ids in encoded for i in ids)
        assert tokenizer.decode([*encoded[0], EOS]) == texts[0]
        assert "".join(tokenizer.pieces(encoded[0])).replace("\u2581", " ").strip() == texts[0]
    assert tokenizer.encode("") == tokenizer.encode("  ") == []


def test_what_has_no_piece_is_unknown_and_told(models: tuple[bytes, bytes]) -> None:
    tokenizer = tokenizer_of(models[0])
    ids = tokenizer.encode("A dog ☃日 runs.")
    assert UNK in ids
    assert tokenizer.unknown("A dog ☃日 runs ☃.") == ["☃", "日"]
    assert tokenizer.unknown("A dog runs.") == []
    longest = max((piece for piece in pieces_of(models[0]) if piece[0] == SPACE), key=len)
    without = tokenizer_of(models[0], leave_out=longest)
    text = next(text for text in ENGLISH if longest in tokenizer.pieces(tokenizer.encode(text)))
    assert UNK in without.encode(text)  # SentencePiece knows it, the vocabulary does not
    assert without.unknown(text) == [longest.removeprefix(SPACE)]
    counts = UnknownSymbols(tokenizer)
    counts.add(np.array(ids), np.array([len(ids)]), ["A dog ☃日 runs."])
    assert counts.as_dict()["unknown"] == 2
    assert counts.as_dict()["examples"] == {"☃": 1, "日": 1}
    with pytest.raises(DataError, match="lone surrogate"):
        tokenizer.encode("\ud800")


def test_a_target_language_is_one_token_before_the_text(models: tuple[bytes, bytes]) -> None:
    tokenizer = tokenizer_of(models[0], codes=True)
    assert tokenizer.tags == ["deu", "fra"]
    plain = tokenizer.encode("A dog runs.")
    code = tokenizer.vocabulary.id(">>fra<<")
    for text in (">>fra<< A dog runs.", ">>fra<<A dog runs.", " >>fra<<  A dog runs.", "fra\tA dog runs."):
        assert tokenizer.encode(text) == [code, *plain], text
        shown, others = TextColumn(tokenizer, None).take_out(text)
        assert shown == "A dog runs."
        assert tokenizer.encode(others.complete("The cat.")) == [code, *tokenizer.encode("The cat.")]
        assert tokenizer.unknown(text) == []
    assert tokenizer.span([code, *plain]) == slice(1, 1 + len(plain))
    assert tokenizer.span(plain) == slice(0, len(plain))
    assert tokenizer.encode(">>xyz<< A dog runs.") == [UNK, *plain]
    assert tokenizer.unknown(">>xyz<< A dog runs.") == [">>xyz<<"]
    without = tokenizer_of(models[0])  # where there are none, this is text
    assert len(without.encode(">>fra<< A dog runs.")) > len(plain) + 1


@pytest.mark.parametrize("shared", [True, False])
def test_both_sides_are_saved_and_loaded(models: tuple[bytes, bytes], shared: bool, tmp_path: Path) -> None:
    vocabulary = Vocabulary(dict.fromkeys(piece for model in models for piece in sorted(pieces_of(model))))
    source = PieceTokenizer(models[0], vocabulary, shared=shared)
    own = vocabulary if shared else Vocabulary(vocabulary.symbols)
    pair = TokenizerPair(source, PieceTokenizer(models[1], own, shared=shared))
    assert pair.joint is shared
    save_tokenizers(pair, tmp_path)
    loaded = load_tokenizers(tmp_path)
    assert loaded.joint is shared
    assert [*map(digest, loaded)] == [*map(digest, pair)]
    for before, after, texts in zip(pair, loaded, (ENGLISH, GERMAN), strict=True):
        assert before.encode_batch(texts) == after.encode_batch(texts)
    assert loaded.source.encode(GERMAN[0]) != loaded.target.encode(GERMAN[0])  # each side has its own model
    assert loaded.encode_sampled(ENGLISH, GERMAN, 0.1, 0)[0] == loaded.source.encode_batch(ENGLISH)
    (tmp_path / "target.model").write_bytes(models[0])
    with pytest.raises(BundleError, match="the SentencePiece model is not the one that was saved"):
        load_tokenizers(tmp_path)


def test_terms_are_written_in_pieces(models: tuple[bytes, bytes]) -> None:
    tokenizer = tokenizer_of(models[1])
    terms = TermTokenizer(tokenizer)
    ways = terms.tokenize("Hund")
    assert tuple(tokenizer.encode("Hund")) in [way.ids for way in ways if way.may_begin_target]
    assert any(way.may_stand_later for way in ways)
    assert all(tokenizer.decode(way.ids) == "Hund" for way in ways)
    assert terms.tokenize("☃") == ()
