"""How probable a model finds given translations."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from interlingua.data.batch import batch_of
from interlingua.engine.workload import batches
from interlingua.inference.translation import PairScore
from interlingua.model.seq2seq import Seq2Seq
from interlingua.search.forced import forced_log_probs
from interlingua.text.tokenizer import TokenizerPair

__all__ = ["score"]

_ROWS = 192  # pairs a batch


def score(
    model: Seq2Seq, tokenizers: TokenizerPair, pairs: Sequence[tuple[str, str]], device: torch.device
) -> list[PairScore]:
    """Scores pairs, in batches of similar length; nothing is split.

    Args:
        model: any Seq2Seq, in evaluation mode.
        tokenizers: of the source and the target.
        pairs: (source, target).
        device: where the model is.
    """
    sources = tokenizers.source.encode_batch([source for source, _ in pairs])
    targets = tokenizers.target.encode_batch([target for _, target in pairs])
    scores: dict[int, PairScore] = {}
    lengths = [max(map(len, both)) or 1 for both in zip(sources, targets, strict=True)]
    for chosen in batches(lengths, lengths, _ROWS):
        batch = batch_of([sources[i] for i in chosen], [targets[i] for i in chosen]).to(device)
        found = forced_log_probs(model, *batch[:4]).tolist()
        for i, row in zip(chosen, found, strict=True):
            log_probs = tuple(row[: len(targets[i]) + 1])
            scores[i] = PairScore(sum(log_probs), tuple(tokenizers.target.pieces(targets[i])), log_probs)
    return [scores[i] for i in range(len(pairs))]
