"""Where terms belong: in the place of the words with which the model itself would translate them."""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor

from interlingua.terms.automaton import SentenceTerms

__all__ = ["find_replaced"]

_MIN_ATTENTION = 0.2
"""The least share of its attention that a token must give a term to be taken for its translation."""


def find_replaced(
    terms: SentenceTerms, unconstrained: Sequence[int], cross_attention: Float[Tensor, "target source"]
) -> None:
    """Finds which words of an unconstrained translation the terms replace, and notes it in `terms`.

    Args:
        terms: of the source.
        unconstrained: the tokens of its translation without them.
        cross_attention: the weight that each target token gives to each source token.
    """
    joins_left, joins_right = terms.tokenizer.joins_left, terms.tokenizer.joins_right
    for i, (start, end) in enumerate(terms.spans):
        weights = cross_attention[: len(unconstrained), start:end].sum(dim=1)
        if not len(weights) or float(weights.max()) < _MIN_ATTENTION:
            continue
        position = int(weights.argmax())
        # Back to where the word begins.
        while position and joins_right[unconstrained[position - 1]] and joins_left[unconstrained[position]]:
            position -= 1
        terms.replaced[i] = unconstrained[position]
