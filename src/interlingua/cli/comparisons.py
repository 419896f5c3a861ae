"""Two models side by side on several sets of pairs, as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from rich.table import Table

if TYPE_CHECKING:
    from interlingua.evaluation.scores import Comparison

__all__ = ["Compared", "comparison_table"]


class Compared(NamedTuple):
    """A model and the one it is compared with, on some pairs."""

    test: str
    pairs: int
    comparisons: Sequence[Comparison]
    """By each metric."""
    model: str = ""
    """Where several are compared with the same one."""


def comparison_table(rows: Sequence[Compared], before: str, after: str, title: str) -> Table:
    """A row for each set of pairs and metric, with the difference, its 95% interval and p value."""
    table = Table(title=title, title_justify="left", padding=0)
    several = len({row.model for row in rows}) > 1
    for name in (*(["model"] if several else []), "pairs of"):
        table.add_column(name, overflow="fold")
    for name in ("pairs", "metric"):
        table.add_column(name, no_wrap=True)
    for name in (before, after):
        table.add_column(name, justify="right", overflow="fold", min_width=6)
    for name in ("change", "95% interval", "p"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        for each in row.comparisons:
            low, high = each.difference.low, each.difference.high
            table.add_row(
                *([row.model] if several else []), row.test, f"{row.pairs:,}",
                f"{each.name} {'↑' if each.higher_is_better else '↓'}", f"{each.baseline:.2f}",
                f"{each.score:.2f}", f"{each.score - each.baseline:+.2f}", f"{low:+.2f} to {high:+.2f}",
                f"{each.p_value:.3f}",
            )  # fmt: skip
    return table
