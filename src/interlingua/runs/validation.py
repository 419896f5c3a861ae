"""Trying the model in training on the validation pairs, by loss and by the task's own metric."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import torch

from interlingua.data.batch import make_batch
from interlingua.data.sampler import epoch_batches
from interlingua.data.store import Store
from interlingua.documents.protect import measure_numbers_copied
from interlingua.engine.eager import EagerEngine
from interlingua.evaluation.metrics import Metric, task_metrics
from interlingua.evaluation.references import choose_repeated
from interlingua.evaluation.scores import Score, evaluate
from interlingua.inference.bundle import LengthStatistics
from interlingua.inference.coverage import measure_least_coverage
from interlingua.inference.painter import Painter
from interlingua.inference.translator import Translation
from interlingua.inference.using import build_user
from interlingua.model.protocol import Model
from interlingua.runs.events import Sample
from interlingua.search.hypothesis import length_penalty
from interlingua.search.settings import SearchSettings
from interlingua.text.facts import TextFacts
from interlingua.text.tokenizer import TokenizerPair
from interlingua.training.objective import CrossEntropy
from interlingua.version import __version__

__all__ = ["LENGTH_PENALTIES", "StoppedError", "Validation", "Validator", "best_hypothesis"]

Pair = tuple[str, str]
T = TypeVar("T")
SHOWN_SAMPLES = 10
MAX_PAIRS = 5_000
"""The loss, and the scores of the saved model, are of at most so many validation pairs."""

LENGTH_PENALTIES = (1.0, 0.5, 1.5, 0.0, 2.0, 2.5, 3.0)
"""What there is to choose from, beside the one that a model to start from has."""
MIN_IMPROVEMENT = 0.1
"""Points; what is better by less may be better by chance."""
FEW_PAIRS = 100
"""Where a model is trained further, fewer new pairs choose weights by their loss: a score of so few moves
more by chance than by what is learnt."""
MIN_CHOICE_PAIRS = 100
"""From fewer of the pairs, where there was no time for all, no length penalty is chosen."""
FIRST_PAIRS = 16
"""In a limited time, so many pairs are translated first, to measure how long they take."""
LOSS_SHARE, LOSS_PAIRS = 0.2, 128
"""Of a limited time, the most that the loss takes, which is measured on so many pairs at a time."""


class Validation(NamedTuple):
    """What was found, and how long it took."""

    loss: float
    """Plain cross entropy, nats a target token."""
    bits_per_character: float
    """The same in bits a character of the target, which compares across tokenizations."""
    scores: list[Score]
    """The metric that decides first; none when there was no time for a single translation."""
    samples: list[Sample]
    search: SearchSettings
    """What translated the pairs; it has the length penalty that was chosen, if one was."""
    pairs: int
    """So many were translated: all that were to be, or as many as there was time for."""
    seconds: float
    outputs: tuple[str, ...] = ()
    """Of greedy search: the translations, in the order in which pairs are taken."""
    min_coverage: float = 0.0
    """See TextFacts; 0 when there was no time."""
    by_corpus: Mapping[str, list[Score]] = {}
    """The scores of each corpus, by its name, where the pairs are of several."""
    old_scores: Sequence[Score] = ()
    """Of old pairs that are mixed in, where there are some; loss and scores are then of new pairs alone."""
    by_loss: bool = False
    """Whether the loss is what the best weights are chosen by, since the pairs are too few for a score."""

    @property
    def selection_score(self) -> float:
        """What the best weights are chosen by, larger is better; -inf when there is no score."""
        if self.by_loss:
            return -self.bits_per_character if math.isfinite(self.bits_per_character) else -math.inf
        return _larger_is_better(self.scores[0]) if self.scores else -math.inf

    @property
    def is_all_wrong(self) -> bool:
        """Whether the score is as bad as it can be, as that of a model which has hardly begun."""
        if self.by_loss or not self.scores:
            return False
        score = self.scores[0]
        return score.score <= 0 if score.higher_is_better else score.score >= 100

    @property
    def old_score(self) -> float:
        """The same of old pairs."""
        return _larger_is_better(self.old_scores[0]) if self.old_scores else -math.inf


class StoppedError(Exception):
    """A validation was given up, since the run is to stop."""


class Loss(NamedTuple):
    """How well a model predicts targets, whatever they are made of."""

    per_token: float
    """Plain cross entropy, nats a target token."""
    bits_per_character: float
    """The ends of targets are predicted as well, and count as no character."""


NO_LOSS = Loss(math.nan, math.nan)


class _OutOfTimeError(Exception):
    """Raised in the middle of a search to end it."""


class Validator:
    """Validates a model, whatever its weights are at the moment.

    In a limited time the pairs are taken in an order of their own, always the same, as far as the time goes.

    Args:
        store: the validation pairs; many are thinned out, always in the same way.
        tokenizers: of both sides.
        lengths: of the training data, for search.
        search: how the saved model is meant to be used.
        choose_length_penalty: whether that one's length penalty is to be chosen by its score.
        decode_pairs: how many to translate each time.
        max_tokens: of a batch, for the loss.
        max_source: positions of its sources, where they have a bound of their own.
        device: where the model is.
        facts: what kind of text the model is for: it is tried as it will be used.
        corpora: names, and how many of the pairs, in order, are of each; none where that is not asked.
        old: which pairs, by number, are old ones that are mixed in.
        fine_tuning: whether the model was trained before, on other pairs.
    """

    def __init__(
        self, store: Store, tokenizers: TokenizerPair, lengths: LengthStatistics, search: SearchSettings,
        choose_length_penalty: bool, decode_pairs: int, max_tokens: int, device: torch.device,
        facts: TextFacts | None = None, corpora: Sequence[tuple[str, int]] = (),
        max_source: int | None = None, old: Collection[int] = (), fine_tuning: bool = False,
    ) -> None:  # fmt: skip
        self.facts, self.max_source = facts, max_source
        self.corpora = [name for name, pairs in corpora for _ in range(pairs)]
        """Of each pair."""
        self._old = frozenset(old)
        few = len(store) - len(self._old) < FEW_PAIRS
        self.by_loss = fine_tuning and few and store.target_kind != "picture"  # which have no other score
        self.order = self._alternate(np.random.default_rng(0).permutation(len(store)).tolist())[:MAX_PAIRS]
        self.store, self.max_tokens, self.device = store, max_tokens, device
        self.decode_pairs = self.max_decode_pairs = min(decode_pairs, len(self.order))
        """How many the next validation translates, and the most that it may grow to."""
        self.tokenizers, self.lengths, self.search = tokenizers, lengths, search
        self.greedy = SearchSettings(beam=1, ctc_weight=search.ctc_weight)
        """What validations in training translate with: of sounds, CTC has a say."""
        # Where CTC ranks, too, the decoder's scores do not tell what another penalty would prefer.
        ranked_by_decoder = search.beam > 1 and not search.sample and not search.ctc_weight
        self.chooses_length_penalty = choose_length_penalty and ranked_by_decoder
        texts = [(store.source_text(i), store.target_text(i)) for i in sorted(self.order)]
        self.repeated = choose_repeated(texts)
        self.metrics = (
            []
            if store.target_kind == "picture"
            else task_metrics([target for _, target in texts], tokenizers, facts)
        )

    def validate(
        self, model: Model, ends_at: float = math.inf, stopped: threading.Event | None = None
    ) -> Validation:
        """Loss of all pairs, scores of greedy translations of `decode_pairs`.

        In a limited time `decode_pairs` becomes what there is time for, so that later validations are of the
        same pairs, and grows again when they take a small part of the time.

        Args:
            model: to be validated.
            ends_at: by time.monotonic(), when it must be over.
            stopped: is looked at after every step of decoding.

        Raises:
            StoppedError: `stopped` was set.
        """
        started = time.monotonic()
        indices = self.order[: self.decode_pairs]
        training = model.training
        model.eval()
        try:
            loss, translations = self._apply(model, self.greedy, indices, ends_at, stopped)
            old_pictures = self._score_old_pictures(model, ends_at)
        finally:
            model.train(training)
        pairs, outputs = self._sorted(indices, [translation.text for translation in translations])
        validation = self._validation(loss, self.greedy, pairs, outputs, started, n_bootstrap=0)
        validation = validation._replace(outputs=tuple(translation.text for translation in translations))
        if old_pictures:
            validation = validation._replace(old_scores=old_pictures)
        if len(pairs) < self.decode_pairs:
            self.decode_pairs = max(len(pairs), FIRST_PAIRS)
        elif validation.seconds < (ends_at - started) / 3:
            self.decode_pairs = min(2 * self.decode_pairs, self.max_decode_pairs)
        return validation

    def score(
        self, model: Model, ends_at: float = math.inf, measuring_ends_at: float = math.inf
    ) -> Validation:
        """Loss and scores of all pairs, translated as the saved model is meant to; chooses how, if asked to.

        Args:
            model: to be scored.
            ends_at: by time.monotonic(), when translating must be over; what was translated is scored then.
            measuring_ends_at: when looking at the model's attention must be over, which comes last.
        """
        started = time.monotonic()
        model.eval()
        if not self.chooses_length_penalty:
            loss, translations = self._apply(model, self.search, self.order, ends_at)
            pairs, found = self._sorted(self.order, translations)
            outputs = [translation.text for translation in found]
            validation = self._validation(loss, self.search, pairs, outputs, started)
            return self._complete(
                validation, model, _unsplit(pairs, found, outputs), measuring_ends_at, outputs
            )
        # One search does for all: what a beam meets does not depend on the penalty when all its slots finish.
        search = self.search.model_copy(update={"stop": "all", "n_best": self.search.beam})
        loss, translations = self._apply(model, search, self.order, ends_at)
        pairs, found = self._sorted(self.order, translations)
        search, outputs = self._choose_length_penalty(pairs, found)
        validation = self._validation(loss, search, pairs, outputs, started)
        return self._complete(validation, model, _unsplit(pairs, found, outputs), measuring_ends_at, outputs)

    def _complete(
        self, validation: Validation, model: Model, translated: list[Pair], ends_at: float, outputs: list[str]
    ) -> Validation:
        """With the scores of each corpus, and how little translations of natural language look at a word."""
        validation = self._score_corpora(validation, outputs)
        if self.facts is None or not self.facts.natural:
            return validation
        engine = EagerEngine(model, self.device)
        least = measure_least_coverage(engine, self.tokenizers, translated, ends_at, self.facts.column)
        return validation._replace(min_coverage=least)

    def _target_size(self, i: int) -> int:
        """Characters of a target, or pixels."""
        if self.store.target_kind == "picture":
            return len(self.store.target_pixels(i)) // 3
        return len(self.store.target_text(i))

    def judge(self, outputs: Sequence[str], *, old: bool = False) -> float:
        """The `selection_score` of translations of the first pairs.

        Args:
            outputs: in the order in which pairs are taken; -inf when there are none.
            old: whether those of old pairs are judged.
        """
        pairs, found = self._of_kind(*self._sorted(self.order, list(outputs)), old=old)
        if not found:
            return -math.inf
        (score,) = self._evaluate(self.metrics[:1], found, pairs, 0)
        return _larger_is_better(score)

    def count_old(self, translated: int) -> int:
        """How many of the first pairs are old ones."""
        return sum(i in self._old for i in self.order[:translated])

    def first_sources(self, count: int) -> list[str]:
        """The sources of the first pairs, in the order in which pairs are taken."""
        return [self.store.source_text(i) for i in self.order[:count]]

    def measure_numbers_copied(self) -> float | None:
        """The share of pairs with the same numbers on both sides; None when too few have any."""
        store = self.store
        if store.source_kind != "text":
            return None
        return measure_numbers_copied((store.source_text(i), store.target_text(i)) for i in self.order)

    def _apply(
        self, model: Model, search: SearchSettings, indices: list[int], ends_at: float,
        stopped: threading.Event | None = None,
    ) -> tuple[Loss, list[Translation]]:  # fmt: skip
        """The loss on new pairs; and translations of the first of these, of all that there is time for."""
        now = time.monotonic()
        loss = self.measure_loss(model, self.numbers(old=False), now + LOSS_SHARE * (ends_at - now))
        if self.store.target_kind == "picture":
            return loss, []
        translator = build_user(
            EagerEngine(model, self.device), self.tokenizers, settings=search,
            **self.lengths._asdict(), facts=self.facts,
        )  # fmt: skip
        assert not isinstance(translator, Painter), "pictures are judged by the loss"

        def stop(_: object) -> None:
            if stopped is not None and stopped.is_set():
                raise StoppedError
            if time.monotonic() > ends_at:
                raise _OutOfTimeError

        translations: list[Translation] = []
        at_once = len(indices) if ends_at == math.inf else FIRST_PAIRS
        while len(translations) < len(indices) and at_once > 0:
            some = indices[len(translations) : len(translations) + at_once]
            started = time.monotonic()
            try:
                translations += translator.translate([self.store.source_input(i) for i in some], observe=stop)
            except _OutOfTimeError:
                break
            now = time.monotonic()
            if ends_at < math.inf:  # more and more at once, but no more than there is time for
                fitting = len(some) * (ends_at - now) / max(now - started, 1e-6)
                at_once = min(4 * at_once, math.floor(0.7 * fitting))
        return loss, translations

    def _score_old_pictures(self, model: Model, ends_at: float) -> tuple[Score, ...]:
        """How well the tokens of old pictures are predicted; nothing of texts, or where none are old."""
        numbers = self.numbers(old=True) if self.store.target_kind == "picture" else []
        loss = self.measure_loss(model, numbers, ends_at)
        return (bits_per_token(loss.per_token),) if math.isfinite(loss.per_token) else ()

    def _sorted(self, indices: list[int], outputs: list[T]) -> tuple[list[Pair], list[T]]:
        """The pairs that have outputs in the data's order, and these."""
        done = sorted(zip(indices, outputs, strict=False), key=lambda item: item[0])
        pairs = [(self.store.source_text(i), self.store.target_text(i)) for i, _ in done]
        return pairs, [output for _, output in done]

    def _of_kind(
        self, pairs: list[Pair], outputs: list[T], *, old: bool = False
    ) -> tuple[list[Pair], list[T]]:
        """Of the first pairs, in the data's order, the new ones, or the old ones; with their outputs."""
        if not self._old:
            return ([], []) if old else (pairs, outputs)
        numbers = sorted(self.order[: len(outputs)])
        kept = [place for place, i in enumerate(numbers) if (i in self._old) == old]
        return [pairs[place] for place in kept], [outputs[place] for place in kept]

    def _alternate(self, order: list[int]) -> list[int]:
        """New and old pairs in turns, while there are both, so that a validation of few is of either."""
        new, old = ([i for i in order if (i in self._old) == kind] for kind in (False, True))
        together = min(len(new), len(old))
        turns = [i for both in zip(new, old, strict=False) for i in both]
        return [*turns, *new[together:], *old[together:]]

    def _validation(
        self, loss: Loss, search: SearchSettings, pairs: list[Pair], outputs: list[str], started: float,
        n_bootstrap: int = 1000,
    ) -> Validation:  # fmt: skip
        new, old = (self._of_kind(pairs, outputs, old=kind) for kind in (False, True))
        scores, old_scores = (
            self._evaluate(self.metrics, found, own, n_bootstrap) if own else [] for own, found in (new, old)
        )
        if self.store.target_kind == "picture" and math.isfinite(loss.per_token):
            scores = [bits_per_token(loss.per_token)]
        shown = zip(pairs[:SHOWN_SAMPLES], outputs[:SHOWN_SAMPLES], strict=True)
        of_files = self.store.source_kind != "text"  # where a file lies is nobody else's business
        samples = [
            Sample(Path(source).name if of_files else source, target, output)
            for (source, target), output in shown
        ]
        seconds = time.monotonic() - started
        counted = len(self.order) if self.store.target_kind == "picture" else len(pairs)
        found = Validation(*loss, scores, samples, search, counted, seconds)
        return found._replace(old_scores=tuple(old_scores), by_loss=self.by_loss)

    def _score_corpora(self, validation: Validation, outputs: list[str]) -> Validation:
        """The same with the scores of each corpus.

        Args:
            validation: of all pairs that were translated.
            outputs: in the data's order.
        """
        by_corpus: dict[str, list[tuple[str, Pair]]] = {}
        for i, output in zip(sorted(self.order[: len(outputs)]), outputs, strict=True):
            pair = self.store.source_text(i), self.store.target_text(i)
            by_corpus.setdefault(self.corpora[i] if self.corpora else "", []).append((output, pair))
        if len(by_corpus) < 2:
            return validation
        scores = {name: self._evaluate(self.metrics, [output for output, _ in own], [pair for _, pair in own],
                                       n_bootstrap=0) for name, own in by_corpus.items()}  # fmt: skip
        return validation._replace(by_corpus=scores)

    def _choose_length_penalty(
        self, pairs: list[Pair], translations: list[Translation]
    ) -> tuple[SearchSettings, list[str]]:
        """The search whose length penalty scores best, or hardly worse and nearer the usual; its outputs."""
        usual = self.search.length_penalty
        enough = len(pairs) == len(self.order) or len(pairs) >= MIN_CHOICE_PAIRS
        outputs, scores = {}, {}
        nearest_first = sorted({usual, *LENGTH_PENALTIES}, key=lambda alpha: (abs(alpha - usual), alpha))
        for alpha in nearest_first if enough else (usual,):
            outputs[alpha] = [best_hypothesis(translation, alpha).text for translation in translations]
            if enough:
                (score,) = self._evaluate(self.metrics[:1], outputs[alpha], pairs, 0)
                scores[alpha] = _larger_is_better(score)
        threshold = max(scores.values(), default=0.0) - MIN_IMPROVEMENT
        alpha = next((alpha for alpha in scores if scores[alpha] >= threshold), usual)
        return self.search.model_copy(update={"length_penalty": alpha}), outputs[alpha]

    def _evaluate(
        self, metrics: list[Metric], outputs: list[str], pairs: list[Pair], n_bootstrap: int
    ) -> list[Score]:
        return evaluate(outputs, pairs, metrics=metrics, repeated=self.repeated, n_bootstrap=n_bootstrap)

    def numbers(self, *, old: bool) -> list[int]:
        """Of the new pairs, or of the old ones, in the order in which pairs are taken."""
        return [i for i in self.order if (i in self._old) == old]

    @torch.no_grad()
    def measure_loss(
        self, model: Model, numbers: Sequence[int], ends_at: float = math.inf, *, others_sources: bool = False
    ) -> Loss:
        """How well the model, which must be in eval mode, predicts the targets.

        Args:
            model: to be judged.
            numbers: of the validation pairs.
            ends_at: by time.monotonic(), when it must be over; then the loss is of fewer pairs.
            others_sources: whether it reads the source of another pair for each target.
        """
        total, tokens, characters = 0.0, 0, 0
        for start in range(0, len(numbers), LOSS_PAIRS):  # any batches may be of short texts
            indices = np.sort(numbers[start : start + LOSS_PAIRS])
            lengths = self.store.source_lengths[indices], self.store.target_lengths[indices]
            for chosen in epoch_batches(*lengths, self.max_tokens, 0, 0, max_source=self.max_source):
                batch = make_batch(self.store, indices[chosen]).to(self.device)
                if self.store.target_kind == "picture":  # which always have as many tokens
                    batch = batch.without_ends()
                if others_sources:
                    batch = batch.with_others_sources()
                loss = CrossEntropy()(model, batch)
                total, tokens = total + float(loss.sums["loss"]), tokens + loss.tokens
            characters += sum(map(self._target_size, indices.tolist()))
            if time.monotonic() > ends_at:
                break
        return Loss(total / tokens, total / max(1, characters) / math.log(2)) if tokens else NO_LOSS


def bits_per_token(nats: float) -> Score:
    """How well the tokens of pictures are predicted: what such models are chosen by."""
    return Score("bits/token", nats / math.log(2), f"tokens:codec|version:{__version__}", False, "")


def best_hypothesis(translation: Translation, alpha: float) -> Translation:
    """Of a translation and its alternatives the one of highest score under another length penalty."""

    def rank(candidate: Translation) -> tuple[bool, float]:
        score = sum(candidate.log_probs) / float(length_penalty(len(candidate.log_probs), alpha))
        return "limit" not in candidate.flags, score

    return max(translation, *translation.alternatives, key=rank) if translation.alternatives else translation


def _unsplit(
    pairs: Sequence[Pair], translations: Sequence[Translation], outputs: Sequence[str]
) -> list[Pair]:
    """(source, output) of those that went through the model as a whole, as it looks at them."""
    together = zip(pairs, translations, outputs, strict=True)
    return [(source, output) for (source, _), translation, output in together if not translation.parts]


def _larger_is_better(score: Score) -> float:
    return score.score if score.higher_is_better else -score.score
