"""Translations as a worker sends them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from interlingua.errors import DataError

if TYPE_CHECKING:
    from interlingua.inference.translation import Translation

__all__ = ["explain", "record_translation"]

_MAX_WEIGHTS = 1 << 20  # attention weights of a text that are sent: more would be tens of megabytes of JSON


def record_translation(translation: Translation, detail: bool) -> dict[str, Any]:
    """A translation as plain values; with `detail`, its tokens and their probabilities."""
    record: dict[str, Any] = {
        "text": translation.text, "flags": translation.flags, "count": len(translation.tokens),
        "alternatives": [record_translation(each, detail) for each in translation.alternatives],
    }  # fmt: skip
    if detail or translation.alignment is not None:
        record |= {"tokens": translation.tokens, "source_tokens": translation.source_tokens}
    if detail:
        record["score"] = round(translation.score, 4)
        record["log_probs"] = [round(value, 4) for value in translation.log_probs]
    if translation.unknown:
        record["unknown"] = translation.unknown
    if translation.words:
        record["words"] = translation.words
    if translation.terms:
        record["terms"] = [term._asdict() for term in translation.terms]
    if translation.alignment is not None:
        record["alignment"] = translation.alignment
    if (
        translation.attention is not None
        and sum(weights.numel() for weights in translation.attention) <= _MAX_WEIGHTS
    ):
        record["attention"] = {
            name: weights.mul(10_000).round().div(10_000).tolist()
            for name, weights in translation.attention._asdict().items()
        }
    return record


def explain(error: DataError) -> str:
    """What is wrong with what a user gave, without the name of its file, which says nothing to the client."""
    found = "" if error.found is None or isinstance(error.found, bytes) else f" ({error.found})"
    what = f"{error.what[0].upper()}{error.what[1:]}{found}."
    return f"{what} {error.accepted}" if error.accepted else what
