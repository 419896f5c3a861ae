"""Beam search whose places finish one by one (Sutskever et al. 2014, 3.2), with a stop that loses nothing."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interlingua.model.seq2seq import Seq2Seq, reorder
from interlingua.search.hypothesis import Hypothesis, SearchSettings, Sources, length_penalty, never
from interlingua.search.largest import largest
from interlingua.text.vocabulary import BOS, EOS

__all__ = ["BeamStep", "Choice", "Continuations", "Sentences", "beam_search"]

Continuations = tuple[
    Float[Tensor, "sentences ways"], Int[Tensor, "sentences ways"], Int[Tensor, "sentences ways"]
]
"""Of each sentence, best first: log-probability so far, slot of origin, token; -inf where there is none."""


class BeamStep(NamedTuple):
    """The best continuations that one step found, best first; what is neither live nor ended fell out."""

    numbers: Int[Tensor, " sentences"]
    """Which sentences of the batch were still searched."""
    ids: Int[Tensor, "sentences slots length"]
    """All tokens of each continuation, so that its origin is the one with all but the last."""
    totals: Float[Tensor, "sentences slots length"]
    """Its log-probability up to each of its tokens; -inf at the last one where a slot is empty."""
    live: Bool[Tensor, "sentences slots"]
    """Which have a place in the beam and go on."""
    ends: Bool[Tensor, "sentences slots"]
    """Which ended by themselves."""
    cut: Bool[Tensor, "sentences slots"]
    """Which the length limit cut off."""


@runtime_checkable
class Choice(Protocol):
    """Another choice of continuations than that of the most probable."""

    places: Int[Tensor, " sentences"]
    """Of each sentence's beam."""

    @property
    def guided(self) -> bool:
        """Whether hypotheses are compared by other log-probabilities than the model's."""
        ...

    def choose(
        self, logits: Float[Tensor, "rows vocabulary"], sentences: Sentences, banned: Int[Tensor, " ids"]
    ) -> Continuations:
        """The continuations that are given a place, no more than are left."""
        ...

    def follow(self, kept: Int[Tensor, " kept"], order: Int[Tensor, "kept slots"]) -> None:
        """Told which sentences go on, and which of the chosen continuations in which order."""
        ...


@torch.inference_mode()
def beam_search(
    model: Seq2Seq,
    sources: Sources,
    settings: SearchSettings,
    observe: Callable[[BeamStep], object] | None = None,
    choice: Choice | None = None,
) -> list[list[Hypothesis]]:
    """Finds the hypotheses of highest score that a beam of some width meets.

    A sentence has `beam` places. In each step the best continuations of its live hypotheses compete for the
    places that are left; one that ends takes its place with it, so beam 1 is greedy search. Hypotheses that
    the length limit cuts off rank behind those that ended by themselves.

    Args:
        model: any Seq2Seq, in evaluation mode.
        sources: the batch.
        settings: beam, length_penalty, stop, n_best and unknown are used.
        observe: told of every step, to show what the search did.
        choice: decides which continuations get a place, and how many places there are.

    Returns:
        For each source its `n_best` hypotheses, best first; fewer only if the beam met fewer.
    """
    device = sources.ids.device
    banned = torch.tensor([*never(settings), EOS], device=device)
    ended: list[list[Hypothesis]] = [[] for _ in sources.ids]
    places = torch.full((len(ended),), settings.beam, device=device)
    sentences = Sentences.start(sources, places if choice is None else choice.places)
    state = model.start(sources.ids, sources.mask)
    tokens = torch.full((len(ended),), BOS, device=device)
    while True:
        logits, state = model.step(tokens, state)
        if choice is None:
            totals, slots, tokens = _continuations(logits, sentences.live, banned, settings.beam)
        else:
            totals, slots, tokens = choice.choose(logits, sentences, banned)
        width = sentences.live.shape[1]
        sentences, ends, cut = sentences.grow(totals, slots, tokens, settings.length_penalty)
        if observe is not None:
            live = sentences.live > -math.inf
            observe(BeamStep(sentences.numbers, sentences.ids, sentences.totals, live, ends, cut))
        for which, limited in ((ends, False), (cut, True)):
            sentences.collect(ended, which, settings.length_penalty, limited=limited)
        unfinished = sentences.unfinished(settings).nonzero().squeeze(1)
        if not len(unfinished):
            break
        # Live hypotheses move to the front, so that columns which no sentence needs any more can go.
        order = sentences.live[unfinished].argsort(dim=1, descending=True, stable=True)
        order = order[:, : int((sentences.live[unfinished] > -math.inf).sum(1).max())]
        sentences = sentences.take(unfinished, order)
        if choice is not None:
            choice.follow(unfinished, order)
        tokens = tokens[unfinished].gather(1, order).flatten()
        state = reorder(state, unfinished.unsqueeze(1) * width + slots[unfinished].gather(1, order))
    best_first = [sorted(found, key=lambda h: (h.limited, -h.score)) for found in ended]
    return [found[: settings.n_best] for found in best_first]


def _continuations(
    logits: Float[Tensor, "rows vocabulary"],
    live: Float[Tensor, "sentences width"],
    banned: Int[Tensor, " ids"],
    count: int,
) -> Continuations:
    """The best next tokens of each sentence."""
    log_probs = torch.log_softmax(logits.float(), dim=1)
    ending = log_probs[:, EOS : EOS + 1].clone()
    log_probs.index_fill_(1, banned, -math.inf)
    going, tokens = largest(log_probs, min(count, log_probs.shape[1]))
    # A row has one way to end and at most `count` ways to go on that can matter.
    totals = torch.cat([ending, going], dim=1) + live.view(-1, 1)
    tokens = torch.cat([torch.full_like(ending, EOS, dtype=torch.long), tokens], dim=1)
    ways = totals.shape[1]
    totals, tokens = totals.view(len(live), -1), tokens.view(len(live), -1)  # (sentences, width * ways)
    best, where = totals.topk(min(count, totals.shape[1]), dim=1)
    return best, where.div(ways, rounding_mode="floor"), tokens.gather(1, where)


class Sentences(NamedTuple):
    """The sentences still searched and their hypotheses; a slot is one of a sentence's hypotheses."""

    numbers: Int[Tensor, " sentences"]
    """Which of the batch they are."""
    limits: Int[Tensor, " sentences"]
    """The most tokens, EOS counted."""
    places: Int[Tensor, " sentences"]
    """How many hypotheses may still end."""
    scores: Float[Tensor, "sentences beam"]
    """The scores of those that ended, best first, then -inf."""
    live: Float[Tensor, "sentences slots"]
    """The log-probability of each slot's hypothesis so far; -inf where none is live."""
    ids: Int[Tensor, "sentences slots length"]
    """The tokens of each slot."""
    totals: Float[Tensor, "sentences slots length"]
    """The log-probability of each slot's hypothesis up to each of its tokens."""

    @classmethod
    def start(cls, sources: Sources, places: Int[Tensor, " sentences"]) -> Sentences:
        """One empty hypothesis a sentence."""
        batch, device = len(sources.ids), sources.ids.device
        return cls(
            numbers=torch.arange(batch, device=device),
            limits=sources.limits,
            places=places,
            scores=torch.full((batch, int(places.max())), -math.inf, device=device),
            live=torch.zeros(batch, 1, device=device),
            ids=torch.zeros(batch, 1, 0, dtype=torch.long, device=device),
            totals=torch.zeros(batch, 1, 0, device=device),
        )

    def grow(
        self, totals: Tensor, slots: Tensor, tokens: Tensor, alpha: float
    ) -> tuple[Sentences, Bool[Tensor, "sentences slots"], Bool[Tensor, "sentences slots"]]:
        """The best continuations as new slots; which of them ended, and which the length limit cut off."""
        history = slots.unsqueeze(2).expand(-1, -1, self.ids.shape[2])
        ids = torch.cat([self.ids.gather(1, history), tokens.unsqueeze(2)], dim=2)
        past = torch.cat([self.totals.gather(1, history), totals.unsqueeze(2)], dim=2)
        ranks = torch.arange(totals.shape[1], device=totals.device)
        kept = (ranks < self.places.unsqueeze(1)) & (totals > -math.inf)
        ends = kept & (tokens == EOS)
        cut = kept & ~ends & (self.limits <= ids.shape[2]).unsqueeze(1)
        scores = (totals / length_penalty(ids.shape[2], alpha)).masked_fill(~ends, -math.inf)
        grown = self._replace(
            places=self.places - ends.sum(1),
            scores=torch.cat([self.scores, scores], dim=1).topk(self.scores.shape[1]).values,
            live=totals.masked_fill(~kept | ends | cut, -math.inf),
            ids=ids,
            totals=past,
        )
        return grown, ends, cut

    def collect(
        self,
        ended: list[list[Hypothesis]],
        which: Bool[Tensor, "sentences slots"],
        alpha: float,
        *,
        limited: bool,
    ) -> None:
        """Adds the hypotheses of some slots to those that ended."""
        sentence, slot = which.nonzero(as_tuple=True)
        if not len(sentence):
            return
        totals = self.totals[sentence, slot]
        log_probs = totals.diff(dim=1, prepend=totals.new_zeros(len(totals), 1)).tolist()
        scores = (totals[:, -1] / length_penalty(totals.shape[1], alpha)).tolist()
        ids = self.ids[sentence, slot].tolist()
        for i, number in enumerate(self.numbers[sentence].tolist()):
            ended[number].append(
                Hypothesis(ids[i] if limited else ids[i][:-1], log_probs[i], scores[i], limited)
            )

    def unfinished(self, settings: SearchSettings) -> Bool[Tensor, " sentences"]:
        """Where some live hypothesis could still become one of the n best.

        A log-probability only falls, and the penalty divides it by no more than at the length limit: a bound
        on the score of all that can come of a hypothesis.
        """
        hope = self.live.max(dim=1).values
        if settings.stop == "all":
            return hope > -math.inf
        bound = hope / length_penalty(self.limits, settings.length_penalty)
        return (hope > -math.inf) & (bound > self.scores[:, settings.n_best - 1])

    def take(self, kept: Int[Tensor, " kept"], order: Int[Tensor, "kept slots"]) -> Sentences:
        """Some of the sentences, and of each some of its slots."""
        history = order.unsqueeze(2).expand(-1, -1, self.ids.shape[2])
        return Sentences(
            self.numbers[kept],
            self.limits[kept],
            self.places[kept],
            self.scores[kept],
            self.live[kept].gather(1, order),
            self.ids[kept].gather(1, history),
            self.totals[kept].gather(1, history),
        )
