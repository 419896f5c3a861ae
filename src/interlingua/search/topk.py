"""The few largest of many scores, without sorting through all of them."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

__all__ = ["top_k"]

_BLOCK = 64


def top_k(
    scores: Float[Tensor, "rows vocabulary"], count: int
) -> tuple[Float[Tensor, "rows count"], Int[Tensor, "rows count"]]:
    """The `count` largest scores of each row, in falling order, and where they stand.

    A score among the `count` largest stands in one of the `count` blocks with the largest maxima, and the
    maxima of blocks are found many times faster than a top-k over everything.

    Args:
        scores: any, -inf too.
        count: at most the vocabulary.
    """
    rows, vocabulary = scores.shape
    blocks = vocabulary // _BLOCK
    if blocks <= 2 * count:
        return _topk(scores, count)
    whole = scores[:, : blocks * _BLOCK].unflatten(1, (blocks, _BLOCK))
    _, chosen = _topk(whole.amax(dim=2), count)  # (rows, count)
    firsts = chosen * _BLOCK
    columns = (firsts.unsqueeze(2) + torch.arange(_BLOCK, device=scores.device)).flatten(1)
    rest = torch.arange(blocks * _BLOCK, vocabulary, device=scores.device).expand(rows, -1)
    columns = torch.cat([columns, rest], dim=1)  # where the best can stand
    values, indices = _topk(scores.gather(1, columns), count)
    return values, columns.gather(1, indices)


def _topk(scores: Tensor, count: int) -> tuple[Tensor, Tensor]:
    if count == 1:
        index = scores.argmax(dim=1, keepdim=True)
        return scores.gather(1, index), index
    values, indices = scores.topk(count, dim=1)
    return values, indices
