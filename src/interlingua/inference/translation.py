"""What using a model gives back: translations and scores, each with the tokens it is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from interlingua.model.protocol import Attention
from interlingua.terms.encoding import CheckedTerm

__all__ = ["EMPTY", "Flag", "PairScore", "Translation", "join"]

Flag = Literal["empty", "split", "limit", "control", "unmet"]


@dataclass(frozen=True, slots=True)
class Translation:
    """One translated text."""

    text: str
    """Never holds a control character, so it is one line."""
    score: float
    """The log-probability over the length penalty; of a split text the sum over its parts."""
    tokens: tuple[str, ...]
    """The pieces that were generated, as shown to people."""
    log_probs: tuple[float, ...]
    """The model's natural log-probability of each token, then of the end unless the limit cut it off."""
    flags: tuple[Flag, ...] = ()
    """empty: there was nothing to translate; split: the source was too long and went in parts; limit: the
    length limit cut the output off; control: control characters in the output became spaces; unmet: a term
    of the glossary is missing."""
    source_tokens: tuple[str, ...] = ()
    """The pieces of the source."""
    alternatives: tuple[Translation, ...] = ()
    """The others of the n best; none for a split text."""
    alignment: tuple[tuple[int, int], ...] | None = None
    """On request: for each token, (its most attended source token, itself), counted from 0."""
    attention: Attention | None = None
    """On request: all weights, (layers, heads, queries, keys). The source ends with the end sign; the
    target is shifted: it begins with the begin sign, and query t is what token t was chosen by."""
    terms: tuple[CheckedTerm, ...] = ()
    """The glossary's terms in the source, one for each time they occur."""
    parts: tuple[Translation, ...] = ()
    """The translations that a split text was put together from; they hold the attention."""


class PairScore(NamedTuple):
    """How probable a model finds a target."""

    log_prob: float
    """The natural log-probability of the whole target, its end included."""
    tokens: tuple[str, ...]
    log_probs: tuple[float, ...]
    """Of each token, then of the end."""


EMPTY = Translation("", 0.0, (), (), ("empty",))


def join(parts: Sequence[Translation], gaps: Sequence[str]) -> Translation:
    """Puts the translations of a split text together.

    Args:
        parts: the translations, in order.
        gaps: what follows each in the source.
    """
    alignment: list[tuple[int, int]] = []
    sources = targets = 0
    for part in parts:
        alignment += [(source + sources, target + targets) for source, target in part.alignment or ()]
        sources, targets = sources + len(part.source_tokens), targets + len(part.tokens)
    flags: list[Flag] = ["split", *(flag for part in parts for flag in part.flags if flag != "empty")]
    spaces = ["" if not gap else " " for gap in gaps]
    return Translation(
        text="".join(text for part, space in zip(parts, spaces, strict=True) for text in (part.text, space)),
        score=sum(part.score for part in parts),
        tokens=tuple(token for part in parts for token in part.tokens),
        log_probs=tuple(log_prob for part in parts for log_prob in part.log_probs),
        flags=tuple(dict.fromkeys(flags)),
        source_tokens=tuple(token for part in parts for token in part.source_tokens),
        alignment=tuple(alignment) if any(part.alignment for part in parts) else None,
        terms=tuple(term for part in parts for term in part.terms),
        parts=tuple(parts),
    )
