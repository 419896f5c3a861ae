"""Greedy search, and the loop of one path a row that it shares with sampling."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from interlingua.kinds import BOS, EOS
from interlingua.model.protocol import Memory, Seq2Seq
from interlingua.search.hypothesis import Hypothesis, SearchInput, StepObserver, length_penalty
from interlingua.search.settings import SearchSettings, forbidden_ids
from interlingua.search.topk import top_k

__all__ = ["decode_paths", "greedy_search"]

ChooseTokens = Callable[[Float[Tensor, "rows vocabulary"], Int[Tensor, " rows"], int], Int[Tensor, " rows"]]
"""A token each, from the log-probabilities of rows still decoded, their original numbers, and the step."""


def greedy_search(
    model: Seq2Seq, batch: SearchInput, settings: SearchSettings, observe: StepObserver | None = None
) -> list[list[Hypothesis]]:
    """Takes the most probable token every time.

    Args:
        model: any Seq2Seq, in evaluation mode.
        batch: of sources.
        settings: length_penalty (for the score only) and unknown are used.
        observe: told of every step.

    Returns:
        One hypothesis for each source.
    """
    with torch.inference_mode():
        memory = model.encode(batch.source)
        return [
            [path]
            for path in decode_paths(
                model, memory, batch.limits, settings, _most_probable, observe, batch.fixed
            )
        ]


def _most_probable(log_probs: Tensor, rows: Tensor, step: int) -> Tensor:
    _, tokens = top_k(log_probs, 1)
    return tokens.squeeze(1)


def decode_paths(
    model: Seq2Seq,
    memory: Memory,
    limits: Int[Tensor, " rows"],
    settings: SearchSettings,
    choose: ChooseTokens,
    observe: StepObserver | None = None,
    fixed: bool = False,
) -> list[Hypothesis]:
    """Extends every row by one chosen token a step until EOS or its length limit.

    Args:
        model: any Seq2Seq, in evaluation mode.
        memory: of the sources, one row a path.
        limits: the most tokens of each row, EOS counted.
        settings: length_penalty and unknown are used.
        choose: picks the tokens; forbidden ones have a log-probability of -inf.
        observe: told of every step.
        fixed: whether all tokens up to the limits are wanted, and no end.

    Returns:
        One hypothesis a row.
    """
    device, state = limits.device, model.start(memory)
    forbidden = torch.tensor(forbidden_ids(settings) + [EOS] * fixed, device=device)
    longest = int(limits.max())
    ids = torch.full((len(limits), longest), EOS, device=device)
    log_probs = torch.zeros(len(limits), longest, device=device)
    rows = torch.arange(len(limits), device=device)  # those in the state; some may have ended already
    going = torch.ones_like(rows, dtype=torch.bool)
    tokens = torch.full_like(rows, BOS)
    for step in range(longest):
        logits, state = model.step(tokens, state)
        candidates = torch.log_softmax(logits.float(), dim=1)
        candidates.index_fill_(1, forbidden, -math.inf)
        tokens = choose(candidates, rows, step)
        chosen = candidates.gather(1, tokens.unsqueeze(1)).squeeze(1)
        ids[rows, step] = tokens.where(going, EOS)
        log_probs[rows, step] = chosen.where(going, 0)
        if observe is not None:
            observe(rows, ids[rows, : step + 1])
        going &= (tokens != EOS) & (limits[rows] > step + 1)
        left = int(going.sum())
        if not left:
            break
        # Dropping a row copies all others: not worth it for a few.
        if left <= 0.9 * len(rows):
            kept = going.nonzero().squeeze(1)
            state = state.reorder(kept.unsqueeze(1))
            rows, tokens, going = rows[kept], tokens[kept], going[kept]
    return [
        _hypothesis(*row, settings.length_penalty, fixed)
        for row in zip(ids.tolist(), log_probs.tolist(), limits.tolist(), strict=True)
    ]


def _hypothesis(ids: list[int], log_probs: list[float], limit: int, alpha: float, fixed: bool) -> Hypothesis:
    limited = EOS not in ids[:limit]
    length = limit if limited else ids.index(EOS) + 1  # EOS counted
    log_probs = log_probs[:length]
    score = sum(log_probs) / float(length_penalty(length, alpha))
    return Hypothesis(ids[:length] if limited else ids[: length - 1], log_probs, score, limited and not fixed)
