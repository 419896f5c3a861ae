"""Terms as constraints on a beam search, by dynamic beam allocation (Post & Vilar 2018).

The bank of a hypothesis is the number of tokens of its sentence's terms that it has written. In each step the
candidates to continue a hypothesis are its most probable tokens and, beside them, those that lead on in a
term. The slots of the beam are allocated to the banks, so that a hypothesis which has just begun a term need
not compete with one that has none: the most probable candidate of each bank first, the highest bank first of
all. The highest bank thus rises with every step until all is written, whatever the model thinks of it. Only
then may a hypothesis end.

Unlike in the paper a term has several tokenizations and must not be joined to another word, and the bank
follows from the tokens of a hypothesis alone (see `automaton`). Where it is known which word the model itself
would use for a term (see `placement`), the term takes that word's place and probability.
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
from interlingua.terms.automaton import Progress, SentenceTerms
from interlingua.terms.width import beam_width

__all__ = ["TermConstraint"]


class _LiveHypothesis(NamedTuple):
    """A hypothesis that goes on."""

    sentence: int
    """Index among the sentences still searched."""
    slot: int
    row: int
    """Index among the slots of all sentences."""
    sentence_terms: SentenceTerms
    width: int
    """How many of its tokens can matter."""
    total: float
    """Its log-probability, with the bonus."""
    progress: Progress
    bonus: float
    """What the total holds beyond the model's log-probability for a term that may yet fail."""


class _Candidate(NamedTuple):
    """A continuation that competes for a slot; greater means more probable."""

    total: float
    slot: int
    """Of the hypothesis that it continues."""
    token: int
    bank: int
    past_end: bool
    """Whether the model would rather have ended before the token."""
    bonus: float = 0.0
    """As of a live hypothesis."""


class TermConstraint:
    """The terms of a batch, and how far a beam search has come with them (a search.beam.Constraint).

    Args:
        sentences: the terms of each, at least one.
        beam: the slots of a sentence without terms; each token of a term adds one.
        device: where the search is.
    """

    def __init__(
        self, sentences: Sequence[SentenceTerms], beam: int, device: torch.device | str = "cpu"
    ) -> None:
        self.sentences = sentences
        self._widths = [beam_width(each.num_tokens, beam) for each in sentences]
        self.widths = torch.tensor(self._widths, device=device)
        """How many slots the beam of each sentence has."""
        self._starts_in_word = torch.tensor(sentences[0].tokenizer.starts_in_word, device=device)
        # Progress and bonus of each slot of the sentences still searched.
        self._slots: list[list[tuple[Progress, float]]] = [[(Progress(), 0.0)] for _ in sentences]

    @property
    def needs_rescoring(self) -> bool:
        """Whether hypotheses are compared by other log-probabilities than the model's."""
        return any(token is not None for each in self.sentences for token in each.replaced_tokens)

    def choose(
        self, logits: Float[Tensor, "rows vocabulary"], beams: Beams, not_continuing: Int[Tensor, " ids"]
    ) -> Continuations:
        """The continuations that get a slot, best first."""
        log_probs = torch.log_softmax(logits.float(), dim=1)
        end_log_probs = log_probs[:, EOS].tolist()
        log_probs.index_fill_(1, not_continuing, -math.inf)
        hypotheses = list(self._hypotheses(beams))
        candidates: list[list[_Candidate]] = [[] for _ in beams.live_log_probs]
        for hypothesis, tokens in zip(
            hypotheses, self._candidate_log_probs(log_probs, hypotheses), strict=True
        ):
            candidates[hypothesis.sentence] += _candidates(hypothesis, tokens, end_log_probs[hypothesis.row])
        steps_left = (beams.limits - beams.ids.shape[2]).tolist()
        searched = [self.sentences[number] for number in beams.numbers.tolist()]
        chosen = [
            _allocate(each, free, sentence_terms, left)
            for each, free, sentence_terms, left in zip(
                candidates, beams.free.tolist(), searched, steps_left, strict=True
            )
        ]
        self._slots = [
            [(sentence_terms.advance(slots[each.slot][0], each.token), each.bonus) for each in chosen_here]
            for sentence_terms, slots, chosen_here in zip(searched, self._slots, chosen, strict=True)
        ]
        return _to_tensors(chosen, log_probs.device)

    def reorder(self, kept: Int[Tensor, " kept"], order: Int[Tensor, "kept slots"]) -> None:
        """Takes over which sentences go on, and which of their slots in which order."""
        self._slots = [
            # Empty slots come last, and nobody asks for their progress.
            [self._slots[i][slot] for slot in slots if slot < len(self._slots[i])]
            for i, slots in zip(kept.tolist(), order.tolist(), strict=True)
        ]

    def _hypotheses(self, beams: Beams) -> Iterator[_LiveHypothesis]:
        numbers, live = beams.numbers.tolist(), beams.live_log_probs.tolist()
        for i, (number, totals) in enumerate(zip(numbers, live, strict=True)):
            sentence_terms, width = self.sentences[number], self._widths[number]
            for slot, (total, (progress, bonus)) in enumerate(zip(totals, self._slots[i], strict=False)):
                if total > -math.inf:
                    row = i * len(totals) + slot
                    yield _LiveHypothesis(i, slot, row, sentence_terms, width, total, progress, bonus)

    def _candidate_log_probs(
        self, log_probs: Float[Tensor, "rows vocabulary"], hypotheses: Sequence[_LiveHypothesis]
    ) -> list[dict[int, float]]:
        """For each hypothesis the tokens that may be worth a slot, with their log-probabilities."""
        values, tokens = top_k(log_probs, min(max(self._widths), log_probs.shape[1]))
        best = list(zip(tokens.tolist(), values.tolist(), strict=True))
        found = []
        added: list[tuple[int, int, int]] = []  # index of a hypothesis, its row, and a token
        # A letter may break a term just completed, and all of the best tokens may be letters.
        breakable = [i for i, each in enumerate(hypotheses) if each.progress.breakable]
        if breakable:
            rows = [hypotheses[i].row for i in breakable]
            unjoined = log_probs[rows].masked_fill(self._starts_in_word, -math.inf).argmax(dim=1)
            added += zip(breakable, rows, unjoined.tolist(), strict=True)
        for i, each in enumerate(hypotheses):
            best_tokens, best_log_probs = (column[: each.width] for column in best[each.row])
            found.append(dict(zip(best_tokens, best_log_probs, strict=True)))
            # `_gain` needs their log-probabilities.
            replaced = (token for token in each.sentence_terms.replaced_tokens if token is not None)
            further = each.sentence_terms.next_tokens(each.progress).union(replaced)
            added += [(i, each.row, token) for token in further]
        added_log_probs = log_probs[[row for _, row, _ in added], [token for _, _, token in added]].tolist()
        for (i, _, token), log_prob in zip(added, added_log_probs, strict=True):
            found[i][token] = log_prob
        return found


def _candidates(
    hypothesis: _LiveHypothesis, log_probs: Mapping[int, float], end_log_prob: float
) -> Iterator[_Candidate]:
    """What may continue a hypothesis: some tokens, or its end if all terms are written."""
    sentence_terms, progress = hypothesis.sentence_terms, hypothesis.progress
    total, slot = hypothesis.total, hypothesis.slot
    past_end = False
    if sentence_terms.finished(progress):
        yield _Candidate(total + end_log_prob, slot, EOS, sentence_terms.num_tokens, past_end)
    else:
        past_end = end_log_prob > max(log_probs.values())
    next_tokens, repeated = sentence_terms.next_tokens(progress), sentence_terms.repeated_token(progress)
    bank, breakable = sentence_terms.completed_bank(progress), progress.breakable
    without_bonus = total - hypothesis.bonus
    # A completed term has earned its bonus; anything else that is not its next token gives it back.
    base_total = total if progress.just_completed else without_bonus
    for token, log_prob in log_probs.items():
        if token in next_tokens:
            gain, bonus = _gain(hypothesis, token, log_probs)
            next_bank = sentence_terms.bank(sentence_terms.advance(progress, token))
            yield _Candidate(total + gain, slot, token, next_bank, past_end, bonus)
        elif breakable and sentence_terms.breaks(progress, token):
            broken = sentence_terms.lengths[progress.completed[-1].term_index]
            yield _Candidate(without_bonus + log_prob, slot, token, bank - broken, past_end)
        elif token != repeated:
            yield _Candidate(base_total + log_prob, slot, token, bank, past_end)


def _gain(hypothesis: _LiveHypothesis, token: int, log_probs: Mapping[int, float]) -> tuple[float, float]:
    """What a token of a term adds to the total of a hypothesis, and the bonus that is then in it.

    A term stands for a word of the model's own, where that is known: it is as probable as the beginning of
    that word would be, and so is put where the word would have stood. What this is more than the model's
    log-probability is a bonus, taken back when something else comes of the term.
    """
    sentence_terms, progress = hypothesis.sentence_terms, hypothesis.progress
    log_prob, bonus = log_probs[token], hypothesis.bonus
    if progress.just_completed and not sentence_terms.breaks(progress, token):
        bonus = 0.0  # the term has earned it
    current = sentence_terms.current_terms(sentence_terms.advance(progress, token))
    if bonus and any(length > 1 for _, length in current):
        # Inside a term that took a word's place: the total stays, and the bonus pays for the token.
        return 0.0, bonus - log_prob
    # At its beginning: as probable as the word that it replaces, if that is the more probable.
    replaced = [sentence_terms.replaced_tokens[index] for index, length in current if length == 1]
    replaced_log_probs = [log_probs[first] for first in replaced if first is not None]
    new_bonus = max(0.0, max(replaced_log_probs, default=log_prob) - log_prob)
    return log_prob + new_bonus - bonus, new_bonus


def _allocate(
    candidates: list[_Candidate], free: int, sentence_terms: SentenceTerms, steps_left: int
) -> list[_Candidate]:
    """Gives the slots to the best candidate of each bank, highest first, then to the second best, and so on.

    Last come those that go past the end that the model would choose, so that no term is tacked on to a
    hypothesis as long as there are others, and time.

    Args:
        candidates: of a sentence.
        free: how many slots it has.
        sentence_terms: of it.
        steps_left: how many tokens the length limit allows; of the last only the highest bank counts.
    """
    steps_needed = sentence_terms.num_tokens + len(
        sentence_terms.tokenizations
    )  # at most: a space before each term
    candidates = sorted((each for each in candidates if each.total > -math.inf), reverse=True)
    if steps_left == 1:
        highest = max((each.bank for each in candidates), default=0)
        candidates = [each for each in candidates if each.bank == highest]
    ranks: Counter[tuple[bool, int]] = Counter()
    order = []
    for each in candidates:
        deferred = each.past_end and steps_left > steps_needed
        order.append((deferred, ranks[deferred, each.bank], -each.bank, each))
        ranks[deferred, each.bank] += 1
    return sorted((each for *_, each in sorted(order)[:free]), reverse=True)


def _to_tensors(chosen: Sequence[Sequence[_Candidate]], device: torch.device) -> Continuations:
    """The candidates of each sentence; an empty slot has a log-probability of -inf."""
    width = max(1, max(map(len, chosen)))
    empty = _Candidate(-math.inf, 0, EOS, 0, past_end=False)
    full = [[*candidates, *[empty] * (width - len(candidates))] for candidates in chosen]
    totals = torch.tensor([[each.total for each in row] for row in full], device=device)
    slots = torch.tensor([[each.slot for each in row] for row in full], device=device)
    tokens = torch.tensor([[each.token for each in row] for row in full], device=device)
    return totals, slots, tokens
