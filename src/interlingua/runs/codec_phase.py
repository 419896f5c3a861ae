"""The first phase of a run whose targets are pictures: their codec is learnt, then they become tokens."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from interlingua.data.codecs import CODEC_WEIGHTS, save_tokenizers
from interlingua.data.store import Store
from interlingua.engine.device import choose_dtype
from interlingua.errors import CheckpointError
from interlingua.pictures.codec import PictureCodec
from interlingua.pictures.reconstruction import measure_codec
from interlingua.runs.checkpoint import Checkpoint, load_newest, save_checkpoint
from interlingua.runs.events import CodecProgress, Event, Note
from interlingua.runs.trainer import Trainer
from interlingua.training.codec import CodecLearner, ReadPixels

__all__ = ["PHASE", "codec_elapsed", "learn_codec"]

PHASE = "codec"
"""The directory of its checkpoints, in training/."""
PROGRESS_EVERY_S = 1.0
MEASURED = 500
"""Validation pictures that tell how good the codec is."""
AT_ONCE = 1024
"""Pictures that become tokens together."""


def codec_elapsed(out: Path) -> float:
    """The seconds of a run that was stopped in this phase; 0 of others."""
    checkpoint, _ = load_newest(out / "training" / PHASE)
    return 0.0 if checkpoint is None else float(checkpoint.about["elapsed_s"])


def learn_codec(trainer: Trainer, stopped: threading.Event) -> Generator[Event, None, bool]:
    """Learns the codec of a run's targets if it is not learnt yet, and has the stores give its tokens.

    Of other targets there is nothing to do. What it takes is none of the model's own time.

    Returns:
        Whether training can begin; not so when `stopped` was set.
    """
    prepared = trainer.plan.prepared
    codec = prepared.tokenizers.target
    if not isinstance(codec, PictureCodec):
        return True
    if not codec.trained and not (yield from _learn(trainer, codec, stopped)):
        return False
    for store in (prepared.train, prepared.valid):
        store.use_codes(_encode(codec, store))
    return True


def _learn(trainer: Trainer, codec: PictureCodec, stopped: threading.Event) -> Generator[Event, None, bool]:
    settings, store, journal, clock = (
        trainer.settings,
        trainer.plan.prepared.train,
        trainer.journal,
        trainer.clock,
    )
    place = journal.out / "training" / PHASE
    if trainer.learner.step:  # the model knows the tokens of the codec that is gone
        raise CheckpointError("the codec of this run is gone", where=journal.out / CODEC_WEIGHTS,
                              accepted="Put the file back, or begin anew with --force.")  # fmt: skip
    device = trainer.validator.device
    dtype = choose_dtype(settings.precision, device)
    learner = CodecLearner(codec, _reader(store), len(store), settings.seed, device, dtype)
    checkpoint, damaged = load_newest(place)
    for text in damaged:
        yield Note(text, warning=True)
    began_s = clock()
    if checkpoint is not None:
        journal.refuse_other_data(checkpoint)
        learner.learner.restore(checkpoint.tensors, checkpoint.about["step"])
        began_s = checkpoint.about["began_s"]
        yield Note(f"going on with the codec after {learner.step:,} updates")
    share = codec.settings.budget_share
    seconds = None if settings.minutes is None else share * 60 * settings.minutes
    steps = max(1, round(share * (settings.max_steps or 0)))

    def progress(step: int) -> float:
        return min(1.0, step / steps if seconds is None else (clock() - began_s) / seconds)

    losses, shown, saved = list[float](), time.monotonic(), time.monotonic()
    for loss in learner.updates(progress):
        losses.append(loss)
        ended, now = progress(learner.step) >= 1, time.monotonic()
        if ended or stopped.is_set() or now - shown >= PROGRESS_EVERY_S:
            left_s = 0.0 if seconds is None else max(0.0, began_s + seconds - clock())
            yield CodecProgress(
                learner.step, clock(), sum(losses) / len(losses), progress(learner.step), left_s
            )
            losses, shown = [], now
        if ended:
            break
        if stopped.is_set() or now - saved >= settings.checkpoint_every_s:
            about = {"step": learner.step, "began_s": began_s, "elapsed_s": clock(), "data": store.digest}
            save_checkpoint(place, Checkpoint(learner.learner.tensors(), about))
            saved = now
        if stopped.is_set():
            return False
    learner.finish()
    numbers = np.arange(min(len(trainer.plan.prepared.valid), MEASURED))
    kept = measure_codec(codec, _reader(trainer.plan.prepared.valid)(numbers))
    trainer.plan.prepared.report["codec"] = {**kept._asdict(), "updates": learner.step}
    yield Note(f"codec: {codec.tokens} tokens a picture; of {len(numbers):,} validation pictures, {kept}")
    save_tokenizers(trainer.plan.prepared.tokenizers, journal.out)
    trainer.budget.others_s = trainer.budget.others_used_s = clock() - began_s
    torch.manual_seed(settings.seed)  # the model's dropout does not depend on the codec
    return True


def _reader(store: Store) -> ReadPixels:
    def read(numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        return np.stack([store.target_pixels(i) for i in numbers.tolist()])

    return read


def _encode(codec: PictureCodec, store: Store) -> npt.NDArray[np.uint16]:
    """The tokens of all pictures, two bytes each."""
    read = _reader(store)
    numbers = np.arange(len(store))
    parts = [codec.encode_pixels(read(numbers[i : i + AT_ONCE])) for i in range(0, len(numbers), AT_ONCE)]
    return np.concatenate(parts)
