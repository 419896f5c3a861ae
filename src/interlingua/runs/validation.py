"""Trying the model in training on the validation pairs, by loss and by the task's own metric."""

from __future__ import annotations

import math
import time
from typing import NamedTuple

import numpy as np
import torch

from interlingua.data.batch import make_batch
from interlingua.data.sampler import epoch_batches
from interlingua.data.store import Store
from interlingua.engine.eager import EagerEngine
from interlingua.evaluation.metrics import task_metrics
from interlingua.evaluation.references import choose_repeated
from interlingua.evaluation.scores import Score, evaluate
from interlingua.inference.bundle import LengthStatistics
from interlingua.inference.translator import Translation, Translator
from interlingua.model.protocol import Model
from interlingua.runs.events import Sample
from interlingua.search.hypothesis import length_penalty
from interlingua.search.settings import SearchSettings
from interlingua.text.tokenizer import TokenizerPair
from interlingua.training.objective import CrossEntropy

__all__ = ["LENGTH_PENALTIES", "Validation", "Validator", "best_hypothesis"]

Pair = tuple[str, str]
SHOWN_SAMPLES = 10
MAX_PAIRS = 5_000
"""The loss, and the scores of the saved model, are of at most so many validation pairs."""

LENGTH_PENALTIES = (1.0, 0.5, 1.5, 0.0, 2.0, 2.5, 3.0)
"""What there is to choose from, the usual one first and the nearer before the farther."""
MIN_IMPROVEMENT = 0.1
"""Points; what is better by less may be better by chance."""


class Validation(NamedTuple):
    """What was found, and how long it took."""

    loss: float
    """Plain cross entropy, nats a target token."""
    scores: list[Score]
    """The metric that decides first."""
    samples: list[Sample]
    search: SearchSettings
    """What translated the pairs; it has the length penalty that was chosen, if one was."""
    seconds: float

    @property
    def selection_score(self) -> float:
        """Larger is better; what the best weights are chosen by."""
        return _larger_is_better(self.scores[0])


class Validator:
    """Validates a model, whatever its weights are at the moment.

    Args:
        store: the validation pairs; many are thinned out, always in the same way.
        tokenizers: of both sides.
        lengths: of the training data, for search.
        search: how the saved model is meant to be used.
        choose_length_penalty: whether that one's length penalty is to be chosen by its score.
        decode_pairs: how many to translate each time.
        max_tokens: of a batch, for the loss.
        device: where the model is.
    """

    def __init__(
        self, store: Store, tokenizers: TokenizerPair, lengths: LengthStatistics, search: SearchSettings,
        choose_length_penalty: bool, decode_pairs: int, max_tokens: int, device: torch.device,
    ) -> None:  # fmt: skip
        order = np.random.default_rng(0).permutation(len(store))[:MAX_PAIRS]
        self.store, self.max_tokens, self.device = store, max_tokens, device
        self.indices = np.sort(order)
        self.decoded_indices = np.sort(order[:decode_pairs])
        self.tokenizers, self.lengths, self.search = tokenizers, lengths, search
        self.chooses_length_penalty = choose_length_penalty and search.beam > 1 and not search.sample
        self.repeated = choose_repeated(
            (store.source_text(int(i)), store.target_text(int(i))) for i in self.indices
        )
        self.metrics = task_metrics([store.target_text(int(i)) for i in self.indices], tokenizers.target)

    def validate(self, model: Model, *, thorough: bool = False) -> Validation:
        """Loss of all pairs, scores of `decode_pairs` greedy translations; thorough: of all, by `search`."""
        started = time.monotonic()
        training = model.training
        model.eval()
        search = self.search if thorough else SearchSettings(beam=1)
        indices = (self.indices if thorough else self.decoded_indices).tolist()
        pairs = [(self.store.source_text(i), self.store.target_text(i)) for i in indices]
        if thorough and self.chooses_length_penalty:
            search, outputs = self._choose_length_penalty(model, pairs)
        else:
            outputs = [translation.text for translation in self._translate(model, search, pairs)]
        scores = self._evaluate(outputs, pairs, n_bootstrap=1000 if thorough else 0)
        loss = self._loss(model)
        model.train(training)
        shown = zip(pairs[:SHOWN_SAMPLES], outputs[:SHOWN_SAMPLES], strict=True)
        samples = [Sample(source, target, output) for (source, target), output in shown]
        return Validation(loss, scores, samples, search, time.monotonic() - started)

    def _translate(self, model: Model, search: SearchSettings, pairs: list[Pair]) -> list[Translation]:
        translator = Translator(
            EagerEngine(model, self.device), self.tokenizers, settings=search,
            **self.lengths._asdict(),
        )  # fmt: skip
        return translator.translate([source for source, _ in pairs])

    def _choose_length_penalty(self, model: Model, pairs: list[Pair]) -> tuple[SearchSettings, list[str]]:
        """The search whose length penalty scores best, or hardly worse and nearer the usual; its outputs.

        One search does for all: what a beam meets does not depend on the penalty when all its slots finish.
        """
        search = self.search.model_copy(update={"stop": "all", "n_best": self.search.beam})
        translations = self._translate(model, search, pairs)
        outputs, scores = {}, {}
        for alpha in LENGTH_PENALTIES:
            outputs[alpha] = [best_hypothesis(translation, alpha).text for translation in translations]
            score = self._evaluate(outputs[alpha], pairs, n_bootstrap=0)[0]
            scores[alpha] = _larger_is_better(score)
        threshold = max(scores.values()) - MIN_IMPROVEMENT
        alpha = next(alpha for alpha in LENGTH_PENALTIES if scores[alpha] >= threshold)
        return self.search.model_copy(update={"length_penalty": alpha}), outputs[alpha]

    def _evaluate(self, outputs: list[str], pairs: list[Pair], n_bootstrap: int) -> list[Score]:
        return evaluate(outputs, pairs, metrics=self.metrics, repeated=self.repeated, n_bootstrap=n_bootstrap)

    @torch.no_grad()
    def _loss(self, model: Model) -> float:
        total, tokens = 0.0, 0
        lengths = self.store.source_lengths[self.indices], self.store.target_lengths[self.indices]
        for chosen in epoch_batches(*lengths, self.max_tokens, 0, 0):
            batch = make_batch(self.store, self.indices[chosen]).to(self.device)
            loss = CrossEntropy()(model, batch)
            total, tokens = total + float(loss.sums["loss"]), tokens + loss.tokens
        return total / tokens if tokens else math.nan


def best_hypothesis(translation: Translation, alpha: float) -> Translation:
    """Of a translation and its alternatives the one of highest score under another length penalty."""

    def rank(candidate: Translation) -> tuple[bool, float]:
        score = sum(candidate.log_probs) / float(length_penalty(len(candidate.log_probs), alpha))
        return "limit" not in candidate.flags, score

    return max(translation, *translation.alternatives, key=rank) if translation.alternatives else translation


def _larger_is_better(score: Score) -> float:
    return score.score if score.higher_is_better else -score.score
