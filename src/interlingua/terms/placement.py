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
    sentence_terms: SentenceTerms,
    unconstrained: Sequence[int],
    cross_attention: Float[Tensor, "target source"],
) -> list[int | None]:
    """For each term the first token of the word of an unconstrained translation that it replaces, if known.

    Args:
        sentence_terms: of the source.
        unconstrained: the tokens of its translation without them.
        cross_attention: the weight that each target token gives to each source token.
    """
    tokenizer = sentence_terms.tokenizer
    replaced: list[int | None] = [None] * len(sentence_terms.tokenizations)
    for i, (start, end) in enumerate(sentence_terms.spans):
        weights = cross_attention[: len(unconstrained), start:end].sum(dim=1)
        if not len(weights) or float(weights.max()) < _MIN_ATTENTION:
            continue
        position = int(weights.argmax())
        # Back to where the word begins.
        while (
            position
            and tokenizer.ends_in_word[unconstrained[position - 1]]
            and tokenizer.starts_in_word[unconstrained[position]]
        ):
            position -= 1
        replaced[i] = unconstrained[position]
    return replaced
