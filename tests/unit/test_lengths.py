"""Length limits from training data that hold damaged pairs, and what these limits decide."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch

from interlingua.data.corpus import CorpusSettings
from interlingua.data.store import Store, build_store
from interlingua.engine.eager import EagerEngine
from interlingua.engine.workload import batches
from interlingua.inference.bundle import LengthStatistics
from interlingua.inference.translator import Translator
from interlingua.model.transformer import Transformer, TransformerSettings
from interlingua.runs import lengths as lengths_module
from interlingua.runs.events import Note
from interlingua.runs.lengths import describe_outliers, measure_lengths
from interlingua.runs.validation import Validator
from interlingua.search.settings import SearchSettings
from interlingua.text.symbols import ByteTokenizer
from interlingua.text.tokenizer import TokenizerPair
from tests.models import build
from tests.tiny import train_tiny, write_reversals

BYTES = TokenizerPair(ByteTokenizer("NFC"), ByteTokenizer("NFC"))
OUTLIER = ("x", "y" * 400)

Pairs = list[tuple[str, str]]


def of_lengths(lengths: list[tuple[int, int]]) -> Pairs:
    return [("s" * max(1, source), "t" * max(1, target)) for source, target in lengths]


def words(count: int) -> Pairs:
    draw = random.Random(1)
    return of_lengths([(n, n + draw.randint(-1, 1)) for n in (draw.randint(3, 12) for _ in range(count))])


def sentences(count: int) -> Pairs:
    """Lengths with a long tail, and ratios that vary more the shorter the source is."""
    draw = np.random.default_rng(2)
    source = np.maximum(1, draw.lognormal(3, 0.8, count)).astype(int)
    target = source * draw.lognormal(0.1, 0.3, count) + draw.poisson(3, count)
    return of_lengths([(min(s, 400), min(int(t), 500)) for s, t in zip(source.tolist(), target, strict=True)])


def letters_and_abbreviations(count: int) -> Pairs:
    """One pair in a hundred has a source of one to three tokens and a target of up to forty."""
    draw = random.Random(3)
    return [
        *words(count - count // 100),
        *of_lengths([(draw.randint(1, 3), draw.randint(10, 40)) for _ in range(count // 100)]),
    ]


def definitions(count: int) -> Pairs:
    draw = random.Random(4)
    return of_lengths([(draw.randint(1, 6), draw.randint(5, 120)) for _ in range(count)])


def summaries(count: int) -> Pairs:
    draw = random.Random(5)
    return of_lengths([(draw.randint(50, 400), draw.randint(5, 40)) for _ in range(count)])


def made(pairs: Pairs, directory: Path) -> Store:
    return build_store(pairs, BYTES, directory / f"store-{len(list(directory.iterdir()))}")


@pytest.mark.parametrize("count", [300, 3_000])
@pytest.mark.parametrize("kind", [words, sentences, letters_and_abbreviations, definitions, summaries])
def test_ordinary_targets_fit_and_ordinary_sources_stay_whole(kind, count, tmp_path):
    pairs = kind(count)
    random.Random(0).shuffle(pairs)
    limits = measure_lengths(made(pairs, tmp_path))
    fitting = sum(len(target) <= limits.limit(len(source)) for source, target in pairs)
    assert fitting >= 0.999 * count
    assert sum(len(source) <= limits.max_source_length for source, _ in pairs) >= 0.999 * count


@pytest.mark.parametrize("outliers", [[OUTLIER], [("x" * 30, "y" * 500)], [("x" * 500, "y")]])
@pytest.mark.parametrize("kind", [words, letters_and_abbreviations])
def test_a_few_damaged_pairs_change_the_limits_little(kind, outliers, tmp_path):
    pairs = kind(1_000)
    usual = measure_lengths(made(pairs, tmp_path))
    limits = measure_lengths(made([*pairs[:500], *outliers, *pairs[500:]], tmp_path))
    for source_length in (1, 10, 100):
        assert limits.limit(source_length) <= 2 * usual.limit(source_length)
    assert limits.max_source_length == usual.max_source_length


def test_more_damaged_pairs_change_the_limits_by_a_bounded_number_of_tokens(tmp_path):
    limits = measure_lengths(made([*words(1_000), *[OUTLIER] * 15], tmp_path))
    assert limits.limit(1) <= 1.5 * (2 + 64) + 11
    assert limits.limit(100) <= 1.5 * (2 * 100 + 64) + 11


def test_one_damaged_pair_among_few_changes_the_limits_little(tmp_path):
    limits = measure_lengths(made([*words(30), OUTLIER, *words(20)], tmp_path))
    assert limits.limit(1) < 40
    assert limits.limit(10) < 60


def test_they_are_measured_alike_in_one_piece_and_in_many(tmp_path, monkeypatch):
    store = made([*sentences(500), OUTLIER], tmp_path)
    whole = measure_lengths(store)
    monkeypatch.setattr(lengths_module, "PAIRS_AT_ONCE", 7)
    assert measure_lengths(store) == whole


def test_damaged_pairs_are_told_by_file_and_line(tmp_path):
    pairs = words(300)
    first, second = tmp_path / "a.tsv", tmp_path / "b.tsv"
    lines = [f"{source}\t{target}\n" for source, target in pairs]
    lines[99] = "\t".join(OUTLIER) + "\n"
    first.write_text("".join(lines[:50]))
    second.write_text("\t\n" + "".join(lines[50:]))
    data = CorpusSettings(train=(str(first), str(second)), on_empty="skip")
    store = made([tuple(line[:-1].split("\t")) for line in lines], tmp_path)
    told = describe_outliers(store, BYTES, data, measure_lengths(store))
    assert told is not None
    assert told.startswith("1 pair is far longer than usual")
    assert told.endswith(f"{second}:51: 1 source token, 400 target tokens")
    whole = made(pairs, tmp_path)
    assert describe_outliers(whole, BYTES, data, measure_lengths(whole)) is None


def test_many_damaged_pairs_are_counted_and_the_worst_shown(tmp_path):
    pairs = [*words(2_000), *(("x", "y" * length) for length in (200, 210, 220, 300))]
    file = tmp_path / "pairs.tsv"
    file.write_text("".join(f"{source}\t{target}\n" for source, target in pairs))
    store = made(pairs, tmp_path)
    told = describe_outliers(store, BYTES, CorpusSettings(train=str(file)), measure_lengths(store))
    assert told is not None
    first, *lines = told.split("\n  ")
    assert first.startswith("4 pairs are far longer")
    assert [line.split(": ")[0] for line in lines] == [f"{file}:{number}" for number in (2002, 2003, 2004)]


def test_a_run_tells_of_a_damaged_pair_before_it_trains(tmp_path):
    train = write_reversals(tmp_path / "pairs.tsv", 200)
    with train.open("a") as file:
        file.write("\t".join(OUTLIER) + "\n")
    events = train_tiny(tmp_path / "run", train, max_steps=1, validations=1)
    told = [i for i, event in enumerate(events) if isinstance(event, Note) and f"{train}:201" in event.text]
    assert told
    assert all(isinstance(event, Note) for event in events[: told[0]])


class Endless(Transformer):
    """Never ends a sentence; counts its steps."""

    steps = 0

    def step(self, *args, **options):
        type(self).steps += 1
        return super().step(*args, **options)

    def project(self, hidden):
        return torch.arange(260.0).repeat(*hidden.shape[:-1], 1)


def test_a_damaged_pair_does_not_make_validation_slow(tmp_path):
    pairs = words(3_000)
    limits = measure_lengths(made([*pairs[:1234], OUTLIER, *pairs[1234:]], tmp_path))
    validator = Validator(
        made(pairs[:20], tmp_path), BYTES, limits, SearchSettings(beam=2),
        choose_length_penalty=False, decode_pairs=20, max_tokens=512, device=torch.device("cpu"),
    )  # fmt: skip
    sizes = TransformerSettings(dim=16, heads=2, feed_forward=32, encoder_layers=1, decoder_layers=1)
    validator.validate(build(Endless, sizes, 260).eval())
    assert 0 < Endless.steps < 200


def test_a_damaged_pair_does_not_make_batches_small(tmp_path):
    pairs = words(3_000)
    limits = measure_lengths(made([*pairs, OUTLIER], tmp_path))
    sizes = TransformerSettings(dim=16, heads=2, feed_forward=32, encoder_layers=1, decoder_layers=1)
    engine = EagerEngine(build(Transformer, sizes, 260).eval())
    translator = Translator(engine, BYTES, **limits._asdict())
    lengths = [len(source) for source, _ in pairs[:256]]
    memory_tokens = [4 * translator.length_limit(length) for length in lengths]
    without = measure_lengths(made(pairs, tmp_path))
    usual = [4 * without.limit(length) for length in lengths]
    capacity = engine.capacity
    count = len(list(batches(lengths, memory_tokens, capacity, 4)))
    assert count == len(list(batches(lengths, usual, capacity, 4)))


def test_statistics_of_earlier_versions_give_their_limits():
    old = LengthStatistics(**{"max_ratio": 1.3, "max_source_length": 80})
    assert old.limit(10) == 30
    assert Translator.__init__.__kwdefaults__["extra_tokens"] == 0
