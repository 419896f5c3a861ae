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
from interlingua.kinds import SPECIALS
from interlingua.pictures.codec import PictureCodec
from interlingua.pictures.reconstruction import Reconstruction, measure_codec
from interlingua.runs.checkpoint import Checkpoint, load_newest, save_checkpoint
from interlingua.runs.events import CodecProgress, Event, Note
from interlingua.runs.journal import Journal
from interlingua.runs.plan import Plan
from interlingua.training.codec import CodecLearner, ReadPixels
from interlingua.training.schedule import Clock

__all__ = ["PHASE", "codec_elapsed", "learn_codec", "refuse_lost_codec"]

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


def learn_codec(
    plan: Plan, journal: Journal, clock: Clock, device: torch.device, stopped: threading.Event
) -> Generator[Event, None, float | None]:
    """Learns the codec of a run's targets if it is not learnt yet, and has the stores give its tokens.

    Of other targets there is nothing to do. A codec that was learnt has fewer tokens than before: those that
    occur in the pictures to learn from.

    Returns:
        The seconds it took, none of which are the model's own; None when `stopped` was set.
    """
    prepared = plan.prepared
    codec = prepared.tokenizers.target
    if not isinstance(codec, PictureCodec):
        return 0.0
    if codec.trained:
        for store in (prepared.train, prepared.valid):
            store.use_codes(_encode(codec, store))
        if "codec" not in prepared.report:  # of a run that goes on
            prepared.report["codec"] = _measure(codec, prepared.valid)._asdict()
        return 0.0
    phase_began_s = yield from _learn(plan, codec, journal, clock, device, stopped)
    if phase_began_s is None:
        return None
    prepared.train.use_codes(codec.restrict(_encode(codec, prepared.train)))
    prepared.valid.use_codes(_encode(codec, prepared.valid))
    kept = _measure(codec, prepared.valid)
    prepared.report["codec"] = kept._asdict()
    tokens = f"{codec.tokens} tokens a picture, each one of {len(codec) - len(SPECIALS):,} codes"
    count = min(len(prepared.valid), MEASURED)
    yield Note(f"codec: {tokens}; of {count:,} validation pictures, {kept}")
    save_tokenizers(prepared.tokenizers, journal.out)
    return clock() - phase_began_s


def refuse_lost_codec(plan: Plan, out: Path) -> None:
    """Raises an error if a model knows the tokens of a codec that is gone.

    Args:
        plan: of a model that was trained.
        out: the directory of its run.
    """
    codec = plan.prepared.tokenizers.target
    if isinstance(codec, PictureCodec) and not codec.trained:
        raise CheckpointError("the codec of this run is gone", where=out / CODEC_WEIGHTS,
                              accepted="Put the file back, or begin anew with --force.")  # fmt: skip


def _learn(
    plan: Plan, codec: PictureCodec, journal: Journal, clock: Clock, device: torch.device,
    stopped: threading.Event,
) -> Generator[Event, None, float | None]:  # fmt: skip
    """Trains the network; returns when that began by the run's clock, or None when it was stopped."""
    settings, store = plan.experiment.training, plan.prepared.train
    place = journal.out / "training" / PHASE
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
            return None
    learner.finish()
    return began_s


def _measure(codec: PictureCodec, valid: Store) -> Reconstruction:
    """How well the codec keeps validation pictures."""
    return measure_codec(codec, _reader(valid)(np.arange(min(len(valid), MEASURED))))


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
