"""The plain data of pictures that a model painted or saw: what `interlingua look` shows of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from interlingua.views.levels import AttentionLevels
from interlingua.views.look_data import Output, TokenPrediction
from interlingua.views.patch_sheet import Film, PatchSheet
from interlingua.views.search_tree import Node

__all__ = ["CaptionWord", "PaintingLook", "PictureLook"]


@dataclass(frozen=True)
class PaintingLook:
    """All that a page shows of a caption and the picture that was painted of it.

    Patches, and the tokens that paint them, are counted row by row.
    """

    model: str
    caption: str
    unknown: list[str]
    """What of the caption the model does not know."""
    size: int
    """Of the edge of the picture, in pixels."""
    grid: int
    """Patches on an edge."""
    seed: int
    guidance: float
    temperature: float
    top_k: int
    top_p: float
    min_p: float
    log_prob: float
    """Of all tokens: with guidance, before temperature and cuts."""
    picture: str
    """A PNG in a data: URI."""
    words: list[str]
    """Of the caption, and the end sign: the keys of attention. Tokens where there are no spaces."""
    attention: AttentionLevels | None
    """Of each patch's token over the words; with guidance, of the rows that know the caption. None when the
    model has none."""
    predictions: list[TokenPrediction]
    """For each patch, with guidance, before temperature and cuts: the codes as "#17"."""
    choices: PatchSheet
    """What the best codes of `predictions` would paint in the finished picture, patch by patch, each best
    first."""
    film: Film
    """How the picture grew."""

    def as_data(self) -> dict[str, Any]:
        """The same as dicts, lists, texts and numbers."""
        return asdict(self)


@dataclass(frozen=True)
class CaptionWord:
    """A word that a model wrote."""

    text: str
    confidence: float
    """The geometric mean of its tokens' probabilities."""
    tokens: list[int]
    """Which of target_out it is written with."""


@dataclass(frozen=True)
class PictureLook:
    """All that a page shows of a picture and what was said of it."""

    model: str
    file: str
    """What the file is called, without its directory."""
    size: int
    """Of the edge of the picture that the model saw, in pixels."""
    grid: int
    """Patches on an edge."""
    picture: str
    """What the model saw: a PNG in a data: URI."""
    target_out: list[str]
    """The tokens that the decoder wrote, the end sign with them."""
    words: list[CaptionWord]
    beam: int
    outputs: list[Output]
    """The n best, the text first."""
    predictions: list[TokenPrediction]
    """For each token of target_out."""
    tree: tuple[Node, ...]
    attention: AttentionLevels | None
    """Of target_out over the patches, row by row; None when the model has none."""

    def as_data(self) -> dict[str, Any]:
        """The same as dicts, lists, texts and numbers."""
        return asdict(self)
