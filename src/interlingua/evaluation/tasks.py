"""What kind of task a set of targets is, and so which metric suits it best."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from statistics import fmean
from typing import NamedTuple

from interlingua.kinds import Symbols
from interlingua.text.choice import is_without_case, without_outliers

__all__ = ["Task", "recognise_task"]

_MAX_TARGETS = 20_000
_MAX_INVENTORY = 500
_MIN_REPEATS = 4
_MAX_WORD_CHARACTERS = 16
_BLEU_WORDS = 4


class Task(NamedTuple):
    """How to score a task: the name of its headline metric, and what one symbol of a target is."""

    headline: str
    symbols: Symbols


def recognise_task(targets: Iterable[str]) -> Task:
    """Recognises the task by its targets (the first 20,000 of them, without outliers).

    - Few distinct words, each used often (phonemes, actions, labels): sequence error over words.
    - Other targets of which most have fewer words than the four that BLEU looks at in a row: single words
      (inflected forms, dates), short phrases (names), and long lines without spaces in a script that has them
      (formulas of molecules, sequences of bases, addresses): sequence error over characters.
    - Such lines in a script without capitals, if what stands between spaces is long (Chinese, Japanese,
      Thai): chrF, since BLEU's default tokenizer needs spaces.
    - Everything else is like translation: BLEU.
    """
    sample = without_outliers(list(islice(targets, _MAX_TARGETS)))
    words = [target.split() for target in sample]
    inventory = {word for line in words for word in line}
    count = sum(map(len, words))
    if inventory and len(inventory) <= _MAX_INVENTORY and count >= _MIN_REPEATS * len(inventory):
        return Task("sequence_error", "words")
    if 2 * sum(len(line) < _BLEU_WORDS for line in words) > len(sample):
        long = fmean(map(len, sample)) > _MAX_WORD_CHARACTERS < sum(map(len, sample)) / max(1, count)
        sentences = long and is_without_case("".join(sample))
        return Task("chrF" if sentences else "sequence_error", "characters")
    return Task("BLEU", "characters")
