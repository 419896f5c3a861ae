"""Following one path a row: greedy search, and the loop that it shares with sampling."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from interlingua.model.seq2seq import Seq2Seq, State, reorder
from interlingua.search.hypothesis import Hypothesis, SearchSettings, Sources, Watch, length_penalty, never
from interlingua.search.largest import largest
from interlingua.text.vocabulary import BOS, EOS

__all__ = ["follow", "greedy_search"]

Choose = Callable[[Float[Tensor, "rows vocabulary"], Int[Tensor, " rows"], int], Int[Tensor, " rows"]]
"""From log-probabilities, which of the first rows they belong to, and the step: a token for each."""


def greedy_search(
    model: Seq2Seq, sources: Sources, settings: SearchSettings, watch: Watch | None = None
) -> list[list[Hypothesis]]:
    """Takes the most probable token every time.

    Args:
        model: any Seq2Seq, in evaluation mode.
        sources: the batch.
        settings: length_penalty (for the score only) and unknown are used.
        watch: told of every step.

    Returns:
        One hypothesis for each source.
    """
    with torch.inference_mode():
        state = model.start(sources.ids, sources.mask)
        return [[path] for path in follow(model, state, sources.limits, settings, _most_probable, watch)]


def _most_probable(likely: Tensor, rows: Tensor, step: int) -> Tensor:
    _, tokens = largest(likely, 1)
    return tokens.squeeze(1)


def follow(
    model: Seq2Seq, state: State, limits: Int[Tensor, " rows"], settings: SearchSettings, choose: Choose,
    watch: Watch | None = None,
) -> list[Hypothesis]:  # fmt: skip
    """Extends every row by one chosen token a step until EOS or its length limit.

    Args:
        model: any Seq2Seq, in evaluation mode.
        state: a state before BOS, with one row a sentence.
        limits: the most tokens of each row, EOS counted.
        settings: length_penalty and unknown are used.
        choose: picks the tokens; forbidden ones have a log-probability of -inf.
        watch: told of every step.

    Returns:
        One hypothesis a row.
    """
    device = limits.device
    banned = torch.tensor(never(settings), device=device)
    longest = int(limits.max())
    ids = torch.full((len(limits), longest), EOS, device=device)
    log_probs = torch.zeros(len(limits), longest, device=device)
    rows = torch.arange(len(limits), device=device)  # those in the state; some may have ended already
    going = torch.ones_like(rows, dtype=torch.bool)
    tokens = torch.full_like(rows, BOS)
    for step in range(longest):
        logits, state = model.step(tokens, state)
        likely = torch.log_softmax(logits.float(), dim=1)
        likely.index_fill_(1, banned, -math.inf)
        tokens = choose(likely, rows, step)
        chosen = likely.gather(1, tokens.unsqueeze(1)).squeeze(1)
        ids[rows, step] = tokens.where(going, EOS)
        log_probs[rows, step] = chosen.where(going, 0)
        if watch is not None:
            watch(rows, ids[rows, : step + 1])
        going &= (tokens != EOS) & (limits[rows] > step + 1)
        left = int(going.sum())
        if not left:
            break
        # Dropping a row copies all others: not worth it for a few.
        if left <= 0.9 * len(rows):
            kept = going.nonzero().squeeze(1)
            state = reorder(state, kept.unsqueeze(1))
            rows, tokens, going = rows[kept], tokens[kept], going[kept]
    return [
        _hypothesis(*row, settings.length_penalty)
        for row in zip(ids.tolist(), log_probs.tolist(), limits.tolist(), strict=True)
    ]


def _hypothesis(ids: list[int], log_probs: list[float], limit: int, alpha: float) -> Hypothesis:
    limited = EOS not in ids[:limit]
    length = limit if limited else ids.index(EOS) + 1  # EOS counted
    log_probs = log_probs[:length]
    score = sum(log_probs) / float(length_penalty(length, alpha))
    return Hypothesis(ids[:length] if limited else ids[: length - 1], log_probs, score, limited)
