"""What using a model gives back: translations and scores, each with the tokens it is made of."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from interlingua.flags import Flag
from interlingua.model.protocol import Attention
from interlingua.terms.encoding import CheckedTerm

__all__ = ["EMPTY", "Flag", "PairScore", "Translation", "Word", "join"]

# One line of a file stays one: only the line breaks of a text that has several are kept.
_CONTROL = re.compile("[\x00-\t\v\f\x0e-\x1f\x7f-\x9f\u2028\u2029]|\r(?!\n)")


class Word(NamedTuple):
    """A word of what was said."""

    text: str
    start_s: float
    end_s: float
    confidence: float
    """The geometric mean of the model's probabilities of its tokens, 0 to 1."""

    def later(self, seconds: float) -> Word:
        """The same word, so much later."""
        return self._replace(start_s=self.start_s + seconds, end_s=self.end_s + seconds)


@dataclass(frozen=True, slots=True)
class Translation:
    """One translated text."""

    text: str
    """Without control characters, but with the line breaks of a text that is translated line by line."""
    score: float
    """The log-probability over the length penalty; of a split text the sum over its parts."""
    tokens: tuple[str, ...]
    """The pieces that were generated, as shown to people."""
    log_probs: tuple[float, ...]
    """The model's natural log-probability of each token, then of the end unless the limit cut it off; none
    where a foreign engine was not asked for them."""
    flags: tuple[Flag, ...] = ()
    """interlingua.flags says what they mean."""
    unknown: tuple[str, ...] = ()
    """The characters (of models of words: the words) of the source that are neither in the model's vocabulary
    nor in the translation."""
    source_tokens: tuple[str, ...] = ()
    """The pieces of the source."""
    alternatives: tuple[Translation, ...] = ()
    """The others of the n best; of a split text the second of all parts, the third of all, and so on."""
    alignment: tuple[tuple[int, int], ...] | None = None
    """On request: for each token, (its most attended source token, itself), counted from 0."""
    attention: Attention | None = None
    """On request: all weights, (layers, heads, queries, keys). The source ends with the end sign; the
    target is shifted: it begins with the begin sign, and query t is what token t was chosen by."""
    terms: tuple[CheckedTerm, ...] = ()
    """The glossary's terms in the source, one for each time they occur."""
    parts: tuple[Translation, ...] = ()
    """The translations that a split text, or a long sound, was put together from; they hold the attention."""
    span_s: tuple[float, float] | None = None
    """Of a sound: from when to when it is, in seconds."""
    words: tuple[Word, ...] = ()
    """Of a sound, on request."""
    engine: str = "interlingua"
    """Whose search it is of, of a split text its first part; empty where there was nothing to translate."""


class PairScore(NamedTuple):
    """How probable a model finds a target."""

    log_prob: float
    """The natural log-probability of the whole target, its end included."""
    tokens: tuple[str, ...]
    log_probs: tuple[float, ...]
    """Of each token, then of the end."""


EMPTY = Translation("", 0.0, (), (), ("empty",), engine="")


def join(parts: Sequence[Translation], gaps: Sequence[str], *, split: bool) -> Translation:
    """Puts the translations of a text's parts together.

    Args:
        parts: the translations, in order; none where there was only something to copy.
        gaps: what stands before, between and after them in the source.
        split: whether a part is not a whole line or sentence.
    """
    gaps = [_CONTROL.sub(" ", gap) for gap in gaps]
    if not parts:
        copied = gaps[0].strip()
        return replace(EMPTY, text=copied, flags=()) if copied else EMPTY
    gaps = [gaps[0].lstrip(), *gaps[1:-1], gaps[-1].rstrip()]
    if len(parts) == 1 and not any(gaps):
        return parts[0]
    others = max((len(part.alternatives) for part in parts), default=0)
    joined = _join(parts, gaps, split)
    return replace(
        joined,
        alternatives=tuple(
            _join([[*part.alternatives[i : i + 1], part][0] for part in parts], gaps, split)
            for i in range(others)
        ),
        parts=tuple(parts),
    )


def _join(parts: Sequence[Translation], gaps: Sequence[str], split: bool) -> Translation:
    flags: list[Flag] = ["split"] if split else []
    flags += [flag for part in parts for flag in part.flags if flag != "empty"]
    alignment: list[tuple[int, int]] = []
    sources = targets = 0
    for part in parts:
        alignment += [(source + sources, target + targets) for source, target in part.alignment or ()]
        sources, targets = sources + len(part.source_tokens), targets + len(part.tokens)
    texts = [text for part, gap in zip(parts, gaps[1:], strict=True) for text in (part.text, gap)]
    return Translation(
        text="".join([gaps[0], *texts]),
        score=sum(part.score for part in parts),
        tokens=tuple(token for part in parts for token in part.tokens),
        log_probs=tuple(log_prob for part in parts for log_prob in part.log_probs),
        flags=tuple(dict.fromkeys(flags)),
        unknown=tuple(dict.fromkeys(symbol for part in parts for symbol in part.unknown)),
        source_tokens=tuple(token for part in parts for token in part.source_tokens),
        alignment=tuple(alignment) if any(part.alignment for part in parts) else None,
        terms=tuple(term for part in parts for term in part.terms),
        engine=next((part.engine for part in parts if part.engine), ""),
    )
