"""The curves of a training for TensorBoard (extra `tensorboard`)."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from interlingua.errors import ConfigurationError
from interlingua.runs.events import Event, Progress, Validated

__all__ = ["TensorBoard", "require_tensorboard"]


def require_tensorboard() -> None:
    """Makes sure that TensorBoard is installed.

    Raises:
        ConfigurationError: it is not.
    """
    if importlib.util.find_spec("tensorboard") is None:
        raise ConfigurationError(
            "TensorBoard is not installed",
            where="training.tensorboard",
            accepted="pip install 'interlingua[tensorboard]'",
        )


class TensorBoard:
    """Writes events into a directory that `tensorboard --logdir` reads.

    Args:
        directory: of the event files; made when missing.
        step: a resumed run overwrites what an earlier process wrote after this step.
    """

    def __init__(self, directory: Path, step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter  # imports tensorboard, an extra

        self._writer = SummaryWriter(str(directory), purge_step=step + 1)

    def write(self, event: Event) -> None:
        """Adds the event's numbers to the curves."""
        match event:
            case Progress():
                self._add("training", event.step, vars(event))
            case Validated():
                self._add("validation", event.step, {"loss": event.loss, **event.metrics})

    def close(self) -> None:
        """Writes what is left, and closes the files."""
        self._writer.close()

    def _add(self, group: str, step: int, values: dict[str, float]) -> None:
        for name, value in values.items():
            self._writer.add_scalar(f"{group}/{name}", value, step)
