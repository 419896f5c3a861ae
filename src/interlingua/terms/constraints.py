"""Terms that must come out: dynamic beam allocation (Post & Vilar 2018) inside the ordinary beam search.

A hypothesis has a level: how many tokens of its sentence's terms it has written. In each step the
continuations of every hypothesis are the model's favourites and, beside them, those that lead further into a
term. The places of the beam are shared out among the levels, so that a hypothesis which has just begun a term
need not compete with one that has none: the likeliest of each level first, the highest level first of all.
The highest level thus rises with every step until all is written, whatever the model thinks of it. Only then
may a hypothesis end.

Unlike in the paper a term has several ways to be written and must not be glued to another word, and how far a
hypothesis has come follows from its tokens alone: a term counts, however it came to be there. Where it is
known which word of its own the model would use for a term, the term takes that word's place and probability.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from interlingua.kinds import EOS
from interlingua.search.beam import Beams, Continuations
from interlingua.search.topk import top_k
from interlingua.terms.automaton import Progress, Wanted

__all__ = ["Constraints", "beam_width"]

_MOST = 32
"""The widest that a beam is made for terms; with more tokens than places some levels go without one."""


class _Live(NamedTuple):
    """A hypothesis that goes on."""

    sentence: int
    slot: int
    row: int
    number: int
    """Of its sentence in the batch."""
    total: float
    progress: Progress
    credit: float


class _Way(NamedTuple):
    """A way on for a sentence; greater means more probable."""

    total: float
    slot: int
    token: int
    level: int
    late: bool
    """Whether the model would rather have ended before the token."""
    credit: float = 0.0
    """By how much the total is too high if the term that is begun does not come to its end."""


class Constraints:
    """The terms of a batch, as far as a beam search has come with them.

    Args:
        wanted: of each sentence, with at least one term.
        beam: the places of a sentence without terms; each token of a term adds one.
        device: where the search is.
    """

    def __init__(self, wanted: Sequence[Wanted], beam: int, device: torch.device | str = "cpu") -> None:
        self.wanted = wanted
        self._widths = [beam_width(each, beam) for each in wanted]
        self.widths = torch.tensor(self._widths, device=device)
        """How many slots the beam of each sentence has."""
        self._joins = torch.tensor(wanted[0].phrasing.joins_before, device=device)
        # Of each slot of the sentences still searched.
        self._slots: list[list[tuple[Progress, float]]] = [[(Progress(), 0.0)] for _ in wanted]

    @property
    def guided(self) -> bool:
        """Whether hypotheses are compared by other log-probabilities than the model's."""
        return any(any(each.own) for each in self.wanted)

    def choose(
        self, logits: Float[Tensor, "rows vocabulary"], beams: Beams, forbidden: Int[Tensor, " ids"]
    ) -> Continuations:
        """The continuations that are given a place, best first."""
        log_probs = torch.log_softmax(logits.float(), dim=1)
        ending = log_probs[:, EOS].tolist()
        log_probs.index_fill_(1, forbidden, -math.inf)
        hypotheses = list(self._hypotheses(beams))
        ways: list[list[_Way]] = [[] for _ in beams.live]
        for each, tokens in zip(hypotheses, self._tokens(log_probs, hypotheses), strict=True):
            wanted, own = self.wanted[each.number], ways[each.sentence]
            late = False
            if wanted.complete(each.progress):
                own.append(_Way(each.total + ending[each.row], each.slot, EOS, wanted.tokens, late))
            else:
                late = ending[each.row] > max(tokens.values())
            own += _ways(wanted, each, tokens, late)
        left = (beams.limits - beams.ids.shape[2]).tolist()
        numbers = beams.numbers.tolist()
        chosen = [
            _share(
                own, places, left=steps, needed=self.wanted[number].tokens + len(self.wanted[number].terms)
            )
            for own, places, steps, number in zip(ways, beams.free.tolist(), left, numbers, strict=True)
        ]
        self._slots = [
            [(self.wanted[number].after(before[way.slot][0], way.token), way.credit) for way in own]
            for number, before, own in zip(numbers, self._slots, chosen, strict=True)
        ]
        return _tensors(chosen, log_probs.device)

    def reorder(self, kept: Int[Tensor, " kept"], order: Int[Tensor, "kept slots"]) -> None:
        """Takes over which sentences go on, and which of their slots in which order."""
        self._slots = [
            # Empty slots come last, and nobody asks for their progress.
            [self._slots[i][slot] for slot in slots if slot < len(self._slots[i])]
            for i, slots in zip(kept.tolist(), order.tolist(), strict=True)
        ]

    def _hypotheses(self, beams: Beams) -> Iterator[_Live]:
        numbers, live = beams.numbers.tolist(), beams.live.tolist()
        for i, (number, totals) in enumerate(zip(numbers, live, strict=True)):
            for slot, (total, (progress, credit)) in enumerate(zip(totals, self._slots[i], strict=False)):
                if total > -math.inf:
                    yield _Live(i, slot, i * len(totals) + slot, number, total, progress, credit)

    def _tokens(self, log_probs: Tensor, hypotheses: Sequence[_Live]) -> list[dict[int, float]]:
        """For each hypothesis the tokens worth a place, with their log-probabilities."""
        values, tokens = top_k(log_probs, min(max(self._widths), log_probs.shape[1]))
        favourites = list(zip(tokens.tolist(), values.tolist(), strict=True))
        found = []
        extra: list[tuple[int, int, int]] = []  # which hypothesis, its row, and a token
        # A letter would undo a term just written, and all favourites may be letters.
        fresh = [i for i, each in enumerate(hypotheses) if each.progress.fresh]
        if fresh:
            rows = [hypotheses[i].row for i in fresh]
            apart = log_probs[rows].masked_fill(self._joins, -math.inf).argmax(dim=1)
            extra += zip(fresh, rows, apart.tolist(), strict=True)
        for i, each in enumerate(hypotheses):
            own, scores = (some[: self._widths[each.number]] for some in favourites[each.row])
            found.append(dict(zip(own, scores, strict=True)))
            wanted = self.wanted[each.number]
            further = wanted.onward(each.progress).union(token for token in wanted.own if token is not None)
            extra += [(i, each.row, token) for token in further]
        some = log_probs[[row for _, row, _ in extra], [token for _, _, token in extra]].tolist()
        for (i, _, token), log_prob in zip(extra, some, strict=True):
            found[i][token] = log_prob
        return found


def _ways(wanted: Wanted, live: _Live, log_probs: Mapping[int, float], late: bool) -> Iterator[_Way]:
    """The ways on for a hypothesis."""
    progress, total, slot = live.progress, live.total, live.slot
    onward, twice = wanted.onward(progress), wanted.just_replaced(progress)
    written, undone = wanted.standing(progress)
    kept = total if progress.ended else total - live.credit
    joins, fresh = wanted.phrasing.joins_before, progress.fresh
    for token, log_prob in log_probs.items():
        if token in onward:
            value, credit = _worth(wanted, live, token, log_probs)
            level = wanted.level(wanted.after(progress, token))
            yield _Way(total + value, slot, token, level, late, credit)
        elif fresh and joins[token]:
            yield _Way(total - live.credit + log_prob, slot, token, undone, late)
        elif token != twice:
            yield _Way(kept + log_prob, slot, token, written, late)


def _worth(wanted: Wanted, live: _Live, token: int, log_probs: Mapping[int, float]) -> tuple[float, float]:
    """What a token of a term adds to the log-probability that hypotheses are compared by; then the credit.

    A term stands for the model's own word, where that is known: it is as probable as the beginning of that
    word would be, and so is put where the word would have stood. What it was credited with is taken back
    when something else comes of it.
    """
    log_prob, credit = log_probs[token], live.credit
    if live.progress.ended and not (live.progress.fresh and wanted.phrasing.joins_before[token]):
        credit = 0.0
    led = wanted.led(wanted.after(live.progress, token))
    if credit and any(count > 1 for _, count in led):
        return 0.0, credit - log_prob
    own = [log_probs[start] for term, count in led if count == 1 and (start := wanted.own[term]) is not None]
    gain = max(0.0, max(own, default=log_prob) - log_prob)
    return log_prob + gain - credit, gain


def beam_width(wanted: Wanted, beam: int) -> int:
    """How many places the beam of a sentence with terms has; `beam` is that of one without."""
    return min(beam + wanted.tokens, max(beam, _MOST))


def _share(ways: list[_Way], places: int, *, left: int, needed: int) -> list[_Way]:
    """Gives the places to the best way of each level, highest first, then to the second best, and so on.

    Last come ways on from hypotheses that the model would end, so that no term is tacked on to one as long as
    there are others, and time.

    Args:
        ways: on for a sentence.
        places: how many it has left.
        left: how many tokens the length limit allows; of the last only the highest level counts.
        needed: how many tokens it takes at most to write all terms.
    """
    ways = sorted((way for way in ways if way.total > -math.inf), reverse=True)
    if left == 1:
        highest = max((way.level for way in ways), default=0)
        ways = [way for way in ways if way.level == highest]
    ranks: Counter[tuple[bool, int]] = Counter()
    order = []
    for way in ways:
        late = way.late and left > needed
        order.append((late, ranks[late, way.level], -way.level, way))
        ranks[late, way.level] += 1
    return sorted((way for *_, way in sorted(order)[:places]), reverse=True)


def _tensors(chosen: Sequence[Sequence[_Way]], device: torch.device) -> Continuations:
    """The ways of each sentence; an empty place has a log-probability of -inf."""
    width = max(1, max(map(len, chosen)))
    full = [[*ways, *[_Way(-math.inf, 0, EOS, 0, False)] * (width - len(ways))] for ways in chosen]
    totals = torch.tensor([[way.total for way in ways] for ways in full], device=device)
    slots = torch.tensor([[way.slot for way in ways] for ways in full], device=device)
    tokens = torch.tensor([[way.token for way in ways] for ways in full], device=device)
    return totals, slots, tokens
