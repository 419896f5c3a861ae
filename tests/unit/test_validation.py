"""Choosing the length penalty on validation pairs, with a Transformer of random weights over bytes."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch

from interlingua.data.store import build_store
from interlingua.engine.eager import EagerEngine
from interlingua.evaluation.scores import evaluate
from interlingua.inference.bundle import LengthStatistics
from interlingua.inference.translator import Translator
from interlingua.kinds import EOS
from interlingua.model.transformer import Transformer, TransformerSettings
from interlingua.runs.validation import LENGTH_PENALTIES, Validator
from interlingua.search.settings import SearchSettings
from interlingua.text.symbols import ByteTokenizer
from interlingua.text.tokenizer import TokenizerPair
from tests.models import build

BYTES = TokenizerPair(ByteTokenizer("NFC"), ByteTokenizer("NFC"))
LIMITS = LengthStatistics(max_ratio=1.0, max_source_length=64)


class Wild(Transformer):
    """Random weights would repeat one byte; an output matrix of its own makes texts of many lengths."""

    def project(self, hidden):
        weight = torch.randn(260, hidden.shape[-1], generator=torch.Generator().manual_seed(1))
        logits = hidden @ weight.T
        logits[..., EOS] += 4
        logits[..., 4 + 128 :] -= 5
        return logits


@pytest.fixture(scope="module")
def model() -> Transformer:
    torch.manual_seed(0)
    sizes = TransformerSettings(dim=16, heads=2, feed_forward=32, encoder_layers=1, decoder_layers=1)
    return build(Wild, sizes, 260).eval()


def validator(pairs: list[tuple[str, str]], directory: Path, *, choose: bool = True) -> Validator:
    return Validator(
        build_store(pairs, BYTES, directory / "store"), BYTES, LIMITS, SearchSettings(beam=4),
        choose_length_penalty=choose, decode_pairs=5, max_tokens=512, device=torch.device("cpu"),
    )  # fmt: skip


def translated(model: Transformer, sources: list[str], alpha: float) -> list[str]:
    settings = SearchSettings(beam=4, length_penalty=alpha)
    translator = Translator(EagerEngine(model), BYTES, settings=settings, max_ratio=1.0, max_source_length=64)
    return [translation.text for translation in translator.translate(sources)]


@pytest.fixture(scope="module")
def sources() -> list[str]:
    draw = random.Random(0)
    return ["".join(draw.choices("abcde ", k=draw.randint(1, 12))).strip() or "a" for _ in range(12)]


@pytest.mark.parametrize("alpha", LENGTH_PENALTIES)
def test_the_penalty_whose_outputs_are_asked_for_is_found(model, sources, alpha, tmp_path):
    outputs = {other: translated(model, sources, other) for other in LENGTH_PENALTIES}
    same = [other for other in LENGTH_PENALTIES if outputs[other] == outputs[alpha]]
    assert len(same) < len(LENGTH_PENALTIES)  # otherwise nothing is chosen
    pairs = list(zip(sources, outputs[alpha], strict=True))
    validating = validator(pairs, tmp_path)
    found = validating.validate(model, thorough=True)
    assert found.search == SearchSettings(beam=4, length_penalty=same[0])
    (expected, *_) = evaluate(outputs[alpha], pairs, metrics=validating.metrics, n_bootstrap=0)
    assert found.scores[0].score == pytest.approx(expected.score)


def test_nothing_is_chosen_when_a_penalty_was_given(model, sources, tmp_path):
    pairs = list(zip(sources, translated(model, sources, 0.0), strict=True))
    found = validator(pairs, tmp_path, choose=False).validate(model, thorough=True)
    assert found.search == SearchSettings(beam=4)
    assert [sample.output for sample in found.samples] == translated(model, sources, 1.0)[:10]
