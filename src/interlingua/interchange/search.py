"""What search must know of a model, in the terms of other programs."""

from __future__ import annotations

import statistics

from interlingua.inference.bundle import Bundle

__all__ = ["length_exponent", "longest_target", "positions_needed", "usual_length"]

LEAST_POSITIONS = 512
"""So many positions have a code at least: other programs do not split long texts."""
USUAL_LENGTH = 20
"""Target tokens, where no sample of the training tells."""


def length_exponent(bundle: Bundle) -> float:
    """The exponent of a penalty length^exponent that ranks like ours about the usual length of a target.

    Ours is ((5 + length) / 6)^alpha (Wu et al. 2016, Eq. 14). By how much a penalty grows with the length is
    its derivative in logarithms: the exponent there, alpha length / (5 + length) here.
    """
    usual = usual_length(bundle)
    return round(bundle.search.length_penalty * usual / (5 + usual), 3)


def usual_length(bundle: Bundle) -> float:
    """The usual length of a target in tokens, its end counted."""
    samples = [str(sample.get("target", "")) for sample in bundle.info.get("samples", ())]
    lengths = [len(ids) + 1 for ids in bundle.tokenizers.target.encode_batch(samples)] or [USUAL_LENGTH]
    return statistics.median(lengths)


def longest_target(bundle: Bundle) -> int:
    """The most target tokens of the longest source that is translated as a whole, EOS counted."""
    return bundle.lengths.limit(bundle.lengths.max_source_length)


def positions_needed(bundle: Bundle) -> int:
    """How many positions must have a code, on either side."""
    longest = max(LEAST_POSITIONS, bundle.lengths.max_source_length + 1, longest_target(bundle) + 1)
    return 1 << (longest - 1).bit_length()
