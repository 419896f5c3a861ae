"""How sound is varied while a model is trained on it."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from interlingua.settings import Settings

__all__ = ["AugmentationSettings"]

Probability = Annotated[float, Field(ge=0, le=1)]
Decibels = Annotated[float, Field(ge=-100, le=100)]


class AugmentationSettings(Settings):
    """How the sound of training pairs is varied, anew in every epoch."""

    speeds: Annotated[tuple[Annotated[float, Field(ge=0.5, le=2)], ...], Field(min_length=1)] = (
        0.9,
        1.0,
        1.1,
    )
    """Factors of the speed, each as likely; the pitch goes with it (Ko et al. 2015)."""
    gain_probability: Probability = 0.5
    """Of making a recording louder or quieter."""
    max_gain_db: Annotated[float, Field(ge=0, le=60)] = 10.0
    """The most by which; less is as likely."""
    noise_probability: Probability = 0.5
    """Of adding white or pink noise."""
    min_snr_db: Decibels = 10.0
    """The least that the recording is louder than the noise."""
    max_snr_db: Decibels = 40.0
    """The most; between them every value in decibels is as likely."""
    silence_probability: Probability = 0.5
    """Of faint noise before and after the recording, as where a long one was cut."""
    max_silence_s: Annotated[float, Field(ge=0, le=10)] = 0.4
    """The most of it on a side; less is as likely."""
    noise_alone_probability: Probability = 0.02
    """Of steady noise in a recording's place, in which nothing is said: it is taken for words otherwise."""
    frequency_masks: Annotated[int, Field(ge=0, le=100)] = 2
    """Runs of neighbouring bands that are hidden (Park et al. 2019, 2; their LD policy)."""
    frequency_mask_bands: Annotated[int, Field(ge=0, le=1000)] = 27
    """The most bands that one of them hides; fewer are as likely."""
    time_masks: Annotated[int, Field(ge=0, le=1000)] = 5
    """Stretches of time that are hidden."""
    time_mask_share: Probability = 0.05
    """The most of a recording that one of them hides, whatever its length (Park et al. 2020, adaptive)."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.min_snr_db > self.max_snr_db:
            raise ValueError("min_snr_db should not be more than max_snr_db")
        return self
