"""The plain data of a sound and its transcript: what `interlingua look` shows of a model of sounds."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from interlingua.views.levels import AttentionLevels, Levels
from interlingua.views.look_data import Output, TokenPrediction
from interlingua.views.search_tree import Node

__all__ = ["SoundLook", "SoundWord", "Spectrogram", "Spikes"]


@dataclass(frozen=True)
class Spectrogram:
    """How loud each band is over time."""

    levels: Levels
    """(frames, bands): 0 is low_db or less, 1 is high_db or more."""
    frame_s: float
    """Seconds from one frame to the next."""
    low_db: float
    """Decibels of the power in a band, where 0 is that of full scale in a bin."""
    high_db: float
    centres_hz: list[int]
    """The frequency that each band answers to most."""


@dataclass(frozen=True)
class Spikes:
    """What the CTC head says at each position, before any search."""

    text: str
    """What it reads alone: the most probable symbols, without repetitions and blanks."""
    symbols: list[str]
    """The most probable symbol but the blank."""
    probabilities: list[float]
    """Of that symbol."""
    blanks: list[float]
    """Of the blank."""


@dataclass(frozen=True)
class SoundWord:
    """A word of the transcript."""

    text: str
    start_s: float | None
    """From the beginning of the recording; None when the model does not tell times."""
    end_s: float | None
    confidence: float
    """The geometric mean of its tokens' probabilities."""
    tokens: list[int]
    """Which of target_out it is written with."""


@dataclass(frozen=True)
class SoundLook:
    """All that a page shows of a sound and its transcript."""

    model: str
    file: str
    """What the file is called, without its directory."""
    part: int
    """Which part of the recording, from 1, where it is too long for the model."""
    parts: int
    start_s: float
    """Where the part begins in the recording."""
    seconds: float
    """How long the part is."""
    position_s: float
    """Seconds of one of the positions that the encoder reads."""
    num_positions: int
    audio: str
    """What the model heard, as a WAV file in a data: URI."""
    spectrogram: Spectrogram
    target_out: list[str]
    """The tokens that the decoder wrote, the end sign with them."""
    token_spans: list[tuple[int, int]] | None
    """The first and the last position of each token but the end sign; None when the model does not tell."""
    times_by: Literal["CTC", "attention"] | None
    """What tells the times."""
    words: list[SoundWord]
    beam: int
    ctc_weight: float
    """How much CTC counted in the search, beside the decoder."""
    outputs: list[Output]
    """The n best, the transcript first."""
    predictions: list[TokenPrediction]
    """For each token of target_out."""
    tree: tuple[Node, ...]
    attention: AttentionLevels | None
    """Of target_out over the positions; None when the model has none."""
    ctc: Spikes | None
    """None when the model has no such head."""

    def as_data(self) -> dict[str, Any]:
        """The same as dicts, lists, texts and numbers."""
        return asdict(self)
