"""Many patches of pictures in one PNG: what a picture grew by, and what might have stood in it."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from interlingua.kinds import SPECIALS
from interlingua.pictures.codec import PictureCodec
from interlingua.pictures.reading import Pixels, encode_png

__all__ = ["Film", "PatchSheet", "paint_instead", "png_uri", "split_patches"]

COLUMNS = 32


@dataclass(frozen=True)
class PatchSheet:
    """Patches side by side, row by row."""

    png: str
    """A data: URI."""
    columns: int
    edge: int
    """Of a patch, in pixels."""

    @classmethod
    def of(cls, patches: Pixels) -> PatchSheet:
        """Of patches (patches, edge, edge, 3), one or more."""
        edge = patches.shape[1]
        columns = min(COLUMNS, len(patches))
        rows = -(-len(patches) // columns)
        sheet = np.zeros((rows * columns, edge, edge, 3), np.uint8)
        sheet[: len(patches)] = patches
        lines = sheet.reshape(rows, columns, edge, edge, 3).swapaxes(1, 2)
        return cls(png_uri(lines.reshape(rows * edge, columns * edge, 3)), columns, edge)


@dataclass(frozen=True)
class Film:
    """A picture that grows: patches that are painted over, token by token."""

    sheet: PatchSheet
    changes: list[list[int]]
    """For each token the places, row by row, at which patches of the sheet are painted, in its order: that of
    the token, and those before it that look different now."""

    @classmethod
    def of(cls, codec: PictureCodec, codes: Sequence[int]) -> Film:
        """After each token the picture is what the codec makes of the tokens so far.

        A patch depends on its neighbours, too: those that are not there yet count as code 0, as `decode` has
        it.

        Args:
            codec: that paints.
            codes: all of a picture.
        """
        ids = _ids(codes)
        frames = codec.decode_batch([ids[: number + 1] for number in range(len(ids))])
        before = split_patches(frames[0], codec.settings.grid)
        changes, patches = [], []
        for number, frame in enumerate(frames):
            after = split_patches(frame, codec.settings.grid)
            changed = (after[:number] != before[:number]).any(axis=(1, 2, 3))
            changes.append([*np.flatnonzero(changed).tolist(), number])
            patches.append(after[changes[-1]])
            before = after
        return cls(PatchSheet.of(np.concatenate(patches)), changes)


def paint_instead(
    codec: PictureCodec, codes: Sequence[int], others: Sequence[Sequence[int]]
) -> list[list[Pixels]]:
    """What other codes would paint in the place of single ones, all others as they are.

    Args:
        codec: that paints.
        codes: all of a picture.
        others: for each of them, the codes to try in its place.

    Returns:
        For each the patches, (edge, edge, 3), in order.
    """
    grid, apart = codec.settings.grid, codec.settings.blocks + 1
    # A block sees the next neighbours only, so codes that are far enough apart can be tried in one picture.
    together: dict[tuple[int, int, int], list[int]] = {}
    for place in range(len(codes)):
        row, column = divmod(place, grid)
        for choice in range(len(others[place])):
            together.setdefault((row % apart, column % apart, choice), []).append(place)
    tried = []
    for (_, _, choice), places in together.items():
        ids = _ids(codes)
        for place in places:
            ids[place] = others[place][choice] + len(SPECIALS)
        tried.append(ids)
    found: list[list[Pixels]] = [[] for _ in codes]
    for places, picture in zip(together.values(), codec.decode_batch(tried), strict=True):
        patches = split_patches(picture, grid)
        for place in places:
            found[place].append(patches[place])
    return found


def split_patches(picture: Pixels, grid: int) -> Pixels:
    """The patches of a square picture, (patches, edge, edge, 3), row by row."""
    edge = len(picture) // grid
    rows = picture.reshape(grid, edge, grid, edge, 3).swapaxes(1, 2)
    return rows.reshape(grid * grid, edge, edge, 3)


def png_uri(picture: Pixels) -> str:
    """A picture as a PNG in a data: URI."""
    return f"data:image/png;base64,{base64.b64encode(encode_png(picture)).decode()}"


def _ids(codes: Sequence[int]) -> list[int]:
    return [code + len(SPECIALS) for code in codes]
