"""A model of ours computes in CTranslate2 what it computes here, whatever its options and its tokens."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import ctranslate2
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from interlingua.data.batch import pad
from interlingua.data.codecs import build_model_for
from interlingua.errors import ConfigurationError, OutputError
from interlingua.inference.bundle import Bundle, LengthStatistics, load_bundle
from interlingua.interchange.ctranslate2 import ABOUT, convert, convert_bundle
from interlingua.interchange.export import export_model
from interlingua.interchange.options import ExportOptions
from interlingua.interchange.token_names import name_tokens
from interlingua.kinds import BOS, EOS, PAD, SPECIALS, Source
from interlingua.model.transformer import TransformerSettings
from interlingua.search.forced import forced_log_probs
from interlingua.search.hypothesis import SearchInput
from interlingua.search.search import search
from interlingua.search.settings import SearchSettings
from interlingua.text.column_tokenizer import ColumnTokenizer
from interlingua.text.facts import TextFacts
from interlingua.text.symbols import ByteTokenizer, SymbolTokenizer
from interlingua.text.tokenizer import TokenizerPair
from interlingua.text.vocabulary import Vocabulary

BUNDLES = Path(__file__).parent.parent / "bundles"
LETTERS = "abcdefghij"

OPTIONS = [
    {},
    {"norm": "post"},
    {"positions": "rotary"},
    {"positions": "learned", "max_positions": 7},
    {"activation": "gelu", "encoder_layers": 2},
    {"activation": "swiglu", "positions": "rotary"},
    {"normalisation": "rms"},
    {"normalisation": "rms", "norm": "post", "activation": "swiglu", "decoder_layers": 2},
    {"embeddings": "separate"},
    {"embeddings": "separate", "norm": "post", "positions": "rotary"},
]


def letters(symbols: str = LETTERS) -> SymbolTokenizer:
    return SymbolTokenizer("characters", Vocabulary(symbols), "none")


def bundle_of(options: dict[str, Any], tokenizers: TokenizerPair, **changes: Any) -> Bundle:
    """A model whose weights are all random, those too that usually begin as 0 or 1."""
    sizes = {"dim": 16, "heads": 2, "feed_forward": 24, "encoder_layers": 1, "decoder_layers": 1, **options}
    torch.manual_seed(1)
    model = build_model_for(tokenizers, TransformerSettings(**sizes)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
        for layer in model.decoder:
            layer.cross.output.weight *= 5  # so that the source matters
    lengths = LengthStatistics(2.0, 30)
    return Bundle(model, tokenizers, SearchSettings(), lengths, TextFacts(), {}, {})._replace(**changes)


def forced(bundle: Bundle, source: list[list[int]], target: list[list[int]]) -> list[list[float]]:
    ids = pad(source, after=EOS)
    target_in, target_out = pad(target, before=BOS), pad(target, after=EOS)
    rows = forced_log_probs(bundle.model, Source(ids, ids != PAD), target_in, target_out).tolist()
    return [row[: len(one) + 1] for row, one in zip(rows, target, strict=True)]


def open_translator(directory: Path) -> ctranslate2.Translator:
    return ctranslate2.Translator(str(directory), compute_type="float32", inter_threads=1, intra_threads=1)


def sequences(size: int, count: int, seed: int = 0) -> list[list[int]]:
    generator = torch.Generator().manual_seed(seed)
    first = len(SPECIALS)
    return [torch.randint(first, size, (1 + 3 * i,), generator=generator).tolist() for i in range(count)]


def named(tokenizer: Any, sequences: list[list[int]]) -> list[list[str]]:
    names = name_tokens(tokenizer)
    return [[names[i] for i in ids] for ids in sequences]


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "-".join(map(str, options.values())))
def test_the_converted_model_is_the_same_function(tmp_path, options, shared):
    one = letters()
    pair = TokenizerPair.of_joint(one) if shared else TokenizerPair(letters("xyzuvw"), one)
    bundle = bundle_of(options, pair)
    convert_bundle(bundle, tmp_path / "out")
    theirs = open_translator(tmp_path / "out")
    source, target = sequences(len(pair.source), 5), sequences(len(pair.target), 5, seed=1)

    scored = theirs.score_batch(named(pair.source, source), named(pair.target, target))
    for found, expected in zip(scored, forced(bundle, source, target), strict=True):
        assert found.log_probs == pytest.approx(expected, abs=1e-4)

    ids = pad(source, after=EOS)
    batch = SearchInput(Source(ids, ids != PAD), torch.full((5,), 12))
    greedy = search(bundle.model, batch, SearchSettings(beam=1))
    searched = theirs.translate_batch(
        named(pair.source, source), beam_size=1, max_decoding_length=12, min_decoding_length=0,
        disable_unk=True, suppress_sequences=[["<pad>"], ["<s>"]],
    )  # fmt: skip
    expected_names = named(pair.target, [best.ids for best, *_ in greedy])
    assert [result.hypotheses[0] for result in searched] == expected_names
    assert len({tuple(names) for names in expected_names}) > 1


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_what_the_model_does_decides(tmp_path, norm):
    """Models that came from elsewhere have biases of the logits, other scales, epsilons and final norms."""
    bundle = bundle_of({"norm": norm, "positions": "rotary"}, TokenizerPair(letters("xyz"), letters()))
    model: Any = bundle.model
    model.projection.bias = torch.nn.Parameter(torch.randn(14))
    final = [torch.nn.Identity(), torch.nn.Identity()]
    if norm == "post":
        final = [torch.nn.LayerNorm(16, eps=0.1), torch.nn.LayerNorm(16, eps=0.1)]
    model.encoder_norm, model.decoder_norm = final
    for module in model.modules():
        if isinstance(module, torch.nn.LayerNorm):
            module.eps = 0.1
    convert_bundle(bundle, tmp_path / "out")
    theirs = open_translator(tmp_path / "out")
    source, target = sequences(7, 4), sequences(14, 4, seed=1)
    scored = theirs.score_batch(named(bundle.tokenizers.source, source), named(letters(), target))
    for found, expected in zip(scored, forced(bundle, source, target), strict=True):
        assert found.log_probs == pytest.approx(expected, abs=1e-4, rel=1e-5)


@pytest.mark.parametrize("name", ["transformer", "joint-tied", "rotary-separate-joint-subwords"])
def test_saved_models_are_converted(tmp_path, name):
    convert(BUNDLES / name, tmp_path / "out")
    bundle = load_bundle(BUNDLES / name)
    theirs = open_translator(tmp_path / "out")
    source, target = (tokenizer.encode_batch(["abc", "ha", "b"]) for tokenizer in bundle.tokenizers)
    scored = theirs.score_batch(
        named(bundle.tokenizers.source, source), named(bundle.tokenizers.target, target)
    )
    for found, expected in zip(scored, forced(bundle, source, target), strict=True):
        assert found.log_probs == pytest.approx(expected, abs=1e-4)


ODD_WORDS = ["", " ", "\n", "\r\n", "\t", "\x00", "<blank>", "<s>", "</s>", "<unk>", "<pad>", "\ufeff",
             "\u2028", "\U0010ffff", "\ud800", "a#5", "a", "a\u0301", "</s>#12", "#"]  # fmt: skip


@pytest.mark.parametrize(
    "tokenizer",
    [
        SymbolTokenizer("words", Vocabulary(ODD_WORDS), "none"),
        ByteTokenizer("none"),
        ColumnTokenizer([SymbolTokenizer.of_tags(["a", "b"], "none"), letters("ab"), letters("ab")]),
    ],
    ids=["words", "bytes", "columns"],
)
def test_every_token_keeps_its_id(tmp_path, tokenizer):
    """Each target token alone gets another probability, as here; so it does after each source token."""
    bundle = bundle_of({}, TokenizerPair(tokenizer, tokenizer))
    convert_bundle(bundle, tmp_path / "out")
    theirs = open_translator(tmp_path / "out")
    ids = [[i] for i in range(len(SPECIALS), len(tokenizer))]
    names = named(tokenizer, ids)
    scored = theirs.score_batch(names, names[::-1])
    for found, expected in zip(scored, forced(bundle, ids, ids[::-1]), strict=True):
        assert found.log_probs == pytest.approx(expected, abs=1e-4)
    prefixed = theirs.translate_batch(names, target_prefix=names, beam_size=1, max_decoding_length=1)
    assert [result.hypotheses[0] for result in prefixed] == names


@given(st.lists(st.text(st.characters(), max_size=3) | st.sampled_from(ODD_WORDS), unique=True, max_size=12))
@settings(max_examples=100, deadline=None)
def test_names_are_distinct_text_and_those_of_special_tokens_are_free(words):
    columns = ColumnTokenizer([SymbolTokenizer("words", Vocabulary(words), "none"),
                               SymbolTokenizer("words", Vocabulary(words[::-1]), "none")])  # fmt: skip
    names = name_tokens(columns)
    assert len(set(names)) == len(names) == len(columns)
    assert names[: len(SPECIALS)] == list(SPECIALS)
    "".join(names).encode()


def test_names_of_subwords_are_the_pieces(tmp_path):
    bundle = load_bundle(BUNDLES / "rotary-separate-joint-subwords")
    tokenizer = bundle.tokenizers.source
    assert name_tokens(tokenizer) == tokenizer.pieces(range(len(tokenizer)))


@pytest.mark.parametrize("quantization", ["int8", "int8_float32", "bfloat16", "float16", "int16"])
def test_rounded_weights_are_near(tmp_path, quantization):
    pair = TokenizerPair.of_joint(letters())
    bundle = bundle_of({"dim": 32, "positions": "rotary"}, pair)
    before = [parameter.clone() for parameter in bundle.model.parameters()]
    convert_bundle(bundle, tmp_path / "out", quantization)
    assert all(map(torch.equal, before, bundle.model.parameters()))
    convert_bundle(bundle, tmp_path / "whole")
    small, large = ((tmp_path / name / "model.bin").stat().st_size for name in ("out", "whole"))
    assert small < large
    theirs = ctranslate2.Translator(str(tmp_path / "out"), inter_threads=1, intra_threads=1)
    source, target = sequences(14, 4), sequences(14, 4, seed=1)
    scored = theirs.score_batch(named(pair.source, source), named(pair.target, target))
    for found, expected in zip(scored, forced(bundle, source, target), strict=True):
        assert found.log_probs == pytest.approx(expected, abs=0.5)


@pytest.mark.parametrize(
    ("options", "says"), [({"convolution": 3}, "convolves"), ({"target_grid": 4}, "grid")]
)
def test_what_ctranslate2_lacks_is_refused_and_nothing_is_written(tmp_path, options, says):
    bundle = bundle_of(options, TokenizerPair.of_joint(letters()))
    with pytest.raises(ConfigurationError, match=says):
        convert_bundle(bundle, tmp_path / "out")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["recurrent", "additive"])
def test_recurrent_models_are_refused(tmp_path, name):
    with pytest.raises(ConfigurationError, match="architecture is recurrent"):
        convert(BUNDLES / name, tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_an_unknown_quantization_is_refused_before_the_model_is_read(tmp_path):
    with pytest.raises(ConfigurationError, match="no such quantization"):
        convert(tmp_path / "nothing", tmp_path / "out", "int4")


@pytest.mark.parametrize("given", [{"license": "cc0-1.0"}, {"languages": ("en", "de")}])
def test_what_stands_nowhere_in_an_export_is_refused(tmp_path, given):
    options = ExportOptions("ctranslate2", **given)
    with pytest.raises(ConfigurationError, match="argos and huggingface"):
        export_model(BUNDLES / "transformer", tmp_path / "out", options)
    assert not list(tmp_path.iterdir())


def test_only_an_earlier_conversion_is_replaced(tmp_path):
    out = tmp_path / "out"
    convert(BUNDLES / "transformer", out)
    with pytest.raises(OutputError, match="--force"):
        convert(BUNDLES / "transformer", out)
    (out / "mine").touch()
    convert(BUNDLES / "transformer", out, force=True)
    assert (out / "mine").exists()  # which no conversion wrote
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.tex").touch()
    with pytest.raises(OutputError, match="something else"):
        convert(BUNDLES / "transformer", other, force=True)
    assert [path.name for path in other.iterdir()] == ["thesis.tex"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other", "out"]


def test_no_text_of_the_training_is_written(tmp_path):
    bundle = load_bundle(BUNDLES / "transformer")
    sentences = [str(sample[side]) for sample in bundle.info["samples"] for side in ("source", "target")]
    convert(BUNDLES / "transformer", tmp_path / "out")
    written = b"".join(path.read_bytes() for path in (tmp_path / "out").iterdir() if path.suffix == ".json")
    assert not [text for text in sentences if len(text) > 3 and text.encode() in written]


def test_the_length_penalty_ranks_alike_near_the_usual_length(tmp_path):
    info = {"samples": [{"source": "a", "target": "abcdefghi"}, {"source": "a", "target": "bcdefghij"}]}
    bundle = bundle_of({}, TokenizerPair.of_joint(letters()), info=info)
    convert_bundle(bundle, tmp_path / "out")
    alpha = json.loads((tmp_path / "out" / ABOUT).read_text())["length_penalty"]
    for shorter, longer in itertools.pairwise([8, 9, 10, 11, 12]):
        assert (longer / shorter) ** alpha == pytest.approx((5 + longer) / (5 + shorter), rel=0.01)
