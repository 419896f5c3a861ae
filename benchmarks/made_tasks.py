"""Tasks that nobody tuned the defaults to, made by rules: numbers, scripts, spellings, formats, sentences.

    python benchmarks/made_tasks.py --out DIR [--seed 1]

DIR gets a directory a task, with train.tsv and test.tsv, which share no source. Words are of languages that
do not exist: syllables put together at random, the frequent ones short, as Zipf has it. any_data.py takes
the directories' names as tasks: `any_data.py --data DIR --tasks dates segmentation …`.
"""

from __future__ import annotations

import argparse
import calendar
import json
import random
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

ONES = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
]  # fmt: skip
TENS = [f"{ten}ty" for ten in ("twen", "thir", "for", "fif", "six", "seven", "eigh", "nine")]
MONTHS = [calendar.month_name[month] for month in range(1, 13)]
ROMAN = [(1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"), (50, "L"), (40, "XL"),
         (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I")]  # fmt: skip
NAMES = ("Ana", "Boris", "Chen", "Dara", "Emil", "Farah", "Goran", "Hana", "Ivo", "Jana", "Kofi", "Mira")
COLOURS = ("red", "green", "blue", "white", "black", "grey", "brown", "golden")
THINGS = ("bicycle", "lamp", "table", "kettle", "coat", "radio", "chair", "mirror", "basket", "clock")
TOWNS = ("Arvik", "Beldo", "Corvan", "Dusk", "Elmar", "Fenno", "Gravel", "Hult", "Istra", "Jorn")

Pair = tuple[str, str]


class Task(NamedTuple):
    """How many training pairs there are, and what makes one."""

    pairs: int
    make: Callable[[random.Random], Callable[[], Pair]]
    """From random numbers to what draws a pair: a language is made first, where one is needed."""
    test_pairs: int = 500


def lexicon(
    rng: random.Random, size: int, consonants: str = "ptkbdgmnslrv", vowels: str = "aeiou"
) -> list[str]:
    """So many different words, the first, which are the frequent ones, short."""
    words: dict[str, None] = {}
    while len(words) < size:
        syllables = 1 + (len(words) > 30) + (len(words) > 200) * rng.randint(0, 2)
        words["".join(rng.choice(consonants) + rng.choice(vowels) + rng.choice(["", "", "n", "s"])
                      for _ in range(syllables))] = None  # fmt: skip
    return list(words)


def sentence(rng: random.Random, words: list[str], least: int = 4, most: int = 14) -> list[str]:
    """Words by Zipf's law."""
    weights = [1 / (rank + 2) for rank in range(len(words))]
    return rng.choices(words, weights, k=rng.randint(least, most))


def spell(number: int) -> str:
    """In English words, below a million."""
    if number < 20:
        return ONES[number]
    if number < 100:
        tens = TENS[number // 10 - 2]
        return f"{tens}-{ONES[number % 10]}" if number % 10 else tens
    for unit, name in (1000, "thousand"), (100, "hundred"):
        if number >= unit:
            rest = number % unit
            joint = " and " if rest and rest < 100 else " " if rest else ""
            return f"{spell(number // unit)} {name}{joint}{spell(rest) if rest else ''}"
    raise AssertionError


def number_of(rng: random.Random) -> int:
    return rng.randrange(10 ** rng.randint(2, 6))


def numbers(rng: random.Random) -> Callable[[], Pair]:
    """999 to nine hundred and ninety-nine."""

    def draw() -> Pair:
        number = number_of(rng)
        return str(number), spell(number)

    return draw


def words_to_numbers(rng: random.Random) -> Callable[[], Pair]:
    draw = numbers(rng)
    return lambda: draw()[::-1]


def dates(rng: random.Random) -> Callable[[], Pair]:
    """Five ways to write a day, to ISO 8601."""

    def draw() -> Pair:
        year, month, day = rng.randint(1900, 2099), rng.randint(1, 12), rng.randint(1, 28)
        name = MONTHS[month - 1]
        forms = [f"{day} {name} {year}", f"{name} {day}, {year}", f"{day}.{month}.{year}",
                 f"{month}/{day}/{year % 100:02d}", f"{day:02d}-{name[:3].upper()}-{year}"]  # fmt: skip
        form = rng.randrange(5)
        year = year if form != 3 else 1900 + year % 100 if year % 100 >= 50 else 2000 + year % 100
        return forms[form], f"{year}-{month:02d}-{day:02d}"

    return draw


def plurals(rng: random.Random) -> Callable[[], Pair]:
    """Endings by the last letters of a word, and a vowel that changes."""
    words = lexicon(rng, 2000)

    def draw() -> Pair:
        word = rng.choice(words)
        if word[-1] in "ns":
            plural = word + "eri"
        elif word[-1] == "a":
            plural = word[:-1] + "ot"
        else:
            plural = word.replace("o", "e") + "im"
        return word, plural

    return draw


def records(rng: random.Random) -> Callable[[], Pair]:
    """Data to a description."""

    def draw() -> Pair:
        name, thing, colour, town = map(rng.choice, (NAMES, THINGS, COLOURS, TOWNS))
        price, year, count = rng.randint(5, 999), rng.randint(1950, 2025), rng.randint(1, 40)
        source = (
            f"name={name} ; item={colour} {thing} ; town={town} ; price={price} ; year={year} ; left={count}"
        )
        target = (
            f"{name} sells a {colour} {thing} in {town} . It was made in {year} and costs {price} euros . "
            + (f"There are {count} of them left ." if count > 1 else "It is the last one .")
        )
        return source, target

    return draw


def extraction(rng: random.Random) -> Callable[[], Pair]:
    """A description to data, as JSON."""

    def draw() -> Pair:
        name, thing, colour, town = map(rng.choice, (NAMES, THINGS, COLOURS, TOWNS))
        price = rng.randint(5, 999)
        source = rng.choice([
            f"{name} from {town} would like to sell a {colour} {thing} for {price} euros.",
            f"For {price} euros you get the {colour} {thing} of {name} in {town}.",
            f"In {town}, {name} has a {thing}: {colour}, {price} euros.",
        ])  # fmt: skip
        values = {"who": name, "what": thing, "colour": colour, "where": town, "euros": price}
        return source, json.dumps(values)

    return draw


def segmentation(rng: random.Random) -> Callable[[], Pair]:
    """A script of 400 characters and no spaces, to words."""
    script = [chr(0x4E00 + i) for i in range(400)]
    words = list(dict.fromkeys(
        "".join(rng.choices(script, k=rng.choice([1, 1, 2, 2, 2, 3]))) for _ in range(3000)
    ))  # fmt: skip

    def draw() -> Pair:
        chosen = sentence(rng, words)
        return "".join(chosen), " ".join(chosen)

    return draw


def glued(rng: random.Random) -> Callable[[], Pair]:
    """Letters without spaces, to words."""
    words = lexicon(rng, 1500)

    def draw() -> Pair:
        chosen = sentence(rng, words, 3, 8)
        return "".join(chosen), " ".join(chosen)

    return draw


def morphemes(rng: random.Random) -> Callable[[], Pair]:
    """A word to stem and endings."""
    stems, endings = lexicon(rng, 800), [lexicon(rng, size) for size in (6, 4, 8)]

    def draw() -> Pair:
        parts = [rng.choice(stems), *(rng.choice(each) for each in endings if rng.random() < 0.6)]
        return "".join(parts), "+".join(parts)

    return draw


def accents(rng: random.Random) -> Callable[[], Pair]:
    """Marks put back into sentences."""
    plain = lexicon(rng, 1500)
    marked = {}
    for word in plain:
        letters = [rng.choice([c, c, c + "\u0301", c + "\u0302"]) if c in "aeiou" else c for c in word]
        marked[word] = unicodedata.normalize("NFC", "".join(letters))

    def draw() -> Pair:
        chosen = sentence(rng, plain)
        return " ".join(chosen), " ".join(marked[word] for word in chosen)

    return draw


def capitals(rng: random.Random) -> Callable[[], Pair]:
    """Names written large, a comma before each conjunction, a full stop."""
    words = lexicon(rng, 1500)
    names, conjunctions = {*words[5::7]}, {*words[3:300:30]}

    def draw() -> Pair:
        chosen = sentence(rng, words, 5, 14)
        told = [word.capitalize() if word in names or not i else word for i, word in enumerate(chosen)]
        text = told[0] + "".join(
            ("," if word.lower() in conjunctions else "") + " " + word for word in told[1:]
        )
        return " ".join(chosen), text + "."

    return draw


def typos(rng: random.Random) -> Callable[[], Pair]:
    """Sentences, of which some words are misspelt, to right ones."""
    words = lexicon(rng, 1000)

    def misspelt(word: str) -> str:
        at = rng.randrange(len(word))
        return rng.choice([word[:at] + word[at + 1:], word[:at] + word[at] + word[at:],
                           word[:at] + word[at:at + 2][::-1] + word[at + 2:]]) or word  # fmt: skip

    def draw() -> Pair:
        chosen = sentence(rng, words, 4, 10)
        return " ".join(misspelt(word) if rng.random() < 0.2 else word for word in chosen), " ".join(chosen)

    return draw


def labels(rng: random.Random) -> Callable[[], Pair]:
    """Sentences to one of three labels."""
    words = lexicon(rng, 1000)
    good, bad = {*words[2:400:9]}, {*words[3:400:9]}

    def draw() -> Pair:
        chosen = sentence(rng, words)
        balance = sum((word in good) - (word in bad) for word in chosen)
        return " ".join(chosen), "positive" if balance > 0 else "negative" if balance < 0 else "neutral"

    return draw


def reversal(rng: random.Random) -> Callable[[], Pair]:
    words = lexicon(rng, 8000)

    def draw() -> Pair:
        word = rng.choice(words) + rng.choice(words[:400])
        return word, word[::-1]

    return draw


def another_script(rng: random.Random) -> Callable[[], Pair]:
    """Words letter by letter, where some pairs are one letter."""
    words = lexicon(rng, 9000)
    letters = {letter: chr(0x10D0 + i) for i, letter in enumerate("aeioubdgklmnprstv")}
    pairs = {"an": "\u10f0", "ta": "\u10f1", "ki": "\u10f2", "so": "\u10f3", "ru": "\u10f4"}

    def draw() -> Pair:
        word, written, at = rng.choice(words) + rng.choice(words[:60]), "", 0
        while at < len(word):
            two = word[at : at + 2]
            written += pairs.get(two) or letters[word[at]]
            at += 2 if two in pairs else 1
        return word, written

    return draw


def another_alphabet(rng: random.Random) -> Callable[[], Pair]:
    """Sentences in Cyrillic, to Latin letters."""
    words = lexicon(rng, 3000)
    letters = str.maketrans("aeioukgsptlrvnbdm", "\u0430\u0435\u0438\u043e\u0443\u043a\u0433\u0441\u043f"
                            "\u0442\u043b\u0440\u0432\u043d\u0431\u0434\u043c")  # fmt: skip

    def draw() -> Pair:
        text = " ".join(sentence(rng, words)).capitalize() + "."
        return text.lower().translate(letters).capitalize(), text

    return draw


def proteins(rng: random.Random) -> Callable[[], Pair]:
    """Bases to amino acids, three to one."""
    codons = [first + second + third for first in "acgt" for second in "acgt" for third in "acgt"]
    acids = {codon: rng.choice("ACDEFGHIKLMNPQRSTVWY") for codon in codons}

    def draw() -> Pair:
        drawn = rng.choices(codons, k=rng.randint(15, 60))
        return "".join(drawn), "".join(acids[codon] for codon in drawn)

    return draw


def vowels(rng: random.Random) -> Callable[[], Pair]:
    """Words written without vowels, to whole ones."""
    words = lexicon(rng, 4000)

    def draw() -> Pair:
        first, second = rng.choice(words[:300]), rng.choice(words)
        text = f"{first} {second}"
        return "".join(c for c in text if c not in "aeiou"), text

    return draw


def sums(rng: random.Random) -> Callable[[], Pair]:
    def draw() -> Pair:
        one, other = rng.randrange(1000), rng.randrange(1000)
        return f"{one}+{other}", str(one + other)

    return draw


def sorting(rng: random.Random) -> Callable[[], Pair]:
    """Words into the order of the alphabet."""
    words = lexicon(rng, 60)

    def draw() -> Pair:
        chosen = rng.sample(words, rng.randint(3, 7))
        return " ".join(chosen), " ".join(sorted(chosen))

    return draw


def roman(rng: random.Random) -> Callable[[], Pair]:
    def draw() -> Pair:
        number = left = rng.randrange(1, 4000)
        written = ""
        for value, letters in ROMAN:
            written += letters * (left // value)
            left %= value
        return written, str(number)

    return draw


def postfix(rng: random.Random) -> Callable[[], Pair]:
    """Expressions with brackets, to ones without."""

    def expression(depth: int) -> Pair:
        if depth == 0 or rng.random() < 0.2:
            name = rng.choice("abcdexyz") + rng.choice(["", "1", "2"])
            return name, name
        (left, of_left), (right, of_right) = expression(depth - 1), expression(depth - 1)
        sign = rng.choice("+-*/")
        return f"( {left} {sign} {right} )", f"{of_left} {of_right} {sign}"

    return lambda: expression(rng.randint(1, 3))


def word_order(rng: random.Random) -> Callable[[], Pair]:
    """A language whose verb stands last, whose adjectives follow, with cases, to one that is like English."""
    words, others = lexicon(rng, 400), lexicon(rng, 400, "fjhcwxzqtr", "aeiouy")
    nouns, adjectives, verbs = (range(first, 400, 3) for first in range(3))

    def phrase(case: str) -> Pair:
        noun, adjective = rng.choice(nouns), rng.choice(adjectives)
        has, many = rng.random() < 0.5, rng.random() < 0.4
        of = words[noun] + ("ri" if many else "") + case + (f" {words[adjective]}{case}" if has else "")
        to = ("those " if many else "the ") + (f"{others[adjective]} " if has else "") + others[noun]
        return of, to + ("s" if many else "")

    def draw() -> Pair:
        (subject, who), (obj, whom), verb = phrase(""), phrase("m"), rng.choice(verbs)
        past = rng.random() < 0.5
        return (f"{subject} {obj} {words[verb]}{'ka' if past else ''}",
                f"{who} {others[verb]}{'ed' if past else ''} {whom}")  # fmt: skip

    return draw


def telephone(rng: random.Random) -> Callable[[], Pair]:
    """Numbers as people write them, to one form."""

    def draw() -> Pair:
        country, area, number = (
            rng.choice(["49", "43", "33"]),
            rng.randint(20, 999),
            rng.randint(10**4, 10**7),
        )
        digits = str(number)
        at = rng.randint(2, len(digits) - 2)
        local = rng.choice([digits, f"{digits[:at]}-{digits[at:]}", f"{digits[:at]} {digits[at:]}"])
        before = rng.choice([f"+{country} (0){area} ", f"00{country}-{area}-", f"+{country}.{area}.",
                             f"(+{country}) 0{area} / "])  # fmt: skip
        return before + local, f"+{country}{area}{digits}"

    return draw


def runs(rng: random.Random) -> Callable[[], Pair]:
    """Each letter and how often it stands in a row."""

    def draw() -> Pair:
        letters = rng.choices("abcde", k=rng.randint(2, 8))
        parts = [(c, rng.randint(1, 9)) for i, c in enumerate(letters) if c not in letters[max(0, i - 1) : i]]
        return "".join(c * n for c, n in parts), "".join(f"{n}{c}" for c, n in parts)

    return draw


TASKS = {
    "numbers": Task(4000, numbers),
    "words to numbers": Task(4000, words_to_numbers),
    "dates": Task(6000, dates),
    "plurals": Task(200, plurals, 100),
    "records": Task(3000, records),
    "extraction": Task(3000, extraction),
    "segmentation": Task(8000, segmentation),
    "glued words": Task(8000, glued),
    "morphemes": Task(3000, morphemes),
    "accents": Task(6000, accents),
    "capitals": Task(8000, capitals),
    "typos": Task(8000, typos),
    "labels": Task(4000, labels),
    "reversal": Task(5000, reversal),
    "another script": Task(3000, another_script),
    "another alphabet": Task(8000, another_alphabet),
    "proteins": Task(8000, proteins),
    "vowels": Task(6000, vowels),
    "sums": Task(12000, sums),
    "sorting": Task(6000, sorting),
    "roman": Task(1500, roman),
    "postfix": Task(6000, postfix),
    "word order": Task(6000, word_order),
    "telephone": Task(5000, telephone),
    "runs": Task(4000, runs),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    for name, task in TASKS.items():
        draw = task.make(random.Random(f"{name} {options.seed}"))
        pairs: dict[str, str] = {}
        while len(pairs) < task.pairs + task.test_pairs:
            source, target = draw()
            pairs.setdefault(source, target)
        directory = options.out / name
        directory.mkdir(parents=True, exist_ok=True)
        lines = [f"{source}\t{target}\n" for source, target in pairs.items()]
        for part, chosen in ("train", lines[: task.pairs]), ("test", lines[task.pairs :]):
            (directory / f"{part}.tsv").write_text("".join(chosen), "utf-8")
        print(f"{name}: {task.pairs:,} pairs, such as {lines[0].strip()!r}")


if __name__ == "__main__":
    main()
