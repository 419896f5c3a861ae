"""Which models could be the right ones for some data: what experience says first, then what may beat it.

Descriptions of data propose candidates; they do not decide (see race.py).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from interlingua.data.description import AnyDescription
from interlingua.sound.description import SoundDescription
from interlingua.text.description import Description
from interlingua.text.tokenizer import TokenizerPair

__all__ = [
    "MAX_LOST",
    "Candidate",
    "are_better_spelt",
    "choose_turn",
    "enough_for_a_race",
    "propose",
    "propose_for_sound",
    "rounds",
]

SUBWORDS, ARCHITECTURES = ("unigram", "bpe"), ("recurrent", "transformer")
MAX_PAIRS = 300_000
"""Of larger data only one tokenization is prepared."""
MAX_LOST = 0.001
"""A tokenization with which a larger share of the pairs would be too long is no candidate."""
SHARED_LETTERS, SHORT_TARGET = 0.3, 3
"""From so large a share of letters that both sides have on, one standing for another, or up to so many words,
letters may do for subwords."""
MOSTLY_COPIED, UPDATES_TO_COPY = 0.5, 300
"""From such a share of copied characters on; after so many updates, a model of subwords copies."""
SHORT_CHARACTERS = 40
"""Of so few words, and of so many characters in the middle, are names, dates and phrases."""
PART, LONG_S, LONG_STEPS = 6, 600, 20_000
"""A race takes 1 / (PART + budget / LONG) of the budget: a sixth, of long ones less."""
FINE_TUNING_PART = 3
"""The same of a race of learning rates: in a short fine-tuning, the rate decides more than the time."""
MIN_TURN_S, MIN_TURN_STEPS = 8.0, 80
"""Shorter turns tell little."""
MIN_TURN_UPDATES = 40
"""Of a turn in seconds: a slow or busy machine may make a dozen, after which all models know as little."""
ENOUGH_MINUTES = [*range(1, 60), *range(60, 600, 10), *range(600, 10_000, 60)]
"""Among which a budget is found that a race would have time in."""


CLOSED_WORDS, SUBWORD_HOURS, SOUND_SUBWORDS = 20, 5.0, 500
"""Of what is said in sounds: up to so many distinct words they may be symbols of their own; from so many
hours on, so many subwords may do for characters."""


class Candidate(NamedTuple):
    """What one candidate has instead of what experience says."""

    tokenizer: Mapping[str, Any] = {}
    """Keys of the [tokenizer] section."""
    architecture: str | None = None
    """None: what the user gave, else what experience says."""


def propose(
    description: Description, tokenizers: TokenizerPair, pairs: int, architecture: str, *,
    any_tokenizer: bool, any_model: bool,
) -> list[Candidate]:  # fmt: skip
    """The candidates beside the one that experience says.

    Args:
        description: of the data.
        tokenizers: those that experience says.
        pairs: of the training data.
        architecture: that experience says.
        any_tokenizer: whether the user left the tokenization open.
        any_model: whether the user left preset and sizes open.
    """
    kinds = [tokenizer.kind for tokenizer in tokenizers]
    if not any(kind in SUBWORDS for kind in kinds):
        return [
            Candidate(architecture=other) for other in ARCHITECTURES if any_model and other != architecture
        ]
    letters = description.shared_letters >= SHARED_LETTERS or description.target_words <= SHORT_TARGET
    if not any_tokenizer or not letters or pairs > MAX_PAIRS:
        return []
    characters = {"source": "characters", "target": "characters"}
    return [Candidate(characters, each) for each in (ARCHITECTURES if any_model else [None])]


def are_better_spelt(
    candidates: Sequence[Candidate], description: AnyDescription, minutes: float | None, updates_per_s: float
) -> bool:
    """Whether the first of the candidates beside subwords is to be taken where there is no time for a race.

    That is an LSTM over characters, for texts of few words on both sides, such as names, dates, numbers and
    short phrases; and for what is mostly copied, if subwords had not even time to learn to copy
    (benchmarks/results/any_data.md, "Kinds of data that nobody had named", "A slow, loaded machine").

    Args:
        candidates: beside subwords.
        description: of the data.
        minutes: of the budget, if it is one of time.
        updates_per_s: that a model of subwords makes, about.
    """
    if minutes is None or not candidates or not isinstance(description, Description):
        return False
    first, sides = candidates[0], (description.source_words, description.target_words)
    characters = max(description.source_length[1], description.target_length[1])
    is_short = max(sides) <= SHORT_TARGET and characters <= SHORT_CHARACTERS
    is_copied = description.copied >= MOSTLY_COPIED and 60 * minutes * updates_per_s < UPDATES_TO_COPY
    return first.architecture == "recurrent" and bool(first.tokenizer) and (is_short or is_copied)


def propose_for_sound(
    description: SoundDescription, tokenizers: TokenizerPair, *, any_tokenizer: bool
) -> list[Candidate]:
    """The candidates beside characters for what is said in sounds; none beside words of a closed list.

    Args:
        description: of the data.
        tokenizers: those that experience says.
        any_tokenizer: whether the user left the tokenization open.
    """
    if not any_tokenizer or tokenizers.target.kind == "words":
        return []
    found = []
    if description.distinct_words <= CLOSED_WORDS:
        found.append(Candidate({"target": "words"}))
    if description.hours >= SUBWORD_HOURS:
        found.append(Candidate({"target": "unigram", "vocabulary_size": SOUND_SUBWORDS}))
    return found


def rounds(racers: int) -> Iterator[tuple[int, int]]:
    """Of each round of a race, how many are left and how many times as long as in the first a turn is."""
    length = 1
    while racers > 1:
        yield racers, length
        racers, length = math.ceil(racers / 2), 2 * length


def choose_turn(
    minutes: float | None, max_steps: int | None, racers: int, *, fine_tuning: bool = False,
    updates_per_s: float = math.inf,
) -> float | None:  # fmt: skip
    """The length of a turn of the first round, in seconds or, of a budget of steps, in steps.

    Args:
        minutes: of the budget.
        max_steps: of the budget, where it is none of time.
        racers: how many there are.
        fine_tuning: whether they race for the learning rate of a model that was trained before.
        updates_per_s: that one of them makes, about.

    Returns:
        None where the budget is too short for a race, or there is nobody to race against.
    """
    turns = sum(left * length for left, length in rounds(racers))
    if not turns:
        return None
    part = FINE_TUNING_PART if fine_tuning else PART
    if minutes is not None:
        turn = 60 * minutes / (part + 60 * minutes / LONG_S) / turns
        return turn if turn >= max(MIN_TURN_S, MIN_TURN_UPDATES / updates_per_s) else None
    assert max_steps is not None, "a plan has a budget"
    steps = int(max_steps / (part + max_steps / LONG_STEPS) / turns)
    return steps if steps >= MIN_TURN_STEPS else None


def enough_for_a_race(by_minutes: bool, racers: int, updates_per_s: float) -> str:
    """The budget that so many would need to race, as an option.

    Args:
        by_minutes: whether it is to be of time, not of steps.
        racers: how many there are.
        updates_per_s: that one of them makes, about.
    """
    if by_minutes:
        found = (each for each in ENOUGH_MINUTES
                 if choose_turn(each, None, racers, updates_per_s=updates_per_s) is not None)  # fmt: skip
        return f"--minutes {next(found, ENOUGH_MINUTES[-1])}"
    steps = (each for each in range(100, 100_000, 100) if choose_turn(None, each, racers) is not None)
    return f"--max-steps {next(steps)}"
