"""Signs that a model does not know: taken out of a sentence, and put back beside what they stood beside."""

from __future__ import annotations

import pytest

from interlingua.inference.signs import put_back, take_out
from interlingua.inference.translation import Translation
from interlingua.text.symbols import SymbolTokenizer

PIZZA, HEART = "\U0001f355", "\u2764\ufe0f"


@pytest.fixture(scope="module")
def tokenizer() -> SymbolTokenizer:
    return SymbolTokenizer.train(["abcdefghijklmnopqrstuvwxyz .,"], "characters", "text")


def mirrored(plain: str) -> Translation:
    """The words in reverse, each aligned with where it came from; tokens are words."""
    words = plain.split()
    alignment = tuple((len(words) - 1 - i, i) for i in range(len(words)))
    return Translation(" ".join(reversed(words)), 0.0, tuple(reversed(words)), (), (), (), tuple(words),
                       alignment=alignment)  # fmt: skip


@pytest.mark.parametrize(
    ("source", "plain", "translated"),
    [
        (f"i love {PIZZA} very much", "i love very much", f"much {PIZZA} very love i"),
        (f"i love{HEART} it", "i love it", f"it love{HEART} i"),
        (f"a {PIZZA}{HEART} b", "a b", f"{PIZZA}{HEART} b a"),
        (f"a {PIZZA} b {HEART} c", "a b c", f"{HEART} c {PIZZA} b a"),
        (f"a {PIZZA} {HEART} b", "a b", f"{PIZZA} {HEART} b a"),
        ("a b", "a b", "b a"),
        ("caf\u00e9 e\u0301", "caf\u00e9 e\u0301", "e\u0301 caf\u00e9"),
    ],
)
def test_signs_stay_with_the_words_that_they_stood_beside(
    tokenizer: SymbolTokenizer, source: str, plain: str, translated: str
) -> None:
    found, signs = take_out(source, tokenizer)
    assert found == plain
    assert put_back(plain, mirrored(plain), signs).text == translated


def test_without_an_alignment_signs_go_to_the_end(tokenizer: SymbolTokenizer) -> None:
    plain, signs = take_out(f"a {PIZZA} b", tokenizer)
    translation = Translation("b a", 0.0, ("b", "a"), (), (), (), ("a", "b"))
    assert put_back(plain, translation, signs).text == f"b a {PIZZA}"


def test_several_signs_keep_their_order(tokenizer: SymbolTokenizer) -> None:
    plain, signs = take_out(f"a {PIZZA} b {HEART} c", tokenizer)
    translation = Translation("c b a", 0.0, ("c", "b", "a"), (), (), (), ("a", "b", "c"))
    assert put_back(plain, translation, signs).text == f"c b a {PIZZA} {HEART}"
