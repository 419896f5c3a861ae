"""CTC in the search: all that it adds up, found by adding up all paths of a tiny vocabulary."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import Tensor

from interlingua.kinds import EOS, PAD, Source
from interlingua.model.architectures import build_model
from interlingua.model.protocol import Seq2Seq
from interlingua.model.recurrent import RecurrentSettings
from interlingua.model.transformer import TransformerSettings
from interlingua.search.beam import beam_search
from interlingua.search.ctc import CTCPrefixScorer, ctc_align, ctc_greedy
from interlingua.search.forced import forced_log_probs
from interlingua.search.hypothesis import SearchInput, length_penalty
from interlingua.search.search import search
from interlingua.search.settings import SearchSettings
from tests.unit.test_search import LETTERS, Table, every_sequence, sources

VECTORS = 5


def spelt(path: tuple[int, ...]) -> tuple[int, ...]:
    """What is left of a path without repetitions and blanks."""
    return tuple(id for id, _ in itertools.groupby(path) if id != PAD)


def targets_of(log_probs: Tensor) -> dict[tuple[int, ...], float]:
    """The log-probability of all targets: the sum over all paths."""
    vectors, vocabulary = log_probs.shape
    ids = [PAD, *range(4, vocabulary)]
    totals: dict[tuple[int, ...], float] = {}
    for path in itertools.product(ids, repeat=vectors):
        probability = math.exp(sum(float(log_probs[t, id]) for t, id in enumerate(path)))
        totals[spelt(path)] = totals.get(spelt(path), 0.0) + probability
    return {ids: math.log(total) for ids, total in totals.items()}


def random_log_probs(seed: int, batch: int = 3, vectors: int = VECTORS) -> Tensor:
    """Of PAD and the letters; nothing else is ever there."""
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(batch, vectors, 4 + LETTERS, generator=generator)
    logits[:, :, 1:4] = -1e4
    return logits.log_softmax(2)


class TwoOpinions(Table):
    """A table of what follows what, and CTC's log-probabilities for sources of some lengths."""

    def __init__(self, seed: int, batch: int = 3) -> None:
        super().__init__(seed)
        self.log_probs = random_log_probs(seed, batch)
        self.mask = torch.arange(VECTORS) < torch.arange(VECTORS, VECTORS - batch, -1).unsqueeze(1)

    def encode(self, source):
        memory = super().encode(source)
        numbers = source.values[:, 0] - 4
        return memory._replace(states=memory.states.expand(-1, VECTORS, 1), mask=self.mask[numbers])

    def decode(self, memory, target_in):
        first = memory.states[:, :1, 0].long()
        return self.logits[first, torch.arange(target_in.shape[1]), target_in]

    def project(self, hidden):
        return hidden

    def ctc(self, memory):
        return self.log_probs[memory.states[:, 0, 0].long() - 4]


@pytest.mark.parametrize("weight", [0.3, 0.9])
@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_a_wide_enough_beam_finds_the_best_by_both(weight, alpha):
    limit = 5
    settings = SearchSettings(beam=64, n_best=6, length_penalty=alpha, ctc_weight=weight)
    for seed in range(5):
        model = TwoOpinions(seed)
        for number, found in enumerate(search(model, sources(batch=3, limit=limit), settings)):
            ctc = targets_of(model.log_probs[number, model.mask[number]])
            attention = {tuple(ids[:-1]): model.log_prob(4 + number, ids) for ids in every_sequence(limit)}
            penalties = {ids: float(length_penalty(len(ids) + 1, alpha)) for ids in attention}
            joint = {
                ids: ((1 - weight) * attention[ids] + weight * ctc[ids]) / penalties[ids]
                for ids in attention
                if ids in ctc
            }
            expected = sorted(joint, key=joint.__getitem__, reverse=True)[:6]
            assert [tuple(h.ids) for h in found] == expected
            scores = [attention[ids] / penalties[ids] for ids in expected]
            assert [h.score for h in found] == pytest.approx(scores, abs=1e-5)


def test_prefixes_are_scored_by_all_targets_that_begin_with_them():
    log_probs = random_log_probs(7, batch=2)
    mask = torch.arange(VECTORS) < torch.tensor([[5], [3]])
    scorer = CTCPrefixScorer(log_probs, mask, beam=2, weight=0.5)
    every = [targets_of(log_probs[i, mask[i]]) for i in range(2)]
    prefix: tuple[int, ...] = ()
    for token in (4, 4, 5):
        begun = scorer._begun(torch.tensor([4, 5]).expand(2, 1, 2))
        whole = scorer._whole()
        for i, targets in enumerate(every):
            assert math.exp(whole[i, 0]) == pytest.approx(math.exp(targets.get(prefix, -math.inf)), abs=1e-6)
            for column, id in enumerate((4, 5)):
                wanted = (*prefix, id)
                total = sum(math.exp(p) for ids, p in targets.items() if ids[: len(wanted)] == wanted)
                assert math.exp(begun[i, 0, column]) == pytest.approx(total, abs=1e-6)
        zeros = torch.zeros(2, 1)
        scorer._chosen = zeros.long(), torch.full((2, 1), token), zeros
        scorer.reorder(torch.arange(2), torch.zeros(2, 1, dtype=torch.long))
        prefix = (*prefix, token)
    assert not any(part.isnan().any() for part in scorer._prefixes)


def sound_model(ctc: bool = True, recurrent: bool = False) -> Seq2Seq:
    torch.manual_seed(3)
    if recurrent:
        cells = RecurrentSettings(dim=16, encoder_layers=2, decoder_layers=2, cell="gru", ctc=ctc)
        return build_model(cells, 5, 30, shared=False, source_kind="sound").eval()
    sizes = TransformerSettings(
        dim=16, heads=2, feed_forward=32, encoder_layers=1, decoder_layers=1, ctc=ctc, convolution=3,
        embeddings="separate",
    )  # fmt: skip
    model = build_model(sizes, 5, 30, shared=False, source_kind="sound").eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 2:
                parameter.mul_(2)
    return model


def sounds(lengths: list[int]) -> SearchInput:
    generator = torch.Generator().manual_seed(1)
    mask = torch.arange(max(lengths)) < torch.tensor(lengths).unsqueeze(1)
    values = torch.zeros(*mask.shape, 5)
    for row, length in zip(values, lengths, strict=True):
        row[:length] = torch.randn(length, 5, generator=generator)
    return SearchInput(Source(values, mask), torch.tensor([max(2, n // 5) for n in lengths]))


LENGTHS = [61, 8, 40, 33, 57, 4, 21]


@pytest.mark.parametrize("beam", [1, 4])
def test_a_batch_changes_nothing(beam):
    model, batch = sound_model(), sounds(LENGTHS)
    settings = SearchSettings(beam=beam, ctc_weight=0.4)
    together = search(model, batch, settings)
    assert len({tuple(found[0].ids) for found in together}) > 4
    for i, length in enumerate(LENGTHS):
        source = Source(batch.source.values[i : i + 1, :length], batch.source.mask[i : i + 1, :length])
        (alone,) = search(model, SearchInput(source, batch.limits[i : i + 1]), settings)
        assert alone[0].ids == together[i][0].ids
        assert alone[0].score == pytest.approx(together[i][0].score, abs=1e-4)


@pytest.mark.parametrize("recurrent", [False, True])
@pytest.mark.parametrize("beam", [1, 4])
def test_log_probabilities_are_the_decoders_own(beam, recurrent):
    model, batch = sound_model(recurrent=recurrent), sounds(LENGTHS)
    settings = SearchSettings(beam=beam, n_best=beam, ctc_weight=0.4)
    found = search(model, batch, settings)
    for i, hypotheses in enumerate(found):
        for one in hypotheses:
            ids = one.ids if one.limited else [*one.ids, EOS]
            source = Source(batch.source.values[i : i + 1], batch.source.mask[i : i + 1])
            forced = forced_log_probs(model, source, torch.tensor([[2, *ids[:-1]]]), torch.tensor([ids]))
            assert one.log_probs == pytest.approx(forced[0].tolist(), abs=1e-4)
    plain = search(model, batch, settings.model_copy(update={"ctc_weight": 0.0}))
    assert [h[0].ids for h in found] != [h[0].ids for h in plain]


@pytest.mark.parametrize("ctc", [False, True])
def test_without_weight_or_head_it_is_the_search_of_always(ctc):
    model, batch = sound_model(ctc=ctc), sounds(LENGTHS)
    settings = SearchSettings(beam=4, n_best=4, ctc_weight=0.0 if ctc else 0.4)
    assert search(model, batch, settings) == beam_search(model, batch, settings)


def test_the_source_is_encoded_once(monkeypatch):
    model, calls = sound_model(), []
    encode = model.encode
    monkeypatch.setattr(model, "encode", lambda source: calls.append(source) or encode(source))
    search(model, sounds(LENGTHS), SearchSettings(beam=3, ctc_weight=0.4))
    assert len(calls) == 1


def test_the_best_path_is_spelt_with_the_vectors_of_its_ids():
    best = torch.tensor([[0, 4, 4, 0, 4, 5], [5, 5, 0, 0, 0, 0], [0, 0, 7, 7, 7, 7]])
    log_probs = torch.nn.functional.one_hot(best, 8).float().log_softmax(2)
    mask = torch.arange(6) < torch.tensor([[6], [4], [2]])
    assert ctc_greedy(log_probs, mask) == [([4, 4, 5], [1, 4, 5]), ([5], [0]), ([], [])]


@pytest.mark.parametrize("ids", [(), (4,), (4, 4), (4, 5, 4), (5, 5, 5), (4, 4, 5, 4)])
def test_alignment_is_the_best_path_that_spells_the_target(ids):
    for seed in range(5):
        log_probs = random_log_probs(seed, batch=1)[0]
        paths = [path for path in itertools.product([PAD, 4, 5], repeat=VECTORS) if spelt(path) == ids]
        best = max(paths, key=lambda path: sum(float(log_probs[t, id]) for t, id in enumerate(path)))
        spans, t = [], 0
        for id, run in itertools.groupby(best):
            length = len(list(run))
            if id != PAD:
                spans.append((t, t + length - 1))
            t += length
        assert ctc_align(log_probs, ids) == spans


@pytest.mark.parametrize("ids", [(4,) * 4, (4, 5, 4, 5, 4, 5)])
def test_a_target_too_long_for_its_source_has_no_alignment(ids):
    assert ctc_align(random_log_probs(0, batch=1)[0], ids) is None
