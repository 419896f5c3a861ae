"""What a head for CTC is good for: a second opinion in a beam search, transcripts and times at no cost.

A path is an id or the blank (PAD) at each vector of the memory; without its repetitions and its blanks it
spells a target (Graves et al. 2006, 3.1).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from interlingua.kinds import PAD
from interlingua.search.beam import Beams, Continuations, likely_tokens

__all__ = ["CTCPrefixScorer", "Spelling", "ctc_align", "ctc_greedy"]

LIKELY_PER_BEAM, FEWEST_LIKELY = 2, 8
"""So many times the beam's width, and at least so many, are the continuations that CTC is asked about."""


class _Prefixes(NamedTuple):
    """What CTC knows of each hypothesis; index t of the last dimension: after t vectors."""

    blank: Float[Tensor, "sentences slots times"]
    """Log-probability of all paths that spell it and end in the blank (Watanabe et al. 2017, gamma^(b))."""
    other: Float[Tensor, "sentences slots times"]
    """Of those that end in its last id (gamma^(n))."""
    last: Int[Tensor, "sentences slots"]
    """Its last id; PAD of the empty one."""
    attention: Float[Tensor, "sentences slots"]
    """Its log-probability by the model itself."""


class CTCPrefixScorer:
    """Chooses continuations by (1 - weight) * attention + weight * CTC (Watanabe et al. 2017, III-B).

    The paper's algorithm 2 for all hypotheses and vectors at once: CTC's score of a prefix, the
    log-probability of all targets that begin with it, is one sum over the vectors, and the recursion that
    goes on from those chosen is a cumulative sum. It is a search.beam.Constraint.

    Args:
        log_probs: what the model's `ctc` returned.
        mask: of the memory.
        beam: slots of a sentence.
        weight: of CTC, below 1.
    """

    needs_rescoring = True
    """Hypotheses are ranked by the joint score."""

    def __init__(
        self,
        log_probs: Float[Tensor, "batch source vocabulary"],
        mask: Bool[Tensor, "batch source"],
        beam: int,
        weight: float,
    ) -> None:
        self.beam, self.weight = beam, weight
        self.widths = torch.full((len(mask),), beam, device=mask.device)
        self._by_id = log_probs.transpose(1, 2).contiguous()  # (batch, vocabulary, source)
        self._hidden = mask.new_zeros(mask.shape, dtype=log_probs.dtype).masked_fill_(~mask, -math.inf)
        self._vectors = mask.sum(1)
        self._blanks = F.pad(self._by_id[:, PAD].cumsum(1), (1, 0))  # of blanks alone, so far
        self._numbers = torch.arange(len(mask), device=mask.device)
        self._prefixes = _Prefixes(
            self._blanks.unsqueeze(1),
            torch.full_like(self._blanks, -math.inf).unsqueeze(1),
            torch.full_like(self._numbers, PAD).unsqueeze(1),
            self._blanks.new_zeros(len(mask), 1),
        )

    def choose(
        self, logits: Float[Tensor, "rows vocabulary"], beams: Beams, not_continuing: Int[Tensor, " ids"]
    ) -> Continuations:
        """The best continuations by both, among those likely by attention."""
        live = beams.live_log_probs
        wanted = max(LIKELY_PER_BEAM * self.beam, FEWEST_LIKELY)
        log_probs, tokens = (
            part.view(*live.shape, -1) for part in likely_tokens(logits, not_continuing, wanted)
        )
        attention = log_probs + self._prefixes.attention.unsqueeze(2)
        ctc = torch.cat([self._whole().unsqueeze(2), self._begun(tokens[:, :, 1:])], dim=2)  # EOS comes first
        joint = (1 - self.weight) * attention + self.weight * ctc
        joint = joint.masked_fill((live == -math.inf).unsqueeze(2), -math.inf)
        joint = joint.flatten(1)
        best, where = joint.topk(min(self.beam, joint.shape[1]), dim=1)
        origins = where.div(tokens.shape[2], rounding_mode="floor")
        chosen, attention = (part.flatten(1).gather(1, where) for part in (tokens, attention))
        self._chosen = origins, chosen, attention
        return best, origins, chosen

    def reorder(self, kept: Int[Tensor, " kept"], order: Int[Tensor, "kept slots"]) -> None:
        """Takes over which continuations go on, and what CTC knows of them."""
        origins, last, attention = (part[kept].gather(1, order) for part in self._chosen)
        self._numbers = self._numbers[kept]
        blank, other, last_before, _ = (part[kept] for part in self._prefixes)
        history = origins.unsqueeze(2).expand(-1, -1, blank.shape[2])
        blank, other = blank.gather(1, history), other.gather(1, history)
        repeated = (last == last_before.gather(1, origins)).unsqueeze(2)
        entering = blank.where(repeated, torch.logaddexp(blank, other))[:, :, :-1]
        # Sums over all vectors s <= t at which the last id begins: entering[s] * p[s] * ... * p[t].
        so_far = self._by_id[self._numbers.unsqueeze(1), last].cumsum(2)  # (kept, slots, source)
        before = F.pad(so_far[:, :, :-1], (1, 0))
        other = F.pad(so_far + _log_cumulative_sum(entering - before), (1, 0), value=-math.inf)
        blanks = self._blanks[self._numbers].unsqueeze(1)
        blank = blanks[:, :, 1:] + _log_cumulative_sum((other - blanks)[:, :, :-1])
        blank = F.pad(blank, (1, 0), value=-math.inf)
        self._prefixes = _Prefixes(blank, other, last, attention)

    def _whole(self) -> Float[Tensor, "sentences slots"]:
        """Log-probability of each hypothesis as the whole target."""
        blank, other, *_ = self._prefixes
        ends = self._vectors[self._numbers].view(-1, 1, 1).expand(-1, blank.shape[1], 1)
        return torch.logaddexp(blank.gather(2, ends), other.gather(2, ends)).squeeze(2)

    def _begun(self, tokens: Int[Tensor, "sentences slots ways"]) -> Float[Tensor, "sentences slots ways"]:
        """Log-probability of all targets that begin with a hypothesis and one more token."""
        blank, other, last, _ = self._prefixes
        # A repeated id needs a blank between.
        repeated = (tokens == last.unsqueeze(2)).unsqueeze(3)
        hidden = self._hidden[self._numbers].unsqueeze(1)
        after_blank, after_both = (
            (part[:, :, :-1] + hidden).unsqueeze(2) for part in (blank, torch.logaddexp(blank, other))
        )
        entering = after_blank.where(repeated, after_both)
        here = self._by_id[self._numbers.view(-1, 1, 1), tokens]  # (sentences, slots, ways, source)
        return torch.logsumexp(entering + here, dim=3)


def _log_cumulative_sum(x: Float[Tensor, "kept slots source"]) -> Float[Tensor, "kept slots source"]:
    if x.device.type == "mps":  # which has no kernel for it
        return torch.logcumsumexp(x.cpu(), dim=2).to(x.device)
    return torch.logcumsumexp(x, dim=2)


class Spelling(NamedTuple):
    """What a path spells."""

    ids: list[int]
    vectors: list[int]
    """Of the memory: at which of them each id begins."""


def ctc_greedy(
    log_probs: Float[Tensor, "batch source vocabulary"], mask: Bool[Tensor, "batch source"]
) -> list[Spelling]:
    """What the most probable path of each source spells (Graves et al. 2006, 3.2)."""
    best = log_probs.argmax(dim=2).masked_fill(~mask, PAD)
    begins = (best != PAD) & (best != F.pad(best, (1, 0), value=PAD)[:, :-1])
    return [
        Spelling(row[starts].tolist(), starts.nonzero().squeeze(1).tolist())
        for row, starts in zip(best.cpu(), begins.cpu(), strict=True)
    ]


def ctc_align(
    log_probs: Float[Tensor, "source vocabulary"], ids: Sequence[int]
) -> list[tuple[int, int]] | None:
    """The first and the last vector of each id on the most probable path that spells them all (Viterbi).

    Args:
        log_probs: of one source, without padding.
        ids: of the target, without EOS.

    Returns:
        None if no path is long enough.
    """
    states = np.full(2 * len(ids) + 1, PAD)  # blanks around all ids
    states[1::2] = ids
    may_skip = np.zeros(len(states), dtype=bool)  # the blank before an id unlike the one before
    may_skip[3::2] = states[3::2] != states[1:-2:2]
    emitted = log_probs.cpu().double()[:, states].numpy()
    score = np.full(len(states) + 2, -np.inf)  # two that nothing comes from, before the first
    score[2:4] = emitted[0, :2]
    came_from = np.zeros(emitted.shape, dtype=np.int64)
    for t in range(1, len(emitted)):
        ways = np.stack([score[2:], score[1:-1], np.where(may_skip, score[:-2], -np.inf)])
        came_from[t] = ways.argmax(axis=0)
        score[2:] = ways.max(axis=0) + emitted[t]
    state = len(states) - 1 - int(len(ids) > 0 and score[-2] > score[-1])
    if score[state + 2] == -np.inf:
        return None
    spans: dict[int, tuple[int, int]] = {}
    for t in reversed(range(len(emitted))):
        spans[state] = (t, spans.get(state, (t, t))[1])
        state -= int(came_from[t, state])
    return [spans[2 * i + 1] for i in range(len(ids))]
