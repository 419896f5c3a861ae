"""Trying the model in training on the validation pairs, by loss and by the task's own metric."""

from __future__ import annotations

import math
import time
from typing import NamedTuple

import numpy as np
import torch

from interlingua.bundle import Limits
from interlingua.data.batch import make_batch
from interlingua.data.batching import epoch_batches
from interlingua.data.store import Store
from interlingua.evaluation import Metric, Score, evaluate, metric_named, recognise_task
from interlingua.model.presets import Model
from interlingua.search import SearchSettings
from interlingua.text.tokenizer import TokenizerPair
from interlingua.text.vocabulary import PAD
from interlingua.training.events import Sample
from interlingua.training.loss import cross_entropy_sum
from interlingua.translator import Translator

__all__ = ["Validation", "Validator", "task_metrics"]

SAMPLES = 10
MOST_PAIRS = 5_000
"""The loss, and the scores of the saved model, are of at most so many validation pairs."""


class Validation(NamedTuple):
    """What was found, and how long it took."""

    loss: float
    """Plain cross entropy, nats a target token."""
    scores: list[Score]
    """The metric that decides first."""
    samples: list[Sample]
    seconds: float

    @property
    def goodness(self) -> float:
        """Larger is better; what the best weights are chosen by."""
        first = self.scores[0]
        return first.score if first.higher_is_better else -first.score


class Validator:
    """Validates a model, whatever its weights are at the moment.

    Args:
        store: the validation pairs; many are thinned out, always in the same way.
        tokenizers: of both sides.
        limits: for search.
        search: how the saved model is meant to be used.
        decode_pairs: how many to translate each time.
        max_tokens: of a batch, for the loss.
        device: where the model is.
    """

    def __init__(
        self, store: Store, tokenizers: TokenizerPair, limits: Limits, search: SearchSettings,
        decode_pairs: int, max_tokens: int, device: torch.device,
    ) -> None:  # fmt: skip
        order = np.random.default_rng(0).permutation(len(store))[:MOST_PAIRS]
        self.store, self.max_tokens, self.device = store, max_tokens, device
        self.indices = np.sort(order)
        self.decoded = np.sort(order[:decode_pairs])
        self.tokenizers, self.limits, self.search = tokenizers, limits, search
        self.metrics = task_metrics([store.target_text(int(i)) for i in self.indices], tokenizers)

    def validate(self, model: Model, *, thorough: bool = False) -> Validation:
        """Loss over all, scores of greedy translations over some; thorough: over all, by `search`."""
        started = time.monotonic()
        training = model.training
        model.eval()
        search = self.search if thorough else SearchSettings(beam=1)
        translator = Translator(
            model, self.tokenizers, settings=search, max_ratio=self.limits.max_ratio,
            max_source_length=self.limits.max_source_length, device=self.device,
        )  # fmt: skip
        numbers = (self.indices if thorough else self.decoded).tolist()
        pairs = [(self.store.source_text(i), self.store.target_text(i)) for i in numbers]
        outputs = [translation.text for translation in translator.translate([pair[0] for pair in pairs])]
        scores = evaluate(outputs, pairs, metrics=self.metrics, n_bootstrap=1000 if thorough else 0)
        loss = self._loss(model)
        model.train(training)
        shown = zip(pairs[:SAMPLES], outputs[:SAMPLES], strict=True)
        samples = [Sample(source, target, output) for (source, target), output in shown]
        return Validation(loss, scores, samples, time.monotonic() - started)

    @torch.no_grad()
    def _loss(self, model: Model) -> float:
        total, tokens = 0.0, 0
        lengths = self.store.source_lengths[self.indices], self.store.target_lengths[self.indices]
        for chosen in epoch_batches(*lengths, self.max_tokens, 0, 0):
            batch = make_batch(self.store, self.indices[chosen]).to(self.device)
            hidden = model(batch.source, batch.source_mask, batch.target_in)
            loss = cross_entropy_sum(model.project, hidden, batch.target_out, smoothing=0.0, padding=PAD)
            total, tokens = total + float(loss), tokens + batch.target_tokens
        return total / tokens if tokens else math.nan


def task_metrics(targets: list[str], tokenizers: TokenizerPair) -> list[Metric]:
    """The metrics that fit the task, the one that decides first."""
    task = recognise_task(targets)
    # A tokenizer of words knows better what a symbol is than a guess from the targets.
    by_words = tokenizers.target.kind == "words"
    if task.headline == "sequence_error" or by_words:
        symbols = "words" if by_words else task.symbols
        return [metric_named(name, symbols) for name in ("sequence_error", "symbol_error")]
    return [metric_named(name) for name in sorted(("BLEU", "chrF"), key=lambda name: name != task.headline)]
