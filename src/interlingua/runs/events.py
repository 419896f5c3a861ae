"""What a training tells whoever watches it; the log keeps every event but notes as a line of JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from interlingua.files import write_text

__all__ = ["Ended", "Event", "Log", "Note", "Progress", "Sample", "Validated"]


@dataclass(frozen=True)
class Note:
    """Something worth telling: what was found in the data, what was chosen and why."""

    text: str
    warning: bool = False


@dataclass(frozen=True)
class Progress:
    """Some updates, taken together; about one a second."""

    step: int
    elapsed_s: float
    loss: float
    """Smoothed cross entropy, nats a target token."""
    target_tokens: int
    """Real target tokens of these updates."""
    target_tokens_per_s: float
    learning_rate: float
    gradient_norm: float
    padding: float
    """Share of the positions, 0 to 1."""
    progress: float
    """Share of the budget used, 0 to 1."""
    left_s: float
    """Estimated seconds to the end."""


@dataclass(frozen=True)
class Sample:
    """A validation pair and what the model makes of it."""

    source: str
    target: str
    output: str


@dataclass(frozen=True)
class Validated:
    """The weights that would be saved now, tried on the validation pairs."""

    step: int
    elapsed_s: float
    seconds: float
    loss: float
    """Plain cross entropy, nats a target token."""
    metrics: dict[str, float]
    headline: str
    """The metric that decides."""
    best: bool
    samples: list[Sample] = field(default_factory=list)


@dataclass(frozen=True)
class Ended:
    """The run is over, or can go on with --resume."""

    step: int
    elapsed_s: float
    reason: str
    finished: bool
    best_step: int
    scores: list[dict[str, Any]] = field(default_factory=list)
    """Of the saved model on the validation pairs, in sacreBLEU's JSON form."""


Event = Note | Progress | Validated | Ended


class Log:
    """log.jsonl: an object a line, with the name of its event.

    Args:
        path: the file; created when missing.
        step: lines of later steps are cut, since they are about to be written again.
    """

    def __init__(self, path: Path, step: int) -> None:
        if path.exists():
            lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
            write_text(path, "".join(line for line in lines if _step(line) <= step))
        self._file = path.open("a", encoding="utf-8", buffering=1)

    def write(self, event: Event) -> None:
        """Appends the event, unless it is a note."""
        if not isinstance(event, Note):
            record = {"event": type(event).__name__.lower(), **asdict(event)}
            self._file.write(json.dumps(record, ensure_ascii=False) + "\n")

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


def _step(line: str) -> float:
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return float("inf")  # half a line, of a process that was killed
