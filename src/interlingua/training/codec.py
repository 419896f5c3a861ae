"""How the codec of pictures is learnt: from the pictures alone, before any caption is read."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import cast

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float
from torch import Tensor

from interlingua.model.protocol import Model
from interlingua.pictures.codec import PictureCodec
from interlingua.pictures.patches import patches_of
from interlingua.training.loop import Learner
from interlingua.training.schedule import budget_rate
from interlingua.training.settings import TrainingSettings

__all__ = ["CodecLearner", "ReadPixels"]

SQUARES = 0.5
"""Weight of the squared error beside the absolute one: that alone leaves rare colours out at first."""
WARM_UP = 0.05
"""Share of the time in which the learning rate rises; then it falls to zero."""
WEAKER, WEAKER_INKS, WEAKEST = 0.5, 0.4, 0.2
"""The share of pictures in colours that are weaker, of their inks that are, and to what at most."""

ReadPixels = Callable[[npt.NDArray[np.int64]], npt.NDArray[np.uint8]]
"""Flat pixels of pictures by number, (pictures, values)."""


class CodecLearner:
    """A codec's network in training, by Muon.

    Args:
        codec: gets the network when it has learnt.
        read: gives the training pictures.
        count: of them.
        seed: decides the first weights and the order.
        device: where it is trained.
        dtype: what the network computes in.
    """

    def __init__(
        self, codec: PictureCodec, read: ReadPixels, count: int, seed: int,
        device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32,
    ) -> None:  # fmt: skip
        self.codec, self.read, self.count, self.seed, self.dtype = codec, read, count, seed, dtype
        codec.initialise(seed)
        self.network = copy.deepcopy(codec.network).to(device).train()
        settings = TrainingSettings(optimizer="muon", weight_decay=0.0, clip_norm=1.0)
        self.learner = Learner(cast(Model, self.network), settings, dtype)

    @property
    def step(self) -> int:
        """Updates so far."""
        return self.learner.step

    def updates(self, progress: Callable[[int], float]) -> Iterator[float]:
        """Makes updates for ever; yields the loss of each.

        Args:
            progress: the share of the time, or of the updates, that is used before an update by number.
        """
        settings, device = self.codec.settings, self.learner.weights.master.device
        while True:
            chosen = np.random.default_rng((self.seed, self.step)).integers(0, self.count, settings.batch)
            patches = patches_of(torch.from_numpy(self.read(chosen)), settings.grid)
            seen, painted = (self._recolour(patches, turn).to(device) for turn in (1, 2))
            loss = self._loss(seen, painted)
            loss.backward()
            self.learner.weights.collect_gradient()
            rate = budget_rate(progress(self.step), WARM_UP, self.step + 1)
            self.learner.update(1, settings.learning_rate * rate)
            yield loss.item()

    def finish(self) -> None:
        """The codec can be used from now on, with the averaged weights."""
        weights = self.learner.weights.split(self.learner.averaged.cpu())
        self.codec.network.load_state_dict(weights)
        self.codec.network.eval()
        self.codec.trained = True

    def _recolour(
        self, patches: Float[Tensor, "batch patches numbers"], turn: int
    ) -> Float[Tensor, "batch patches numbers"]:
        """The pictures in other colours: red, green and blue in another order, and some of them weaker.

        Forms are told from pictures in some colours and painted in others, so that they tell little of
        colours. White stays white.
        """
        if not self.codec.settings.colour_levels:
            return patches
        draw = np.random.default_rng((self.seed, self.step, turn))
        shape = len(patches), 3
        orders = torch.from_numpy(draw.permuted(np.tile(np.arange(3), (len(patches), 1)), axis=1))
        weaker = draw.random((len(patches), 1)) < WEAKER
        weaker = weaker & (draw.random(shape) < WEAKER_INKS)
        strengths = torch.from_numpy(np.where(weaker, draw.uniform(WEAKEST, 1, shape), 1)).float()
        inks = 1 - patches.unflatten(2, (-1, 3))  # from 0, of white
        inks = inks.gather(3, orders[:, None, None].expand_as(inks)) * strengths[:, None, None]
        recoloured: Tensor = (1 - inks).flatten(2)
        return recoloured

    def _loss(
        self,
        seen: Float[Tensor, "batch patches numbers"],
        painted: Float[Tensor, "batch patches numbers"],
    ) -> Float[Tensor, ""]:
        difference = self.network(seen.to(self.dtype), painted.to(self.dtype)).float() - painted
        loss: Tensor = difference.abs().mean() + SQUARES * difference.square().mean()
        return loss
