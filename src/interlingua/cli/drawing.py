"""Attention, and sound, drawn with characters."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

__all__ = ["attention_map", "loudness_curve"]

SHADES = " ·░▒▓█"
BARS = " ▁▂▃▄▅▆▇█"


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


def loudness_curve(levels: Sequence[float], words: Sequence[tuple[str, int]]) -> Text:
    """Bars of a sound's loudness, and below them what was said, each word from its column on.

    Args:
        levels: of each column, from 0 to 1.
        words: in order, with the number of the column in which each begins.
    """
    drawn = Text("".join(BARS[round(level * (len(BARS) - 1))] for level in levels), style="cyan")
    line = ""
    for word, column in words:
        line += " " * max(column - len(line), 1 if line else 0) + word
    return drawn.append(f"\n{line}", style="bold")
