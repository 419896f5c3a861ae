"""The CTranslate2 engine searches as ours does, falls back on ours, and converts a model once."""

from __future__ import annotations

import copy
import json
import os
import pickle
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import interlingua
import interlingua.interchange.conversions as conversions
from interlingua.data.batch import pad
from interlingua.data.cache import Cache
from interlingua.data.tensors import read_tensors, write_tensors
from interlingua.engine import foreign
from interlingua.engine.ctranslate2 import Converted, CTranslate2Engine
from interlingua.engine.eager import EagerEngine
from interlingua.engine.foreign import choose_compute_type
from interlingua.errors import ConfigurationError
from interlingua.inference.bundle import Bundle, load_bundle
from interlingua.inference.translator import Translator
from interlingua.interchange.conversions import find_or_convert
from interlingua.interchange.ctranslate2 import convert_bundle
from interlingua.kinds import BOS, EOS, PAD, Source
from interlingua.search.hypothesis import Hypothesis, SearchInput
from interlingua.search.settings import SearchSettings
from interlingua.text.column_tokenizer import ColumnTokenizer
from interlingua.text.symbols import SymbolTokenizer
from interlingua.text.tokenizer import TokenizerPair
from interlingua.views.look import look

from .test_ctranslate2 import BUNDLES, bundle_of, letters, named, sequences


def engine_of(bundle: Bundle, directory: Path, positions: int | None = None) -> CTranslate2Engine:
    convert_bundle(bundle, directory)
    names = [named(tokenizer, [[*range(len(tokenizer))]])[0] for tokenizer in bundle.tokenizers]
    return CTranslate2Engine(Converted(directory, *names, positions), EagerEngine(bundle.model))


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> CTranslate2Engine:
    return engine_of(load_bundle(BUNDLES / "transformer"), tmp_path_factory.mktemp("model") / "out")


def batch_of(sources: list[list[int]], limits: list[int], **more: Any) -> SearchInput:
    ids = pad(sources, after=EOS)
    return SearchInput(Source(ids, ids != PAD), torch.tensor(limits), **more)


def plain(found: list[list[Hypothesis]]) -> list[list[tuple[list[int], bool]]]:
    return [[(one.ids, one.limited) for one in hypotheses] for hypotheses in found]


@pytest.mark.parametrize(
    ("maker", "steps", "told", "overflows"),
    [("AuthenticAMD", 63, None, True), ("AuthenticAMD", 127, None, False), ("GenuineIntel", 63, None, False),
     ("AuthenticAMD", 63, "0", False)],
)  # fmt: skip
def test_eight_bits_are_exact_where_they_would_overflow(
    maker: str, steps: int, told: str | None, overflows: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(foreign, "_describe_processor", lambda: maker)
    monkeypatch.setattr(foreign, "activation_steps", lambda: steps)
    monkeypatch.setenv("CT2_USE_MKL", told or "")
    if told is None:
        monkeypatch.delenv("CT2_USE_MKL")
    assert foreign.overflows_in_int8() == overflows
    foreign.import_ctranslate2("fp32")
    assert os.environ.get("CT2_USE_MKL") == told
    foreign.import_ctranslate2("int8")
    assert os.environ.get("CT2_USE_MKL") == ("1" if overflows else told)


@pytest.mark.parametrize("unknown", [False, True])
def test_greedy_search_is_ours(engine, unknown):
    batch = batch_of(sequences(12, 6), [1, 3, 30, 4, 12, 12])
    greedy = SearchSettings(beam=1, unknown=unknown)
    found, expected = engine.search(batch, greedy), engine.own.search(batch, greedy)
    assert plain(found) == plain(expected)
    assert {one.limited for (one,) in found} == {True, False}
    for (one,), (other,) in zip(found, expected, strict=True):
        assert one.log_probs == pytest.approx(other.log_probs, abs=1e-4)
        assert one.score == pytest.approx(other.score, abs=1e-4)
        assert (one.engine, other.engine) == ("ctranslate2", "interlingua")


@pytest.mark.parametrize("alpha", [0.0, 1.0, 2.5])
def test_hypotheses_of_a_beam_are_scored_and_ordered_as_ours(engine, alpha):
    batch = batch_of(sequences(12, 6), [2, 3, 30, 4, 12, 12])
    search = SearchSettings(beam=6, n_best=4, length_penalty=alpha)
    for hypotheses in engine.search(batch._replace(log_probs=False), search):
        assert len({tuple(one.ids) for one in hypotheses}) == len(hypotheses) == 4
        assert hypotheses == sorted(hypotheses, key=lambda one: (one.limited, -one.score))
    for row, hypotheses in enumerate(engine.search(batch, search)):
        for one in hypotheses:
            assert len(one.log_probs) == len(one.ids) + (not one.limited) <= batch.limits[row]
            target = [*one.ids, EOS][: len(one.log_probs)]
            apart = Source(batch.source.values[row : row + 1], batch.source.mask[row : row + 1])
            forced = engine.own.log_probs(apart, torch.tensor([[BOS, *target[:-1]]]), torch.tensor([target]))
            assert one.log_probs == pytest.approx(forced[0].tolist(), abs=1e-4)
            assert one.score == pytest.approx(sum(one.log_probs) / ((5 + len(target)) / 6) ** alpha, abs=1e-4)


@pytest.mark.parametrize("beam", [1, 2, 7, 12, 40])
def test_any_beam_finds_something_as_good(engine, beam):
    """The vocabulary has 12 ids: a beam may be wider."""
    batch = batch_of(sequences(12, 4), [5, 6, 7, 8])
    search = SearchSettings(beam=beam, n_best=beam)
    greedy = engine.search(batch, SearchSettings(beam=1))
    for hypotheses, (one,) in zip(engine.search(batch, search), greedy, strict=True):
        assert 1 <= len(hypotheses) <= beam
        if not one.limited:
            assert hypotheses[0].score >= one.score - 1e-4


lists = st.lists(
    st.tuples(st.lists(st.integers(4, 11), max_size=6), st.integers(1, 14)), min_size=1, max_size=5
)


@given(lists, st.sampled_from([(1, 1), (3, 1), (4, 3)]))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_found_does_not_depend_on_the_rest_of_the_batch(engine, items, widths):
    search = SearchSettings(beam=widths[0], n_best=widths[1])
    sources, limits = [ids for ids, _ in items], [limit for _, limit in items]
    together = engine.search(batch_of(sources, limits), search)
    for source, limit, found in zip(sources, limits, together, strict=True):
        assert plain([found]) == plain(engine.search(batch_of([source], [limit]), search))
        assert all(len(one.ids) + (not one.limited) <= limit for one in found)


def test_given_targets_are_as_probable_as_ours(engine):
    source, targets = batch_of(sequences(12, 5), [1] * 5).source, [*sequences(12, 4, seed=1), []]
    target_in, target_out = pad(targets, before=BOS), pad(targets, after=EOS)
    found = engine.log_probs(source, target_in, target_out)
    assert torch.allclose(found, engine.own.log_probs(source, target_in, target_out), atol=1e-4)
    cut = target_out.where(target_out != EOS, PAD)[:1]  # of a target that a limit cut off
    assert engine.log_probs(Source(*(each[:1] for each in source)), target_in[:1], cut).isfinite().all()


def test_what_ctranslate2_lacks_is_ours(engine):
    batch = batch_of(sequences(12, 4), [9] * 4)
    search = SearchSettings(sample=True, n_best=3, seed=5)
    found = engine.search(batch, search)
    assert found == engine.own.search(batch, search)
    assert {one.engine for hypotheses in found for one in hypotheses} == {"interlingua"}


def test_sequences_beyond_the_last_position_are_ours(tmp_path):
    bundle = bundle_of({"positions": "learned", "max_positions": 50}, TokenizerPair.of_joint(letters()))
    engine = engine_of(bundle, tmp_path / "out", positions=8)
    batch = batch_of(sequences(14, 5), [6] * 5)
    found = engine.search(batch, SearchSettings(beam=1))
    assert plain(found) == plain(engine.own.search(batch, SearchSettings(beam=1)))
    assert [one.engine for (one,) in found] == ["ctranslate2"] * 3 + ["interlingua"] * 2
    far = engine.search(batch_of(sequences(14, 1), [20]), SearchSettings(beam=1))
    assert far[0][0].engine == "interlingua"


def test_the_observer_can_stop_and_drop(engine):
    batch = batch_of(sequences(12, 3), [9] * 3)
    seen: list[Any] = []

    def drop_the_second(numbers: torch.Tensor, ids: torch.Tensor) -> None:
        seen.append((numbers.tolist(), ids.tolist()))
        batch.limits[1] = batch.limits[1].clamp(max=ids.shape[1])

    found = engine.search(batch, SearchSettings(beam=1), drop_the_second)
    assert plain(found)[1] == [([], True)]
    assert [numbers for numbers, _ in seen] == [[0, 1, 2]] * 2
    assert seen[1][1][2][: len(found[2][0].ids)] == found[2][0].ids

    def stop(*_: object) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        engine.search(batch, SearchSettings(beam=1), stop)


def test_a_copy_elsewhere_is_the_same(engine):
    batch = batch_of(sequences(12, 4), [9] * 4)
    expected = engine.search(batch, SearchSettings(beam=3))
    for other in (copy.deepcopy(engine), pickle.loads(pickle.dumps(engine))):
        assert plain(other.search(batch, SearchSettings(beam=3))) == plain(expected)


TEXTS = ["abc", "", "hgf", "aaaaaaa", " ", "zz", "a b"]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return Path(shutil.copytree(BUNDLES / "joint-tied", tmp_path / "model"))


def load(path: Path, **options: Any) -> Translator:
    loaded = interlingua.load(path, threads=1, engine="ctranslate2", **options)
    assert isinstance(loaded, Translator)
    return loaded


def conversions_in(model: Path) -> list[Path]:
    return sorted((model / "ctranslate2").iterdir())


def test_texts_come_out_as_with_our_engine(model):
    ours, theirs = interlingua.load(model, threads=1), load(model)
    expected, found = (each.translate(TEXTS, beam=1, alignment=True) for each in (ours, theirs))
    for one, other in zip(found, expected, strict=True):
        assert (one.text, one.flags, one.tokens, one.alignment) == (
            other.text, other.flags, other.tokens, other.alignment,
        )  # fmt: skip
        assert one.log_probs == pytest.approx(other.log_probs, abs=1e-4)
    assert [one.engine for one in found][:2] == ["ctranslate2", ""]
    quick = theirs.translate(TEXTS, beam=1, log_probs=False)
    assert [(one.text, one.log_probs) for one in quick] == [(one.text, ()) for one in found]
    constrained = theirs.translate(["abc"], glossary={"abc": "h"})
    assert constrained[0].engine == "interlingua"
    assert constrained[0].terms[0].satisfied
    for one, other in zip(
        *(each.score_pairs([("abc", "cba"), ("a", "")]) for each in (ours, theirs)), strict=True
    ):
        assert one.log_probs == pytest.approx(other.log_probs, abs=1e-4)


def test_sources_of_columns_and_tags_come_out_as_with_our_engine(tmp_path):
    columns = ColumnTokenizer([SymbolTokenizer.of_tags(["a", "b"], "none"), letters("abc"), letters("abc")])
    bundle = bundle_of({"positions": "rotary"}, TokenizerPair(columns, letters()))
    theirs = Translator(engine_of(bundle, tmp_path / "out"), bundle.tokenizers)
    ours = theirs.with_engine(theirs.engine.own)
    texts = [f"{tag}\t{first}\t{second}" for tag in "ab" for first in ("a", "bc") for second in ("ab", "cca")]
    found, expected = (each.translate(texts, beam=1) for each in (theirs, ours))
    assert [(one.text, one.flags) for one in found] == [(one.text, one.flags) for one in expected]
    assert {one.engine for one in found} == {"ctranslate2"}
    assert len({one.text for one in found}) > 1


@pytest.mark.parametrize("threads", [1, 3])
def test_many_threads_and_a_stream_of_lines_change_nothing(model, threads):
    loaded = interlingua.load(model, threads=threads, engine="ctranslate2")
    assert isinstance(loaded, Translator)
    lines = [f"{a}{b}{c}" for a in "abcd" for b in "efgh" for c in "abcdefgh"] * 3
    expected = [one.text for one in loaded.translate(lines, beam=2)]
    found = [one.text for one in loaded.translate_lines(iter(lines), chunk=50, beam=2)]
    assert found == expected
    with ThreadPoolExecutor(3) as pool:
        again = list(pool.map(lambda _: [one.text for one in loaded.translate(lines, beam=2)], range(3)))
    assert again == [expected] * 3


def test_it_is_looked_into_with_our_own_model(model):
    seen, expected = (
        look(each, "abc", name="model") for each in (load(model), interlingua.load(model, threads=1))
    )
    assert seen.outputs == expected.outputs


def test_a_model_is_converted_once_and_again_when_it_changed(model, monkeypatch):
    load(model)
    first = conversions_in(model)
    with monkeypatch.context() as patched:
        patched.setattr(conversions, "convert_bundle", None)
        load(model)
    weights, about = read_tensors(model / "model.safetensors")
    write_tensors(model / "model.safetensors", {name: 1.5 * each for name, each in weights.items()}, about)
    changed = load(model)
    second = conversions_in(model)
    assert len(first) == len(second) == 1
    assert first != second
    expected = interlingua.load(model, threads=1).translate(TEXTS, beam=1)
    assert [one.text for one in changed.translate(TEXTS, beam=1)] == [one.text for one in expected]


def test_a_damaged_conversion_is_made_anew(model):
    expected = load(model).translate(TEXTS)
    (directory,) = conversions_in(model)
    (directory / "model.bin").write_bytes((directory / "model.bin").read_bytes()[:1000])
    assert load(model).translate(TEXTS) == expected
    (directory / "interlingua.json").write_text("{")
    assert load(model).translate(TEXTS) == expected


def test_a_model_that_cannot_be_written_is_converted_into_the_cache(model, tmp_path, monkeypatch):
    (model / "ctranslate2").touch()  # no directory can be made there
    monkeypatch.setenv("INTERLINGUA_CACHE", str(tmp_path / "cache"))
    load(model)
    with monkeypatch.context() as patched:
        patched.setattr(conversions, "convert_bundle", None)
        load(model)
    (entry,) = Cache(tmp_path / "cache").entries()
    assert entry.files == [str(model)]
    assert (entry.directory / "model.bin").is_file()
    (tmp_path / "file").touch()
    monkeypatch.setenv("INTERLINGUA_CACHE", str(tmp_path / "file"))
    assert load(model).translate(["abc"])[0].engine == "ctranslate2"


def test_processes_that_convert_at_once_do_not_disturb_each_other(model):
    program = (
        "import sys, interlingua\n"
        "sys.stdin.readline()\n"
        "m = interlingua.load(sys.argv[1], threads=1, engine='ctranslate2')\n"
        "print([t.text for t in m.translate(['abc', 'hgf'], beam=1)])"
    )
    command = [sys.executable, "-c", program, str(model)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen(command, **pipes) for _ in range(2)]
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    outputs = {process.communicate()[0] for process in processes}
    assert {process.returncode for process in processes} == {0}
    assert len(outputs) == 1
    assert len(conversions_in(model)) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_process_translates(model):
    loaded = load(model)
    expected = loaded.translate(TEXTS)
    if child := os.fork():
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        return
    code = 1
    try:
        code = int(loaded.translate(TEXTS) != expected)
    finally:
        os._exit(code)


def test_the_missing_package_is_named(model, monkeypatch):
    monkeypatch.setitem(sys.modules, "ctranslate2", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'interlingua\[ctranslate2\]'"):
        load(model)


@pytest.mark.parametrize("name", ["recurrent", "additive"])
def test_models_that_do_not_fit_are_refused_and_left_alone(name, tmp_path):
    model = Path(shutil.copytree(BUNDLES / name, tmp_path / "model"))
    with pytest.raises(ConfigurationError, match="architecture is recurrent"):
        load(model)
    assert not (model / "ctranslate2").exists()


def test_an_unknown_engine_is_refused():
    with pytest.raises(ConfigurationError, match="no such engine"):
        interlingua.load("model", engine="marian")


def test_a_precision_that_the_processor_lacks_is_refused(monkeypatch):
    cpu = torch.device("cpu")
    monkeypatch.setattr("ctranslate2.get_supported_compute_types", lambda *_: {"float32", "int8"})
    with pytest.raises(ConfigurationError, match=r"fp32, int8"):
        choose_compute_type("bf16", cpu)
    assert [choose_compute_type(each, cpu) for each in ("auto", "fp32", "int8")] == [
        "float32",
        "float32",
        "int8",
    ]
    monkeypatch.undo()
    with pytest.raises(ConfigurationError, match="device"):
        choose_compute_type("fp32", torch.device("mps"))


def test_int8_translates(model):
    found = load(model, precision="int8").translate(TEXTS, beam=1)
    assert [one.engine for one in found][:2] == ["ctranslate2", ""]


def test_find_or_convert_says_how_many_positions_there_are(tmp_path):
    bundle = bundle_of({"positions": "learned", "max_positions": 50}, TokenizerPair.of_joint(letters()))
    found = find_or_convert(bundle, tmp_path, tmp_path / "cache")
    assert (
        found.positions == json.loads((found.directory / "interlingua.json").read_text())["positions"] == 1024
    )
