"""Sampling: each token drawn from the model's distribution, sharpened or cut on request."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from interlingua.model.protocol import Seq2Seq
from interlingua.search.greedy import decode_paths
from interlingua.search.hypothesis import Hypothesis, SearchInput, StepObserver
from interlingua.search.settings import SearchSettings

__all__ = ["sample"]


def sample(
    model: Seq2Seq, batch: SearchInput, settings: SearchSettings, observe: StepObserver | None = None
) -> list[list[Hypothesis]]:
    """Draws `n_best` targets for each source, independent of each other.

    Each source has its own random numbers, which follow from the seed and its values: the draw does not
    depend on the rest of the batch. Log-probabilities are the model's own, before temperature and cuts.

    Args:
        model: any Seq2Seq, in evaluation mode.
        batch: of sources.
        settings: n_best, temperature, top_k, top_p, min_p, seed, unknown and length_penalty are used.
        observe: told of every step, if each source has one draw only.

    Returns:
        For each source its draws, by falling score; equal draws stay.
    """
    size, draws = len(batch.limits), settings.n_best
    numbers = _numbers(batch, draws, settings.seed)  # (rows, longest limit)

    def choose(log_probs: Tensor, rows: Tensor, step: int) -> Tensor:
        return _draw(log_probs / settings.temperature, numbers[rows, step], settings)

    with torch.inference_mode():
        # As many sentences as rows, so that draws of one source end and leave one by one.
        memory = model.encode(batch.source).repeat(draws)
        limits = batch.limits if draws == 1 else batch.limits.repeat_interleave(draws)
        paths = decode_paths(
            model, memory, limits, settings, choose, observe if draws == 1 else None, batch.fixed
        )
    by_source = [paths[i * draws : (i + 1) * draws] for i in range(size)]
    return [sorted(found, key=lambda path: -path.score) for found in by_source]


def _numbers(batch: SearchInput, draws: int, seed: int) -> Float[Tensor, "rows steps"]:
    """Uniform numbers in [0, 1), the same for a sentence in any batch."""
    steps = int(batch.limits.max())
    rows = []
    values, mask = batch.source
    seeds = batch.seeds or [seed] * len(mask)
    each = zip(values.cpu().flatten(1).tolist(), mask.sum(1).tolist(), seeds, strict=True)
    for source, length, own_seed in each:
        real = source[: length * values[0, 0].numel()]
        generator = torch.Generator().manual_seed(hash((own_seed, *real)))
        rows.append(torch.rand(steps, draws, generator=generator).T)
    return torch.cat(rows).to(batch.limits.device)


def _draw(
    logits: Float[Tensor, "rows vocabulary"], numbers: Float[Tensor, " rows"], settings: SearchSettings
) -> Int[Tensor, " rows"]:
    """The token at which the cumulative probability, most probable first, passes the row's number."""
    count = min(settings.top_k or logits.shape[1], logits.shape[1])
    probabilities, tokens = torch.softmax(logits, dim=1).topk(count, dim=1)
    cumulative = probabilities.cumsum(dim=1)
    if settings.top_p < 1:
        # The fewest tokens that reach the share: all whose predecessors have not reached it.
        share = settings.top_p * cumulative[:, -1:]
        inside = cumulative - probabilities < share
        probabilities = probabilities.masked_fill(~inside, 0)
        cumulative = probabilities.cumsum(dim=1)
    if settings.min_p:
        probabilities = probabilities * (probabilities >= settings.min_p * probabilities[:, :1])
        cumulative = probabilities.cumsum(dim=1)
    goal = numbers.unsqueeze(1) * cumulative[:, -1:]
    place = torch.searchsorted(cumulative, goal, right=True).clamp_(max=count - 1)
    # Rounding may lead past the last token that has any probability.
    place = place.minimum((probabilities > 0).sum(dim=1, keepdim=True) - 1)
    return tokens.gather(1, place).squeeze(1)
