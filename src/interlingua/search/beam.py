"""Beam search whose slots finish one by one (Sutskever et al. 2014, 3.2), with a stop that loses nothing."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interlingua.kinds import BOS, EOS
from interlingua.model.protocol import Memory, Seq2Seq
from interlingua.search.hypothesis import Hypothesis, SearchInput, length_penalty
from interlingua.search.settings import SearchSettings, forbidden_ids
from interlingua.search.topk import top_k

__all__ = [
    "BeamObserver", "BeamStep", "Beams", "Constraint", "Continuations", "beam_search", "likely_tokens"
]  # fmt: skip

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
    prefix_log_probs: Float[Tensor, "sentences slots length"]
    """Its log-probability up to each of its tokens; -inf at the last one where a slot is empty."""
    live: Bool[Tensor, "sentences slots"]
    """Which have a slot in the beam and go on."""
    ends: Bool[Tensor, "sentences slots"]
    """Which ended by themselves."""
    limited: Bool[Tensor, "sentences slots"]
    """Which the length limit cut off."""


BeamObserver = Callable[[BeamStep], object]
"""Told of every step; not the `StepObserver` that other searches have."""


@runtime_checkable
class Constraint(Protocol):
    """What the hypotheses of a batch must hold: it chooses the continuations instead of probability alone."""

    widths: Int[Tensor, " sentences"]
    """Of each sentence's beam."""

    @property
    def needs_rescoring(self) -> bool:
        """Whether hypotheses are compared by other log-probabilities than the model's."""
        ...

    def choose(
        self, logits: Float[Tensor, "rows vocabulary"], beams: Beams, not_continuing: Int[Tensor, " ids"]
    ) -> Continuations:
        """The continuations that get a slot, no more than are free.

        Args:
            logits: of the next token.
            beams: the hypotheses so far.
            not_continuing: the ids that no hypothesis goes on with; EOS, which ends one, is among them.
        """
        ...

    def reorder(self, kept: Int[Tensor, " kept"], order: Int[Tensor, "kept slots"]) -> None:
        """Takes over which sentences go on, and which of the chosen continuations in which order."""
        ...


@torch.inference_mode()
def beam_search(
    model: Seq2Seq,
    batch: SearchInput,
    settings: SearchSettings,
    observe: BeamObserver | None = None,
    constraint: Constraint | None = None,
    memory: Memory | None = None,
) -> list[list[Hypothesis]]:
    """Finds the hypotheses of highest score that a beam of some width meets.

    A sentence has `beam` slots. In each step the best continuations of its live hypotheses compete for the
    slots that are free; one that ends takes its slot with it, so beam 1 is greedy search. Hypotheses that
    the length limit cuts off rank behind those that ended by themselves.

    Args:
        model: any Seq2Seq, in evaluation mode.
        batch: of sources.
        settings: beam, length_penalty, stop, n_best and unknown are used.
        observe: told of every step, to show what the search did.
        constraint: decides which continuations get a slot, and how many slots there are.
        memory: of the sources, if they have been encoded already.

    Returns:
        For each source its `n_best` hypotheses, best first; fewer only if the beam met fewer.
    """
    device = batch.limits.device
    not_continuing = torch.tensor([*forbidden_ids(settings), EOS], device=device)
    ended: list[list[Hypothesis]] = [[] for _ in batch.limits]
    widths = torch.full((len(ended),), settings.beam, device=device)
    beams = Beams.start(batch.limits, widths if constraint is None else constraint.widths)
    state = model.start(model.encode(batch.source) if memory is None else memory)
    tokens = torch.full((len(ended),), BOS, device=device)
    while True:
        logits, state = model.step(tokens, state)
        if constraint is None:
            log_probs, origins, tokens = _continuations(logits, beams, not_continuing, settings.beam)
        else:
            log_probs, origins, tokens = constraint.choose(logits, beams, not_continuing)
        width = beams.live_log_probs.shape[1]
        beams, ends, limited = beams.grow(log_probs, origins, tokens, settings.length_penalty)
        if observe is not None:
            live = beams.live_log_probs > -math.inf
            observe(BeamStep(beams.numbers, beams.ids, beams.prefix_log_probs, live, ends, limited))
            beams = beams._replace(limits=batch.limits[beams.numbers])  # some may be lower now
        for which, is_limited in ((ends, False), (limited, True)):
            beams.collect(ended, which, settings.length_penalty, limited=is_limited)
        unfinished = beams.unfinished(settings).nonzero().squeeze(1)
        if not len(unfinished):
            break
        # Live hypotheses move to the front, so that columns which no sentence needs any more can go.
        order = beams.live_log_probs[unfinished].argsort(dim=1, descending=True, stable=True)
        order = order[:, : int((beams.live_log_probs[unfinished] > -math.inf).sum(1).max())]
        beams = beams.take(unfinished, order)
        if constraint is not None:
            constraint.reorder(unfinished, order)
        tokens = tokens[unfinished].gather(1, order).flatten()
        state = state.reorder(unfinished.unsqueeze(1) * width + origins[unfinished].gather(1, order))
    best_first = [sorted(found, key=lambda h: (h.limited, -h.score)) for found in ended]
    return [found[: settings.n_best] for found in best_first]


def _continuations(
    logits: Float[Tensor, "rows vocabulary"],
    beams: Beams,
    not_continuing: Int[Tensor, " ids"],
    count: int,
) -> Continuations:
    """The best next tokens of each sentence."""
    log_probs, tokens = likely_tokens(logits, not_continuing, count)
    sentences, ways = len(beams.live_log_probs), log_probs.shape[1]
    log_probs = (log_probs + beams.live_log_probs.view(-1, 1)).view(sentences, -1)
    best, where = log_probs.topk(min(count, log_probs.shape[1]), dim=1)
    return best, where.div(ways, rounding_mode="floor"), tokens.view(sentences, -1).gather(1, where)


def likely_tokens(
    logits: Float[Tensor, "rows vocabulary"], not_continuing: Int[Tensor, " ids"], count: int
) -> tuple[Float[Tensor, "rows ways"], Int[Tensor, "rows ways"]]:
    """The log-probability of EOS, then of the `count` likeliest tokens to go on with; and which they are.

    A row has one way to end and at most `count` ways to go on that can matter.
    """
    next_log_probs = torch.log_softmax(logits.float(), dim=1)
    ending = next_log_probs[:, EOS : EOS + 1].clone()
    next_log_probs.index_fill_(1, not_continuing, -math.inf)
    going, tokens = top_k(next_log_probs, min(count, next_log_probs.shape[1]))
    tokens = torch.cat([torch.full_like(ending, EOS, dtype=torch.long), tokens], dim=1)
    return torch.cat([ending, going], dim=1), tokens


class Beams(NamedTuple):
    """The beam of each sentence still searched; a slot is one of its hypotheses."""

    numbers: Int[Tensor, " sentences"]
    """Which of the batch they are."""
    limits: Int[Tensor, " sentences"]
    """The most tokens, EOS counted."""
    free: Int[Tensor, " sentences"]
    """How many hypotheses may still end."""
    scores: Float[Tensor, "sentences beam"]
    """The scores of those that ended, best first, then -inf."""
    live_log_probs: Float[Tensor, "sentences slots"]
    """The log-probability of each slot's hypothesis so far; -inf where none is live."""
    ids: Int[Tensor, "sentences slots length"]
    """The tokens of each slot."""
    prefix_log_probs: Float[Tensor, "sentences slots length"]
    """The log-probability of each slot's hypothesis up to each of its tokens."""

    @classmethod
    def start(cls, limits: Int[Tensor, " sentences"], widths: Int[Tensor, " sentences"]) -> Beams:
        """One empty hypothesis a sentence."""
        batch, device = len(limits), limits.device
        return cls(
            numbers=torch.arange(batch, device=device),
            limits=limits,
            free=widths,
            scores=torch.full((batch, int(widths.max())), -math.inf, device=device),
            live_log_probs=torch.zeros(batch, 1, device=device),
            ids=torch.zeros(batch, 1, 0, dtype=torch.long, device=device),
            prefix_log_probs=torch.zeros(batch, 1, 0, device=device),
        )

    def grow(
        self, log_probs: Tensor, origins: Tensor, tokens: Tensor, alpha: float
    ) -> tuple[Beams, Bool[Tensor, "sentences slots"], Bool[Tensor, "sentences slots"]]:
        """The best continuations as new slots; which of them ended, and which the length limit cut off."""
        history = origins.unsqueeze(2).expand(-1, -1, self.ids.shape[2])
        ids = torch.cat([self.ids.gather(1, history), tokens.unsqueeze(2)], dim=2)
        prefix_log_probs = torch.cat(
            [self.prefix_log_probs.gather(1, history), log_probs.unsqueeze(2)], dim=2
        )
        ranks = torch.arange(log_probs.shape[1], device=log_probs.device)
        kept = (ranks < self.free.unsqueeze(1)) & (log_probs > -math.inf)
        ends = kept & (tokens == EOS)
        limited = kept & ~ends & (self.limits <= ids.shape[2]).unsqueeze(1)
        scores = (log_probs / length_penalty(ids.shape[2], alpha)).masked_fill(~ends, -math.inf)
        grown = self._replace(
            free=self.free - ends.sum(1),
            scores=torch.cat([self.scores, scores], dim=1).topk(self.scores.shape[1]).values,
            live_log_probs=log_probs.masked_fill(~kept | ends | limited, -math.inf),
            ids=ids,
            prefix_log_probs=prefix_log_probs,
        )
        return grown, ends, limited

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
        prefixes = self.prefix_log_probs[sentence, slot]
        log_probs = prefixes.diff(dim=1, prepend=prefixes.new_zeros(len(prefixes), 1)).tolist()
        scores = (prefixes[:, -1] / length_penalty(prefixes.shape[1], alpha)).tolist()
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
        hope = self.live_log_probs.max(dim=1).values
        if settings.stop == "all":
            return hope > -math.inf
        bound = hope / length_penalty(self.limits, settings.length_penalty)
        return (hope > -math.inf) & (bound > self.scores[:, settings.n_best - 1])

    def take(self, kept: Int[Tensor, " kept"], order: Int[Tensor, "kept slots"]) -> Beams:
        """Some of the sentences, and of each some of its slots."""
        history = order.unsqueeze(2).expand(-1, -1, self.ids.shape[2])
        return Beams(
            self.numbers[kept],
            self.limits[kept],
            self.free[kept],
            self.scores[kept],
            self.live_log_probs[kept].gather(1, order),
            self.ids[kept].gather(1, history),
            self.prefix_log_probs[kept].gather(1, history),
        )
