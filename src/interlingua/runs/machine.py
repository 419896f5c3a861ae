"""How fast this machine trains: measured for a moment, on the data at hand, beside whatever else runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import torch

from interlingua.data.codecs import build_model_for
from interlingua.data.loader import Position, load_batches, max_source
from interlingua.data.preparation import Prepared
from interlingua.engine.device import choose_dtype, choose_threads
from interlingua.model.presets import PRESETS
from interlingua.training.loop import Learner, optimise
from interlingua.training.objective import build_objective
from interlingua.training.settings import TrainingSettings

__all__ = ["Throughput", "measure_throughput"]

Throughput = Callable[[str], float]
"""From the name of a preset to target tokens a second."""
SHARE, MIN_S, MAX_S = 0.004, 0.5, 3.0
"""Of the time that there is, what a measurement takes."""
MIN_MINUTES, SLOW = 0.5, 2_000.0
"""In less time nothing is measured: the machine is taken to be a slow one."""
MAX_TOKENS = 1024
"""Of the batches; half of it when there are few minutes."""
WARM_UP, FEWEST = 1, 1
"""Updates that are not counted, since they are slower, and those that are, at least."""


def measure_throughput(
    preset: str, training: TrainingSettings, prepared: Prepared, device: torch.device
) -> float:
    """Target tokens a second of a preset: the median over some updates, whose model is thrown away.

    Args:
        preset: sizes by name.
        training: with a budget of minutes, the optimizer and the size of batches.
        prepared: the data.
        device: what will train.
    """
    assert training.minutes is not None, "only a budget of time depends on the machine"
    if training.minutes < MIN_MINUTES:
        return SLOW
    torch.set_num_threads(choose_threads(training.threads))
    model = build_model_for(prepared.tokenizers, PRESETS[preset])
    learner = Learner(model.to(device), training, choose_dtype(training.precision, device))
    max_tokens = min(training.max_tokens, MAX_TOKENS if training.minutes >= 5 else MAX_TOKENS // 2)
    batches = load_batches(prepared.train, max_tokens, training.seed, Position(),
                           source_bound=max_source(prepared.train, training.batch_seconds))  # fmt: skip
    seconds = max(MIN_S, min(MAX_S, SHARE * 60 * training.minutes))
    rates: list[float] = []
    began = before = time.monotonic()
    for report in optimise(learner, batches, build_objective(training), lambda _: 1e-9):
        now = time.monotonic()
        rates.append(report.target_tokens / max(now - before, 1e-9))
        before = now
        if now - began >= seconds and len(rates) >= WARM_UP + FEWEST:
            break
    return median(rates[WARM_UP:])
