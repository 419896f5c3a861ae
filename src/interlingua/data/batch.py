"""What a model is fed: pairs as tensors of ids, of frames of sound or of patches, padded on the right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float, Int
from torch import Tensor

from interlingua.data.store import Store
from interlingua.kinds import BOS, EOS, PAD, Source, SourceKind
from interlingua.pictures.patches import patches_of
from interlingua.sound.features import drop_background, log_mel, normalise, pad_frames

__all__ = ["Batch", "Ids", "batch_of", "features_of", "make_batch", "make_source", "pad"]

Ids = Sequence[int] | npt.NDArray[np.integer]


class Batch(NamedTuple):
    """Some pairs of about equal length."""

    source: Source
    """Of ids, then EOS, then padding; of frames, then padding; or of patches."""
    target_in: Int[Tensor, "batch target"]
    """BOS, then the target ids: what the decoder reads."""
    target_out: Int[Tensor, "batch target"]
    """The target ids, then EOS: what it shall predict, one position ahead of what it reads."""
    target_tokens: int
    """Real tokens of target_out."""

    def without_ends(self) -> Batch:
        """The same targets, all of one length, of which the end is not to be predicted."""
        tokens = self.target_tokens - len(self.target_out)
        return Batch(self.source, self.target_in[:, :-1], self.target_out[:, :-1], tokens)

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

    def with_others_sources(self) -> Batch:
        """Each target with the source of another pair, where there are several."""
        return self._replace(source=Source(*(part.roll(1, 0) for part in self.source)))

    @property
    def padding(self) -> float:
        """The share of both sides' positions that is padding, 0 to 1."""
        positions = self.source.mask.numel() + self.target_out.numel()
        return 1 - (int(self.source.mask.sum()) + self.target_tokens) / positions


def make_batch(store: Store, indices: Sequence[int] | npt.NDArray[np.int64]) -> Batch:
    """Reads the pairs of the given numbers from a store."""
    sources = [store.source(i) for i in indices]
    return batch_of(make_source(sources, store.source_kind), [store.target(i) for i in indices])


def batch_of(source: Source, targets: Sequence[Ids]) -> Batch:
    """Sources, and targets as ids without BOS and EOS, as a batch."""
    return Batch(
        source, pad(targets, before=BOS), pad(targets, after=EOS), sum(map(len, targets)) + len(targets)
    )


def make_source(sources: Sequence[Ids], kind: SourceKind) -> Source:
    """Sources side by side: ids without EOS, samples of sounds, of which features are made, or pixels."""
    if kind == "sound":
        return pad_frames([features_of(np.asarray(samples)) for samples in sources])
    if kind == "picture":
        patches = patches_of(torch.from_numpy(np.stack([np.asarray(each, np.uint8) for each in sources])))
        return Source(patches, torch.ones(patches.shape[:2], dtype=torch.bool))
    ids = pad(sources, after=EOS)
    return Source(ids, ids != PAD)


def features_of(samples: npt.NDArray[np.number]) -> Float[Tensor, "frames bands"]:
    """The normalised features of a sound's samples."""
    return normalise(drop_background(log_mel(torch.tensor(samples))))


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
