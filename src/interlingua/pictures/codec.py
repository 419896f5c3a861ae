"""The codec of pictures: pixels to the tokens that a decoder writes, and back."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Int
from torch import Tensor

from interlingua.errors import DataError
from interlingua.kinds import EOS, SPECIALS
from interlingua.pictures.autoencoder import Autoencoder
from interlingua.pictures.patches import patches_of, pixels_of
from interlingua.pictures.reading import PictureReport, Pixels
from interlingua.pictures.settings import PictureSettings
from interlingua.pictures.source import FlatPixels, inspect_pictures

__all__ = ["PictureCodec"]

AT_ONCE = 256
"""Pictures that are encoded or decoded together."""
BLANK = 255
"""What stands where nothing is painted yet."""
_USED = "used"
"""The tensor of the codes in use, beside the network's own."""


class PictureCodec:
    """The target side of a model of pictures: a fixed number of tokens each, row by row.

    Args:
        size: of the edge of its pictures, in pixels.
        settings: of the autoencoder.
    """

    kind: Literal["picture"] = "picture"
    normalisation: Any = "none"
    compared_by = None
    dtype = "uint8"

    def __init__(self, size: int, settings: PictureSettings) -> None:
        self.size, self.settings = size, settings
        edge = size // settings.grid
        self.unit = 3 * edge * edge
        self.tokens = settings.grid**2
        """Of a picture."""
        self.network = self._build()
        self.trained = False
        """Whether the network has learnt what it is for."""
        self._use(torch.arange(self.network.quantiser.size))
        colours = f" in {settings.colour_levels}" if settings.colour_levels else ""
        grid = settings.grid
        self.vocabulary = f"{size} x {size} pixels, {grid} x {grid} tokens of {settings.levels}{colours}"

    def __len__(self) -> int:
        """The codes in use, and the special ids."""
        return len(SPECIALS) + len(self._used)

    @property
    def factors(self) -> tuple[int, int] | None:
        """How many forms and colours are in use, every form in every colour; None where they are one."""
        if not self.settings.colour_levels:
            return None
        forms = len((self._used % self._forms).unique())
        return forms, len(self._used) // forms

    @property
    def _forms(self) -> int:
        return math.prod(self.settings.levels)

    def initialise(self, seed: int) -> None:
        """Begins anew; the random numbers of others stay what they were."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.network = self._build()
        self._use(torch.arange(self.network.quantiser.size))

    def restrict(self, ids: npt.NDArray[np.uint16]) -> npt.NDArray[np.uint16]:
        """Leaves only the codes that occur: a model has fewer to choose from, and paints no unknown ones.

        Every form that occurs is left in every colour that occurs. From now on, in place of any other code of
        a picture stands the nearest of those in use.

        Args:
            ids: of the pictures to learn from, (pictures, tokens).

        Returns:
            Their new ids.
        """
        codes = self._used.numpy()[ids.astype(np.int64) - len(SPECIALS)]
        used = np.unique(codes)
        if self.settings.colour_levels:
            forms, colours = np.unique(used % self._forms), np.unique(used // self._forms)
            used = (self._forms * colours[:, np.newaxis] + forms).reshape(-1)
        self._use(torch.from_numpy(used))
        return (np.searchsorted(used, codes) + len(SPECIALS)).astype(np.uint16)

    def state(self) -> dict[str, Tensor]:
        """What it has learnt, as tensors."""
        return {**self.network.state_dict(), _USED: self._used.to(torch.int32)}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Takes what `state` returned; of an earlier version, which used all codes, as well.

        Raises:
            RuntimeError: it is of another codec.
        """
        weights = dict(state)
        used = weights.pop(_USED, torch.arange(self.network.quantiser.size)).long()
        if not len(used) or used.min() < 0 or used.max() >= self.network.quantiser.size:
            raise RuntimeError(f"{_USED} names codes that there are not")
        if self.settings.colour_levels:
            forms, colours = (used % self._forms).unique(), (used // self._forms).unique()
            if not torch.equal(used, (self._forms * colours.unsqueeze(1) + forms).flatten()):
                raise RuntimeError(f"{_USED} does not name every form in every colour")
        with torch.no_grad():
            self.network.load_state_dict(weights)
        self.network.eval()
        self.trained = True
        self._use(used)

    def with_normalisation(self, rule: Any) -> Self:
        """Returns itself: names of files are taken as they are."""
        return self

    def unknown(self, text: str) -> list[str]:
        """Returns nothing."""
        return []

    def normalise(self, text: str) -> str:
        """Returns the name as it is."""
        return text

    def encode(self, text: str) -> list[int]:
        """Returns the ids of a picture file.

        Raises:
            DataError: it cannot be read.
        """
        return self.encode_batch([text])[0]

    def encode_batch(self, targets: Sequence[str]) -> list[list[int]]:
        """The ids of picture files.

        Raises:
            DataError: one cannot be read.
        """
        found = inspect_pictures(targets, self.size)
        for each in found:
            if isinstance(each, DataError):
                raise each
        pixels = np.stack([each[0] for each in found if not isinstance(each, DataError)])
        ids: list[list[int]] = self.encode_pixels(pixels).tolist()
        return ids

    @torch.inference_mode()
    def encode_pixels(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint16]:
        """The ids of pictures.

        Args:
            pixels: (pictures, values), flat as a store holds them.

        Returns:
            (pictures, tokens).
        """
        codes = [
            self.network.encode(patches_of(torch.from_numpy(np.ascontiguousarray(some)), self.settings.grid))
            for some in np.array_split(pixels, -(-len(pixels) // AT_ONCE) or 1)
        ]
        return (self._numbers[torch.cat(codes)] + len(SPECIALS)).numpy().astype(np.uint16)

    def inspect_batch(self, names: Sequence[str]) -> list[tuple[FlatPixels, PictureReport] | DataError]:
        """The pixels of each file and what they are like, or why it cannot be used."""
        return inspect_pictures(names, self.size)

    def decode(self, ids: Sequence[int]) -> Pixels:
        """The picture of the ids; white where there are none yet."""
        return self.decode_batch([ids])[0]

    @torch.inference_mode()
    def decode_batch(self, rows: Sequence[Sequence[int]]) -> list[Pixels]:
        """The pictures of ids, (size, size, 3) each; special ids are skipped."""
        pictures: list[Pixels] = []
        for start in range(0, len(rows), AT_ONCE):
            codes = [self.codes(ids)[: self.tokens] for ids in rows[start : start + AT_ONCE]]
            filled = torch.tensor([each + [0] * (self.tokens - len(each)) for each in codes])
            painted = pixels_of(self.network.decode(self._used[filled])).numpy()
            for picture, each in zip(painted, codes, strict=True):
                self._blank(picture, len(each))
                pictures.append(picture)
        return pictures

    def codes(self, ids: Sequence[int]) -> list[int]:
        """The numbers of the codes that ids stand for, from 0; special ids have none."""
        return [i - len(SPECIALS) for i in ids if i > EOS]

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """The number of each code, as "#17"."""
        return [f"#{i - len(SPECIALS)}" for i in ids]

    def length_limit(self, source_length: int, max_ratio: float, extra_tokens: float = 0.0) -> int:
        """The tokens of a picture, whatever the source."""
        return self.tokens

    def _use(self, codes: Int[Tensor, " used"]) -> None:
        """Has ids stand for these codes of the quantiser, which rise."""
        quantiser = self.network.quantiser
        self._used = self._numbers = codes
        if len(codes) < quantiser.size:
            vectors = quantiser.vectors(torch.arange(quantiser.size))
            nearest = [torch.cdist(some, vectors[codes]).argmin(dim=1) for some in vectors.split(AT_ONCE)]
            self._numbers = torch.cat(nearest)

    def _build(self) -> Autoencoder:
        settings = self.settings
        return Autoencoder(
            self.unit, settings.grid, settings.levels, settings.colour_levels, settings.width, settings.blocks
        )

    def _blank(self, picture: Pixels, first: int) -> None:
        """Takes away what is painted from a token on."""
        grid, edge = self.settings.grid, self.size // self.settings.grid
        row, column = divmod(first, grid)
        if row < grid:
            picture[row * edge : (row + 1) * edge, column * edge :] = BLANK
            picture[(row + 1) * edge :] = BLANK
