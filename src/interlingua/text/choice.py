"""Which tokenizer suits the data: decided from counts over a sample of the pairs."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Literal

from rapidfuzz.distance import Indel

from interlingua.text.letters import measure_letters

__all__ = [
    "RULES",
    "SideStatistics",
    "TokenizerKind",
    "are_cut_otherwise",
    "are_in_other_letters",
    "are_spelt_alike",
    "choose_between",
    "choose_kind",
    "choose_spoken_kind",
    "choose_vocabulary_size",
    "is_without_case",
    "share_alphabet",
    "without_outliers",
]

TokenizerKind = Literal["unigram", "bpe", "characters", "bytes", "words"]

RULES = 2
"""Another number whenever other kinds are chosen: data prepared by earlier rules are prepared anew."""
MAX_COUNTED_TYPES = 100_000
MAX_WORD_TYPES = 500
MAX_UNSEEN_SHARE = 0.005
MIN_SPOKEN = 50
"""A word of a closed list is heard so often that it can be known as a whole."""
BETWEEN = ";|,/+ "
"""What tags stand between, the rarest in other texts first."""
SPELT_WORD = re.compile(r"[^\W_]{3,}")
SPELT_FROM, COMPARED = 0.5, 2_000
"""The share of texts, of some so many, that must have a word that is spelt like what it becomes."""
SAME_LETTERS, CUT_FROM = 0.9, 0.5
"""How alike pairs are that differ in their spaces, and the share of such pairs."""
MIN_WORD = 1.3
"""Letters of a word in the mean; with fewer, letters stand between spaces."""
MAX_SPELT, MAX_LONGER = 400, 0.001
"""Characters of a text that can be read one by one, and the share of texts that may have more."""
MAX_ALPHABET = 300
MAX_UNSPACED_LENGTH = 40
"""Characters in the mean, of texts that may be words of a script without spaces."""
OUTLIER_FACTOR, OUTLIER_MARGIN = 10, 100
"""A text is an outlier with more than ten times the median's characters, and a hundred."""


@dataclass
class SideStatistics:
    """Counts over one side of the pairs."""

    texts: int = 0
    words: Counter[str] = field(default_factory=Counter)
    """Space-separated symbols; counting stops at MAX_COUNTED_TYPES, which is far too many for words."""
    characters: Counter[str] = field(default_factory=Counter)
    running_words: int = 0
    too_long: int = 0
    """Texts of more than MAX_SPELT characters."""

    @classmethod
    def of(cls, texts: Sequence[str]) -> SideStatistics:
        """Counts the texts, without outliers."""
        side = cls()
        for text in without_outliers(texts):
            words = text.split(" ")
            side.texts += 1
            side.running_words += len(words)
            side.characters.update(text)
            side.too_long += len(text) > MAX_SPELT
            if len(side.words) < MAX_COUNTED_TYPES:
                side.words.update(words)
        return side


def without_outliers(texts: Sequence[str]) -> list[str]:
    """The texts but those far longer than most: a document in one line must not decide for all."""
    if not texts:
        return []
    longest = OUTLIER_FACTOR * median(map(len, texts)) + OUTLIER_MARGIN
    return [text for text in texts if len(text) <= longest]


def choose_kind(side: SideStatistics, *, spelt: bool = False) -> TokenizerKind:
    """Returns the kind of tokenizer for one side.

    Words, when few distinct space-separated symbols repeat so often that hardly any new one is to be
    expected: the probability that the next symbol is a new one is about the share of symbols seen once
    (Good 1953). Characters, when the texts are strings without spaces over a small alphabet: short ones, or
    such as no language writes without spaces (DNA, formulas, codes). Otherwise unigram subwords.

    Args:
        side: the counts.
        spelt: whether words must be spelt, however few there are: see `are_spelt_alike`.
    """
    types, running = len(side.words), side.running_words
    seen_once = sum(count == 1 for count in side.words.values())
    closed = 0 < types <= MAX_WORD_TYPES and running >= 10 * types
    if closed and not spelt and seen_once <= MAX_UNSEEN_SHARE * running:
        return "words"
    texts = max(1, side.texts)
    unspaced, alphabet = running / texts <= 1.5, len(side.characters)
    short = side.characters.total() / texts <= MAX_UNSPACED_LENGTH
    no_language = side.too_long <= MAX_LONGER * texts and not is_without_case(side.characters)
    spelt_out = (unspaced and (short or no_language)) or (closed and spelt and short)
    if spelt_out and alphabet <= MAX_ALPHABET:
        return "characters"
    return "unigram"


def are_spelt_alike(texts: Sequence[str], others: Sequence[str]) -> bool:
    """Whether most texts have a word or number of which half stands in the other, as of a lemma in its forms.

    Then words are no closed list, even if few lemmas with many forms each look like one: the same holds for a
    word that was never seen. It is asked only beside texts of characters: in sentences, names of labels and
    tags occur, too.
    """
    pairs = [*zip(texts, others, strict=True)]
    pairs = pairs[:: max(1, len(pairs) // COMPARED)]
    alike = sum(any(_shows(word, other) for word in SPELT_WORD.findall(text)) for text, other in pairs)
    return alike > SPELT_FROM * len(pairs)


def are_cut_otherwise(texts: Sequence[str], others: Sequence[str]) -> bool:
    """Whether most pairs are about the same letters with other spaces, as of words that are written together.

    Where a word ends is then what is to be learnt. Subwords are of no help: on the side without spaces, they
    go over the ends of words.
    """
    pairs = [*zip(texts, others, strict=True)]
    if _are_too_long(pairs):
        return False
    pairs = pairs[:: max(1, len(pairs) // COMPARED)]
    return sum(_is_cut_otherwise(*pair) for pair in pairs) > CUT_FROM * len(pairs)


def are_in_other_letters(texts: Sequence[str], others: Sequence[str]) -> bool:
    """Whether pairs are the same text in two alphabets, or in a cipher, letter for letter."""
    pairs = [*zip(texts, others, strict=True)]
    return not _are_too_long(pairs) and measure_letters(pairs).is_other_alphabet


def _are_too_long(pairs: Sequence[tuple[str, str]]) -> bool:
    """Whether texts are too long to be read letter by letter."""
    return sum(max(map(len, pair)) > MAX_SPELT for pair in pairs) > MAX_LONGER * len(pairs)


def _is_cut_otherwise(text: str, other: str) -> bool:
    """Whether one of two texts has more than twice the ends of words within it, and is not spelt."""
    sides = ("".join(c if _is_of_words(c) else " " for c in each).split() for each in (text, other))
    fewer, more = sorted(sides, key=len)
    letters, others = "".join(fewer), "".join(more)
    if not fewer or len(more) - 1 <= 2 * (len(fewer) - 1) or len(others) < MIN_WORD * len(more):
        return False
    return Indel.normalized_similarity(letters, others) >= SAME_LETTERS


def _is_of_words(character: str) -> bool:
    return character.isalnum() or unicodedata.category(character).startswith("M")


def _shows(word: str, other: str) -> bool:
    part = max(3, (len(word) + 1) // 2)
    return any(word[start : start + part] in other for start in range(len(word) - part + 1))


def choose_spoken_kind(side: SideStatistics) -> TokenizerKind:
    """Returns the kind of tokenizer for what is said in sounds.

    Words, when they are a closed list and each occurs often, as digits and commands do: then they are right
    more often than words that are spelt (benchmarks/results/sound.md). Otherwise characters, which sounds
    spell out.
    """
    closed = 0 < len(side.words) <= MAX_WORD_TYPES and min(side.words.values()) >= MIN_SPOKEN
    return "words" if closed else "characters"


def choose_between(texts: Sequence[str]) -> str | None:
    """What separates the symbols of texts that are made of few distinct ones, such as V;PST;3; else None."""
    for between in BETWEEN:
        if sum(between in text for text in texts) * 2 > len(texts):
            spaced = [text.replace(" ", "\0").replace(between, " ") for text in texts]
            if choose_kind(SideStatistics.of(spaced)) == "words":
                return between
    return " " if choose_kind(SideStatistics.of(texts)) == "words" else None


def choose_vocabulary_size(characters: int) -> int:
    """Returns the number of subwords for a text of so many characters.

    8,000 for the 29,000 sentence pairs of Multi30k (3.9 million characters), growing with the power 0.4,
    a little slower than the number of distinct words does (Heaps' law), between 500 and 32,000.
    """
    size = 8_000 * (characters / 3_900_000) ** 0.4
    step = 1_000 if size > 4_000 else 100
    return int(min(32_000, max(500, round(size / step) * step)))


def is_without_case(characters: Iterable[str] | Mapping[str, int]) -> bool:
    """Whether most letters are of scripts without capitals, such as those that put no spaces either.

    Args:
        characters: as they occur in texts, or with their counts.
    """
    categories: Counter[str] = Counter()
    for character, count in Counter(characters).items():
        categories[unicodedata.category(character)] += count
    letters = sum(count for category, count in categories.items() if category.startswith("L"))
    return 2 * categories["Lo"] > letters


def share_alphabet(source: SideStatistics, target: SideStatistics) -> bool:
    """Returns whether at least half of each side's running letters are letters of the other side too."""
    return min(_covered(source, target), _covered(target, source)) >= 0.5


def _covered(side: SideStatistics, other: SideStatistics) -> float:
    letters = {character: count for character, count in side.characters.items() if character.isalpha()}
    # A few foreign names do not make an alphabet: a letter counts from 1 in 100,000 characters on.
    least = other.characters.total() / 100_000
    known = sum(count for character, count in letters.items() if other.characters[character] > least)
    return known / max(1, sum(letters.values()))
