"""What CTC says of a memory and its target."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["ctc_align"]


def ctc_align(log_probs: Float[Tensor, "source vocabulary"], ids: Sequence[int]) -> list[int]:
    """The position at which each id stands on the most probable path (Viterbi); blanks are PAD, 0."""
    states = [0]
    for each in ids:
        states += [each, 0]
    labels = torch.tensor(states, device=log_probs.device)
    scores = log_probs[:, labels].float().cpu()  # (source, states)
    skips = torch.zeros(len(states), dtype=torch.bool)
    for place in range(3, len(states), 2):
        skips[place] = states[place] != states[place - 2]
    best = torch.full((len(states),), -torch.inf)
    best[:2] = scores[0, :2]
    came = []
    for row in scores[1:]:
        ways = torch.stack([
            best,
            torch.cat([best.new_full((1,), -torch.inf), best[:-1]]),
            torch.cat([best.new_full((2,), -torch.inf), best[:-2]])[: len(best)].where(skips, -torch.inf),
        ])  # fmt: skip
        best, way = ways.max(dim=0)
        best = best + row
        came.append(way)
    place = len(states) - 1 if len(states) == 1 or best[-1] >= best[-2] else len(states) - 2
    path = [place]
    for way in reversed(came):
        place -= int(way[place])
        path.append(place)
    path.reverse()
    found: list[int] = []
    for number in range(len(ids)):
        at = [position for position, place in enumerate(path) if place == 2 * number + 1]
        found.append(at[0] if at else (found[-1] if found else 0))
    return found
