"""How the codec of pictures is learnt: from the pictures alone, before any caption is read."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float
from torch import Tensor

from interlingua.pictures.codec import PictureCodec
from interlingua.pictures.patches import patches_of, pixels_of

__all__ = ["CodecLearner", "ReadPixels", "Reconstruction", "measure_codec"]

WARM_UP = 0.02
"""Share of the time in which the learning rate rises; then it falls to zero."""
SQUARES = 0.5
"""Weight of the squared error beside the absolute one: that alone leaves rare colours out at first."""
FULL_SCALE = 127.5
"""From numbers between -1 and 1 to pixels between 0 and 255."""

ReadPixels = Callable[[npt.NDArray[np.int64]], npt.NDArray[np.uint8]]
"""Flat pixels of pictures by number, (pictures, values)."""


class Reconstruction(NamedTuple):
    """What is left of pictures that went through a codec: the best that a model of its tokens can paint."""

    error: float
    """Mean absolute difference of a channel, of 255."""
    psnr_db: float
    """Peak signal-to-noise ratio; 20 is poor, 40 hardly to be told from the original."""
    stable: float
    """The share of tokens that come out again when the painted picture is read: what a round trip keeps."""

    def __str__(self) -> str:
        return (
            f"{self.error:.1f} of 255 off on average, {self.psnr_db:.1f} dB, {self.stable:.0%} of tokens stay"
        )


class CodecLearner:
    """A codec's network in training.

    Args:
        codec: is changed in place.
        read: gives the training pictures.
        count: of them.
        seed: decides the first weights and the order.
        device: where it is trained.
    """

    def __init__(
        self, codec: PictureCodec, read: ReadPixels, count: int, seed: int, device: torch.device | str = "cpu"
    ) -> None:
        self.codec, self.read, self.count, self.seed = codec, read, count, seed
        self.device = torch.device(device)
        self.step = 0
        codec.initialise(seed)
        self.network = codec.network.to(self.device).train()
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=codec.settings.learning_rate, betas=(0.9, 0.95), weight_decay=0.01
        )

    def updates(self, progress: Callable[[int], float]) -> Iterator[float]:
        """Makes updates for ever; yields the loss of each.

        Args:
            progress: the share of the time, or of the updates, that is used before an update by number.
        """
        settings = self.codec.settings
        while True:
            used = progress(self.step)
            rate = settings.learning_rate * min(
                1.0, (used + 1e-3) / WARM_UP, 0.5 * (1 + math.cos(math.pi * used))
            )
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            chosen = np.random.default_rng((self.seed, self.step)).integers(0, self.count, settings.batch)
            patches = patches_of(torch.from_numpy(self.read(chosen)), settings.grid).to(self.device)
            loss = self._loss(patches)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
            self.optimizer.step()
            self.step += 1
            yield loss.item()

    def finish(self) -> None:
        """The codec can be used from now on."""
        self.codec.network = self.network.cpu().eval()
        self.codec.trained = True

    def tensors(self) -> dict[str, Tensor]:
        """All that the next update depends on, for a checkpoint."""
        tensors = {f"network.{name}": value for name, value in self.network.state_dict().items()}
        for index, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{name}": value for name, value in state.items()}
        return tensors

    def restore(self, tensors: dict[str, Tensor], step: int) -> None:
        """Continues from what `tensors` returned after so many updates."""
        network = {
            name.removeprefix("network."): value
            for name, value in tensors.items()
            if name.startswith("network.")
        }
        self.network.load_state_dict(network)
        saved = self.optimizer.state_dict()
        for name, value in tensors.items():
            if name.startswith("optimizer."):
                _, index, key = name.split(".")
                saved["state"].setdefault(int(index), {})[key] = value
        self.optimizer.load_state_dict(saved)
        self.step = step

    def _loss(self, patches: Float[Tensor, "batch patches numbers"]) -> Float[Tensor, ""]:
        difference = self.network(patches) - patches
        loss: Tensor = difference.abs().mean() + SQUARES * difference.square().mean()
        return loss


@torch.inference_mode()
def measure_codec(codec: PictureCodec, pixels: npt.NDArray[np.uint8]) -> Reconstruction:
    """How well a codec keeps pictures that it did not learn from.

    Args:
        codec: is trained.
        pixels: flat, (pictures, values).
    """
    original = patches_of(torch.from_numpy(pixels), codec.settings.grid)
    codes = codec.network.encode(original)
    painted = pixels_of(codec.network.decode(codes))
    difference = painted.reshape(len(pixels), -1).float() - torch.from_numpy(pixels).float()
    squared = float(difference.square().mean())
    again = codec.network.encode(patches_of(painted.reshape(len(pixels), -1), codec.settings.grid))
    return Reconstruction(
        float(difference.abs().mean()),
        10 * math.log10(255**2 / max(squared, 1e-9)),
        float((again == codes).float().mean()),
    )
