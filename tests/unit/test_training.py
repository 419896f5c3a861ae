"""The loss, the flat weights, the update, the schedules."""

from __future__ import annotations

import itertools
import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from interlingua.data.batch import Batch, pad
from interlingua.data.loader import Position
from interlingua.errors import ConfigurationError, TrainingError
from interlingua.kinds import BOS, EOS, PAD, Source
from interlingua.model.architectures import build_model
from interlingua.model.embedding import embed
from interlingua.model.presets import PRESETS
from interlingua.model.protocol import Seq2Seq
from interlingua.model.recurrent import RecurrentSettings
from interlingua.model.settings import ModelSettings
from interlingua.model.transformer import Transformer, TransformerSettings
from interlingua.runs.checkpoint import Checkpoint, restore_generators
from interlingua.runs.events import Note, Progress
from interlingua.runs.journal import Log
from interlingua.settings import merge
from interlingua.training import objective as objective_module
from interlingua.training.ctc import ctc_sum
from interlingua.training.loop import MAX_SKIPPED, Learner, optimise
from interlingua.training.objective import CTC, CrossEntropy, Loss, build_objective, cross_entropy_sum
from interlingua.training.optimizer import orthogonalise
from interlingua.training.schedule import Clock, Schedule, StepBudget, TimeBudget, budget_rate, paper_rate
from interlingua.training.settings import TrainingSettings
from interlingua.training.weights import FlatWeights

SIZE = 23
SETTINGS = TransformerSettings(
    dim=16, heads=2, feed_forward=32, encoder_layers=1, decoder_layers=1, dropout=0.0
)


def make_model(**changes: float) -> Transformer:
    torch.manual_seed(5)
    return build_model(SETTINGS.model_copy(update=changes), SIZE, SIZE, shared=True)


def make_batch(rows: int, seed: int = 0) -> Batch:
    random = np.random.default_rng(seed)
    sources = [random.integers(4, SIZE, random.integers(1, 9)) for _ in range(rows)]
    source = pad(sources, after=EOS)
    target_out = pad(sources, after=EOS)
    tokens = int((target_out != PAD).sum())
    return Batch(Source(source, source != PAD), pad(sources, before=BOS), target_out, tokens)


def split(batch: Batch, sizes: list[int]) -> list[Batch]:
    parts = zip(*(part.split(sizes) for part in (*batch.source, *batch[1:3])), strict=True)
    return [Batch(Source(*part[:2]), *part[2:], int((part[3] != PAD).sum())) for part in parts]


AT_ONCE = pytest.mark.parametrize("numbers", [1, 50, 10**6])


@pytest.fixture
def at_once(numbers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Little or much of the loss is computed at once."""
    monkeypatch.setattr(objective_module, "NUMBERS_AT_ONCE", {"cpu": numbers})


@AT_ONCE
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.usefixtures("at_once")
def test_loss_and_gradient_are_torchs(smoothing: float) -> None:
    weight = torch.randn(SIZE, 8, requires_grad=True)
    hidden = torch.randn(3, 5, 8, requires_grad=True)
    target = torch.randint(1, SIZE, (3, 5))
    target[1, 3:] = PAD
    found = cross_entropy_sum(lambda h: F.linear(h, weight), hidden, target, smoothing=smoothing, padding=PAD)
    found_gradients = torch.autograd.grad(2 * found, [weight, hidden])
    expected = F.cross_entropy(
        F.linear(hidden, weight).flatten(0, 1), target.flatten(), ignore_index=PAD,
        label_smoothing=smoothing, reduction="sum",
    )  # fmt: skip
    torch.testing.assert_close(found, expected)
    for one, other in zip(found_gradients, torch.autograd.grad(2 * expected, [weight, hidden]), strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


@AT_ONCE
@pytest.mark.usefixtures("at_once")
def test_consistency_is_the_divergence_of_the_halves() -> None:
    hidden = torch.randn(6, 5, SIZE, requires_grad=True)
    target = torch.randint(1, SIZE, (3, 5))
    target[1, 3:] = PAD
    target = torch.cat([target, target])
    found = cross_entropy_sum(torch.clone, hidden, target, smoothing=0.1, padding=PAD, consistency=5.0)
    once = cross_entropy_sum(torch.clone, hidden, target, smoothing=0.1, padding=PAD)
    first, second = hidden.log_softmax(2)[:3], hidden.log_softmax(2)[3:]
    both = F.kl_div(first, second, log_target=True, reduction="none")
    both = both + F.kl_div(second, first, log_target=True, reduction="none")
    expected = once + 5.0 / 2 * both[target[:3] != PAD].sum()
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(
        torch.autograd.grad(found, hidden), torch.autograd.grad(expected, hidden), atol=1e-5, rtol=1e-4
    )


def ctc_inputs() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Logits, mask of the memory, and targets: with a repeated id, ordinary, without ids, and too long."""
    mask = torch.arange(9) < torch.tensor([[9], [7], [3], [2]])
    targets = [[5, 5, 6, 5], [7, 8], [], [9, 9]]
    return torch.randn(4, 9, SIZE, requires_grad=True), mask, pad(targets, after=EOS)


def test_ctc_and_its_gradient_are_torchs() -> None:
    logits, mask, target_out = ctc_inputs()
    found = ctc_sum(logits.log_softmax(2), mask, target_out)
    expected = F.ctc_loss(
        logits.log_softmax(2).transpose(0, 1), target_out, mask.sum(1), (target_out != PAD).sum(1) - 1,
        blank=PAD, reduction="sum", zero_infinity=True,
    )  # fmt: skip
    torch.testing.assert_close(found, expected)
    one, other = (torch.autograd.grad(3 * each, logits)[0] for each in (found, expected))
    torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)
    assert not one[3].any()  # two equal ids take three vectors
    assert not one[~mask].any()


def make_sound_model(**changes: Any) -> Seq2Seq:
    torch.manual_seed(5)
    settings = SETTINGS.model_copy(update={"ctc": True, **changes})
    return build_model(settings, 6, SIZE, shared=False, source_kind="sound")


def make_sound_batch(rows: int, seed: int = 0) -> Batch:
    """About five frames for each id of the target: that many numbers of its own, in a little noise."""
    generator, batch = torch.Generator().manual_seed(seed), make_batch(rows, seed)
    mask = (batch.target_out != PAD).repeat_interleave(5, dim=1)
    table = torch.randn(SIZE, 6, generator=torch.Generator().manual_seed(1))
    values = table[batch.target_out].repeat_interleave(5, dim=1)
    values += 0.1 * torch.randn(values.shape, generator=generator)
    return batch._replace(source=Source(values.masked_fill(~mask.unsqueeze(2), 0), mask))


@pytest.mark.parametrize("consistency", [0.0, 5.0])
def test_cross_entropy_and_ctc_are_weighted_and_share_the_memory(
    consistency: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, batch, calls = make_sound_model(), make_sound_batch(5), []
    encode = model.encode
    monkeypatch.setattr(model, "encode", lambda source: calls.append(source) or encode(source))
    settings = TrainingSettings(ctc_weight=0.3, consistency=consistency)
    found = build_objective(settings)(model, batch)
    assert len(calls) == 1
    alone, ctc = CrossEntropy(0.1, consistency)(model, batch), CTC()(model, batch)
    assert set(found.sums) == {"loss", "ctc"}
    torch.testing.assert_close(found.sums["loss"], 0.7 * alone.sums["loss"])
    torch.testing.assert_close(found.sums["ctc"], 0.3 * ctc.sums["ctc"])
    assert found.tokens == alone.tokens == ctc.tokens == batch.target_tokens


@pytest.mark.parametrize("ctc", [False, True])
def test_without_a_head_or_a_weight_the_loss_is_cross_entropy(ctc: bool) -> None:
    model, batch = make_sound_model(ctc=ctc), make_sound_batch(3)
    found = build_objective(TrainingSettings(ctc_weight=0.0 if ctc else 0.3))(model, batch)
    assert set(found.sums) == {"loss"}
    assert torch.equal(found.sums["loss"], CrossEntropy(0.1)(model, batch).sums["loss"])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("settings", [{}, {"architecture": "recurrent", "cell": "gru"}], ids=str)
def test_a_model_of_frames_learns_by_both(settings: dict[str, Any], dtype: torch.dtype) -> None:
    torch.manual_seed(5)
    sizes = {"dim": 16, "encoder_layers": 1, "decoder_layers": 1, "dropout": 0.0, "ctc": True}
    kind = RecurrentSettings if settings else TransformerSettings
    model = build_model(kind(**{**sizes, **settings}), 6, SIZE, shared=False, source_kind="sound")
    learner = Learner(model, TrainingSettings(optimizer="muon"), dtype)
    batch = make_sound_batch(8)
    objective = build_objective(TrainingSettings(ctc_weight=0.5))
    reports = optimise(learner, itertools.cycle([(batch, Position())]), objective, lambda step: 0.01)
    first = objective(model, batch).sums
    list(itertools.islice(reports, 30))
    for name, sum_before in first.items():
        assert objective(model, batch).sums[name] < 0.8 * sum_before, name


def test_targets_longer_than_their_sounds_leave_a_loss_that_is_a_number() -> None:
    model, batch = make_sound_model(), make_sound_batch(4)
    short = Source(batch.source.values[:, :4], batch.source.mask[:, :4])  # one vector each
    loss = build_objective(TrainingSettings())(model, batch._replace(source=short))
    sum(loss.sums.values()).backward()
    assert all(value.isfinite() for value in loss.sums.values())
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)


def test_loss_of_a_hopeless_guess_is_finite() -> None:
    hidden = torch.tensor([[[1000.0, -1000.0]]], requires_grad=True)
    loss = cross_entropy_sum(torch.clone, hidden, torch.tensor([[1]]), smoothing=0.0, padding=PAD)
    loss.backward()
    assert math.isfinite(loss.item())
    torch.testing.assert_close(hidden.grad, torch.tensor([[[1.0, -1.0]]]))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_flat_weights_change_nothing(dtype: torch.dtype) -> None:
    batch, plain, flat = make_batch(3), make_model().eval(), make_model().eval()
    learner = Learner(flat, TrainingSettings(), dtype)
    assert flat.frontend.embedding.weight is flat.target_embedding.weight
    assert {name: parameter.dtype for name, parameter in flat.named_parameters()} == dict.fromkeys(
        dict(plain.named_parameters()), dtype
    )
    for name, part in learner.weights.split(learner.weights.master).items():
        assert torch.equal(part, plain.get_parameter(name)), name
    expected = plain.decode(plain.encode(batch.source), batch.target_in)
    found = flat.decode(flat.encode(batch.source), batch.target_in).float()
    torch.testing.assert_close(found, expected, atol=0.1 if dtype == torch.bfloat16 else 0, rtol=0)


def gradients(
    settings: ModelSettings, dtype: torch.dtype, batch: Batch, size: int
) -> dict[str, torch.Tensor]:
    """Of the batch, computed in a precision, as the optimizer gets them."""
    torch.manual_seed(5)
    model = build_model(settings, size, size, shared=True)
    # Weights that bf16 can say, so that nothing but the computing differs.
    for parameter in model.parameters():
        parameter.data = parameter.data.bfloat16().float()
    learner = Learner(model, TrainingSettings(), dtype)
    sum(build_objective(TrainingSettings())(model, batch).sums.values()).backward()
    learner.weights.collect_gradient()
    return {name: part.clone() for name, part in learner.weights.split(learner.weights.gradient).items()}


RECURRENT = RecurrentSettings(dim=16, encoder_layers=2, decoder_layers=2, dropout=0.0)


@pytest.mark.parametrize(
    "settings",
    [
        SETTINGS,
        SETTINGS.model_copy(update={"norm": "post", "positions": "learned", "activation": "gelu"}),
        SETTINGS.model_copy(update={"normalisation": "rms", "positions": "rotary", "activation": "swiglu"}),
        SETTINGS.model_copy(update={"convolution": 5, "ctc": True}),
        *(RECURRENT.model_copy(update={"cell": cell}) for cell in ("rnn", "gru", "lstm")),
        RECURRENT.model_copy(update={"attention": "additive"}),
        RECURRENT.model_copy(update={"input_feeding": True}),
    ],
    ids=lambda settings: settings.describe(),
)
def test_gradients_in_bf16_are_those_in_fp32(settings: ModelSettings) -> None:
    # Ids as language has them (Zipf): the first of 300 stands at a fifth of the positions, the last at few.
    size, random = 300, np.random.default_rng(1)
    weights = 1 / np.arange(1, size - 3)
    rows = [random.choice(np.arange(4, size), 15, p=weights / weights.sum()) for _ in range(256)]
    source, target_out = pad(rows, after=EOS), pad(rows[::-1], after=EOS)
    batch = Batch(Source(source, source != PAD), pad(rows[::-1], before=BOS), target_out, target_out.numel())
    exact = gradients(settings, torch.float32, batch, size)
    found = gradients(settings, torch.bfloat16, batch, size)
    for name, gradient in exact.items():
        error = (found[name] - gradient).norm() / gradient.norm()
        assert error < 0.04, f"{name}: {error:.2%}"
    for frequent in (EOS, 4, 5):
        row, true = (of["target_embedding.weight"][frequent] for of in (found, exact))
        assert (row - true).norm() < 0.01 * true.norm()


def test_many_small_gradients_of_one_row_add_up() -> None:
    table = torch.zeros(3, 2, dtype=torch.bfloat16, requires_grad=True)
    embed(torch.ones(64, 32, dtype=torch.long), table).sum().backward()
    assert table.grad is not None
    assert table.grad.tolist() == [[0, 0], [2048, 2048], [0, 0]]


def test_the_true_tokens_gradient_is_rounded_once() -> None:
    logits = torch.tensor([[[3.0, 0.5, 0.25, -1.0]]], requires_grad=True)
    halved = logits.detach().bfloat16().requires_grad_()
    for each in (logits, halved):
        target = torch.tensor([[0]])
        cross_entropy_sum(torch.clone, each, target, smoothing=0.1, padding=9).backward()
    assert logits.grad is not None
    assert halved.grad is not None
    # softmax - q of the true token is a small difference of large numbers
    torch.testing.assert_close(halved.grad.float(), logits.grad, rtol=2**-8, atol=0)


def updated(batches: list[Batch], accumulate: int) -> torch.Tensor:
    # With a large epsilon Adam's first update is about the gradient itself, not its sign.
    settings = TrainingSettings(accumulate=accumulate, epsilon=1.0, clip_norm=0)
    learner = Learner(make_model(), settings, torch.float32)
    stream = itertools.cycle((batch, Position()) for batch in batches)
    next(optimise(learner, stream, build_objective(settings), lambda step: 1.0))
    return learner.weights.master.clone()


def test_several_batches_an_update_are_one_large_batch() -> None:
    whole = make_batch(12)
    before = Learner(make_model(), TrainingSettings(), torch.float32).weights.master
    expected = updated([whole], 1)
    assert (expected - before).abs().max() > 0.01
    torch.testing.assert_close(updated(split(whole, [3, 1, 8]), 3), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("dropout", "same"), [(0.0, True), (0.3, False)])
def test_consistency_asks_nothing_of_a_model_without_dropout(dropout: float, same: bool) -> None:
    reports = []
    for consistency in (0.0, 5.0):
        settings = TrainingSettings(consistency=consistency)
        learner = Learner(make_model(dropout=dropout), settings, torch.float32)
        stream = itertools.cycle([(make_batch(8), Position())])
        torch.manual_seed(3)
        reports.append(next(optimise(learner, stream, build_objective(settings), lambda step: 0.01)))
    once, twice = reports
    assert once.target_tokens == twice.target_tokens
    assert (twice.loss == pytest.approx(once.loss, rel=1e-5)) is same
    assert (twice.gradient_norm == pytest.approx(once.gradient_norm, rel=1e-4)) is same


OPTIMIZERS = pytest.mark.parametrize("optimizer", ["adamw", "muon"])


@OPTIMIZERS
def test_updates_lower_the_loss_and_are_averaged(optimizer: str) -> None:
    settings = TrainingSettings(average_decay=0.9, optimizer=optimizer)
    learner = Learner(make_model(), settings, torch.float32)
    stream = itertools.cycle([(make_batch(8), Position(1, 2))])
    reports = list(
        itertools.islice(optimise(learner, stream, build_objective(settings), lambda step: 0.01), 30)
    )
    assert [report.step for report in reports] == list(range(1, 31))
    assert reports[-1].loss < 0.7 * reports[0].loss
    assert reports[0].position == Position(1, 2)
    assert reports[0].target_tokens == make_batch(8).target_tokens
    master = learner.weights.master.clone()
    with learner.using(learner.averaged):
        assert torch.equal(learner.weights.working, learner.averaged)
        assert not torch.equal(learner.averaged, master)
    assert torch.equal(learner.weights.working, master)


@OPTIMIZERS
def test_norms_and_biases_do_not_decay(optimizer: str) -> None:
    settings = TrainingSettings(weight_decay=0.5, average_decay=0, optimizer=optimizer)
    learner = Learner(make_sound_model(convolution=3), settings, torch.float32)
    before = {name: part.clone() for name, part in learner.weights.split(learner.weights.master).items()}
    learner.update(1, 0.1)  # no gradient: decay alone
    for name, part in learner.weights.split(learner.weights.master).items():
        if part.dim() > 1:
            torch.testing.assert_close(part, before[name] * 0.95)
        else:
            assert torch.equal(part, before[name]), name


def test_gradients_are_clipped_to_a_norm() -> None:
    learner = Learner(make_model(), TrainingSettings(clip_norm=1.0), torch.float32)
    learner.weights.gradient.fill_(3.0)
    norm = learner.update(1, 0.0)
    assert norm == pytest.approx(3 * math.sqrt(learner.weights.gradient.numel()), rel=1e-4)


def test_not_a_number_stops_with_advice() -> None:
    learner = Learner(make_model(), TrainingSettings(), torch.float32)
    learner.weights.master.fill_(math.nan)
    updates = optimise(
        learner, itertools.cycle([(make_batch(2), Position())]), CrossEntropy(0.1), lambda step: 0.1
    )
    with pytest.raises(TrainingError, match=r"diverged.*step 1\n.*learning_rate"):
        next(updates)


class Spoilt:
    """Cross entropy that is no number for some of the batches, itself or only in its gradient."""

    def __init__(self, what: str, when: set[int]) -> None:
        self.what, self.when, self.calls = what, when, 0

    def __call__(self, model: Transformer, batch: Batch) -> Loss:
        loss, self.calls = CrossEntropy()(model, batch), self.calls + 1
        if self.calls in self.when:
            if self.what == "loss":
                return Loss({"loss": loss.sums["loss"] * math.nan}, loss.tokens)
            if self.what == "part":  # the loss, not the gradient
                return Loss({**loss.sums, "constant": torch.tensor(math.inf)}, loss.tokens)
            loss.sums["loss"].register_hook(lambda gradient: gradient * math.inf)
        return loss


@OPTIMIZERS
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("what", ["loss", "part", "gradient"])
def test_an_update_that_is_no_number_is_skipped_with_its_data(
    what: str, dtype: torch.dtype, optimizer: str
) -> None:
    settings = TrainingSettings(optimizer=optimizer, accumulate=2)
    batches = [(make_batch(3, seed), Position(0, seed)) for seed in range(1, 13)]
    found, expected = (Learner(make_model(), settings, dtype) for _ in range(2))
    objective = Spoilt(what, {3, 4, 5, 12})
    reports = optimise(found, iter(batches), objective, lambda step: 0.01)
    reports = [next(reports) for _ in range(3)]
    assert [report.step for report in reports] == [1, 2, 3]
    assert [report.skipped for report in reports] == [0, 2, 0]
    assert [report.position.batch for report in reports] == [2, 8, 10]
    kept = [*batches[:2], *batches[6:10]]
    list(itertools.islice(optimise(expected, iter(kept), CrossEntropy(), lambda step: 0.01), 3))
    assert torch.equal(found.weights.master, expected.weights.master)
    assert torch.equal(found.averaged, expected.averaged)


def test_updates_that_are_no_numbers_end_a_training_only_in_a_row() -> None:
    stream = itertools.cycle([(make_batch(2), Position())])
    learner = Learner(make_model(), TrainingSettings(), torch.float32)
    tenth_is_fine = {n for n in range(1, 101) if n % MAX_SKIPPED}
    reports = optimise(learner, stream, Spoilt("gradient", tenth_is_fine), lambda step: 0.01)
    assert [report.skipped for report in itertools.islice(reports, 10)] == [MAX_SKIPPED - 1] * 10
    reports = optimise(learner, stream, Spoilt("loss", set(range(3, 3 + MAX_SKIPPED))), lambda step: 0.01)
    with pytest.raises(TrainingError, match=r"diverged: the loss, 10 times in a row, is nan at step 13"):
        list(itertools.islice(reports, 20))


def test_a_trained_model_may_become_worse_for_a_while() -> None:
    learner = Learner(make_model(), TrainingSettings(), torch.float32)
    stream = itertools.cycle([(make_batch(8), Position())])
    list(itertools.islice(optimise(learner, stream, CrossEntropy(), lambda step: 0.01), 150))
    worse = itertools.chain([(make_batch(8), Position())], itertools.cycle([(make_batch(8, 1), Position())]))
    reports = list(itertools.islice(optimise(learner, worse, CrossEntropy(), lambda step: 1e-5), 60))
    assert reports[0].loss < 0.5
    assert reports[-1].loss > 1.5 * reports[0].loss + 1


@pytest.mark.parametrize(("here", "restored"), [(0, []), (1, [0]), (2, [0, 1]), (3, [0, 1])])
def test_generators_of_missing_devices_are_passed_over(
    here: int, restored: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: here > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: here)
    monkeypatch.setattr(torch.cuda, "set_rng_state", lambda state, device: found.append(device))
    state = torch.get_rng_state()
    others = {f"generator.cuda.{i}": state for i in range(2)} | {"generator.mps": state}
    torch.rand(1)
    restore_generators(Checkpoint({"generator.cpu": state, **others}, {}))
    assert torch.equal(torch.get_rng_state(), state)
    assert found == restored


def test_a_loss_that_only_rises_stops_with_advice() -> None:
    learner = Learner(make_model(), TrainingSettings(clip_norm=0), torch.float32)
    stream = itertools.cycle([(make_batch(8), Position())])
    reports = optimise(learner, stream, CrossEntropy(0.1), lambda step: 5.0)
    with pytest.raises(TrainingError, match=r"diverged.*\n.*learning_rate"):
        list(itertools.islice(reports, 300))


def test_the_papers_rate() -> None:
    assert paper_rate(4000, 512, 4000) == pytest.approx(512**-0.5 * 4000**-0.5)
    assert paper_rate(1, 512, 4000) == pytest.approx(512**-0.5 * 4000**-1.5)
    assert paper_rate(16000, 512, 4000) == pytest.approx(paper_rate(4000, 512, 4000) / 2)


def test_the_budgets_rate_ends_with_it() -> None:
    schedule = Schedule(TrainingSettings(learning_rate=1.0, warmup_share=0.1), StepBudget(1000), 16)
    rates = [schedule.rate(step) for step in range(1, 1001)]
    peak = rates.index(max(rates))
    assert 95 <= peak <= 105
    assert rates[: peak + 1] == sorted(rates[: peak + 1])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert 0 < rates[-1] < 2e-3
    assert budget_rate(1.0, 0.1, 1000) == 0


def test_a_budget_of_time_keeps_a_reserve(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 1000.0)
    clock = Clock(30.0, started=990.0)  # 10 s in this process, 30 before
    budget = TimeBudget(100.0, clock)
    budget.reserve_s = 20.0
    assert budget.progress(1) == pytest.approx(40 / 80)
    clock.before_s = 200
    assert budget.progress(1) == 1


def progress(step: int) -> Progress:
    return Progress(step, 1.0, 2.0, 3, 4.0, 5.0, 6.0, 0.1, 0.5, 7.0)


def test_the_log_is_cut_where_the_checkpoint_was(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    log = Log(path, 0)
    for step in (5, 10, 15):
        log.write(progress(step))
    log.write(Note("not kept"))
    log.close()
    path.write_text(path.read_text() + '{"event": "progress", "st')  # killed while writing
    log = Log(path, 10)
    log.write(progress(11))
    log.close()
    steps = [json.loads(line)["step"] for line in path.read_text().splitlines()]
    assert steps == [5, 10, 11]


def test_merging_keeps_what_is_not_named() -> None:
    merged = merge({"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"c": 4}, "e": 5})
    assert merged == {"a": {"b": 1, "c": 4}, "d": 3, "e": 5}


def test_unknown_keys_are_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigurationError, match="Did you mean 'max_steps'"):
        TrainingSettings.parse({"max_step": 3})


@pytest.mark.parametrize("shape", [(3, 32, 32), (2, 32, 64), (2, 64, 32)])
def test_orthogonalised_matrices_have_singular_values_near_one(shape: tuple[int, int, int]) -> None:
    torch.manual_seed(1)
    matrices = torch.randn(shape) * torch.rand(shape[0], 1, 1) * 1e-3
    left, _, right = torch.linalg.svd(matrices, full_matrices=False)
    found = orthogonalise(matrices)
    values = torch.linalg.svdvals(found)
    assert values.max() < 1.3
    assert values.median() > 0.6
    # It is the matrix's own rotation: what U V^T is, not just any orthogonal matrix.
    cosine = torch.cosine_similarity(found.flatten(1), (left @ right).flatten(1))
    assert cosine.min() > 0.95


@pytest.mark.parametrize("frames", [False, True])
@pytest.mark.parametrize("preset", ["tiny", "lstm"])
def test_stacks_are_the_hidden_matrices_and_nothing_else(preset: str, frames: bool) -> None:
    extras = {"ctc": True, **({"convolution": 3} if preset == "tiny" else {})} if frames else {}
    settings = PRESETS[preset].model_copy(update=extras)
    model = build_model(settings, 50, 50, shared=not frames, source_kind="sound" if frames else "text")
    weights = FlatWeights(model, torch.float32)
    hidden = {
        name: parameter
        for name, parameter in model.named_parameters()
        if parameter.dim() == 2 and "embedding" not in name and name != "ctc_projection.weight"
    }
    stacks = weights.stacks(weights.master)
    assert (
        sum(stack.numel() for stack in stacks) == sum(map(torch.numel, hidden.values())) == weights.hidden_end
    )
    for stack in stacks:
        stack.fill_(7.0)
    for name, parameter in model.named_parameters():
        assert (parameter == 7).all() == (name in hidden)
