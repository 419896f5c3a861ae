"""Models of ours compute in other programs what they compute here, whatever their options and tokens."""

from __future__ import annotations

import itertools
import json
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from interlingua.data.batch import pad
from interlingua.data.codecs import build_model_for
from interlingua.errors import ConfigurationError, ExportError
from interlingua.inference.bundle import Bundle, LengthStatistics
from interlingua.interchange.comparison import (
    Comparison,
    Sample,
    compare_with_ours,
    random_sample,
    refuse_difference,
    sample_pairs,
)
from interlingua.interchange.hugging_face import choose_class, convert
from interlingua.interchange.hugging_face_model import HuggingFaceModel, quiet
from interlingua.interchange.onnx_graphs import Decoder, DecoderWithPast, Encoder
from interlingua.interchange.symbol_tokenizer import build_tokenizer
from interlingua.kinds import BOS, EOS, PAD, SPECIALS, Source
from interlingua.model.recurrent import RecurrentSettings
from interlingua.model.transformer import TransformerSettings
from interlingua.search.settings import SearchSettings
from interlingua.settings import merge
from interlingua.sound.codec import SoundCodec
from interlingua.text.column_tokenizer import ColumnTokenizer
from interlingua.text.facts import TextFacts
from interlingua.text.subwords import SubwordTokenizer
from interlingua.text.symbols import ByteTokenizer, SymbolTokenizer
from interlingua.text.tokenizer import Tokenizer, TokenizerPair
from interlingua.text.vocabulary import Vocabulary

OPTIONS: list[dict[str, Any]] = [
    {},
    {"norm": "post"},
    {"positions": "rotary"},
    {"positions": "learned", "max_positions": 7},
    {"activation": "gelu", "encoder_layers": 2},
    {"activation": "swiglu", "positions": "rotary", "decoder_layers": 2},
    {"normalisation": "rms", "norm": "post"},
    {"embeddings": "separate", "norm": "post", "positions": "rotary"},
    {"convolution": 5},
    {"convolution": 3, "normalisation": "rms", "positions": "rotary"},
]


def letters(symbols: str = "abcdefghij") -> SymbolTokenizer:
    return SymbolTokenizer("characters", Vocabulary(symbols), "text")


def words(*symbols: str) -> SymbolTokenizer:
    return SymbolTokenizer("words", Vocabulary(["", *symbols]), "text")


def subwords(seed: int = 0) -> SubwordTokenizer:
    texts = [
        f"the {a} dog {b} a house {seed}"
        for a, b in itertools.permutations(["big", "small", "red", "old"], 2)
    ]
    return SubwordTokenizer.train(texts, "unigram", "text", 320)


def bundle_of(options: dict[str, Any], tokenizers: TokenizerPair) -> Bundle:
    """A model whose weights are all random, those too that usually begin as 0 or 1."""
    sizes = {"dim": 16, "heads": 2, "feed_forward": 24, "encoder_layers": 1, "decoder_layers": 1, **options}
    torch.manual_seed(1)
    model = build_model_for(tokenizers, TransformerSettings(**sizes)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    lengths = LengthStatistics(0.6, 30)
    config = {"model": {"architecture": "transformer"}, "languages": ["en", "de"]}
    return Bundle(model, tokenizers, SearchSettings(beam=2), lengths, TextFacts(), config, {})


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@torch.inference_mode()
def test_graphs_compute_what_the_model_does(options: dict[str, Any]) -> None:
    tokenizers = TokenizerPair(letters(), letters("klmnop"))
    model = bundle_of(options, tokenizers).model
    source = pad([[5, 6, 7, 8, 9, 10, 11, 12], [4, 5], [13]], after=EOS)
    target = pad([[4, 5, 6, 7, 8], [9, 8], [4, 4, 4, 4]], before=BOS)
    mask = (source != PAD).long()
    memory = model.encode(Source(source, source != PAD))
    states = Encoder(model)(source, mask)
    real = source != PAD
    torch.testing.assert_close(states[real], memory.states[real])
    logits = model.project(model.decode(memory, target))
    whole, *_ = Decoder(model)(target, states, mask)
    torch.testing.assert_close(whole, logits)
    first, *present = Decoder(model)(target[:, :2], states, mask)
    torch.testing.assert_close(first, logits[:, :2])
    # Two tokens more, and then one.
    second, *grown = DecoderWithPast(model)(target[:, 2:4], mask, present)
    torch.testing.assert_close(second, logits[:, 2:4])
    past = [tensor for layer in range(len(model.decoder)) for tensor in (
        *grown[2 * layer : 2 * layer + 2], *present[4 * layer + 2 : 4 * layer + 4])]  # fmt: skip
    third, *_ = DecoderWithPast(model)(target[:, 4:5], mask, past)
    torch.testing.assert_close(third, logits[:, 4:5])


FITTING: list[dict[str, Any]] = [
    {"norm": "post", "activation": "gelu"},
    {"norm": "pre", "encoder_layers": 2},
    {"norm": "pre", "positions": "learned", "max_positions": 7},
    {"norm": "post", "embeddings": "separate"},
    {"norm": "pre", "embeddings": "separate"},
]
SIDES: dict[str, TokenizerPair] = {
    "joint subwords": TokenizerPair.of_joint(subwords()),
    "subwords": TokenizerPair(subwords(), subwords(1)),
    "characters": TokenizerPair(letters(), letters("ghijklm </s>")),
    "characters to words": TokenizerPair(letters("abc </s>\ud800"), words("a", "bc", "<s>", "▁", "</s>")),
    "words to bytes": TokenizerPair(words("a", "<unk>", "<pad>", "b"), ByteTokenizer("NFC")),
    "joint words": TokenizerPair.of_joint(words("a", "b", "<s>", "</s>")),
}


CASES = [(sides, options) for number, options in enumerate(FITTING) for place, sides in enumerate(SIDES)
         if "subwords" in sides or (number + place) % 3 == 0]  # fmt: skip


@pytest.mark.parametrize(("sides", "options"), CASES, ids=str)
def test_hugging_face_computes_and_writes_the_same(
    sides: str, options: dict[str, Any], tmp_path: Path
) -> None:
    bundle = bundle_of(options, SIDES[sides])
    with quiet():
        exported = HuggingFaceModel(tmp_path, convert(bundle, tmp_path))
    sample = random_sample(bundle)
    compared = compare_with_ours(bundle, exported, sample, to="huggingface")
    assert compared.worst_log_prob_difference < 1e-4
    equal, of = compared.equal_greedy_outputs
    assert equal == of
    if "subwords" not in sides:  # SentencePiece keeps runs of spaces, which random pieces have
        assert compared.sources_cut_otherwise == 0


def test_hugging_face_tells_the_length_limit_and_what_is_never_written(tmp_path: Path) -> None:
    bundle = bundle_of({"norm": "pre"}, SIDES["subwords"])
    with quiet():
        vocabularies = convert(bundle, tmp_path)
    generation = json.loads((tmp_path / "generation_config.json").read_text())
    assert generation["max_length"] == bundle.lengths.limit(bundle.lengths.max_source_length) + 1
    assert generation["decoder_start_token_id"] == vocabularies.target_id(BOS)
    assert [vocabularies.target_id(PAD)] in generation["bad_words_ids"]
    assert generation["num_beams"] == bundle.search.beam


@pytest.mark.parametrize(
    "options",
    [
        {"positions": "rotary"},
        {"positions": "learned", "norm": "post"},
        {"activation": "swiglu", "positions": "rotary", "normalisation": "rms"},
        {"convolution": 5},
    ],
    ids=str,
)  # fmt: skip
def test_a_model_that_no_class_fits_is_refused_with_settings_that_do(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        choose_class(bundle_of(options, SIDES["joint subwords"]))
    given = re.findall(r"--set model\.(\w+)=(\w+)", str(caught.value))
    assert given
    proposed = {name: int(value) if value.isdigit() else value for name, value in given}
    choose_class(bundle_of(merge(options, proposed), SIDES["joint subwords"]))


def test_other_models_are_refused(tmp_path: Path) -> None:
    pair = TokenizerPair(letters(), letters())
    recurrent = build_model_for(pair, RecurrentSettings(dim=16))
    bundle = bundle_of({}, pair)._replace(model=recurrent, config={"model": {"architecture": "recurrent"}})
    with pytest.raises(ConfigurationError, match="recurrent"):
        convert(bundle, tmp_path)
    tagged = TokenizerPair(ColumnTokenizer([SymbolTokenizer.of_tags(["x"], "text"), letters()]), letters())
    with pytest.raises(ConfigurationError, match="columns"):
        convert(bundle_of({"norm": "post"}, tagged), tmp_path)
    sounds = TokenizerPair(cast(Tokenizer, SoundCodec()), letters())
    with pytest.raises(ConfigurationError, match="only models from text to text"):
        convert(bundle_of({"norm": "post"}, sounds), tmp_path)
    mixed = TokenizerPair(subwords(), letters())
    with pytest.raises(ConfigurationError, match="subwords"):
        convert(bundle_of({"norm": "post"}, mixed), tmp_path)


TEXTS = st.text(st.sampled_from("ab c\u00e9e\u0301\u200b\u00a0\t\ud55c\U0001f600</s>_▁"), max_size=12)


@pytest.mark.parametrize("kind", ["characters", "words", "bytes"])
@settings(max_examples=60, deadline=None)
@given(text=TEXTS)
@example(text="<s>")
@example(text="a </s> <unk> <pad>")
def test_tokenizer_files_cut_and_join_as_ours(kind: str, text: str) -> None:
    tokenizer: Tokenizer = ByteTokenizer("text")
    if kind == "characters":
        tokenizer = letters("ab cé</s>_▁")
    elif kind == "words":
        tokenizer = words("a", "b", "ab", "é", "</s>", "▁")
    built = _built(kind, tokenizer)
    ids = tokenizer.encode(text)
    assert built.encode(text).ids == [*ids, EOS]
    assert built.decode(ids) == tokenizer.decode(ids)


BUILT: dict[str, Any] = {}


def _built(kind: str, tokenizer: Tokenizer) -> Any:
    """As a file would be read that splits no special tokens off."""
    if kind not in BUILT:
        BUILT[kind] = build_tokenizer(tokenizer)
        BUILT[kind].encode_special_tokens = True
    return BUILT[kind]


def test_a_symbol_of_both_sides_is_two_tokens() -> None:
    built = build_tokenizer(letters("ab"), words("a", "b", "ab"))
    assert built.encode("ab").ids == [4, 5, EOS]
    first = len(SPECIALS) + 2  # where the target's begin
    assert built.decode([first + 2, first + 5, first + 7, first + 3]) == "a ab"


def compared(**changes: Any) -> Comparison:
    figures = Comparison(
        "ctranslate2",
        "0",
        "x",
        100,
        "100 of 100 pairs",
        900,
        1e-6,
        -1.0,
        -1.0,
        0,
        (100, 100),
        (100, 100),
        "beam",
    )
    return replace(figures, **changes)


def test_outputs_that_are_not_compared_are_counted() -> None:
    told = compared(equal_greedy_outputs=(0, 0), equal_outputs=(90, 95)).describe()
    assert "greedy search: not compared, since our length limit cut off all 100" in told
    assert "own search: 90 of 95, 5 more cut off by our length limit (beam)" in told
    assert "cut off" not in compared().describe()


@pytest.mark.parametrize(
    "figures",
    [
        {"worst_log_prob_difference": 2e-3},
        {"worst_log_prob_difference": math.inf},
        {"worst_log_prob_difference": math.nan},
        {"worst_log_prob_difference": math.inf, "quantization": "int8"},
        {"quantization": "int8", "metric": "BLEU", "score": 30.0, "exported_score": 29.0, "p_value": 0.01},
        {"quantization": "int8", "metric": "CER", "score": 3.0, "exported_score": 4.0, "p_value": 0.01,
         "higher_is_better": False},
    ],
)  # fmt: skip
def test_an_export_with_other_answers_is_refused(figures: dict[str, Any]) -> None:
    with pytest.raises(ExportError, match="not kept"):
        refuse_difference(compared(**figures))


@pytest.mark.parametrize(
    "figures",
    [
        {},
        {"worst_log_prob_difference": 0.3, "quantization": "int8"},
        {"quantization": "int8", "metric": "BLEU", "score": 30.0, "exported_score": 29.6, "p_value": 0.01},
        {"quantization": "int8", "metric": "BLEU", "score": 30.0, "exported_score": 29.0, "p_value": 0.4},
        {"quantization": "int8", "metric": "CER", "score": 3.0, "exported_score": 1.0, "p_value": 0.01,
         "higher_is_better": False},
        # Searched otherwise, which other weights would not be.
        {"metric": "BLEU", "score": 30.0, "exported_score": 28.0, "p_value": 0.01},
    ],
)  # fmt: skip
def test_an_export_with_the_same_answers_is_kept(figures: dict[str, Any]) -> None:
    refuse_difference(compared(**figures))


def test_broken_weights_show(tmp_path: Path) -> None:
    bundle = bundle_of({"norm": "post"}, SIDES["joint subwords"])
    with quiet():
        exported = HuggingFaceModel(tmp_path, convert(bundle, tmp_path))
    exported.model.model.encoder.layers[0].fc1.bias.data[0] += 1.0
    with pytest.raises(ExportError, match="log-probabilities differ"):
        refuse_difference(compare_with_ours(bundle, exported, random_sample(bundle), to="huggingface"))


def test_a_sample_is_small_and_always_the_same() -> None:
    bundle = bundle_of({}, SIDES["joint subwords"])
    pairs = [(f"the big dog {number}", "a house") for number in range(5000)]
    pairs[7] = ("the dog " * 50, "far too long")
    sample = sample_pairs(bundle, pairs, "pairs")
    assert len(sample.pairs) == 200
    assert sample == sample_pairs(bundle, pairs, "pairs")
    assert all(len(bundle.tokenizers.source.encode(source)) <= 30 for source, _ in sample.pairs)
    assert sample_pairs(bundle, [("", "x"), (" ", "y")], "pairs") == Sample([], 2, "pairs", judged=True)
