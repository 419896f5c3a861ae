"""What a model is fed: pairs as tensors of ids, padded on the right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Int
from torch import Tensor

from interlingua.data.store import Store
from interlingua.kinds import BOS, EOS, PAD, Source

__all__ = ["Batch", "batch_of", "make_batch", "pad"]

Ids = Sequence[int] | npt.NDArray[np.integer]


class Batch(NamedTuple):
    """Some pairs of about equal length."""

    source: Source
    """Of ids, then EOS, then padding."""
    target_in: Int[Tensor, "batch target"]
    """BOS, then the target ids: what the decoder reads."""
    target_out: Int[Tensor, "batch target"]
    """The target ids, then EOS: what it shall predict, one position ahead of what it reads."""
    target_tokens: int
    """Real tokens of target_out."""

    def to(self, device: torch.device) -> Batch:
        """The same batch on a device."""
        source = Source(*(part.to(device, non_blocking=True) for part in self.source))
        target_in, target_out = (
            part.to(device, non_blocking=True) for part in (self.target_in, self.target_out)
        )
        return Batch(source, target_in, target_out, self.target_tokens)

    def twice(self) -> Batch:
        """Every pair two times: the batch, then the batch again."""
        source = Source(*(torch.cat([part, part]) for part in self.source))
        target_in, target_out = (torch.cat([part, part]) for part in (self.target_in, self.target_out))
        return Batch(source, target_in, target_out, 2 * self.target_tokens)

    @property
    def padding(self) -> float:
        """The share of both sides' positions that is padding, 0 to 1."""
        positions = self.source.mask.numel() + self.target_out.numel()
        return 1 - (int(self.source.mask.sum()) + self.target_tokens) / positions


def make_batch(store: Store, indices: Sequence[int] | npt.NDArray[np.int64]) -> Batch:
    """Reads the pairs of the given numbers from a store."""
    return batch_of([store.source(i) for i in indices], [store.target(i) for i in indices])


def batch_of(sources: Sequence[Ids], targets: Sequence[Ids]) -> Batch:
    """Pairs of ids, without BOS and EOS, as a batch."""
    source = pad(sources, after=EOS)
    return Batch(
        Source(source, source != PAD),
        pad(targets, before=BOS),
        pad(targets, after=EOS),
        sum(map(len, targets)) + len(targets),
    )


def pad(
    rows: Sequence[Ids],
    *,
    before: int | None = None,
    after: int | None = None,
) -> Int[Tensor, "rows longest"]:
    """Rows of ids as one tensor, each between `before` and `after` (when given), then padding."""
    first = int(before is not None)
    table = np.full((len(rows), max(map(len, rows)) + first + (after is not None)), PAD, np.int64)
    if before is not None:
        table[:, 0] = before
    for i, row in enumerate(rows):
        table[i, first : len(row) + first] = row
        if after is not None:
            table[i, len(row) + first] = after
    return torch.from_numpy(table)
