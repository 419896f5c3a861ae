"""What the training pairs say of the texts that a model is for."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

from interlingua.text.choice import SideStatistics, choose_kind, is_without_case
from interlingua.text.columns import COLUMN_END, count_columns
from interlingua.text.repetition import repeats
from interlingua.text.sentences import find_sentences
from interlingua.text.subwords import SubwordTokenizer
from interlingua.text.tokenizer import TokenizerPair

__all__ = ["TextFacts", "assume_facts", "measure_facts"]

_LINE_BREAK = re.compile("[\n\r\u2029]")

MAX_PASSAGES = 0.2
"""The share of sources of several sentences up to which a model is one of single sentences: even corpora that
are aligned by sentence have some."""
FEWEST = 10
"""Pairs of a kind that tell how such texts are translated."""
USUAL_SHARE = 0.05
"""Translations whose length for that of their source is among the lowest of training, up to this share, are
looked at more closely: a tenth of what models write, which is shorter (benchmarks/results/passages.md)."""
SHORT_SHARE, SHORTER, LEAST_CHARACTERS = 0.002, 0.8, 20
"""A translation is short that is by so much shorter for its source, of so many characters, than all but this
share of the training targets: models write less than people (benchmarks/passages.py)."""


class TextFacts(NamedTuple):
    """What the training pairs say of the texts that a model is for."""

    natural: bool = False
    """Whether both sides are natural language, not sounds, commands or other symbols."""
    passages: bool = True
    """Whether sources are often of several sentences; if not, a text is translated sentence by sentence."""
    line_breaks: bool = False
    """Whether sources hold line breaks; if not, a text is translated line by line."""
    copies_symbols: bool = False
    """Whether a text without letters and digits comes through as it is."""
    copies_numbers: bool = False
    """Whether numbers do."""
    min_ratio: float = 0.0
    """The target length / source length, in characters, below which something is likely missing."""
    usual_ratio: float = 0.0
    """The same ratio, below which a translation is looked at more closely."""
    min_coverage: float = 0.0
    """The coverage (see inference/coverage.py) below which something is likely missing; 0: not known."""
    repetitive: bool = False
    """Whether targets repeat themselves as only a model that goes in circles would in natural language."""
    language: str = "en"
    """The source's code, as far as it is known: which abbreviations end no sentence."""
    column: int | None = None
    """Of sources with several columns the one that is natural language; None when there is not just one."""
    translates: bool = False
    """Of sounds: whether targets are a translation of what is said."""

    def has_words(self, text: str) -> bool:
        """Whether there is something in a text to translate, not only to copy."""
        if not (self.natural and self.copies_symbols):
            return bool(text.strip())
        return any(
            character.isalpha() or (character.isnumeric() and not self.copies_numbers) for character in text
        )

    def is_short(self, source: str, target: str) -> bool:
        """Whether a translation is so short that something is likely missing."""
        if not target.strip():  # which no pair of the training has
            return bool(source.strip())
        return len(source) >= LEAST_CHARACTERS and len(target) < self.min_ratio * len(source)

    def may_lack(self, source: str, target: str) -> bool:
        """Whether a translation is short enough to see how well it covers its source, if that can be told."""
        shortish = len(source) >= LEAST_CHARACTERS and len(target) < self.usual_ratio * len(source)
        return shortish and self.natural and self.min_coverage > 0


def assume_facts(tokenizers: TokenizerPair, language: str | None = None) -> TextFacts:
    """What is likely of a model that does not say: subwords are for sentences of natural language."""
    natural = all(isinstance(tokenizer, SubwordTokenizer) for tokenizer in tokenizers)
    facts = TextFacts(natural, passages=not natural, copies_symbols=natural, copies_numbers=natural)
    return facts._replace(language=language or facts.language)


def measure_facts(pairs: Sequence[tuple[str, str]], language: str | None = None) -> TextFacts:
    """Reads the facts from a sample of the training pairs.

    Args:
        pairs: (source, target), normalised.
        language: the source's code, if it is known.
    """
    column = None
    if several_columns := count_columns(source for source, _ in pairs) > 1:
        column, pairs = _find_text(pairs)
    facts = TextFacts()
    if not several_columns or column is not None:
        facts = TextFacts(all(_is_natural(side) for side in zip(*pairs, strict=True)), column=column)
    if language:
        facts = facts._replace(language=language)
    lines = sum(bool(_LINE_BREAK.search(source)) for source, _ in pairs)
    circles = sum(repeats(target.split() if " " in target else target) for _, target in pairs)
    facts = facts._replace(line_breaks=lines > len(pairs) / 100, repetitive=circles > len(pairs) / 1000)
    if not facts.natural:
        return facts
    several = sum(len(find_sentences(source, facts.language)) > 1 for source, _ in pairs)
    wordless = [source == target for source, target in pairs if not any(map(str.isalnum, source))]
    numbers = [_digits(source) == _digits(target) for source, target in pairs if _digits(source)]
    ratios = sorted(len(target) / len(source) for source, target in pairs if len(source) >= LEAST_CHARACTERS)
    shortest, usual = (
        ratios[int(share * len(ratios))] if ratios else 0.0 for share in (SHORT_SHARE, USUAL_SHARE)
    )
    return facts._replace(
        passages=several > MAX_PASSAGES * len(pairs),
        copies_symbols=_mostly(wordless),
        copies_numbers=_mostly(numbers),
        min_ratio=round(SHORTER * shortest, 4),
        usual_ratio=round(usual, 4),
    )


def _find_text(pairs: Sequence[tuple[str, str]]) -> tuple[int | None, Sequence[tuple[str, str]]]:
    """The column of the sources that alone is natural language, if there is one, and the pairs with it alone.

    Where two are, such as a sentence and the one before it, neither can be split without the other.
    """
    columns = [*zip(*(source.split(COLUMN_END) for source, _ in pairs), strict=True)]
    natural = [number for number, texts in enumerate(columns) if _is_natural(texts)]
    if len(natural) != 1:
        return None, pairs
    targets = (target for _, target in pairs)
    return natural[0], [*zip(columns[natural[0]], targets, strict=True)]


def _mostly(seen: Sequence[bool]) -> bool:
    """Whether something holds of most; where hardly any were seen, it is taken to."""
    return len(seen) < FEWEST or sum(seen) > len(seen) / 2


def _digits(text: str) -> list[str]:
    return sorted(filter(str.isnumeric, text))


def _is_natural(texts: Sequence[str]) -> bool:
    """Whether texts are of an open vocabulary, mostly of letters, in words or in a script without spaces."""
    side = SideStatistics.of(texts)
    if choose_kind(side) != "unigram":
        return False
    seen = {character: count for character, count in side.characters.items() if not character.isspace()}
    letters = sum(count for c, count in seen.items() if unicodedata.category(c)[0] in "LM")
    in_words = side.running_words > 1.5 * side.texts or is_without_case(seen)
    return in_words and 2 * letters > sum(seen.values())
