"""What is left of pictures that went through a codec."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from interlingua.pictures.codec import PictureCodec

__all__ = ["Reconstruction", "measure_codec"]


class Reconstruction(NamedTuple):
    """How well a codec keeps pictures: no model of its tokens can paint better."""

    error: float
    """Mean absolute difference of a channel, of 255."""
    psnr_db: float
    """Peak signal-to-noise ratio; 20 is poor, 40 hardly to be told from the original."""
    stable: float
    """The share of tokens that come out again when the painted picture is read: what a round trip keeps."""

    def __str__(self) -> str:
        lost = f"{self.error:.1f} of 255 off on average, {self.psnr_db:.1f} dB"
        return f"{lost}, {self.stable:.0%} of tokens stay"


@torch.inference_mode()
def measure_codec(codec: PictureCodec, pixels: npt.NDArray[np.uint8]) -> Reconstruction:
    """How well a codec keeps pictures that it did not learn from.

    Args:
        codec: is trained.
        pixels: flat, (pictures, values).
    """
    ids = codec.encode_pixels(pixels)
    painted = np.stack([each.reshape(-1) for each in codec.decode_batch(ids.tolist())])
    difference = painted.astype(np.float32) - pixels
    squared = float(np.square(difference).mean())
    return Reconstruction(
        float(np.abs(difference).mean()),
        10 * math.log10(255**2 / max(squared, 1e-9)),
        float((codec.encode_pixels(painted) == ids).mean()),
    )
