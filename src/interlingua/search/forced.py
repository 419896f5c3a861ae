"""How probable a model finds given targets: one teacher-forced pass, no search."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from interlingua.data.batch import pad
from interlingua.model.seq2seq import Seq2Seq
from interlingua.search.hypothesis import Hypothesis, Sources, length_penalty
from interlingua.text.vocabulary import BOS, EOS, PAD

__all__ = ["forced_log_probs", "rescored"]

_ROWS = 512  # positions projected to the vocabulary at a time


@torch.inference_mode()
def forced_log_probs(
    model: Seq2Seq,
    source: Int[Tensor, "batch source"],
    source_mask: Bool[Tensor, "batch source"],
    target_in: Int[Tensor, "batch target"],
    target_out: Int[Tensor, "batch target"],
) -> Float[Tensor, "batch target"]:
    """The log-probability of each token of target_out given those before it; 0 at padding.

    Args:
        model: any Seq2Seq, in evaluation mode.
        source: each ends with EOS, then PAD.
        source_mask: True = a real token.
        target_in: BOS and the target's ids, then PAD.
        target_out: the target's ids and EOS, then PAD.
    """
    hidden = model.forward(source, source_mask, target_in)
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


def rescored(
    model: Seq2Seq, sources: Sources, found: Sequence[Sequence[Hypothesis]], alpha: float
) -> list[list[Hypothesis]]:
    """The same hypotheses in the same order, with the model's own log-probabilities.

    Args:
        model: any Seq2Seq, in evaluation mode.
        sources: the batch.
        found: some hypotheses of each source.
        alpha: of the length penalty.
    """
    done: list[list[Hypothesis]] = [[] for _ in found]
    for rank in range(max(map(len, found))):
        rows = [i for i, hypotheses in enumerate(found) if rank < len(hypotheses)]
        some = [found[i][rank] for i in rows]
        outputs = [each.ids if each.limited else [*each.ids, EOS] for each in some]
        target_out = pad(outputs).to(sources.ids.device)
        target_in = pad([ids[:-1] for ids in outputs], before=BOS).to(sources.ids.device)
        forced = forced_log_probs(
            model, sources.ids[rows], sources.mask[rows], target_in, target_out
        ).tolist()
        for i, each, ids, row in zip(rows, some, outputs, forced, strict=True):
            log_probs = row[: len(ids)]
            score = sum(log_probs) / float(length_penalty(len(ids), alpha))
            done[i].append(each._replace(log_probs=log_probs, score=score))
    return done
