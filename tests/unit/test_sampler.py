"""Batches hold every pair once, within budget, and are a pure function of seed and epoch."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from interlingua.data import sampler
from interlingua.data.batch import Batch, make_batch, pad
from interlingua.data.loader import Position, SubwordSampling, load_batches
from interlingua.data.sampler import epoch_batches
from interlingua.data.store import Store, build_store
from interlingua.kinds import BOS, EOS, PAD
from interlingua.text.tokenizer import TokenizerPair, TokenizerSettings, train_tokenizers

lengths = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=300)


@given(lengths, st.integers(1, 400), st.integers(0, 5), st.integers(0, 5))
def test_every_pair_once_within_budget(
    pairs: list[tuple[int, int]], max_tokens: int, seed: int, epoch: int
) -> None:
    source, target = np.array(pairs, np.uint32).reshape(-1, 2).T
    batches = list(epoch_batches(source, target, max_tokens, seed, epoch))
    assert sorted(np.concatenate([[], *batches]).tolist()) == list(range(len(pairs)))
    for batch in batches:
        widest = max(source[batch].max(), target[batch].max())
        assert len(batch) == 1 or len(batch) * widest <= max_tokens


def test_order_depends_on_seed_and_epoch_alone() -> None:
    source, target = np.random.default_rng(0).integers(1, 40, (2, 500))

    def order(seed: int, epoch: int) -> list[int]:
        return np.concatenate(list(epoch_batches(source, target, 200, seed, epoch))).tolist()

    assert order(1, 0) == order(1, 0)
    assert len({tuple(order(seed, epoch)) for seed in (1, 2) for epoch in (0, 1)}) == 4


def test_pools_do_not_change_the_contract(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampler, "POOL_PAIRS", 64)
    source, target = np.random.default_rng(0).integers(1, 40, (2, 500))
    batches = list(epoch_batches(source, target, 200, 0, 0))
    assert sorted(np.concatenate(batches).tolist()) == list(range(500))


def test_little_padding_for_sentences_of_usual_lengths() -> None:
    random = np.random.default_rng(0)
    target = random.poisson(14, 29_000) + 2
    source = np.maximum(1, target + random.integers(-3, 4, 29_000))
    padded = sum(
        len(b) * (source[b].max() + target[b].max()) for b in epoch_batches(source, target, 4096, 0, 0)
    )
    assert 1 - (source.sum() + target.sum()) / padded < 0.05


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    random = np.random.default_rng(1)
    words = ["".join(random.choice(list("abcdef"), random.integers(1, 12))) for _ in range(120)]
    pairs = [(word, word[::-1]) for word in words]
    tokenizers, _ = train_tokenizers(pairs, TokenizerSettings(source="characters", target="characters"))
    return build_store(pairs, tokenizers, tmp_path_factory.mktemp("data") / "store")


def test_a_batch_is_shifted_and_masked(store: Store) -> None:
    batch = make_batch(store, [0, 5, 9])
    for row, i in enumerate([0, 5, 9]):
        source, target = store.source(i).tolist(), store.target(i).tolist()
        assert batch.source.values[row][batch.source.mask[row]].tolist() == [*source, EOS]
        assert batch.target_in[row][: len(target) + 1].tolist() == [BOS, *target]
        assert batch.target_out[row][: len(target) + 1].tolist() == [*target, EOS]
        assert (batch.target_out[row][len(target) + 1 :] == PAD).all()
    assert batch.target_tokens == (batch.target_out != PAD).sum()
    positions = batch.source.values.numel() + batch.target_out.numel()
    assert batch.padding == pytest.approx(
        ((batch.source.values == PAD).sum() + (batch.target_out == PAD).sum()) / positions
    )


def test_pad_of_empty_rows() -> None:
    assert pad([[], [5, 6]], after=EOS).tolist() == [[EOS, PAD, PAD], [5, 6, EOS]]
    assert pad([[], [5]], before=BOS).tolist() == [[BOS, PAD], [BOS, 5]]


def test_loading_goes_on_exactly_where_it_stopped(store: Store) -> None:
    whole = list(islice(load_batches(store, 60, 7, Position()), 60))
    assert whole[-1][1].epoch >= 1
    for stop in (0, 1, 20, 45):
        start = whole[stop - 1][1] if stop else Position()
        rest = islice(load_batches(store, 60, 7, start), 60 - stop)
        for (batch, position), (expected, expected_position) in zip(rest, whole[stop:], strict=True):
            assert position == expected_position
            assert torch.equal(batch.source.values, expected.source.values)
            assert torch.equal(batch.target_out, expected.target_out)


def test_sampled_subwords_keep_the_texts_and_depend_on_the_position_alone(tmp_path: Path) -> None:
    pairs = [(f"the number {i} of {i * i} things", f"die Zahl {i} von {i * i} Dingen") for i in range(200)]
    settings = TokenizerSettings(source="unigram", target="bpe", joint=False, vocabulary_size=420)
    tokenizers, _ = train_tokenizers(pairs, settings)
    store = build_store(pairs, tokenizers, tmp_path / "store", max_length=100)

    def batches(alpha: float, start: Position, count: int) -> list[tuple[Batch, Position]]:
        sampling = SubwordSampling(tokenizers, alpha)
        return list(islice(load_batches(store, 200, 7, start, sampling), count))

    plain = list(islice(load_batches(store, 200, 7, Position()), 60))
    whole = batches(0.3, Position(), 60)
    for (batch, position), (stored, _) in zip(whole, plain, strict=True):
        assert texts(tokenizers, batch) == texts(tokenizers, stored)
        again, _ = batches(0.3, position._replace(batch=position.batch - 1), 1)[0]
        assert torch.equal(again.source.values, batch.source.values)
        assert torch.equal(again.target_out, batch.target_out)
    for ids_of in (lambda batch: batch.source.values, lambda batch: batch.target_out):
        assert sum(ids_of(b).ne(PAD).sum() for b, _ in whole) > sum(ids_of(b).ne(PAD).sum() for b, _ in plain)


def texts(tokenizers: TokenizerPair, batch: Batch) -> list[tuple[str, str]]:
    source, target = batch.source.values.tolist(), batch.target_out.tolist()
    return [
        (tokenizers.source.decode(s), tokenizers.target.decode(t))
        for s, t in zip(source, target, strict=True)
    ]
