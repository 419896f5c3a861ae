"""How probable a model finds given translations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from interlingua.data.batch import batch_of, make_source
from interlingua.engine.protocol import Engine
from interlingua.engine.workload import batches, side_by_side
from interlingua.inference.translation import PairScore
from interlingua.kinds import FileCodec, SourceKind
from interlingua.text.tokenizer import TokenizerPair

__all__ = ["score", "score_encoded"]


def score(engine: Engine, tokenizers: TokenizerPair, pairs: Sequence[tuple[str, str]]) -> list[PairScore]:
    """Scores pairs, in batches of similar length; nothing is split.

    Args:
        engine: what computes.
        tokenizers: of the source and the target.
        pairs: (source, target).
    """
    sources = tokenizers.source.encode_batch([source for source, _ in pairs])
    targets = tokenizers.target.encode_batch([target for _, target in pairs])
    return score_encoded(engine, tokenizers, sources, targets)


def score_encoded(
    engine: Engine, tokenizers: TokenizerPair, sources: Sequence[Any], targets: Sequence[list[int]]
) -> list[PairScore]:
    """As `score`, of what the codecs made of the two sides."""
    scores: dict[int, PairScore] = {}
    reader = tokenizers.source if isinstance(tokenizers.source, FileCodec) else None
    kind: SourceKind = "text" if reader is None else reader.kind
    unit = 1 if reader is None else reader.unit
    lengths = [
        max(-(-len(source) // unit), len(target)) or 1
        for source, target in zip(sources, targets, strict=True)
    ]

    def score_batch(chosen: list[int]) -> list[list[float]]:
        source = make_source([sources[i] for i in chosen], kind)
        batch = batch_of(source, [targets[i] for i in chosen]).to(engine.device)
        found: list[list[float]] = engine.log_probs(batch.source, batch.target_in, batch.target_out).tolist()
        return found

    together = list(batches(lengths, lengths, engine.capacity))
    for chosen, found in zip(together, side_by_side(score_batch, together, engine), strict=True):
        for i, row in zip(chosen, found, strict=True):
            log_probs = tuple(row[: len(targets[i]) + 1])
            scores[i] = PairScore(sum(log_probs), tuple(tokenizers.target.pieces(targets[i])), log_probs)
    return [scores[i] for i in range(len(targets))]
