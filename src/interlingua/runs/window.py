"""Updates summed up into one event."""

from __future__ import annotations

from interlingua.runs.events import Progress
from interlingua.training.loop import StepReport
from interlingua.training.schedule import Clock

__all__ = ["Window"]


class Window:
    """The updates since the last Progress event.

    Args:
        clock: of the run.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.reports: list[StepReport] = []
        self.began_s = clock()

    @property
    def seconds(self) -> float:
        """How long they took."""
        return self.clock() - self.began_s

    def add(self, report: StepReport) -> None:
        """Takes one more update in."""
        self.reports.append(report)

    def sum_up(self, progress: float, own_s: float) -> Progress:
        """Returns their event; the next ones begin a new event.

        Args:
            progress: the share of the budget that is used.
            own_s: the seconds in which that happened.
        """
        reports, last = self.reports, self.reports[-1]
        tokens = sum(report.target_tokens for report in reports)
        elapsed_s, seconds = self.clock(), max(self.seconds, 1e-9)
        event = Progress(
            step=last.step,
            elapsed_s=elapsed_s,
            loss=sum(report.loss * report.target_tokens for report in reports) / tokens,
            target_tokens=tokens,
            target_tokens_per_s=tokens / seconds,
            learning_rate=last.learning_rate,
            gradient_norm=last.gradient_norm,
            padding=sum(report.padding for report in reports) / len(reports),
            progress=progress,
            skipped=sum(report.skipped for report in reports),
            left_s=own_s * (1 - progress) / progress if progress else 0.0,
        )
        self.reports, self.began_s = [], elapsed_s
        return event
