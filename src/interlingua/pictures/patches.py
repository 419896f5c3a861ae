"""Pixels to patches, which an encoder reads one after another, row by row."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

__all__ = ["GRID", "patch_edge", "patches_of", "pixels_of"]

GRID = 8
"""Patches on an edge of a picture that is a source, whatever its size."""


def patch_edge(size: int) -> int:
    """The edge of a source's patch, in pixels."""
    return size // GRID


def patches_of(
    pixels: UInt8[Tensor, "batch values"], grid: int = GRID
) -> Float[Tensor, "batch patches numbers"]:
    """Flat pixels of square pictures, (row, column, channel), as patches of numbers from -1 to 1.

    Args:
        pixels: of pictures of one size.
        grid: patches on an edge.
    """
    size = math.isqrt(pixels.shape[1] // 3)
    edge = size // grid
    rows = pixels.view(-1, grid, edge, grid, edge, 3).permute(0, 1, 3, 2, 4, 5)
    return rows.reshape(len(pixels), grid * grid, edge * edge * 3).to(torch.float32).div_(127.5).sub_(1)


def pixels_of(patches: Float[Tensor, "batch patches numbers"]) -> UInt8[Tensor, "batch size size 3"]:
    """What `patches_of` was given, of numbers that may lie outside -1 to 1."""
    edge = math.isqrt(patches.shape[2] // 3)
    grid = math.isqrt(patches.shape[1])
    squares = patches.view(-1, grid, grid, edge, edge, 3).permute(0, 1, 3, 2, 4, 5)
    numbers = squares.reshape(len(patches), grid * edge, grid * edge, 3).float()
    return numbers.add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8)
