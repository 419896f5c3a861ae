"""How probable a model finds given targets: one teacher-forced pass, no search."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from interlingua.data.batch import pad
from interlingua.kinds import BOS, EOS, PAD, Source
from interlingua.model.protocol import Memory, Seq2Seq
from interlingua.search.hypothesis import Hypothesis, SearchInput, length_penalty

__all__ = ["forced_log_probs", "rescore"]

_ROWS = 512  # positions projected to the vocabulary at a time


@torch.inference_mode()
def forced_log_probs(
    model: Seq2Seq,
    source: Source,
    target_in: Int[Tensor, "batch target"],
    target_out: Int[Tensor, "batch target"],
    memory: Memory | None = None,
) -> Float[Tensor, "batch target"]:
    """The log-probability of each token of target_out given those before it; 0 at padding.

    Args:
        model: any Seq2Seq, in evaluation mode.
        source: the batch.
        target_in: BOS and the target's ids, then PAD.
        target_out: the target's ids and EOS, then PAD.
        memory: of the source, if it has been encoded already.
    """
    hidden = model.decode(model.encode(source) if memory is None else memory, target_in)
    real = target_out != PAD
    wanted = target_out[real]
    result = torch.zeros(real.shape, device=real.device)
    result[real] = torch.cat(
        [
            -F.cross_entropy(model.project(part).float(), ids, reduction="none")
            for part, ids in zip(torch.split(hidden[real], _ROWS), torch.split(wanted, _ROWS), strict=True)
        ]
    )
    return result


def rescore(
    model: Seq2Seq, batch: SearchInput, found: Sequence[Sequence[Hypothesis]], alpha: float,
    memory: Memory | None = None,
) -> list[list[Hypothesis]]:  # fmt: skip
    """The same hypotheses in the same order, with the model's own log-probabilities.

    Args:
        model: any Seq2Seq, in evaluation mode.
        batch: of sources.
        found: some hypotheses of each source.
        alpha: of the length penalty.
        memory: of the sources, if they have been encoded already.
    """
    rescored: list[list[Hypothesis]] = [[] for _ in found]
    for rank in range(max(map(len, found))):
        rows = [i for i, hypotheses in enumerate(found) if rank < len(hypotheses)]
        ranked = [found[i][rank] for i in rows]
        outputs = [one.ids if one.limited else [*one.ids, EOS] for one in ranked]
        target_out = pad(outputs).to(batch.limits.device)
        target_in = pad([ids[:-1] for ids in outputs], before=BOS).to(batch.limits.device)
        source = Source(batch.source.values[rows], batch.source.mask[rows])
        known = None if memory is None else memory.rows(rows)
        forced = forced_log_probs(model, source, target_in, target_out, known).tolist()
        for i, one, ids, row in zip(rows, ranked, outputs, forced, strict=True):
            log_probs = row[: len(ids)]
            score = sum(log_probs) / float(length_penalty(len(ids), alpha))
            rescored[i].append(one._replace(log_probs=log_probs, score=score))
    return rescored
