"""Properties of what is seen of a text: `interlingua look`, before and as a page."""

from __future__ import annotations

import html
import json
import math
import re
from dataclasses import replace

import pytest
import torch

from interlingua.engine.eager import EagerEngine
from interlingua.errors import ConfigurationError, DataError
from interlingua.inference.translator import Translator
from interlingua.kinds import EOS
from interlingua.model.architectures import build_model, parse_model_settings
from interlingua.model.transformer import TransformerSettings
from interlingua.search.settings import SearchSettings
from interlingua.text.symbols import ByteTokenizer
from interlingua.text.tokenizer import TokenizerPair
from interlingua.views.look import look, look_page
from interlingua.views.page import as_json
from tests.models import build

from .test_translator import Wild

TEXT = "de abc"
NASTY = "</script><img src=x onerror=alert(1)>&'\"<!--\u2028"


def translator(model, limit: int = 40) -> Translator:
    tokenizer = ByteTokenizer("NFC")
    pair = TokenizerPair(tokenizer, tokenizer)
    settings = SearchSettings(beam=4, length_penalty=3)  # random models would write nothing
    return Translator(
        EagerEngine(model.eval()), pair, settings=settings, max_ratio=0.5, max_source_length=limit
    )


def wild(limit: int = 40, **options) -> Translator:
    torch.manual_seed(0)
    sizes = TransformerSettings(
        dim=16, heads=2, feed_forward=32, encoder_layers=1, decoder_layers=2, **options
    )
    return translator(build(Wild, sizes, 260), limit)


def recurrent(attention: str) -> Translator:
    values = {"architecture": "recurrent", "cell": "gru", "dim": 8, "attention": attention}
    torch.manual_seed(0)
    return translator(build_model(parse_model_settings(values, "test"), 260, 260, shared=False))


@pytest.fixture(scope="module")
def seen():
    return look(wild(), TEXT, name="wild")


def embedded(page: str):
    (found,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    return json.loads(found)


def test_weights_are_shares_and_have_the_shape_of_the_texts(seen):
    source, target = len(seen.source), len(seen.target_out)
    assert source == len(TEXT) + 1
    shapes = {
        "cross": (2, 2, target, source),
        "encoder": (1, 2, source, source),
        "decoder": (2, 2, target, target),
    }
    assert seen.attention.keys() == shapes.keys()
    for kind, shape in shapes.items():
        weights = torch.tensor(seen.attention[kind].weights)
        assert weights.shape == shape
        assert torch.allclose(weights.sum(-1), torch.ones(()), atol=0.0005 * shape[-1])
        bits = torch.tensor(seen.attention[kind].entropy)
        assert bits.shape == shape[:2]
        assert (bits >= 0).all()
        assert (bits <= math.log2(shape[-1]) + 0.01).all()


def test_the_mask_says_where_the_decoder_may_look(seen):
    masked = ~torch.tensor(seen.mask).bool()
    assert masked.sum() == len(masked) * (len(masked) - 1) / 2
    assert (torch.tensor(seen.attention["decoder"].weights)[..., masked] == 0).all()


def test_probabilities_are_those_of_the_translation(seen):
    (translation,) = wild().translate([TEXT], beam=4)
    assert seen.outputs[0].text == translation.text
    assert len(seen.positions) == len(translation.log_probs) == len(seen.target_out)
    for position, log_prob, token in zip(seen.positions, translation.log_probs, seen.target_out, strict=True):
        assert position.probability == pytest.approx(math.exp(log_prob), abs=1e-3)
        values = [probability for _, probability in position.best]
        assert len(values) == 5
        assert values == sorted(values, reverse=True)
        if position.rank < 5:
            assert position.best[position.rank] == (token, position.probability)


@pytest.mark.parametrize("beam", [1, 2, 6])
def test_what_survives_of_the_tree_is_the_n_best(beam):
    seen = look(wild(), TEXT, name="wild", beam=beam)
    (translation,) = wild().translate([TEXT], beam=beam, n_best=beam)
    expected = [translation, *translation.alternatives]
    ranked = sorted((node for node in seen.tree if node.rank is not None), key=lambda node: node.rank)
    assert [node.rank for node in ranked] == list(range(len(expected)))
    for node, one in zip(ranked, expected, strict=True):
        assert node.fate == ("limit" if "limit" in one.flags else "ended")
        assert node.total == pytest.approx(sum(one.log_probs), abs=1e-3)
        path = [node]
        while path[0].parent is not None:
            path.insert(0, seen.tree[path[0].parent])
        assert [each.step for each in path] == list(range(1, len(path) + 1))
        ending = [] if "limit" in one.flags else ["</s>"]
        assert [each.token for each in path] == [*one.tokens, *ending]
        assert [each.log_prob for each in path] == pytest.approx(one.log_probs, abs=1e-3)


def test_a_hypothesis_that_died_has_no_children(seen):
    parents = {node.parent for node in seen.tree}
    fates = {node.fate for node in seen.tree}
    assert "lost" in fates
    for number, node in enumerate(seen.tree):
        assert (number in parents) == (node.fate == "kept")
    steps = [node.step for node in seen.tree]
    assert all(steps.count(step) <= seen.beam for step in steps)


def test_the_position_code_is_the_papers(seen):
    assert seen.position_code.kind == "sinusoidal"
    code = torch.tensor(seen.position_code.values)
    assert code.shape == (max(len(seen.source), len(seen.target_out)), 16)
    assert code[3, 4].item() == pytest.approx(math.sin(3 / 10000 ** (4 / 16)), abs=0.006)
    assert code[3, 5].item() == pytest.approx(math.cos(3 / 10000 ** (4 / 16)), abs=0.006)


def test_learned_positions_are_shown_as_they_are():
    model = wild(positions="learned")
    with torch.no_grad():
        model.engine.model.positions.table.normal_()
    code = look(model, TEXT, name="learned").position_code
    assert code.kind == "learned"
    shown = torch.tensor(code.values)
    torch.testing.assert_close(shown, model.engine.model.positions.table[: len(shown)], atol=1e-4, rtol=0)


def test_rotary_positions_are_the_angles_of_a_head():
    code = look(wild(positions="rotary"), TEXT, name="rotary").position_code
    assert code.kind == "rotary"
    assert len(code.values[0]) == 8
    assert code.values[3][4:6] == pytest.approx(
        [math.sin(3 / 10000 ** (4 / 8)), math.cos(3 / 10000 ** (4 / 8))], abs=0.006
    )


def test_the_page_holds_the_same_data_as_the_json(seen):
    page = look_page(seen)
    assert embedded(page) == json.loads(as_json(seen.as_data()))
    assert embedded(page)["attention"]["cross"]["weights"] == seen.attention["cross"].weights


def test_the_page_names_nothing_to_fetch_and_lets_no_text_be_markup():
    seen = replace(look(wild(), NASTY, name=NASTY), target_out=[NASTY], target_in=["<s>"])
    seen = replace(seen, positions=seen.positions[:1], alignment=[(0, 0)])
    page = look_page(seen)
    assert not re.search("https?:", page)
    assert not re.search(r"\b(src|href)=(?!x)|url\(|@import|\bfetch\(", page)
    assert "<img" not in page
    assert page.count("</script>") == 2
    assert html.escape(NASTY)[:20] in page
    assert embedded(page)["model"] == NASTY


@pytest.mark.parametrize("attention", ["none", "additive", "multiplicative"])
def test_recurrent_models_show_what_they_have(attention):
    seen = look(recurrent(attention), TEXT, name="gru", beam=2)
    page = look_page(seen)
    assert seen.position_code is None
    assert seen.mask is None
    assert seen.head_dim is None
    assert len(seen.positions) == len(seen.target_out)
    if attention == "none":
        assert (seen.attention, seen.alignment, seen.scoring) == ({}, [], None)
        assert "this model has no attention to show" in page
        assert 'id="attention"' not in page
    else:
        assert seen.attention.keys() == {"cross"}
        assert seen.scoring == attention
        assert seen.no_attention is None
        assert 'id="attention"' in page


def test_a_text_that_is_too_long_is_shown_part_by_part():
    sentences = ["abc de abc.", "edc ba edc!", "aaa bbb ccc?"]
    for number, sentence in enumerate(sentences, start=1):
        seen = look(wild(limit=14), " ".join(sentences), name="wild", part=number)
        assert (seen.text, seen.part, seen.parts) == (sentence, number, 3)
        assert f"this page shows part {number}" in look_page(seen)
    with pytest.raises(ConfigurationError, match="no such part"):
        look(wild(limit=14), " ".join(sentences), name="wild", part=4)


def test_a_translation_that_was_cut_off_has_no_end_sign():
    cut = wild()
    cut.engine.model.project = lambda hidden: torch.zeros(*hidden.shape[:-1], 260).index_fill(
        -1, torch.tensor([EOS]), -100.0
    )
    seen = look(cut, "ab", name="cut")
    assert seen.outputs[0].limited
    assert "</s>" not in seen.target_out
    assert len(seen.target_out) == len(seen.positions) == len(seen.attention["cross"].weights[0][0])
    assert "cut the translation off" in look_page(seen)


def test_mistakes_are_explained():
    with pytest.raises(DataError, match="no text to look at"):
        look(wild(), " ", name="wild")
    with pytest.raises(ConfigurationError, match="beam"):
        look(wild(), "a", name="wild", beam=0)
