"""How far training is, and the learning rate that goes with it."""

from __future__ import annotations

import math
import time
from typing import Protocol

from interlingua.training.settings import TrainingSettings

__all__ = ["Budget", "Clock", "Schedule", "StepBudget", "TimeBudget", "budget_rate", "paper_rate"]


class Clock:
    """Seconds of this run: those of earlier processes, and those since this one started.

    Args:
        before_s: seconds of earlier processes.
        started: time.monotonic() when this process started.
    """

    def __init__(self, before_s: float, started: float) -> None:
        self.before_s = before_s
        self.started = started

    def __call__(self) -> float:
        """Seconds so far."""
        return self.before_s + time.monotonic() - self.started


class Budget(Protocol):
    """What training may use up."""

    others_s: float
    """Seconds that the models it races against use in all, which are none of its own."""
    others_used_s: float
    """What they have used so far."""

    @property
    def ends_at(self) -> float:
        """When it is over, by time.monotonic()."""

    def progress(self, step: float) -> float:
        """The share used after so many steps, 0 to 1."""


class StepBudget:
    """A number of updates."""

    ends_at = math.inf

    def __init__(self, max_steps: int) -> None:
        self.max_steps = max_steps
        self.others_s = self.others_used_s = 0.0

    def progress(self, step: float) -> float:
        """The share of the steps done."""
        return min(1.0, step / self.max_steps)


class TimeBudget:
    """Wall-clock time, of which the end is kept for the last validation, for scoring and for saving.

    Args:
        seconds: of the whole run, all processes that worked on it together.
        clock: gives the seconds used so far.
    """

    def __init__(self, seconds: float, clock: Clock) -> None:
        self.seconds = seconds
        self.clock = clock
        self.reserve_s = min(0.05 * seconds, 20.0)
        """Kept for the end; known better after the first validation."""
        self.step_s = 0.0
        """How long an update takes: none is begun that would not end in time."""
        # It is as if the budget were shorter by what others use.
        self.others_s = self.others_used_s = 0.0

    @property
    def ends_at(self) -> float:
        """When it is over, by time.monotonic()."""
        return self.clock.started + self.seconds - self.clock.before_s

    def progress(self, step: float) -> float:
        """The share of the time used, whatever the step."""
        own_s = self.seconds - self.others_s - self.reserve_s - self.step_s
        return min(1.0, (self.clock() - self.others_used_s) / max(own_s, 1e-9))


class Schedule:
    """The learning rate of each step."""

    def __init__(self, settings: TrainingSettings, budget: Budget, dim: int) -> None:
        self.settings, self.budget, self.dim = settings, budget, dim

    def rate(self, step: int) -> float:
        """The learning rate of step 1, 2, ..., asked for just before it is taken."""
        settings = self.settings
        if settings.schedule == "paper":
            return settings.learning_rate * paper_rate(step, self.dim, settings.warmup_steps)
        progress = self.budget.progress(step - 0.5)
        return settings.learning_rate * budget_rate(progress, settings.warmup_share, step)


def paper_rate(step: int, dim: int, warmup_steps: int) -> float:
    """dim^-0.5 * min(step^-0.5, step * warmup_steps^-1.5) (Vaswani et al. 2017, Eq. 3); steps from 1."""
    return float(dim**-0.5 * min(step**-0.5, step * warmup_steps**-1.5))


def budget_rate(progress: float, warmup_share: float, step: int) -> float:
    """Rises linearly over the warm-up's share of the budget, then falls linearly to zero at its end.

    However short the budget, the first hundred steps stay below step / 100: Adam's averages are not settled.
    """
    rising = progress / warmup_share if warmup_share else 1.0
    falling = (1 - progress) / (1 - warmup_share)
    return min(rising, falling, step / 100)
