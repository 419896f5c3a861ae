"""What pairs are like, and which models are proposed for them."""

from __future__ import annotations

import random

import pytest

from interlingua.runs.candidates import Candidate, propose
from interlingua.text.description import Description, describe
from interlingua.text.tokenizer import TokenizerSettings, train_tokenizers

DRAW = random.Random(0)


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
    lines = [(" ".join(words(9)), " ".join(words(9, "qrstuvwxyz"))) for _ in range(300)]
    assert kind == "sentences"
    return lines


@pytest.mark.parametrize(
    ("kind", "copied", "monotonic"),
    [
        ("old spelling", (0.8, 1.0), (0.7, 1.0)),
        ("old sentences", (0.8, 1.0), (0.0, 1.0)),
        ("sounds", (0.0, 0.1), (0.9, 1.0)),
        ("backwards", (0.0, 0.3), (0.0, 0.2)),
        ("sentences", (0.0, 0.2), (0.0, 0.3)),
    ],
)
def test_copying_and_order_are_seen(
    kind: str, copied: tuple[float, float], monotonic: tuple[float, float]
) -> None:
    found = describe(pairs_of(kind))
    assert copied[0] <= found.copied <= copied[1]
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
        (
            "old sentences",
            [
                Candidate({"source": "characters", "target": "characters"}, "recurrent"),
                Candidate({"source": "characters", "target": "characters"}, "transformer"),
            ],
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
    assert not expected or proposed(architecture="recurrent") != expected or kind == "old sentences"
