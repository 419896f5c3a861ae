"""Numbers and commands such as one says to a machine: a small grammar of about 60 words."""

from __future__ import annotations

import numpy as np

__all__ = ["draw_sentence"]

ONES = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
SMALL = ((2, 10), (10, 20), (10, 20), (20, 100))
"""Each of these ranges is as likely as the others, so that all words for numbers are heard often."""
SENTENCES = (
    "SMALL", "LARGE", "DIGITS", "call DIGITS", "play song SMALL", "set timer to SMALL minutes",
    "wait SMALL seconds", "OPEN the DOOR", "turn ON the LIGHT", "volume UP", "go LEFT", "MUSIC", "YES",
)  # fmt: skip
"""Each is as likely as the others; words in capitals are drawn as well."""
CHOICES = {
    "OPEN": ("open", "close"),
    "DOOR": ("door", "window"),
    "ON": ("on", "off"),
    "LIGHT": ("light", "radio"),
    "UP": ("up", "down"),
    "LEFT": ("left", "right"),
    "MUSIC": ("stop the music", "play the next song"),
    "YES": ("yes", "no", "stop", "start"),
}


def draw_sentence(draw: np.random.Generator) -> str:
    """One to six words, in lower case."""
    template = SENTENCES[draw.integers(len(SENTENCES))]
    return " ".join(_draw_word(word, draw) if word.isupper() else word for word in template.split())


def _draw_word(word: str, draw: np.random.Generator) -> str:
    if word == "DIGITS":
        return " ".join(ONES[digit] for digit in draw.integers(10, size=draw.integers(1, 5)))
    if word in CHOICES:
        return CHOICES[word][draw.integers(len(CHOICES[word]))]
    low, end = (100, 1000) if word == "LARGE" else SMALL[draw.integers(len(SMALL))]
    return _spell(int(draw.integers(low, end)))


def _spell(number: int) -> str:
    """In words: "three hundred and six"."""
    if number < 20:
        return ONES[number]
    if number < 100:
        return TENS[number // 10 - 2] + (f" {ONES[number % 10]}" if number % 10 else "")
    rest = f" and {_spell(number % 100)}" if number % 100 else ""
    return f"{ONES[number // 100]} hundred{rest}"
