"""What a worker does with pictures: paints captions; reads uploaded files and says what they show."""

from __future__ import annotations

import io
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from interlingua.errors import DataError
from interlingua.pictures.reading import PictureReport, Pixels, encode_png, inspect_stream
from interlingua.serving.pool.records import explain, record_translation

if TYPE_CHECKING:
    from torch import Tensor

    from interlingua.inference.captioner import Captioner
    from interlingua.inference.painter import Painter, Painting
    from interlingua.inference.translation import Translation

__all__ = ["describe_files", "paint_captions", "warm_up_captioner"]

Drafts = Callable[[], dict[tuple[int, int], Any]]
"""Gives pictures so far by the number of their order, and 0."""
_MAX_SCANS = 100
"""Of a JPEG. Each goes through the whole picture; those of usual files are ten, and a thousand take 50 KB."""
_MAX_READ_S = 5.0
"""Of the processor; the largest of usual files takes a second."""
_READING = threading.Lock()
"""One file at a time is unpacked: a large one takes hundreds of megabytes."""


def paint_captions(
    model: Painter, orders: Sequence[Sequence[Any]], watched: Callable[[int], bool],
    observe: Callable[[Drafts], object], options: dict[str, Any],
) -> list[dict[str, Any]]:  # fmt: skip
    """Paints captions together.

    Args:
        model: paints.
        orders: of each picture the caption, the seed and how many times as large it is to be.
        watched: says of the number of an order whether drafts of it are wanted.
        observe: told of every step, with what gives the pictures so far.
        options: of the search.

    Returns:
        A record for each; or why a caption cannot be painted.
    """
    captions = [caption for caption, _, _ in orders]
    seeds = [seed for _, seed, _ in orders]

    def observe_step(drafts: Callable[[], Mapping[tuple[int, int], Sequence[int]]]) -> None:
        observe(lambda: _draw(model, drafts(), watched))

    try:
        found = model.paint(captions, seed=seeds, observe=observe_step, **options)
    except DataError as error:  # such as another number of columns
        if len(orders) > 1:
            raise
        return [{"refused": explain(error)}]
    return [
        _record(model, order, painting, model.notes(order[:1], [painting.seed], **options))
        for order, (painting,) in zip(orders, found, strict=True)
    ]


def describe_files(
    model: Captioner, files: Sequence[Sequence[Any]], numbers: Sequence[int],
    observe: Callable[[Sequence[int], Any], Any],
    options: dict[str, Any],
) -> list[dict[str, Any]]:  # fmt: skip
    """Says what uploaded pictures show, together.

    Args:
        model: sees them.
        files: of each picture the path, and how many pixels it may have.
        numbers: of the files, by which `observe` knows them.
        observe: told of every step, with the numbers of the pictures that could be read.
        options: of the search.

    Returns:
        A record for each; or why a file cannot be read.
    """
    records: dict[int, dict[str, Any]] = {}
    pixels: dict[int, Pixels] = {}
    for number, (path, max_pixels) in zip(numbers, files, strict=True):
        try:
            pixels[number], report = _read(path, model.size, max_pixels)
            records[number] = {"width": report.width, "height": report.height}
        except DataError as error:
            records[number] = {"refused": explain(error)}
    readable = list(pixels)
    found = model.translate(pixels.values(), observe=lambda drafts: observe(readable, drafts), **options)
    for number, each in zip(readable, found, strict=True):
        records[number] |= record_translation(replace(each, attention=None), detail=True)
        if each.attention is not None:
            records[number]["attention"] = _looked_at(each.attention.cross)
    return [records[number] for number in numbers]


def warm_up_captioner(model: Captioner) -> Translation:
    """Calls a model for the first time, which is slow; what it says of a white sheet, with any attention."""
    white = np.full((model.size, model.size, 3), 255, np.uint8)
    return model.translate([white], beam=1, attention=model.engine.has_attention)[0]


def _read(path: str, size: int, max_pixels: int) -> tuple[Pixels, PictureReport]:
    with _READING:
        try:
            content = Path(path).read_bytes()
        except FileNotFoundError:  # its client has gone
            content = b""
        # A JPEG's data holds the sign of a scan nowhere else.
        if content.startswith(b"\xff\xd8") and content.count(b"\xff\xda") > _MAX_SCANS:
            raise DataError("the picture is in too many parts", found=f"over {_MAX_SCANS} scans",
                            accepted="Save it again as a usual JPEG or PNG.")  # fmt: skip
        return inspect_stream(_TimedFile(content), size, "picture", max_pixels)


class _TimedFile(io.BytesIO):
    """A file that cannot be read any more once that has taken too long.

    There are many ways to keep a decoder busy: comments of one byte each, runs of one pixel each.
    """

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.until = time.thread_time() + _MAX_READ_S

    def read(self, size: int | None = -1) -> bytes:
        """Some bytes."""
        if time.thread_time() > self.until:
            raise OSError("it takes too long to read")
        return super().read(size)


def _draw(
    model: Painter, drafts: Mapping[tuple[int, int], Sequence[int]], watched: Callable[[int], bool]
) -> dict[tuple[int, int], Any]:
    """The pictures so far, of those orders that are watched."""
    known = {number: ids for (number, _), ids in drafts.items() if watched(number)}
    pictures = zip(known.items(), model.codec.decode_batch(list(known.values())), strict=True)
    return {
        (number, 0): {"painted": len(model.codec.codes(ids)), "png": _png(pixels)}
        for (number, ids), pixels in pictures
    }


def _record(
    model: Painter, order: Sequence[Any], painting: Painting, notes: Mapping[str, str]
) -> dict[str, Any]:
    caption, seed, scale = order
    normalised = model.captions.normalise(caption)
    record: dict[str, Any] = {
        "png": _png(painting.pixels.repeat(scale, axis=0).repeat(scale, axis=1), notes), "seed": seed,
        "tokens": painting.tokens, "log_prob": round(painting.log_prob, 4), "count": len(painting.tokens),
        "unknown": model.captions.unknown(normalised),
    }  # fmt: skip
    if painting.attention is not None:
        ids = model.captions.encode(normalised)
        record["source_tokens"] = model.captions.pieces(ids)
        record["attention"] = _looked_at(painting.attention.cross)[: len(painting.tokens)]
    return record


def _looked_at(cross: Tensor) -> list[list[float]]:
    """How much each target token looked at each source token: the mean of all heads of all layers."""
    weights: list[list[float]] = cross.double().mean(dim=(0, 1)).mul(10_000).round().div(10_000).tolist()
    return weights


def _png(pixels: Pixels, notes: Mapping[str, str] | None = None) -> str:
    return b64encode(encode_png(pixels, notes)).decode()
