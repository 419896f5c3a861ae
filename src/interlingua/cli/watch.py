"""Watching a training: one live line on a terminal, a plain line now and then anywhere else."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.console import Console
from rich.live import Live
from rich.text import Text

if TYPE_CHECKING:
    from interlingua.runs.events import CodecProgress, Ended, Event, Progress, Validated

__all__ = ["duration", "watch"]

PLAIN_EVERY_S = 20.0
"""Seconds between lines of progress where there is no terminal."""

BAR = 16
"""Width of the bar, in characters; it is left out where the rest would not fit."""

BAR_FROM = 110
"""The narrowest terminal that gets a bar."""


def watch(events: Iterable[Event], console: Console) -> Ended:
    """Shows what happens in a training until it ends.

    Args:
        events: of `runs.run.start` or `resume`.
        console: where to.

    Returns:
        The last event.
    """
    from interlingua.runs.events import CodecProgress, Ended, Note, Progress, Raced, Validated

    ended = None
    best = ""
    printed_s = time.monotonic()
    with Live(console=console, transient=True, auto_refresh=False) as live:
        for event in events:
            match event:
                case Note():
                    _line(console, event.text, "yellow" if event.warning else "dim")
                case Progress() if console.is_terminal:
                    live.update(_live_line(event, best, console.width), refresh=True)
                case Progress():
                    if time.monotonic() - printed_s >= PLAIN_EVERY_S:
                        printed_s = time.monotonic()
                        _line(console, _plain_line(event, best))
                case CodecProgress() if console.is_terminal:
                    live.update(Text(_codec_line(event)), refresh=True)
                case CodecProgress():
                    if time.monotonic() - printed_s >= PLAIN_EVERY_S:
                        printed_s = time.monotonic()
                        _line(console, _codec_line(event))
                case Raced():
                    bits = f"{event.bits_per_character:.2f} bits/character"
                    turn = f"{event.name}: {bits} after {event.racer_step:,} updates"
                    _line(console, f"{duration(event.elapsed_s):>7}  {turn}", "dim")
                case Validated():
                    if event.best and event.metrics:
                        which = "last" if event.latest else "best"
                        best = f"{which} {event.metrics[event.headline]:.2f} {event.headline}"
                    _line(console, _validated(event), "green" if event.best else "")
                case Ended():
                    ended = event
    assert ended is not None, "the last event of a training says how it ended"
    return ended


def duration(seconds: float) -> str:
    """Such as 0:42, 12:05 or 1:02:33."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _line(console: Console, text: str, style: str = "") -> None:
    console.print(Text(text, style=style), soft_wrap=True)


def _live_line(event: Progress, best: str, width: int) -> Text:
    done = round(BAR * min(1.0, event.progress)) if width >= BAR_FROM else 0
    rest = BAR - done if width >= BAR_FROM else 0
    line = Text("━" * done, style="green", no_wrap=True, overflow="ellipsis")
    line.append("━" * rest, style="dim")
    return line.append(f" {_plain_line(event, best)}", style="default")


def _plain_line(event: Progress, best: str) -> str:
    return (
        f"step {event.step:,}  loss {event.loss:.3f}  {event.target_tokens_per_s:,.0f} tokens/s  "
        f"rate {event.learning_rate:.1e}  {duration(event.left_s)} left" + (f"  {best}" if best else "")
    )


def _codec_line(event: CodecProgress) -> str:
    left = f"  {duration(event.left_s)} left of it" if event.left_s else ""
    return f"codec: update {event.updates:,}  loss {event.loss:.4f}{left}"


def _validated(event: Validated) -> str:
    metrics = "".join(f" · {name} {score:.2f}" for name, score in event.metrics.items())
    chosen = " by loss (too few pairs for a score)" if event.by_loss else ""
    saved = "" if not event.best else " · saved" if event.latest else f" · best so far{chosen}, saved"
    if not event.step:
        saved = " · the model to start from"
    loss = f"validation loss {event.loss:.3f}"
    old = "".join(f" · {name} {score:.2f}" for name, score in event.old_metrics.items())
    of = f" ({event.pairs:,} pairs)" if event.pairs else ""
    kinds = f" · new pairs:{metrics[2:]} · old pairs:{old[2:]}{of}" if old else metrics + of
    between = f" · {1 - event.base_share:.0%} of the way from the base model" if event.base_share else ""
    return f"{duration(event.elapsed_s):>7}  step {event.step:,}  {loss}{kinds}{between}{saved}"
