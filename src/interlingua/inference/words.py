"""When words of a transcript were said: from the CTC alignment, or else from what attention looked at."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from interlingua.engine.protocol import Engine
from interlingua.inference.alignment import attention_of, mean_cross_attention
from interlingua.inference.translation import Word
from interlingua.kinds import Codec, Source
from interlingua.search.ctc import ctc_align
from interlingua.search.hypothesis import Hypothesis
from interlingua.sound.codec import POSITION_SAMPLES
from interlingua.sound.features import HOP
from interlingua.sound.reading import SAMPLE_RATE
from interlingua.sound.silence import measure_levels, quiet_below

__all__ = ["POSITION_S", "find_spans", "find_words", "tokens_of_words", "widen"]

HOP_S = HOP / SAMPLE_RATE
MAX_GAP = 8
"""Of 10 ms, that a word may be silent within."""
POSITION_S, POSITION_FRAMES = POSITION_SAMPLES / SAMPLE_RATE, POSITION_SAMPLES // HOP


def find_words(
    engine: Engine, codec: Codec, source: Source, hypotheses: Sequence[Hypothesis]
) -> Iterator[list[Word]]:
    """The words of each hypothesis of a batch, with times from the beginning of its sound.

    Args:
        engine: what computes.
        codec: of the target.
        source: the batch.
        hypotheses: one a sound.
    """
    for hypothesis, spans in zip(hypotheses, find_spans(engine, source, hypotheses), strict=True):
        yield _join_tokens(codec, hypothesis, spans)


def widen(words: Sequence[Word], samples: npt.NDArray[np.int16]) -> list[Word]:
    """Words that begin and end where they are heard to.

    CTC and attention look at a word where it is most itself, which may be its last sound, or a little before
    it or after it, where nobody speaks. The word is moved into the speech beside, and from there goes on as
    long as somebody speaks, up to half-way to the next word.

    Args:
        words: of a sound, in order, with times from its beginning.
        samples: of the sound.
    """
    levels = measure_levels(samples)
    is_heard = levels >= quiet_below(levels)
    heard = is_heard.tolist()
    spans = [(round(word.start_s / HOP_S), round(word.end_s / HOP_S)) for word in words]
    if len(places := np.flatnonzero(is_heard)):
        spans = _before(_after(spans, int(places[0])), int(places[-1]) + 1)
    for number, (first, last) in enumerate(spans):
        earliest = spans[number - 1][1] if number else 0
        latest = spans[number + 1][0] if number + 1 < len(words) else len(heard)
        spans[number] = _among(places, first, last, earliest, latest)
    wider = []
    for number, (word, (first, last)) in enumerate(zip(words, spans, strict=True)):
        earliest = round((spans[number - 1][1] + first) / 2) if number else 0
        latest = round((last + spans[number + 1][0]) / 2) if number + 1 < len(words) else len(heard)
        first = min(first, _go_on(heard, first, earliest, -1))
        last = max(last, _go_on(heard, last, latest, 1))
        # The last position is longer than what is left of the sound.
        start_s, end_s = (min(place * HOP_S, len(samples) / SAMPLE_RATE) for place in (first, last))
        wider.append(word._replace(start_s=start_s, end_s=end_s))
    return wider


def _after(spans: Sequence[tuple[int, int]], begin: int) -> list[tuple[int, int]]:
    """Spans none of which ends before speech begins: those that did share the beginning of the next one."""
    if not (early := sum(end <= begin for _, end in spans)):
        return list(spans)
    sharing = min(early + 1, len(spans))
    end = max(spans[sharing - 1][1], begin + sharing)
    edges = [begin + (end - begin) * number // sharing for number in range(sharing + 1)]
    return [*pairwise(edges), *spans[sharing:]]


def _before(spans: Sequence[tuple[int, int]], end: int) -> list[tuple[int, int]]:
    """The same of spans that begin after speech ends."""
    mirrored = _after([(-last, -first) for first, last in reversed(spans)], -end)
    return [(-last, -first) for first, last in reversed(mirrored)]


def _among(
    places: npt.NDArray[np.intp], first: int, last: int, earliest: int, latest: int
) -> tuple[int, int]:
    """A span from the first to the last place within it where speech is heard, or at the nearest in reach."""
    inside = places[(places >= first) & (places < last)]
    if not len(inside):
        inside = places[(places >= earliest) & (places < latest)]
        if not len(inside):
            return first, last
        inside = inside[[np.abs(inside - (first + last) / 2).argmin()]]
    return int(inside[0]), int(inside[-1]) + 1


def _go_on(heard: Sequence[bool], place: int, bound: int, step: int) -> int:
    """How far speech goes on from a place in one direction, over gaps as in plosives, within a bound."""
    reached, gap = place, 0
    while place != bound and gap <= MAX_GAP:
        inside = place - 1 if step < 0 else place
        place += step
        if 0 <= inside < len(heard) and heard[inside]:
            reached, gap = place, 0
        else:
            gap += 1
    return reached


def find_spans(
    engine: Engine, source: Source, hypotheses: Sequence[Hypothesis]
) -> Iterator[list[tuple[int, int]]]:
    """Of each hypothesis, the first and the last position of the sound that each of its tokens stands at."""
    ids = [hypothesis.ids for hypothesis in hypotheses]
    if (found := engine.ctc(source)) is not None:
        log_probs, mask = found
        for row, of_row in enumerate(ids):
            length = int(mask[row].sum())
            yield ctc_align(log_probs[row, :length], of_row) or [(0, length - 1)] * len(of_row)
    elif engine.has_attention:
        for attention in attention_of(engine, source, ids):
            looked_at = mean_cross_attention(attention.cross)[:-1].argmax(dim=1)
            yield [(position, position) for position in looked_at.cummax(dim=0).values.tolist()]
    else:
        for length, of_row in zip(source.mask.sum(1).tolist(), ids, strict=True):
            yield [(0, length // POSITION_FRAMES)] * len(of_row)


def tokens_of_words(codec: Codec, ids: Sequence[int]) -> list[list[int]]:
    """For each word, what stands between spaces, the numbers of the tokens that it is written with."""
    tokens_of: dict[int, list[int]] = {}
    for number in range(len(ids)):
        text = codec.decode(ids[: number + 1])
        if text and not text[-1].isspace():
            tokens_of.setdefault(len(text.split()) - 1, []).append(number)
    return [tokens_of.get(word) or [0] for word in range(len(codec.decode(ids).split()))]


def _join_tokens(codec: Codec, hypothesis: Hypothesis, spans: Sequence[tuple[int, int]]) -> list[Word]:
    """The tokens' times as those of words."""
    found = []
    words = codec.decode(hypothesis.ids).split()
    for text, tokens in zip(words, tokens_of_words(codec, hypothesis.ids), strict=True):
        start, end = spans[tokens[0]][0], spans[tokens[-1]][1] + 1
        sure = math.exp(sum(hypothesis.log_probs[i] for i in tokens) / len(tokens))
        found.append(Word(text, start * POSITION_S, end * POSITION_S, sure))
    return found
