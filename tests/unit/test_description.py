"""What pairs are like, and which models are proposed for them."""

from __future__ import annotations

import math
import random

import pytest

from interlingua.runs.candidates import Candidate, are_better_spelt, propose
from interlingua.text.choice import are_cut_otherwise, are_in_other_letters
from interlingua.text.description import Description, describe
from interlingua.text.tokenizer import TokenizerSettings, train_tokenizers

DRAW = random.Random(0)
OF_LETTERS = ("old sentences", "words backwards")
"""Sentences whose letters are those of their sources."""


def words(count: int, letters: str = "abcdefghijklmnop") -> list[str]:
    return ["".join(DRAW.choices(letters, k=DRAW.randint(3, 9))) for _ in range(count)]


def pairs_of(kind: str) -> list[tuple[str, str]]:
    if kind == "old spelling":
        return [(word, word.replace("a", "aa")) for word in words(400)]
    if kind == "sounds":  # other signs for the same letters, from left to right
        sounds = {letter: f"{letter.upper()}{i}" for i, letter in enumerate("abcdefghijklmnop")}
        return [(" ".join(word), " ".join(sounds[letter] for letter in word)) for word in words(400)]
    if kind == "backwards":
        return [(word, word[::-1]) for word in words(400)]
    if kind == "old sentences":
        lines = [" ".join(words(9)) for _ in range(300)]
        return [(line, line.replace("a", "aa")) for line in lines]
    if kind == "words backwards":
        lines = [" ".join(words(9)) for _ in range(300)]
        return [(line, " ".join(word[::-1] for word in line.split())) for line in lines]
    if kind == "another alphabet":
        lines = [" ".join(words(9)) for _ in range(300)]
        letters = {letter: chr(ord(letter) + 0x350) for letter in "abcdefghijklmno"}
        table = str.maketrans(letters | {"p": "\u03c0\u03c0"})
        return [(line, line.translate(table)) for line in lines]
    if kind == "bases":
        lines = ["".join(DRAW.choices("ACGT", k=200)) for _ in range(300)]
        return [(line, line.replace("T", "U")) for line in lines]
    if kind == "phrases":
        lines = [" ".join(words(3)) for _ in range(300)]
        return [(line, line.replace("a", "aa")) for line in lines]
    if kind == "written together":
        lines = [" ".join(words(9)) for _ in range(300)]
        return [(line.replace(" ", ""), line) for line in lines]
    lines = [(" ".join(words(9)), " ".join(words(9, "qrstuvwxyz"))) for _ in range(300)]
    assert kind == "sentences"
    return lines


@pytest.mark.parametrize(
    ("kind", "copied", "rewritten", "monotonic"),
    [
        ("old spelling", (0.8, 1.0), (0.8, 1.0), (0.7, 1.0)),
        ("old sentences", (0.8, 1.0), (0.8, 1.0), (0.0, 1.0)),
        ("another alphabet", (0.0, 0.1), (0.8, 1.0), (0.0, 1.0)),
        ("sounds", (0.0, 0.1), (0.0, 0.1), (0.9, 1.0)),
        ("backwards", (0.0, 0.3), (0.0, 0.3), (0.0, 0.2)),
        ("words backwards", (0.1, 0.4), (0.1, 0.4), (0.0, 1.0)),
        ("sentences", (0.0, 0.2), (0.0, 0.2), (0.0, 0.3)),
    ],
)
def test_copying_and_order_are_seen(
    kind: str, copied: tuple[float, float], rewritten: tuple[float, float], monotonic: tuple[float, float]
) -> None:
    found = describe(pairs_of(kind))
    assert copied[0] <= found.copied <= copied[1]
    assert rewritten[0] <= found.rewritten <= rewritten[1]
    assert ("rewritten" in str(found)) == (kind == "another alphabet")
    assert (found.shared_letters > 0.8) == (kind not in ("sounds", "sentences"))
    assert found.monotonic is None or monotonic[0] <= found.monotonic <= monotonic[1]
    assert ("copied" in str(found)) == (found.copied >= 0.05)
    assert Description(**found.as_dict()).as_dict() == found.as_dict()


def test_one_pair_of_another_kind_changes_little() -> None:
    pairs = pairs_of("old spelling")
    before, after = describe(pairs), describe([*pairs, ("x" * 5000, "y " * 20_000)])
    assert after.target_length == pytest.approx(before.target_length, rel=0.2)
    assert after.target_words == pytest.approx(before.target_words, rel=0.1)
    assert after.copied == pytest.approx(before.copied, abs=0.1)


def test_a_single_pair_can_be_described() -> None:
    assert describe([("a", "a")]).copied == 1
    assert describe([("", "")]).copied == 0


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("sounds", [Candidate(architecture="recurrent")]),
        ("backwards", [Candidate(architecture="recurrent")]),
        ("sentences", []),
        ("written together", [Candidate(architecture="recurrent")]),
        ("another alphabet", [Candidate(architecture="recurrent")]),
        *(
            (
                kind,
                [
                    Candidate({"source": "characters", "target": "characters"}, "recurrent"),
                    Candidate({"source": "characters", "target": "characters"}, "transformer"),
                ],
            )
            for kind in OF_LETTERS
        ),
    ],
)
def test_what_may_suit_is_proposed(kind: str, expected: list[Candidate]) -> None:
    pairs = pairs_of(kind)
    tokenizers, _ = train_tokenizers(pairs, TokenizerSettings())
    found = describe(pairs)

    def proposed(pairs: int = 400, architecture: str = "transformer", **left_open: bool) -> list[Candidate]:
        left_open = {"any_tokenizer": True, "any_model": True, **left_open}
        return propose(found, tokenizers, pairs, architecture, **left_open)

    assert proposed() == expected
    assert proposed(any_tokenizer=False, any_model=False) == []
    assert not any(each.tokenizer for each in proposed(10**7))
    assert not any(each.architecture for each in proposed(any_model=False))
    assert not expected or proposed(architecture="recurrent") != expected or kind in OF_LETTERS


@pytest.mark.parametrize(
    ("kind", "spelt"),
    [
        ("phrases", True),
        *(
            (each, False)
            for each in ("bases", "old sentences", "sentences", "old spelling", "words backwards")
        ),
    ],
)
def test_short_phrases_are_spelt_where_there_is_no_time_for_a_race(kind: str, spelt: bool) -> None:
    pairs = pairs_of(kind)
    tokenizers, _ = train_tokenizers(pairs, TokenizerSettings())
    found = describe(pairs)
    others = propose(found, tokenizers, 400, "transformer", any_tokenizer=True, any_model=True)
    assert are_better_spelt(others, found, 1.0, math.inf) == spelt
    assert not are_better_spelt(others, found, None, 1.0)
    assert are_better_spelt(others, found, 1.0, 1.0) == (spelt or kind == "old sentences")  # few updates
    asked = propose(found, tokenizers, 400, "transformer", any_tokenizer=True, any_model=False)
    assert not are_better_spelt(asked, found, 1.0, 1.0)


@pytest.mark.parametrize(
    ("source", "target", "cut_otherwise"),
    [
        ("thewordsstandtogether", "the words stand together", True),
        ("\u0e09\u0e31\u0e19\u0e23\u0e31\u0e01", "\u0e09\u0e31\u0e19 \u0e23\u0e31\u0e01", True),
        ("unhappinesses", "un-happi-ness-es", True),
        ("vidyarthi nasti", "vidya arthi na asti", True),
        ("the house boat sank", "the houseboat sank", False),
        ("what is this", "What is this?", False),
        ("talo", "t a l o", False),
        ("hi", "Hi.", False),
        ("1 + 2", "1+2", False),
        ("\U0001f642", "...", False),
        ("two words", "two wrods", False),
        ("a sentence of words", "ein Satz aus Woertern", False),
        ("", "", False),
    ],
)
def test_words_written_together_are_known(source: str, target: str, cut_otherwise: bool) -> None:
    assert are_cut_otherwise([source], [target]) == cut_otherwise
    assert are_cut_otherwise([target], [source]) == cut_otherwise
    ordinary = [("a sentence", "un texte")] * 2
    assert not are_cut_otherwise(*zip((source, target), *ordinary, strict=True))


@pytest.mark.parametrize(
    ("kind", "in_other_letters"),
    [
        *((each, False) for each in ("sentences", "old sentences", "words backwards")),
        ("another alphabet", True),
    ],
)
def test_texts_in_another_alphabet_are_known(kind: str, in_other_letters: bool) -> None:
    sources, targets = zip(*pairs_of(kind), strict=True)
    assert are_in_other_letters(sources, targets) == in_other_letters
    assert are_in_other_letters(targets, sources) == in_other_letters
    assert not are_in_other_letters([source * 20 for source in sources], targets)


def test_sounds_stay_symbols_beside_letters_in_another_alphabet() -> None:
    pairs = [("".join(source.split()), target) for source, target in pairs_of("sounds")]
    tokenizers, _ = train_tokenizers(pairs, TokenizerSettings())
    assert [each.kind for each in tokenizers] == ["characters", "words"]


def test_long_texts_are_not_read_letter_by_letter() -> None:
    pairs = pairs_of("written together")
    assert are_cut_otherwise(*zip(*pairs, strict=True))
    long = [(source * 20, " ".join([target] * 20)) for source, target in pairs[:5]]
    assert not are_cut_otherwise(*zip(*pairs, *long, strict=True))
