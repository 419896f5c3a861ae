"""What a run writes into its directory: best weights, checkpoints, log, and how the model was made."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import Tensor

from interlingua.errors import CheckpointError
from interlingua.files import write_text
from interlingua.inference.bundle import read_info, save_config, save_facts, save_info, save_weights
from interlingua.runs.card import model_card
from interlingua.runs.checkpoint import Checkpoint, load_newest, save_checkpoint
from interlingua.runs.directory import replace_run
from interlingua.runs.events import Event, Note
from interlingua.runs.manifest import mark_checkpointed
from interlingua.runs.plan import Plan
from interlingua.runs.tensorboard import TensorBoard
from interlingua.runs.validation import Validation
from interlingua.search.settings import SearchSettings
from interlingua.text.facts import TextFacts

__all__ = ["Journal", "Log"]


class Journal:
    """The files of a run.

    Args:
        out: its directory, locked by this process.
        plan: what is carried out in it.
    """

    def __init__(self, out: Path, plan: Plan) -> None:
        self.out, self.plan = out, plan
        self.checkpoints = out / "training" / "checkpoints"
        self._logs: list[Log | TensorBoard] = []
        self._checkpointed = False

    @contextmanager
    def open(self, step: int) -> Iterator[None]:
        """Opens the logs, which go on after this step."""
        try:
            self._open_logs(step)
            yield
        finally:
            self._close_logs()

    def replace(self, out: Path, step: int) -> None:
        """Moves all files to where another run was, which goes; the logs go on after this step."""
        self._close_logs()
        replace_run(out)
        self.out, self.checkpoints = out, out / "training" / "checkpoints"
        self._open_logs(step)

    def record(self, event: Event) -> None:
        """Writes an event into the logs."""
        for log in self._logs:
            log.write(event)

    def save_weights(self, weights: Mapping[str, Tensor]) -> None:
        """Writes the weights that are the best so far."""
        save_weights(self.out, weights, self.plan.lengths, self.plan.facts)

    def save_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Writes a checkpoint."""
        save_checkpoint(self.checkpoints, checkpoint)
        if not self._checkpointed:
            mark_checkpointed(self.out)
            self._checkpointed = True

    def load_checkpoint(self) -> tuple[Checkpoint | None, list[str]]:
        """The newest whole checkpoint, as `load_newest` gives it.

        Raises:
            CheckpointError: all are damaged, or it is of other data or of an earlier version.
        """
        checkpoint, damaged = load_newest(self.checkpoints)
        if checkpoint is None:
            return None, damaged
        self.refuse_other_data(checkpoint)
        # The weights lay in another order then.
        if any(name.startswith("optimizer.") for name in checkpoint.tensors):
            raise CheckpointError(
                "the checkpoint is of an earlier version of interlingua",
                where=self.checkpoints,
                accepted="Start a new run from the saved model with --from.",
            )
        return checkpoint, damaged

    def refuse_other_data(self, checkpoint: Checkpoint) -> None:
        """Raises CheckpointError when a checkpoint is of other data than there is now."""
        digest = self.plan.prepared.train.digest
        if checkpoint.about.get("data", digest) == digest:
            return
        data = self.plan.experiment.data
        or_named = ", or a file that it names," if any(data.names_files) else ""
        raise CheckpointError(
            f"the training data{or_named} has changed since this run was started",
            where=", ".join(map(str, (each.file for each in data.train_files))),
            accepted="Put the old files back, or start a new run from the saved model with --from.",
        )

    def scored_step(self) -> int | None:
        """The last step of a run that came to its end; None when this one has not."""
        return read_info(self.out).get("steps")

    def _open_logs(self, step: int) -> None:
        directory = self.out / "training"
        self._logs = [Log(directory / "log.jsonl", step)]
        if self.plan.experiment.training.tensorboard:
            self._logs.append(TensorBoard(directory / "tensorboard", step))

    def _close_logs(self) -> None:
        for log in self._logs:
            log.close()
        self._logs = []

    def save_facts(self, facts: TextFacts) -> None:
        """Writes what is known of the texts, and of how the model translates them."""
        save_facts(self.out, facts)

    def save_search(self, search: SearchSettings) -> None:
        """Writes the configuration again, with another search."""
        experiment = self.plan.experiment.model_copy(update={"search": search})
        save_config(self.out, experiment.as_toml(), self.plan.prepared.tokenizers)

    def save_result(self, info: Mapping[str, Any], validation: Validation) -> None:
        """Writes how the model was made and what it is worth, for programs and for people.

        Args:
            info: what info.json is to hold, beside samples.
            validation: of the saved weights.
        """
        card = model_card(self.out.name, self.plan.experiment, info, validation)
        samples = [asdict(sample) for sample in validation.samples]
        save_info(self.out, {**info, "samples": samples}, card)


class Log:
    """log.jsonl: an object a line, with the name of its event; notes are left out.

    Args:
        path: the file; created when missing.
        step: lines of later steps are cut, since they are about to be written again.
    """

    def __init__(self, path: Path, step: int) -> None:
        if path.exists():
            lines = path.read_bytes().split(b"\n")
            write_text(path, "".join(f"{line.decode()}\n" for line in lines if _step(line) <= step))
        self._file = path.open("a", encoding="utf-8", newline="\n", buffering=1)

    def write(self, event: Event) -> None:
        """Appends the event, unless it is a note."""
        if not isinstance(event, Note):
            record = {"event": type(event).__name__.lower(), **asdict(event)}
            self._file.write(json.dumps(record, ensure_ascii=False) + "\n")

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


def _step(line: bytes) -> float:
    try:
        return float(json.loads(line.decode())["step"])
    except (ValueError, KeyError, TypeError):
        return float("inf")  # half a line, or half a character, of a process that was killed
