"""Whether a translation leaves something out, as far as attention tells.

What is translated was looked at. How much a source word was, is the attention that its pieces got in all
heads of all layers from all target tokens, the end sign included; the least of them is a pair's coverage.
From how little on something is missing differs between models, so each is measured on its own translations
(benchmarks/results/passages.md).
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from interlingua.data.batch import pad
from interlingua.engine.protocol import Engine
from interlingua.inference.alignment import attention_of, mean_cross_attention
from interlingua.kinds import EOS, PAD, Source
from interlingua.text.column_tokenizer import TextColumn
from interlingua.text.tokenizer import TokenizerPair

__all__ = ["coverage", "measure_least_coverage"]

PAIRS_AT_ONCE, FEWEST, MOST = 50, 100, 500
"""Pairs that are looked at together; from fewer no threshold is told; and no more are needed."""
FALSE_ALARMS = 0.01
"""The share of a model's translations whose coverage is taken to be too small."""
WORD_BEGINS = ("\u2581", " ")
"""How a piece begins that begins a word: SentencePiece's mark, or a space where letters are the pieces."""


def coverage(
    cross: Float[Tensor, "layers heads target source"], pieces: Sequence[str], span: slice = slice(None)
) -> float:
    """The attention that the word got which got the least; infinite where there are no words.

    Args:
        cross: the weights of a whole target, the query for its end included; the source ends with EOS.
        pieces: of the source, as shown to people, without EOS; in a text without spaces each is a word.
        span: which of them are the text, where the source has other columns as well.
    """
    received = mean_cross_attention(cross).sum(dim=0)[:-1].tolist()[span]  # (source)
    pieces = pieces[span]
    spaced = any(piece.startswith(WORD_BEGINS) for piece in pieces[1:])
    words: list[tuple[str, float]] = []
    for piece, attention in zip(pieces, received, strict=True):
        if words and spaced and not piece.startswith(WORD_BEGINS):
            text, so_far = words.pop()
            piece, attention = text + piece, so_far + attention
        words.append((piece, attention))
    return min((seen for text, seen in words if any(map(str.isalnum, text))), default=float("inf"))


def measure_least_coverage(
    engine: Engine, tokenizers: TokenizerPair, pairs: Sequence[tuple[str, str]], ends_at: float,
    column: int | None = None,
) -> float:  # fmt: skip
    """The coverage below which something is likely missing; 0 where that cannot be told.

    Args:
        engine: of the model.
        tokenizers: of both sides.
        pairs: sources, and what the model makes of them; of many, some are taken evenly.
        ends_at: by time.monotonic(), when it must be over.
        column: the text, where sources have several columns.
    """
    text_column = TextColumn(tokenizers.source, column)
    found: list[float] = []
    pairs = pairs[:: max(1, -(-len(pairs) // MOST))]
    for start in range(0, len(pairs), PAIRS_AT_ONCE):
        if not engine.has_attention or time.monotonic() > ends_at:
            break
        some = [pair for pair in pairs[start : start + PAIRS_AT_ONCE] if all(map(str.strip, pair))]
        sources = [tokenizers.source.encode(source) for source, _ in some]
        targets = [tokenizers.target.encode(target) for _, target in some]
        found += _coverages(engine, text_column, sources, targets)
    if len(found) < FEWEST:
        return 0.0
    return round(sorted(found)[int(FALSE_ALARMS * len(found))], 4)


def _coverages(
    engine: Engine, text_column: TextColumn, sources: Sequence[list[int]], targets: Sequence[list[int]]
) -> list[float]:
    if not sources:
        return []
    ids = pad(sources, after=EOS).to(engine.device)
    attentions = attention_of(engine, Source(ids, ids != PAD), targets)
    with torch.inference_mode():
        return [
            coverage(attention.cross, text_column.source.pieces(source), text_column.span(source))
            for attention, source in zip(attentions, sources, strict=True)
        ]
