"""SentencePiece models that somebody else trained, as tokenizers for training."""

from __future__ import annotations

import io
import random
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from interlingua.data.corpus import CorpusSettings
from interlingua.data.preparation import prepare
from interlingua.data.unknown import UnknownSymbols
from interlingua.errors import ConfigurationError, DataError
from interlingua.kinds import BOS, EOS, PAD, SPECIALS, UNK
from interlingua.text.sentencepiece_model import SentencePieceModel, read_sentencepiece
from interlingua.text.subwords import SubwordTokenizer
from interlingua.text.tokenizer import TokenizerSettings, train_tokenizers
from interlingua.text.tokenizer_files import load_tokenizer, save_tokenizer

TEXTS = [f"Der Hund {i} läuft schnell über die {c} Straße." for i, c in enumerate("ABCDEFGHIJKLMNOP" * 4)]
PAIRS = [(text, text.replace("Hund", "dog").replace("läuft", "runs")) for text in TEXTS]
KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "like Marian's": {"bos_id": -1, "eos_id": 0, "unk_id": 1},
    "like T5's": {"pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1,
                  "user_defined_symbols": ["<extra>", "Hund"]},
    "like Llama's": {"byte_fallback": True, "model_type": "bpe", "normalization_rule_name": "identity",
                     "remove_extra_whitespaces": False},
    "BPE": {"model_type": "bpe", "control_symbols": ["<mask>", "__de__"]},
    "other names": {"pad_id": 3, "pad_piece": "[PAD]", "unk_piece": "[UNK]", "bos_piece": "[CLS]",
                    "eos_piece": "[SEP]",
                    "user_defined_symbols": ["<pad>", "<s>"]},
    "without a prefix": {"add_dummy_prefix": False, "split_by_whitespace": False},
    "suffixes": {"treat_whitespace_as_suffix": True},
}  # fmt: skip
TEXT = st.text(st.sampled_from("DerHundläuft 12.☃ﬁ\u2581\u00a0é<>s/"), max_size=30)


def train(**options: Any) -> bytes:
    model = io.BytesIO()
    size = 380 if options.get("byte_fallback") else 120
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXTS), model_writer=model, hard_vocab_limit=False,
        minloglevel=2, num_threads=1, vocab_size=size, **options,
    )  # fmt: skip
    return model.getvalue()


@pytest.fixture(scope="module")
def models() -> dict[str, bytes]:
    return {name: train(**options) for name, options in KINDS.items()}


def processor_of(model: bytes) -> Any:
    processor = sentencepiece.SentencePieceProcessor()
    processor.LoadFromSerializedProto(model)
    return processor


def tokenizer_of(model: bytes) -> SubwordTokenizer:
    about = SentencePieceModel(model)
    return SubwordTokenizer(about.with_special_ids(), about.kind, "none")


@pytest.mark.parametrize("name", KINDS)
def test_pieces_are_kept_under_our_special_ids(name: str, models: dict[str, bytes]) -> None:
    before, about = processor_of(models[name]), SentencePieceModel(models[name])
    after = processor_of(about.with_special_ids())
    assert (after.pad_id(), after.unk_id(), after.bos_id(), after.eos_id()) == (PAD, UNK, BOS, EOS)
    old = [before.IdToPiece(i) for i in range(len(before)) if i not in about.special_ids()]
    assert [after.IdToPiece(i) for i in range(len(SPECIALS), len(after))] == old
    scores = {piece: before.GetScore(before.PieceToId(piece)) for piece in old}
    assert {piece: after.GetScore(after.PieceToId(piece)) for piece in old} == scores
    assert [piece.text for piece in about.pieces] == [before.IdToPiece(i) for i in range(len(before))]
    again = SentencePieceModel(about.with_special_ids())
    assert again.with_special_ids() == about.with_special_ids() or again.special_ids() == [0, 1, 2, 3]


@pytest.mark.parametrize("name", KINDS)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(text=TEXT)
def test_texts_are_cut_as_sentencepiece_does(name: str, text: str, models: dict[str, bytes]) -> None:
    before, tokenizer = processor_of(models[name]), tokenizer_of(models[name])
    ids = tokenizer.encode(text)
    pieces = before.EncodeAsPieces(text)
    if name == "like Llama's":  # what is cut as ours are gives all texts back
        assert tokenizer.decode(ids) == text
        return
    assert len(ids) == len(pieces)
    assert [tokenizer.pieces([i])[0] for i in ids if i != UNK] == [
        piece for piece in pieces if before.PieceToId(piece) != before.unk_id()
    ]
    if UNK not in ids:
        assert tokenizer.decode(ids) == before.Decode(before.EncodeAsIds(text))
    assert tokenizer.decode([BOS, *ids, EOS, PAD]) == tokenizer.decode(ids)


@pytest.mark.parametrize("name", ["plain", "BPE", "like Marian's", "like Llama's"])
def test_subwords_at_random_are_of_the_same_text(name: str, models: dict[str, bytes]) -> None:
    tokenizer = tokenizer_of(models[name])
    sampled = tokenizer.encode_sampled(TEXTS[:20], 0.5, seed=1)
    assert [*map(tokenizer.decode, sampled)] == TEXTS[:20]
    assert sampled != tokenizer.encode_batch(TEXTS[:20])
    unknown = tokenizer.encode_sampled(["☃☃ Hund"], 0.5, seed=1)[0]
    if name != "like Llama's":
        assert unknown.count(UNK) == 1


def test_what_has_no_piece_is_told(models: dict[str, bytes]) -> None:
    tokenizer = tokenizer_of(models["plain"])
    assert tokenizer.unknown("Hund ☃ Æ") == ["☃", "Æ"]
    counts = UnknownSymbols(tokenizer)
    assert not counts.spelled


def test_training_takes_them(models: dict[str, bytes], tmp_path: Path) -> None:
    paths = {}
    for name in ("plain", "BPE"):
        paths[name] = tmp_path / f"{name}.model"
        paths[name].write_bytes(models[name])
    plain, bpe = str(paths["plain"]), str(paths["BPE"])
    joint, said = train_tokenizers(PAIRS, TokenizerSettings(source_model=plain, target_model=plain))
    assert joint.joint
    assert "as given" in said
    apart, _ = train_tokenizers(PAIRS, TokenizerSettings(source_model=plain, target_model=bpe))
    assert [side.kind for side in apart] == ["unigram", "bpe"]
    one, _ = train_tokenizers(PAIRS, TokenizerSettings(target_model=bpe, source="characters"))
    assert [side.kind for side in one] == ["characters", "bpe"]
    columns = [(f"formal\t{source}", target) for source, target in PAIRS]
    several, _ = train_tokenizers(columns, TokenizerSettings(target_model=bpe))
    assert several.target.kind == "bpe"
    save_tokenizer(joint.source, tmp_path, "joint")
    loaded = load_tokenizer(tmp_path, "joint")
    assert loaded.encode_batch(TEXTS) == joint.source.encode_batch(TEXTS)


def test_prepared_data_goes_by_their_content(models: dict[str, bytes], tmp_path: Path) -> None:
    data = tmp_path / "a.tsv"
    data.write_text("".join(f"{source}\t{target}\n" for source, target in PAIRS))
    found = []
    for file, name in (("a.model", "plain"), ("b.model", "plain"), ("a.model", "BPE")):
        path = tmp_path / file
        path.write_bytes(models[name])
        given_models = TokenizerSettings(source_model=str(path), target_model=str(path))
        prepared = prepare(CorpusSettings(train=(str(data),)), given_models, tmp_path / "cache")
        found.append((prepared.train.directory, prepared.tokenizers.source.kind))
    assert found[0] == found[1]
    assert found[2][1] == "bpe"


def test_what_is_no_model_is_refused(models: dict[str, bytes], tmp_path: Path) -> None:
    path = tmp_path / "a.model"
    for content in (b"", b"hello\n", models["plain"][:-7], b"\x08" + models["plain"]):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"a\.model: this is no SentencePiece model"):
            read_sentencepiece(path)
    with pytest.raises(DataError, match=r"none\.model: .*cannot be read"):
        read_sentencepiece(tmp_path / "none.model")
    path.write_bytes(train(model_type="char"))
    with pytest.raises(DataError, match=r"a\.model: .*whole words or characters .*char"):
        read_sentencepiece(path)


def test_damage_is_an_error_or_harmless(models: dict[str, bytes], tmp_path: Path) -> None:
    chance, path = random.Random(0), tmp_path / "a.model"
    for name in ("plain", "like Llama's"):
        for _ in range(60):
            damaged = bytearray(models[name])
            for _ in range(3):
                damaged[chance.randrange(len(damaged))] = chance.randrange(256)
            path.write_bytes(damaged)
            try:
                pair, _ = train_tokenizers(
                    PAIRS[:4], TokenizerSettings(source_model=str(path), target_model=str(path))
                )
                pair.source.decode(pair.source.encode(TEXTS[0]))
            except DataError:
                pass


def test_contradictions_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"source is bpe, and source_model"):
        TokenizerSettings.parse({"source": "bpe", "source_model": "a.model"})
    with pytest.raises(ConfigurationError, match="vocabulary_size"):
        TokenizerSettings.parse({"source_model": "a", "target_model": "b", "vocabulary_size": 500})
