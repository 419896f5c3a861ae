"""How a model is trained: the [training] section of an experiment."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from interlingua.settings import Settings

__all__ = ["TrainingSettings"]

Positive = Annotated[int, Field(ge=1, lt=2**31)]


class TrainingSettings(Settings):
    """Budget, optimizer, schedule, validation."""

    max_steps: Positive | None = None
    """Updates in all; with neither this nor minutes, chosen from the data."""
    minutes: Annotated[float, Field(gt=0, le=10_000_000)] | None = None
    """Wall-clock budget from the start of the process to the saved model, validation included."""
    max_tokens: Positive = 2048
    """The most tokens of a side of a batch, padding included, BOS and EOS not counted."""
    batch_seconds: Annotated[float, Field(gt=0, le=1e6)] = 60.0
    """Of sounds: the most seconds of a batch, padding included."""
    accumulate: Annotated[int, Field(ge=1, le=10_000)] = 1
    """Batches per update."""
    learning_rate: Annotated[float, Field(gt=0, le=1000)] = 1.5e-3
    """Peak of the budget schedule; a factor (the paper: 1) of the paper's."""
    schedule: Literal["budget", "paper"] = "budget"
    """budget: up, then linearly to zero at the end; paper: Vaswani et al. 2017, Eq. 3."""
    warmup_share: Annotated[float, Field(ge=0, lt=1)] = 0.05
    """Share of the budget in which the rate of the budget schedule rises."""
    warmup_steps: Positive = 4000
    """Steps in which the rate of the paper's schedule rises."""
    optimizer: Literal["adamw", "muon"] = "adamw"
    """adamw: AdamW for all weights; muon: Muon (Jordan et al. 2024) for hidden layers' matrices, AdamW for
    the rest."""
    weight_decay: Annotated[float, Field(ge=0, le=1000)] = 0.01
    """AdamW's (Loshchilov & Hutter 2019) and Muon's (Liu et al. 2025, 2.2), on matrices only; 0 with
    AdamW is Adam."""
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.95
    """Muon's decay of the gradient."""
    beta1: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """Adam's decay of the mean gradient."""
    beta2: Annotated[float, Field(ge=0, lt=1)] = 0.98
    """Adam's decay of the mean squared gradient (the paper's value)."""
    epsilon: Annotated[float, Field(gt=0, le=1)] = 1e-9
    """Adam's epsilon (the paper's value)."""
    clip_norm: Annotated[float, Field(ge=0, le=1_000_000)] = 1.0
    """The gradient's norm is cut to this; 0 leaves it."""
    subword_sampling: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Subwords are cut at random, anew in every epoch. BPE: the probability that a merge is left out
    (Provilkov et al. 2020); unigram: alpha of Kudo 2018, smaller is more random. 0: never."""
    consistency: Annotated[float, Field(ge=0, le=1000)] = 0.0
    """R-Drop's alpha (Wu et al. 2021): every batch is computed twice under different dropout, and the two
    predictions are drawn together. 0: once, as usual."""
    ctc_weight: Annotated[float, Field(ge=0, lt=1)] = 0.3
    """The share that CTC has in the loss of models with model.ctc (Watanabe et al. 2017, III-A)."""
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Share of the uniform distribution in what is to be predicted (the paper, 5.4)."""
    average_decay: Annotated[float, Field(ge=0, lt=1)] = 0.999
    """Exponential average of the weights, which is validated and saved; 0 saves the last weights."""
    validations: Positive = 12
    """How many times to validate within the budget."""
    decode_pairs: Positive = 1500
    """Validation pairs translated each time, by greedy search; fewer where time is short, or few steps are
    trained. The saved model is scored on up to 5,000, by the search that it is meant for."""
    choose_length_penalty: bool = True
    """At the end take the length penalty that suits the validation pairs best; not done when
    search.length_penalty is given."""
    race: bool = True
    """Whether several models are tried for a while, where more than one may suit the data."""
    save: Literal["best", "last"] = "best"
    """Which weights are saved: those of the best score on the validation pairs, or of the last validation."""
    patience: Annotated[int, Field(ge=0, lt=2**31)] = 4
    """Stop after so many validations in a row without a better score; 0 and under minutes: never."""
    mix_tolerance: Annotated[float, Field(ge=0, le=1e6)] = 0.5
    """Points of the task's metric by which validation pairs of data.mix may be translated worse than by the
    base model, or what two of them make if that is more; weights that lose more are not saved, and are waited
    through by patience. Of models that paint, tenths of a bit a token."""
    checkpoint_every_s: Annotated[float, Field(gt=0, le=1e9)] = 60.0
    """Seconds between checkpoints, beside those at validations."""
    tensorboard: bool = False
    """Also write training/tensorboard/, for `tensorboard --logdir`; needs the extra."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """What the model computes in; auto: bf16 where the device gains. Master weights are fp32."""
    device: str = "auto"
    """cpu, cuda, cuda:1, mps; auto takes the best there is."""
    threads: Annotated[int, Field(ge=1, le=1024)] | None = None
    """CPU threads; when not given all cores, or with a budget of minutes fewer, where these are faster."""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 1
    """Of initialisation, data order and dropout."""

    @model_validator(mode="after")
    def _one_budget(self) -> Self:
        if self.max_steps is not None and self.minutes is not None:
            raise ValueError("there can be one budget only: minutes or max_steps")
        return self
