"""Attention drawn with characters."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

__all__ = ["attention_map"]

SHADES = " ·░▒▓█"


def attention_map(rows: Sequence[str], columns: Sequence[str], weights: Sequence[Sequence[float]]) -> Text:
    """A map with a shade for each weight, drawn against the largest weight of its row.

    Args:
        rows: what attends, one name a row.
        columns: what is attended to.
        weights: (rows, columns).
    """
    margin = max(map(len, rows))
    width = max(3, *(len(column) + 1 for column in columns))
    drawn = Text(" " * (margin + 1))
    for column in columns:
        drawn.append(column.center(width), style="bold")
    for name, row in zip(rows, weights, strict=True):
        drawn.append(f"\n{name.rjust(margin)} ", style="bold")
        for weight in row:
            shade = SHADES[round(weight / max(row) * (len(SHADES) - 1))]
            drawn.append(shade * (width - 1) + " ", style="cyan")
    return drawn
