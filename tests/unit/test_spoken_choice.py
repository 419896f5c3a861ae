"""What is said in sounds: words of a closed list are symbols of their own, everything else is spelt."""

import numpy as np
import pytest

from interlingua.runs.candidates import propose_for_sound
from interlingua.sound.description import describe_sounds
from interlingua.text.choice import MIN_SPOKEN, SideStatistics, choose_spoken_kind
from interlingua.text.tokenizer import TokenizerPair, TokenizerSettings, train_target_tokenizer

DIGITS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]


@pytest.mark.parametrize(
    ("targets", "kind"),
    [
        (DIGITS * MIN_SPOKEN, "words"),
        ([f"{a} {b}" for a in DIGITS for b in DIGITS] * 3, "words"),
        ([*DIGITS * MIN_SPOKEN, "eleven"], "characters"),  # a name among commands could be any name
        (DIGITS * 10, "characters"),
        ([f"word{i}" for i in range(3000)], "characters"),
    ],
)
def test_closed_lists_are_words(targets: list[str], kind: str) -> None:
    assert choose_spoken_kind(SideStatistics.of(targets)) == kind


def test_nothing_races_against_words_of_a_closed_list() -> None:
    targets = DIGITS * MIN_SPOKEN
    description = describe_sounds(np.full(len(targets), 0.5), targets)
    for given, raced in ((choose_spoken_kind, False), (lambda side: "characters", True)):
        pairs = (("", target) for target in targets)
        learnt, _ = train_target_tokenizer(pairs, TokenizerSettings(), choose=given)
        proposed = propose_for_sound(description, TokenizerPair(learnt, learnt), any_tokenizer=True)
        assert bool(proposed) is raced
