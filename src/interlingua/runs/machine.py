"""How fast this machine trains: measured for a moment, on the data at hand, beside whatever else runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import fmean, median
from typing import NamedTuple

import torch

from interlingua.data.codecs import build_model_for
from interlingua.data.loader import Position, load_batches, max_source
from interlingua.data.preparation import Prepared
from interlingua.engine.device import choose_dtype, choose_threads
from interlingua.model.settings import ModelSettings
from interlingua.training.loop import Learner, optimise
from interlingua.training.objective import build_objective
from interlingua.training.settings import TrainingSettings

__all__ = ["FewerThreads", "Pace", "PaceOf", "Throughput", "choose_fewer_threads", "measure_pace",
           "measure_throughput"]  # fmt: skip


class Pace(NamedTuple):
    """How fast a machine trains a model."""

    tokens_per_s: float
    """Target tokens whose gradient is computed in a second."""
    muon_s: float = 0.0
    """What Muon takes for an update, however large the batch was; AdamW takes next to nothing."""

    def throughput(self, update_tokens: float, optimizer: str) -> float:
        """Target tokens a second, in updates of so many."""
        update_s = self.muon_s if optimizer == "muon" else 0.0
        return update_tokens / (update_tokens / self.tokens_per_s + update_s)


PaceOf = Callable[[str], Pace]
"""From the name of a preset."""
Throughput = Callable[[str], float]
"""From the name of a preset to target tokens a second."""
SHARE, MIN_S, MAX_S = 0.004, 0.5, 3.0
"""Of the time that there is, what a measurement takes."""
MIN_MINUTES, SLOW = 0.5, Pace(2_000.0, 0.15)
"""In less time nothing is measured: the machine is taken to be a slow one."""
MAX_TOKENS = 1024
"""Of the batches; half of it when there are few minutes."""
TIMED_UPDATES = 2
"""Of Muon; the faster one counts."""
WARM_UP, WARM_UP_OF_CPU = 10, 1
"""Updates that are not counted: kernels are loaded and chosen in them, on a GPU in the first dozen."""
TURNS, FASTER, MOST = 2, 1.1, 0.03
"""Numbers of threads are measured in turns, so often each; fewer threads must be so many times as fast. No
turn begins after so much of the time."""


class FewerThreads(NamedTuple):
    """A number of CPU threads that trains faster than all of them."""

    threads: int
    all_threads: int
    gain: float
    """How many times as fast."""

    def __str__(self) -> str:
        faster = f"{self.gain:.1f} times as fast as all of them just now (--threads to choose)"
        return f"{self.threads} of {self.all_threads} CPU threads: {faster}"


def choose_fewer_threads(
    model: ModelSettings, training: TrainingSettings, prepared: Prepared, device: torch.device
) -> FewerThreads | None:
    """Halves the CPU threads for as long as that is faster.

    All wait for the slowest of them, which takes long where other programs use the CPUs, too; and a small
    model has little for many of them to do.

    Args:
        model: what will be trained.
        training: its settings; nothing is chosen where they say how many threads, or no time.
        prepared: the data.
        device: what will train.

    Returns:
        None where all are best, or nothing is to be chosen.
    """
    every = choose_threads(None)
    if training.threads is not None or device.type != "cpu" or every == 1:
        return None
    if prepared.train.target_kind == "picture":  # whose tokens are learnt first
        return None
    if training.minutes is None or training.minutes < MIN_MINUTES:
        return None

    def measure(*numbers: int) -> list[float]:
        settings = [training.model_copy(update={"threads": threads}) for threads in numbers]
        turns: list[list[float]] = []
        while not turns or (len(turns) < TURNS and time.monotonic() < ends_at):
            turns.append([
                measure_throughput(model, each, prepared, device, 1 / TURNS) for each in settings
            ])  # fmt: skip
        return [fmean(rates) for rates in zip(*turns, strict=True)]

    threads, gain = every, 1.0
    ends_at = time.monotonic() + MOST * 60 * training.minutes
    while threads > 1 and time.monotonic() < ends_at:
        before, rate = measure(threads, threads // 2)
        if rate < FASTER * before:
            break
        threads, gain = threads // 2, gain * rate / before
    torch.set_num_threads(every)
    return None if threads == every else FewerThreads(threads, every, gain)


def measure_throughput(
    model: ModelSettings, training: TrainingSettings, prepared: Prepared, device: torch.device,
    share: float = 1.0,
) -> float:  # fmt: skip
    """Target tokens a second of a model: the median over some updates, whose model is thrown away.

    Args:
        model: its sizes.
        training: with a budget of minutes, the optimizer and the size of batches.
        prepared: the data.
        device: what will train.
        share: of the time that is usual for it.
    """
    assert training.minutes is not None, "only a budget of time depends on the machine"
    if training.minutes < MIN_MINUTES:
        return SLOW.tokens_per_s
    _, updates = _try_updates(model, training, prepared, device, share)
    return median(tokens / seconds for tokens, seconds in updates)


def measure_pace(
    model: ModelSettings, training: TrainingSettings, prepared: Prepared, device: torch.device
) -> Pace:
    """How fast a model is trained, and how much of that is Muon's, if it is what trains.

    Args:
        model: its sizes.
        training: with a budget of minutes, the optimizer and the size of batches.
        prepared: the data.
        device: what will train. On a GPU Muon is not told apart: it takes little there.
    """
    assert training.minutes is not None, "only a budget of time depends on the machine"
    if training.minutes < MIN_MINUTES:
        return SLOW
    learner, updates = _try_updates(model, training, prepared, device)
    muon_s = _time_updates(learner) if training.optimizer == "muon" and device.type == "cpu" else 0.0
    least_s = median(seconds for _, seconds in updates) / 10
    return Pace(median(tokens / max(seconds - muon_s, least_s) for tokens, seconds in updates), muon_s)


def _time_updates(learner: Learner) -> float:
    """Seconds of an update whose gradient is there."""
    times = []
    for _ in range(TIMED_UPDATES):
        began = time.perf_counter()
        learner.update(1, 1e-9)
        times.append(time.perf_counter() - began)
    return min(times)


def _try_updates(
    model: ModelSettings, training: TrainingSettings, prepared: Prepared, device: torch.device,
    share: float = 1.0,
) -> tuple[Learner, list[tuple[int, float]]]:  # fmt: skip
    """What made some updates, and (target tokens, seconds) of each."""
    assert training.minutes is not None
    torch.set_num_threads(choose_threads(training.threads))
    learner = Learner(
        build_model_for(prepared.tokenizers, model).to(device),
        training,
        choose_dtype(training.precision, device),
    )
    max_tokens = min(training.max_tokens, MAX_TOKENS if training.minutes >= 5 else MAX_TOKENS // 2)
    batches = load_batches(prepared.train, max_tokens, training.seed, Position(),
                           source_bound=max_source(prepared.train, training.batch_seconds))  # fmt: skip
    seconds = share * max(MIN_S, min(MAX_S, SHARE * 60 * training.minutes))
    warm_up = WARM_UP_OF_CPU if device.type == "cpu" else WARM_UP
    updates: list[tuple[int, float]] = []
    began = before = time.monotonic()
    for report in optimise(learner, batches, build_objective(training), lambda _: 1e-9):
        now = time.monotonic()
        updates.append((report.target_tokens, max(now - before, 1e-9)))
        before = now
        if now - began >= seconds and len(updates) > warm_up:
            break
    return learner, updates[warm_up:]
