"""Classes of pairs, by length and by rare words: where a model is good, and where not."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np

__all__ = ["length_classes", "rarity_classes"]

_WORD = re.compile(r"\w+")  # "runs." is no other word than "runs"
_RARE = ((0, "never"), (1, "once"), (4, "2 to 4 times"), (19, "5 to 19 times"), (99, "20 to 99 times"))
_OFTEN = "100 times or more"


def length_classes(lengths: Sequence[int], unit: float = 1) -> dict[str, list[int]]:
    """About five classes of equal size, each with the indices of its pairs.

    Args:
        lengths: of the sources.
        unit: what a length of 1 is called.
    """
    edges = np.unique(np.quantile(lengths, [0.2, 0.4, 0.6, 0.8, 1.0], method="lower")).tolist()
    classes: dict[str, list[int]] = {}
    low = min(lengths)
    for edge in edges:
        label = f"{low * unit:g}" if low == edge else f"{low * unit:g}–{edge * unit:g}"
        classes[label] = [i for i, length in enumerate(lengths) if low <= length <= edge]
        low = edge + 1
    return classes


def rarity_classes(
    texts: Sequence[str], train_texts: Iterable[str] | None, side: Literal["source", "target"]
) -> tuple[dict[str, list[int]], str | None]:
    """Pairs by how often training saw the rarest word of a side of theirs; or why that is not known.

    Args:
        texts: that side of the pairs.
        train_texts: that side of the training pairs; None when they are not at hand.
        side: what to call it.
    """
    if train_texts is None:
        return {}, "The training pairs are not where they were; say where with --train."
    seen = Counter(word for text in train_texts for word in _WORD.findall(text))
    classes: dict[str, list[int]] = {label: [] for label in (*(label for _, label in _RARE), _OFTEN)}
    for i, text in enumerate(texts):
        least = min((seen[word] for word in _WORD.findall(text)), default=0)
        classes[next((label for most, label in _RARE if least <= most), _OFTEN)].append(i)
    classes = {label: members for label, members in classes.items() if members}
    if len(classes) < 2:
        return {}, f"The rarest word of every {side} was seen in training {next(iter(classes))}."
    return classes, None
