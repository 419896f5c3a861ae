"""The tree of a beam search: every hypothesis that was met, where it came from and what became of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from interlingua.search.beam import BeamStep
from interlingua.search.hypothesis import Hypothesis

__all__ = ["Fate", "Node", "build_tree"]

Fate = Literal["kept", "ended", "limit", "lost", "crowded", "stopped"]
"""kept: something came of it; ended: it is whole; limit: the length limit cut it off; lost: nothing that
could have followed was among the best; crowded: the beam was full; stopped: still alive when the
search ended, since it could not enter the n best any more."""


@dataclass(frozen=True)
class Node:
    """A hypothesis, by its last token."""

    step: int
    """Tokens so far, from 1."""
    place: int
    """Among the step's continuations, the best is 0."""
    parent: int | None
    """Number of the node with all tokens but the last; None for the first token."""
    token: str
    log_prob: float
    """Of the token."""
    total: float
    """Of all tokens so far."""
    fate: Fate
    rank: int | None = None
    """Among the n best of the search, from 0."""


def build_tree(
    steps: Sequence[BeamStep], best: Sequence[Hypothesis], end: int, show: Callable[[int], str]
) -> tuple[Node, ...]:
    """Puts the steps of a search for one sentence together.

    Args:
        steps: as the search reported them.
        best: what it found, best first.
        end: the id that ends a hypothesis.
        show: what to call an id.

    Returns:
        The nodes, step by step and best first.
    """
    ranks = {(*found.ids, *(() if found.limited else (end,))): i for i, found in enumerate(best)}
    nodes: list[Node] = []
    numbers: dict[tuple[int, ...], int] = {}
    for number, step in enumerate(steps, start=1):
        last = number == len(steps)
        for place, (ids, totals) in enumerate(
            zip(step.ids[0].tolist(), step.prefix_log_probs[0].tolist(), strict=True)
        ):
            if totals[-1] == -math.inf:
                continue
            prefix = tuple(ids)
            parent = numbers.get(prefix[:-1])
            if parent is not None and nodes[parent].fate == "lost":
                nodes[parent] = replace(nodes[parent], fate="kept")
            before = totals[-2] if number > 1 else 0.0
            numbers[prefix] = len(nodes)
            fate = _fate(step, place, last)
            log_prob, total = round(totals[-1] - before, 4), round(totals[-1], 4)
            nodes.append(Node(number, place, parent, show(ids[-1]), log_prob, total, fate, ranks.get(prefix)))
    return tuple(nodes)


def _fate(step: BeamStep, place: int, last: bool) -> Fate:
    """What became of a continuation in its step; one that goes on is lost until something follows."""
    if bool(step.ends[0, place]):
        return "ended"
    if bool(step.limited[0, place]):
        return "limit"
    if not bool(step.live[0, place]):
        return "crowded"
    return "stopped" if last else "lost"
