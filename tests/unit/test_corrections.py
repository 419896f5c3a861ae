"""Corrections: what is read, kept, left out and why, and how what is kept is divided."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlingua.errors import DataError
from interlingua.inference.translation import PairScore
from interlingua.kinds import UNK
from interlingua.runs import correction_checks as checks
from interlingua.runs import corrections as reading
from interlingua.runs.correction_checks import Usual, build_checks
from interlingua.runs.corrections import Correction, SortedOut, divide, read_new, sort_out
from interlingua.text.normalise import is_blank, normalise

WORDS = st.sampled_from(["a", "b", "cat", "dog", " a", "a ", "\u200b", "", " ", "été"])
LINES = st.lists(
    st.one_of(
        st.tuples(WORDS, WORDS).map(lambda pair: "\t".join(pair).encode()),
        st.sampled_from([b"no tab", b"a\tb\tc", b"\xff\tx", b"", b"\t", b"a\tb\r"]),
    ),
    max_size=20,
)


def numbered(lines: Iterable[bytes]) -> list[tuple[int, bytes]]:
    return list(enumerate(lines, start=1))


def refuse_cats(corrections: Sequence[Correction]) -> Iterator[tuple[Correction, str]]:
    yield from ((each, "cats") for each in corrections if each.target.strip() == "cat")


class TestSortingOut:
    @given(LINES, st.lists(st.tuples(WORDS, WORDS), max_size=3), st.booleans())
    def test_each_line_is_kept_or_has_one_reason(
        self, lines: list[bytes], test: list[tuple[str, str]], natural: bool
    ) -> None:
        found = sort_out(numbered(lines), 1, test, [refuse_cats], natural=natural)
        dropped = [line for numbers in found.dropped.values() for line in numbers]
        assert sorted([*dropped, *(each.line for each in found.kept)]) == list(range(1, len(lines) + 1))
        assert all(numbers == sorted(numbers) for numbers in found.dropped.values())
        sources = [normalise(each.source, "text") for each in found.kept]
        assert len(set(sources)) == len(sources)
        assert not {normalise(source, "text") for source, _ in test} & set(sources)
        for each in found.kept:
            assert not is_blank(each.source)
            assert not is_blank(each.target)
            assert each.target.strip() != "cat"
            assert lines[each.line - 1].decode().removesuffix("\r") == f"{each.source}\t{each.target}"

    @given(LINES)
    def test_the_latest_that_is_no_garbage_counts(self, lines: list[bytes]) -> None:
        found = sort_out(numbered(lines), 1, [], [refuse_cats], natural=False)
        for each in found.kept:
            later = [sort_out([(number, line)], 1, [], [refuse_cats], natural=False)
                     for number, line in numbered(lines)[each.line :]]  # fmt: skip
            assert normalise(each.source, "text") not in {
                normalise(other.source, "text") for one in later for other in one.kept
            }

    @given(LINES)
    def test_what_is_kept_is_kept_again(self, lines: list[bytes]) -> None:
        found = sort_out(numbered(lines), 1, [], [refuse_cats], natural=False)
        again = sort_out(
            [(each.line, f"{each.source}\t{each.target}".encode()) for each in found.kept], 1, [],
            [refuse_cats], natural=False,
        )  # fmt: skip
        assert again == SortedOut(found.kept, {})

    def test_reasons(self) -> None:
        lines = [b"dog\tHund", b"no tab", b"dog \t ", b"cow\tKuh", b"cat\tKatze", b"cat\tKater",
                 b"cat\tKater", b"horse\tPferd"]  # fmt: skip
        test = [("cow", "Kuh"), ("mare", "Pferd")]
        found = sort_out(numbered(lines), 1, test, [], natural=True)
        assert [each.line for each in found.kept] == [1, 7]
        assert found.dropped == {
            reading.NOT_A_PAIR: [2], reading.EMPTY: [3], reading.IN_TEST: [4, 8], reading.CONTRADICTED: [5],
            reading.REPEATED: [6],
        }  # fmt: skip
        assert 8 in {each.line for each in sort_out(numbered(lines), 1, test, [], natural=False).kept}

    def test_other_encodings_are_called_so(self) -> None:
        pair = "dog\tdänischer Hund"
        lines = [
            pair.encode(),
            pair.encode("latin-1"),
            pair.encode("utf-16-le"),
            "cat\tKatze".encode("utf-16-le"),
        ]
        assert sort_out(numbered(lines), 1, [], [], natural=False).dropped == {reading.NOT_UTF8: [2, 3, 4]}

    def test_sources_have_as_many_columns_as_the_model_reads(self) -> None:
        lines = numbered([b"de\tdog\tHund", b"dog\tHund", b"de\t \tHund"])
        found = sort_out(lines, 2, [], [], natural=False)
        assert found.kept == [Correction(1, "de\tdog", "Hund")]
        assert found.dropped == {reading.NOT_A_PAIR: [2], reading.EMPTY: [3]}


class TestReading:
    @settings(deadline=None)
    @given(st.lists(st.binary(max_size=5).filter(lambda line: b"\n" not in line), max_size=6),
           st.integers(0, 6), st.binary(max_size=4).filter(lambda line: b"\n" not in line))  # fmt: skip
    def test_what_was_read_is_not_read_again(self, lines: list[bytes], first: int, torn: bytes) -> None:
        with TemporaryDirectory() as name:
            path = Path(name) / "en-de.tsv"
            path.write_bytes(b"".join(line + b"\n" for line in lines[:first]))
            before = read_new(path, [])
            path.write_bytes(b"".join(line + b"\n" for line in lines) + torn)  # a service is writing a line
            after = read_new(path, [before.mark])
            assert [*before.lines, *after.lines] == numbered(lines)
            assert read_new(path, [after.mark]).lines == []

    def test_another_file_is_read_from_its_beginning(self, tmp_path: Path) -> None:
        path = tmp_path / "en-de.tsv"
        path.write_bytes(b"a\tb\nc\td\n")
        mark = read_new(path, []).mark
        path.write_bytes(b"e\tf\nc\td\ng\th\n")
        assert len(read_new(path, [mark]).lines) == 3
        path.write_bytes(b"e\tf\n")
        assert len(read_new(path, [mark]).lines) == 1
        path.unlink()
        with pytest.raises(DataError, match=r"en-de\.tsv"):
            read_new(path, [mark])


@given(st.integers(0, 400), st.randoms())
def test_corrections_are_divided_by_source_always_in_the_same_way(count: int, order: random.Random) -> None:
    corrections = [Correction(i, f"source {i}", "x") for i in range(count)]
    parts = divide(corrections)
    assert sorted(each for part in parts for each in part) == corrections
    shuffled = [*corrections]
    order.shuffle(shuffled)
    assert divide(shuffled) == parts
    assert len(parts.test) == round(reading.TEST_SHARE * count)
    if count >= reading.LEAST:
        assert len(parts.test) >= 27
        assert len(parts.valid) >= 10
        assert len(parts.train) >= 60


ENGLISH = [
    "the",
    "dog",
    "runs",
    "over",
    "green",
    "hills",
    "while",
    "children",
    "sing",
    "about",
    "summer",
    "and",
    "winter",
    "nights",
]
GERMAN = [
    "der",
    "hund",
    "läuft",
    "über",
    "grüne",
    "hügel",
    "während",
    "kinder",
    "vom",
    "sommer",
    "und",
    "winter",
    "nächtelang",
    "singen",
]


def sentence(words: Sequence[str], numbers: random.Random) -> str:
    return " ".join(numbers.choices(words, k=numbers.randint(4, 12)))


class FakeTranslator:
    """Finds German words probable, and knows their letters."""

    facts = SimpleNamespace(natural=True)
    tokenizers: Any

    def __init__(self, copies: bool = False) -> None:
        letters = {*" ".join(GERMAN), *" ".join(ENGLISH), *"ABCDEFGHIJKLMNOPQRSTUVWXYZ.,!"}
        self.copies = copies
        encode = SimpleNamespace(encode_batch=lambda texts: [
            [5 if letter in letters or not letter.isascii() else UNK for letter in text] for text in texts
        ])  # fmt: skip
        self.tokenizers = SimpleNamespace(target=encode)

    def translate(self, sources: Sequence[str]) -> list[Any]:
        return [SimpleNamespace(text=source if self.copies else "etwas") for source in sources]

    def score_pairs(self, pairs: Iterable[tuple[str, str]]) -> Iterator[PairScore]:
        for _, target in pairs:
            words = target.split()
            probable = [-0.2 - 0.1 * (len(word) % 5) if word in GERMAN else -9.0 for word in words]
            yield PairScore(sum(probable), (), (*probable, -0.1))


@pytest.fixture(scope="module")
def usual() -> Usual:
    numbers = random.Random(0)
    pairs = [(sentence(ENGLISH, numbers), sentence(GERMAN, numbers)) for _ in range(400)]
    return Usual(pairs, list(FakeTranslator().score_pairs(pairs)))


SOURCE = "the dog runs over green hills while children sing"
BAD = [
    (SOURCE, SOURCE, checks.COPY),
    (SOURCE, "children sing about summer and winter nights over green hills", checks.LANGUAGE),
    (SOURCE, "собака бежит через зелёные холмы", checks.SCRIPT),
    (SOURCE, "der hund läuft über grüne hügel ~~~ ###", checks.UNKNOWN),
    (SOURCE, " ".join(GERMAN * 8), checks.TOO_LONG),
    ("dog", " ".join(GERMAN * 3), checks.TOO_LONG),
    (SOURCE + " about summer and winter nights over green hills", "der hund", checks.TOO_SHORT),
    (SOURCE, "nrdg hglf ftdr mrks snlg ghrv vdlm rsgn", checks.LETTERS),
    (SOURCE, "grünen hunden läuften kindern sommern hügeln", checks.NOISE),
]
GOOD = [
    (SOURCE, "der hund läuft über grüne hügel während kinder singen"),
    (SOURCE, "der köter läuft über grüne berge während kinder singen"),  # new words
    (SOURCE, "der hund läuft über Москва während kinder singen"),  # a name in another script
    ("Москва Москва", "Москва, Москва!"),
    ("dog", "hund"),
    ("dog", "köter"),  # a new word alone
]


@pytest.mark.parametrize(("source", "target", "reason"), BAD)
def test_what_cannot_be_meant_is_left_out(source: str, target: str, reason: str, usual: Usual) -> None:
    line = numbered([f"{source}\t{target}".encode()])
    found = sort_out(line, 1, [], build_checks(usual, FakeTranslator()), natural=True)  # type: ignore[arg-type]
    assert found.dropped == {reason: [1]}


@pytest.mark.parametrize(("source", "target"), GOOD)
def test_what_may_be_meant_is_kept(source: str, target: str, usual: Usual) -> None:
    line = numbered([f"{source}\t{target}".encode()])
    found = sort_out(line, 1, [], build_checks(usual, FakeTranslator()), natural=True)  # type: ignore[arg-type]
    assert found.kept == [Correction(1, source, target)], found.dropped


def test_a_copy_that_the_model_makes_itself_was_approved_of(usual: Usual) -> None:
    line = numbered([b"hund\thund"])
    for copies in (False, True):
        of_model = build_checks(usual, FakeTranslator(copies))  # type: ignore[arg-type]
        found = sort_out(line, 1, [], of_model, natural=True)
        assert bool(found.kept) == copies


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**6))
def test_own_pairs_are_hardly_ever_left_out(seed: int) -> None:
    numbers = random.Random(seed)
    pairs = [(sentence(ENGLISH, numbers), sentence(GERMAN, numbers)) for _ in range(300)]
    of_model = build_checks(Usual(pairs, list(FakeTranslator().score_pairs(pairs))), FakeTranslator())  # type: ignore[arg-type]
    others = [(sentence(ENGLISH, numbers), sentence(GERMAN, numbers)) for _ in range(100)]
    lines = numbered(f"{source}\t{target}".encode() for source, target in dict(others).items())
    found = sort_out(lines, 1, [], of_model, natural=True)
    assert len(found.kept) >= 0.95 * len(lines), found.dropped
