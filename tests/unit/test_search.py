"""Properties of the searches, on a table with a 3-token vocabulary and on Transformers that know nothing."""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

import pytest
import torch
from hypothesis import given
from hypothesis import settings as how
from hypothesis import strategies as st
from pydantic import ValidationError

from interlingua.kinds import BOS, EOS, PAD, UNK, Source
from interlingua.model.architectures import build_model
from interlingua.model.protocol import Memory, Seq2Seq, kept_sentences, select
from interlingua.model.transformer import Transformer, TransformerSettings
from interlingua.search.beam import beam_search
from interlingua.search.forced import forced_log_probs
from interlingua.search.hypothesis import SearchInput, length_penalty
from interlingua.search.sample import _draw
from interlingua.search.search import search
from interlingua.search.settings import SearchSettings
from interlingua.search.topk import top_k
from interlingua.text.lengths import length_limit
from tests.models import build

LETTERS = 2  # besides EOS: three tokens that may be generated


class TableState(NamedTuple):
    """First source ids of the sentences, and what each row has read."""

    first: torch.Tensor
    history: torch.Tensor

    def reorder(self, rows):
        kept = kept_sentences(rows, len(self.history), len(self.first))
        return TableState(select(self.first, kept), self.history[rows.flatten()])


class Table(Seq2Seq):
    """A Seq2Seq by look-up: logits[first source id, position, token before]; it counts its steps."""

    def __init__(self, seed: int, positions: int = 12, vocabulary: int = 4 + LETTERS) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.logits = 2 * torch.randn(20, positions, vocabulary, vocabulary, generator=generator)
        self.steps = 0

    def encode(self, source):
        return Memory(source.values[:, :1].unsqueeze(2).float(), source.mask[:, :1])

    def start(self, memory):
        first = memory.states[:, 0].long()
        return TableState(first, torch.zeros(len(first), 0, dtype=torch.long))

    def step(self, tokens, state):
        self.steps += 1
        beams = len(tokens) // len(state.first)
        first = state.first.repeat_interleave(beams, 0).squeeze(1)
        logits = self.logits[first, state.history.shape[1], tokens]
        return logits, TableState(state.first, torch.cat([state.history, tokens.unsqueeze(1)], 1))

    def log_prob(self, source: int, ids: list[int]) -> float:
        rows = self.logits[source, range(len(ids)), [BOS, *ids[:-1]]].log_softmax(1)
        return float(rows[range(len(ids)), ids].sum())


def every_sequence(limit: int) -> list[list[int]]:
    letters = range(4, 4 + LETTERS)
    return [[*ids, EOS] for length in range(limit) for ids in itertools.product(letters, repeat=length)]


def sources(batch: int = 5, limit: int = 5, width: int = 3) -> SearchInput:
    ids = torch.arange(4, 4 + batch).unsqueeze(1).expand(batch, width).clone()
    ids[:, -1] = EOS
    source = Source(ids, torch.ones_like(ids, dtype=torch.bool))
    return SearchInput(source, torch.full((batch,), limit))


class Wild(Transformer):
    """A Transformer of random weights whose outputs are varied: tied ones would repeat their input."""

    def project(self, hidden):
        generator = torch.Generator().manual_seed(int(self.frontend.embedding.weight.sum() * 1000))
        weight = torch.randn(self.target_embedding.weight.shape, generator=generator)
        logits = 0.7 * hidden @ weight.T
        logits[..., EOS] += 2
        return logits


def transformer(seed: int = 0, vocabulary: int = 30) -> Transformer:
    torch.manual_seed(seed)
    sizes = TransformerSettings(dim=16, heads=2, feed_forward=32, encoder_layers=1, decoder_layers=2)
    model = build(Wild, sizes, vocabulary).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() == 2 and "embedding" not in name:
                parameter.mul_(2)
    return model


def random_sources(count: int, vocabulary: int = 30, seed: int = 1) -> list[list[int]]:
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, 12, (count,), generator=generator).tolist()
    return [[*torch.randint(4, vocabulary, (n,), generator=generator).tolist(), EOS] for n in lengths]


def padded(rows: list[list[int]], limit: int = 14) -> SearchInput:
    width = max(map(len, rows))
    ids = torch.tensor([row + [PAD] * (width - len(row)) for row in rows])
    return SearchInput(Source(ids, ids != PAD), torch.tensor([min(limit, 2 * len(row) + 6) for row in rows]))


@pytest.mark.parametrize("alpha", [0.0, 0.6, 1.0])
@pytest.mark.parametrize("stop", ["exact", "all"])
def test_a_wide_enough_beam_is_exhaustive_search(alpha, stop):
    limit = 5
    settings = SearchSettings(beam=64, n_best=7, length_penalty=alpha, stop=stop)
    for seed in range(10):
        table = Table(seed)
        for number, found in enumerate(search(table, sources(limit=limit), settings), start=4):
            scores = {
                tuple(ids[:-1]): table.log_prob(number, ids) / float(length_penalty(len(ids), alpha))
                for ids in every_sequence(limit)
            }
            expected = sorted(scores, key=scores.__getitem__, reverse=True)[:7]
            assert [tuple(h.ids) for h in found] == expected
            assert [h.score for h in found] == pytest.approx([scores[ids] for ids in expected], abs=1e-5)
            assert not any(h.limited for h in found)


@pytest.mark.parametrize("make", [Table, transformer], ids=["table", "transformer"])
def test_beam_1_is_greedy_search(make):
    settings = SearchSettings(beam=1)
    rows = random_sources(40, vocabulary=20)
    limited = ended = 0
    for seed in range(5):
        model = make(seed)
        batch = padded(rows, limit=10)
        greedy, beam = search(model, batch, settings), beam_search(model, batch, settings)
        for (one,), (other,) in zip(greedy, beam, strict=True):
            assert (one.ids, one.limited) == (other.ids, other.limited)
            assert one.log_probs == pytest.approx(other.log_probs, abs=1e-5)
            assert one.score == pytest.approx(other.score, abs=1e-5)
            limited, ended = limited + one.limited, ended + (not one.limited)
    assert ended > 3
    assert limited > 3


def test_stopping_early_changes_nothing_and_takes_fewer_steps():
    steps = {}
    found = {}
    for stop in ("exact", "all"):
        found[stop], steps[stop] = [], 0
        for seed in range(30):
            table = Table(seed, vocabulary=12)
            found[stop] += search(table, sources(limit=12), SearchSettings(beam=5, n_best=2, stop=stop))
            steps[stop] += table.steps
    assert found["exact"] == found["all"]
    assert steps["exact"] < steps["all"]


@pytest.mark.parametrize("beam", [1, 4])
def test_batch_size_and_order_do_not_matter(beam):
    model = transformer()
    rows = random_sources(24)
    settings = SearchSettings(beam=beam)
    together = search(model, padded(rows), settings)
    reversed_order = search(model, padded(rows[::-1]), settings)[::-1]
    sevens = [found for i in range(0, 24, 7) for found in search(model, padded(rows[i : i + 7]), settings)]
    alone = [search(model, padded([row]), settings)[0] for row in rows]
    assert len({tuple(found[0].ids) for found in together}) > 5
    for other in (reversed_order, sevens, alone):
        for one, two in zip(together, other, strict=True):
            assert one[0].ids == two[0].ids
            assert one[0].score == pytest.approx(two[0].score, abs=1e-4)


@pytest.mark.parametrize("settings", [
    SearchSettings(beam=1),
    SearchSettings(beam=4, n_best=4),
    SearchSettings(sample=True, n_best=3, temperature=0.8, top_k=20, top_p=0.9),
], ids=["greedy", "beam", "sample"])  # fmt: skip
def test_log_probabilities_equal_a_forced_pass(settings):
    model = transformer()
    rows = random_sources(10)
    for row, found in zip(rows, search(model, padded(rows), settings), strict=True):
        for hypothesis in found:
            ending = [] if hypothesis.limited else [EOS]
            ids = [*hypothesis.ids, *ending]
            target_in, target_out = torch.tensor([[BOS, *ids[:-1]]]), torch.tensor([ids])
            source = torch.tensor([row])
            forced = forced_log_probs(model, Source(source, source != PAD), target_in, target_out)[0].tolist()
            assert hypothesis.log_probs == pytest.approx(forced, abs=1e-4)
            penalty = float(length_penalty(len(ids), settings.length_penalty))
            assert hypothesis.score == pytest.approx(sum(forced) / penalty, abs=1e-4)


def test_forced_scores_ignore_padding():
    model = transformer()
    source = torch.tensor([[5, 6, EOS], [7, EOS, PAD]])
    target = torch.tensor([[8, 9, EOS], [9, EOS, PAD]])
    target_in = torch.tensor([[BOS, 8, 9], [BOS, 9, PAD]])
    both = forced_log_probs(model, Source(source, source != PAD), target_in, target)
    shorter = Source(source[1:, :2], source[1:, :2] != PAD)
    alone = forced_log_probs(model, shorter, target_in[1:, :2], target[1:, :2])
    assert both[1, 2] == 0
    assert torch.allclose(both[1, :2], alone[0], atol=1e-5)


@pytest.mark.parametrize("settings", [
    SearchSettings(beam=1), SearchSettings(beam=3), SearchSettings(sample=True)
], ids=["greedy", "beam", "sample"])  # fmt: skip
def test_special_ids_are_never_generated(settings):
    table = Table(0)
    table.logits[..., [PAD, UNK, BOS]] += 20
    for found in search(table, sources(), settings):
        assert not {PAD, UNK, BOS, EOS} & set(found[0].ids)
    allowed = settings.model_copy(update={"unknown": True})
    assert {UNK} in [set(found[0].ids) for found in search(table, sources(), allowed)]


@pytest.mark.parametrize("beam", [1, 2])
def test_reaching_the_length_limit_is_flagged_and_ranks_last(beam):
    table = Table(0)
    table.logits[..., EOS] -= 50
    table.logits[4, 2, :, EOS] += 49.5  # improbable, but the only way to end
    batch = sources(limit=4)
    found = search(table, batch, SearchSettings(beam=beam, n_best=beam))
    assert all(len(h.ids) == 4 for h in found[1])
    assert all(h.limited for h in found[1])
    flags = [h.limited for h in found[0]]
    assert flags == sorted(flags)


def test_sampling_follows_the_distribution_and_the_seed():
    table = Table(3)
    table.logits[:] = table.logits[:, :1, BOS : BOS + 1]
    draws = 1000
    settings = SearchSettings(sample=True, n_best=draws, temperature=0.7, seed=5)
    batch = sources(batch=1, limit=1)
    counts = [0.0] * 6
    for hypothesis in search(table, batch, settings)[0]:
        counts[(hypothesis.ids or [EOS])[0]] += 1 / draws
    logits = table.logits[4, 0, BOS].clone()
    logits[[PAD, UNK, BOS]] = -math.inf
    assert counts == pytest.approx((logits / 0.7).softmax(0).tolist(), abs=0.05)
    assert search(table, batch, settings) == search(table, batch, settings)
    other = settings.model_copy(update={"seed": 6})
    assert search(table, batch, settings) != search(table, batch, other)


def test_a_sample_does_not_depend_on_its_batch():
    model = transformer()
    rows = random_sources(12)
    settings = SearchSettings(sample=True, n_best=2, seed=3)
    together = search(model, padded(rows), settings)
    alone = [search(model, padded([row]), settings)[0] for row in rows]
    assert [[h.ids for h in found] for found in together] == [[h.ids for h in found] for found in alone]


def test_frames_can_be_sampled_from_and_do_not_depend_on_their_batch():
    sizes = TransformerSettings(dim=16, heads=2, feed_forward=32, encoder_layers=1, decoder_layers=1)
    model = build_model(sizes, 5, 30, shared=False, source_kind="sound").eval()
    mask = torch.arange(17) < torch.tensor([[17], [9], [4]])
    batch = SearchInput(
        Source(torch.randn(3, 17, 5).masked_fill(~mask.unsqueeze(2), 0), mask), torch.tensor([8] * 3)
    )
    settings = SearchSettings(sample=True, n_best=2, seed=3)
    together = search(model, batch, settings)
    source = Source(batch.source.values[1:2, :9], mask[1:2, :9])
    (alone,) = search(model, SearchInput(source, batch.limits[1:2]), settings)
    assert [h.ids for h in alone] == [h.ids for h in together[1]]


def test_top_k_top_p_and_min_p_keep_the_most_probable():
    table = Table(0)
    greedy = search(table, sources(), SearchSettings(beam=1))
    for cut in ({"top_k": 1}, {"top_p": 1e-6}, {"min_p": 1.0}, {"temperature": 0.001}):
        settings = SearchSettings(sample=True, **cut)
        sampled = search(table, sources(), settings)
        assert [h[0].ids for h in sampled] == [h[0].ids for h in greedy]


@pytest.mark.parametrize("min_p", [0.0, 0.1, 0.5])
def test_min_p_draws_what_is_probable_enough_beside_the_best(min_p):
    probabilities = torch.tensor([0.5, 0.3, 0.15, 0.04, 0.01]).repeat(4000, 1)
    numbers = torch.rand(4000, generator=torch.Generator().manual_seed(0))
    drawn = _draw(probabilities.log(), numbers, SearchSettings(sample=True, min_p=min_p))
    kept = probabilities[0] * (probabilities[0] >= min_p * 0.5)
    shares = torch.bincount(drawn, minlength=5) / 4000
    torch.testing.assert_close(shares, kept / kept.sum(), atol=0.03, rtol=0)
    assert (shares > 0).tolist() == (kept > 0).tolist()


def test_more_than_the_beam_holds_cannot_be_asked_for():
    with pytest.raises(ValidationError, match="needs a beam at least as wide"):
        SearchSettings(beam=2, n_best=3)


@how(deadline=None)
@given(
    st.integers(1, 3), st.sampled_from([1, 2, 5, 40]), st.sampled_from([40, 64, 129, 1000, 8001]),
    st.integers(0, 2**31), st.booleans(),
)  # fmt: skip
def test_the_top_k_are_those_of_a_full_sort(rows, count, vocabulary, seed, coarse):
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(rows, vocabulary, generator=generator)
    if coarse:  # many ties, and many that cannot be
        scores = scores.round().masked_fill(scores < 0, -math.inf)
    values, places = top_k(scores, count)
    torch.testing.assert_close(values, scores.sort(dim=1, descending=True).values[:, :count])
    torch.testing.assert_close(scores.gather(1, places), values)
    assert all(len(set(row)) == count for row in places.tolist())


def test_the_limit_grows_with_the_source():
    assert length_limit(0, 2.0) == 10
    assert length_limit(7, 1.1) == math.ceil(1.5 * 1.1 * 7) + 10
