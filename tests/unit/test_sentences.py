"""Properties of where sentences end, and of what the training pairs say of a model's texts."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlingua.cli.translate import _Noticed
from interlingua.inference.bundle import load_bundle
from interlingua.text.facts import TextFacts, measure_facts
from interlingua.text.sentences import MAX_LOOKED_AT, find_sentences
from interlingua.text.symbols import SymbolTokenizer
from tests.tiny import train_tiny, write_reversals

SPLIT = {  # by language; "|" where a sentence ends
    "en": [
        "Dr. Smith met Mr. Jones at 5 p.m. on Friday. |He said hello.",
        "I live in the U.S. |It is big.",
        "See e.g. this one, i.e. that. |J. R. R. Tolkien wrote it.",
        "It costs 3.50 dollars. |Version 1.2.3 is at www.example.com. |Now!",
        "Wait... what? |Yes… |No.",
        '"Go!" he said. |He said "Stop." |(It rains. It pours.) |Then left.',
        "1. First item. |2. Second item.",
        "a man is running. |a dog barks.",
        "Really?! |So do I. |He left.Bye",
        "A dog runs. \xa0 |A cat sleeps.  ",
    ],
    "de": ["Das ist z. B. gut. |Am 3. Mai kam er. |„Ja.“ |Dr. Müller u. a. kamen."],
    "fr": ["M. Dupont est là\u202f! |J'ai vu M. Martin. |« Oui. » |Ça va\xa0?"],
    "zh-CN": ["你好。|你好吗？|我很好！|再见"],
    "hi": ["यह एक है। |वह दो है।"],
    "ar": ["كيف حالك؟ |أنا بخير.", "كيف حالك؟\u200f |أنا بخير.\u200f |شكرا"],
    "he": ["הכלב רץ.\u200f |החתול ישן?\u200f |\u200fהציפור שרה!\u200f\u202c |סוף."],
    "tlh": ["Dr. Smith is here. |Foo bar."],
}


@pytest.mark.parametrize(("language", "marked"), [(k, text) for k, texts in SPLIT.items() for text in texts])
def test_sentences_end_where_a_reader_sees_them_end(language: str, marked: str) -> None:
    assert find_sentences(marked.replace("|", ""), language) == marked.split("|")


@settings(max_examples=300, deadline=None)
@given(
    text=st.text(alphabet='ab AB.!?…"“”«»()。！？\xa0\u2028\u3000\u200d❤👍1 ,:।؟\u200f\u202b\u202c\u0301\n'),
    language=st.sampled_from(list(SPLIT)),
)
def test_sentences_are_the_text(text: str, language: str) -> None:
    assert "".join(find_sentences(text, language)) == text


def test_a_very_long_line_is_looked_at_in_pieces() -> None:
    sentence = "A dog runs to the U.S. border. "
    assert set(find_sentences(sentence * (3 * MAX_LOOKED_AT // len(sentence)))) == {sentence}


WORDS = [a + b + c for a in "bdfgklmnprst" for b in "aeiou" for c in ("n", "rst", "l", "mek", "schu")]
NATURAL = [
    (" ".join(WORDS[i % 300 : i % 300 + 5]) + f"x{i}.", " ".join(WORDS[i * 7 % 300 :][:5]) + f"y{i}!")
    for i in range(0, 2000, 3)
]


def test_natural_language_is_told_from_symbols() -> None:
    sounds = [("abcd"[i % 4 :] + "efg"[: i % 3], "AH B K " * (i % 3 + 1)) for i in range(300)]
    commands = [(f"turn {way} twice", f"I_{way} I_{way}") for way in ("left", "right")] * 100
    assert measure_facts(NATURAL).natural
    assert not measure_facts(sounds).natural
    assert not measure_facts(commands).natural
    assert not measure_facts([(target, source) for source, target in commands]).natural


def test_passages_are_told_from_sentences() -> None:
    assert not measure_facts(NATURAL).passages
    twice = [(f"{s} {NATURAL[-i][0].capitalize()}", t) for i, (s, t) in enumerate(NATURAL)]
    assert measure_facts(twice).passages
    few = twice[: len(twice) // 10] + NATURAL  # some are in every corpus of sentences
    assert not measure_facts(few).passages


def test_what_training_did_not_copy_is_not_copied() -> None:
    assert measure_facts(NATURAL).has_words("3 dogs")
    assert not measure_facts(NATURAL).has_words("12:30 …")
    spoken = [(f"{source} 3", f"{target} three") for source, target in NATURAL]
    assert measure_facts(spoken).has_words("12:30")
    named = NATURAL + [("🙂", "smile")] * 20
    assert measure_facts(named).has_words("🙂")
    assert not measure_facts(NATURAL).has_words("🙂")
    assert TextFacts().has_words("🙂")


def test_a_target_much_shorter_than_those_of_training_is_short() -> None:
    facts = measure_facts(NATURAL)
    assert 0.3 < facts.min_ratio < 1.5
    assert sum(facts.is_short(*pair) for pair in NATURAL) < len(NATURAL) / 100
    assert facts.is_short(NATURAL[0][0], NATURAL[0][1][:5])
    assert facts.is_short("no", "")
    assert facts.is_short("no", " ")
    assert not facts.is_short(" ", "")


@pytest.mark.parametrize(
    ("name", "natural"), [("rotary-separate-joint-subwords", True), ("transformer", False)]
)
def test_a_model_that_does_not_say_is_of_sentences_if_it_has_subwords(name: str, natural: bool) -> None:
    bundle = load_bundle(Path(__file__).parent.parent / "bundles" / name)
    assert (bundle.facts.natural, bundle.facts.passages) == (natural, not natural)


def test_the_facts_are_saved_with_the_model_and_kept_by_fine_tuning(tmp_path: Path) -> None:
    pairs, symbols = tmp_path / "pairs.tsv", write_reversals(tmp_path / "symbols.tsv", 100)
    pairs.write_text("".join(f"{source}\t{target}\n" for source, target in NATURAL), encoding="utf-8")
    out, tuned = tmp_path / "run", tmp_path / "tuned"
    train_tiny(out, pairs, more={"languages": ["fr", "de"]}, max_steps=1)
    facts = load_bundle(out).facts
    assert facts.natural
    assert not facts.passages
    assert facts.language == "fr"
    train_tiny(tuned, symbols, more={"base_model": str(out)}, max_steps=1)
    assert load_bundle(tuned).facts == facts


def test_the_command_line_says_how_many_lines_are_flagged(capsys: pytest.CaptureFixture[str]) -> None:
    noticed = _Noticed()
    noticed.flags.update({"unknown": 2, "short": 1, "empty": 3})
    noticed.unknown.update("\u4f60\u597d\u4f60")
    words = SymbolTokenizer.train(["a b c", "c b a"], "words", "text")
    noticed.report(words)
    told = capsys.readouterr().err.splitlines()
    assert told[0].startswith("interlingua: 1 line: ")
    assert told[1].startswith("interlingua: 2 lines: ")
    assert told[1].endswith(": \u4f60 \u597d")
    assert len(told) == 2
    noticed.unknown.update(["abd", "cab"])
    noticed.report(words)
    assert "symbols with spaces between them: c a b\n" in capsys.readouterr().err
