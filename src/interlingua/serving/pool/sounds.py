"""What a worker does with sounds: reads and cuts an upload, transcribes pieces of those that were read.

Nothing of a sound goes through the service itself: it names files. An upload is read block by block, so that
its memory does not grow with what a hostile file claims to be.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import numpy.typing as npt

from interlingua.errors import DataError
from interlingua.serving.logs import describe_error
from interlingua.serving.pool.records import explain
from interlingua.sound.reading import SAMPLE_RATE, measure_seconds, read_blocks
from interlingua.sound.utterances import find_parts

if TYPE_CHECKING:
    from interlingua.inference.transcriber import Transcriber
    from interlingua.inference.translation import Translation
    from interlingua.inference.translator import DraftObserver

__all__ = ["SAMPLES_SUFFIX", "read_upload", "transcribe_pieces", "warm_up"]

SAMPLES_SUFFIX = ".samples"
"""Of the file beside an upload that its samples are written to; it must be there already."""
_BLOCK_S = 10.0
_LEAST_SPEED = 60.0
"""Seconds of sound that are read in one of the processor's, at least: usual files are ten times faster, but
a few bytes may hold hours of many channels."""

Samples = npt.NDArray[np.int16]


def read_upload(
    path: str, max_seconds: float, max_piece_s: float, is_unwanted: Callable[[], bool]
) -> dict[str, Any]:
    """Reads a sound and writes its samples beside it.

    Args:
        path: of the upload.
        max_seconds: a longer one is refused.
        max_piece_s: of a piece, in seconds.
        is_unwanted: asked at every block; once it says so the rest is left.

    Returns:
        The pieces as (first sample, end, whether nobody speaks there), which together are the whole sound; or
        why it cannot be read, or that it is too long instead.
    """
    try:
        if (measure_seconds(path) or 0.0) > max_seconds:
            return {"too_long": True}
        with Path(path).open("rb") as sound, Path(path + SAMPLES_SUFFIX).open("r+b") as samples:
            blocks = _bounded(read_blocks(sound, _BLOCK_S, "sound"), max_seconds, is_unwanted)
            pieces = _cut(_written(blocks, samples), samples, max_piece_s)
    except _TooLongError:
        return {"too_long": True}
    except _TooSlowError:
        return {
            "unreadable": "The sound takes too long to read: it has too many channels or samples a second."
        }
    except DataError as error:
        return {"unreadable": explain(error)}
    except Exception as error:
        return describe_error(error)
    return {"pieces": pieces}


def transcribe_pieces(
    model: Transcriber, pieces: Sequence[Sequence[Any]], observe: DraftObserver, options: dict[str, Any]
) -> list[Translation]:
    """Transcribes pieces: each the file of the samples, the first of them and the end."""
    return model.translate(
        [_read_samples(*piece) for piece in pieces], words=True, observe=observe, **options
    )


def warm_up(model: Transcriber) -> None:
    """Calls a model for the first time, which is slow."""
    noise = np.random.default_rng(0).integers(-1000, 1000, SAMPLE_RATE, dtype=np.int16)
    model.translate([noise], words=True, beam=1)


def _read_samples(path: str, start: int, end: int) -> Samples:
    try:
        samples = np.fromfile(path, "<i2", count=end - start, offset=2 * start)
    except FileNotFoundError:  # its client has gone
        samples = np.zeros(end - start, np.int16)
    return samples.astype(np.int16, copy=False)


def _bounded(
    blocks: Iterable[Samples], max_seconds: float, is_unwanted: Callable[[], bool]
) -> Iterator[Samples]:
    count = 0
    until = time.thread_time() + 1 + max_seconds / _LEAST_SPEED
    for block in blocks:
        count += len(block)
        if count > max_seconds * SAMPLE_RATE + 1:
            raise _TooLongError
        if time.thread_time() > until:
            raise _TooSlowError
        if is_unwanted():
            return
        yield block


def _written(blocks: Iterable[Samples], file: BinaryIO) -> Iterator[Samples]:
    """The same blocks, each once it is in the file."""
    for block in blocks:
        file.write(block.astype("<i2").tobytes())
        yield block


def _cut(blocks: Iterable[Samples], file: BinaryIO, max_piece_s: float) -> list[tuple[int, int, bool]]:
    """The pieces of a sound whose blocks go to a file as they come: what is said, and what lies between."""
    pieces, end = list[tuple[int, int, bool]](), 0
    for part in find_parts(blocks, max_piece_s):
        if part.start > end:
            pieces.append((end, part.start, True))
        pieces.append((part.start, part.end, False))
        end = part.end
    if (whole := file.tell() // 2) > end:
        pieces.append((end, whole, True))
    return pieces


class _TooLongError(Exception):
    """The sound is longer than allowed."""


class _TooSlowError(Exception):
    """Reading the sound takes much more than its length accounts for."""
