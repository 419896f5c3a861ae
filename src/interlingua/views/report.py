"""The report of one run or several: how the training went, and how good the models are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from interlingua.evaluation.quality import Quality
from interlingua.views.history import RunHistory, read_history
from interlingua.views.page import render

__all__ = ["Report", "distinct_names", "read_report", "report_page"]


@dataclass(frozen=True)
class Report:
    """All that the page shows."""

    runs: list[RunHistory]
    quality: Quality | None
    """None when nothing was translated."""

    def as_data(self) -> dict[str, Any]:
        """The same as dicts, lists, texts and numbers."""
        return asdict(self)


def distinct_names(directories: Sequence[Path]) -> list[str]:
    """Names for runs: as much of the ends of their paths as tells them apart."""
    parts = [directory.resolve().parts for directory in directories]
    for count in range(1, max(map(len, parts)) + 1):
        short = ["/".join(path[-count:]) for path in parts]
        if len(set(short)) == len(short):
            return short
    return [f"{'/'.join(path[-1:])} ({number})" for number, path in enumerate(parts, start=1)]


def read_report(directories: Sequence[Path]) -> Report:
    """Reads the directories of some runs; nothing is translated.

    Raises:
        BundleError: one of them is no model directory.
    """
    names = distinct_names(directories)
    return Report([read_history(path, name) for path, name in zip(directories, names, strict=True)], None)


def report_page(report: Report) -> str:
    """The page that shows it."""
    return render("report.html.jinja", report.as_data())
