"""Sentences a second with each engine: ours, CTranslate2 behind the same calls, and CTranslate2 alone.

    python benchmarks/engines.py MODEL FILE [--rounds 5] [--threads 1] [--sentences 1000] [--beams 1 5]

FILE holds source sentences, one a line (or pairs, with a tab). All systems run in this process, in turns,
forwards and backwards, after a warm-up; medians are printed, and their ratios to our own engine in single
precision. Our times include all that `translate` does: normalising, cutting, tokenizing, flags, putting
together. CTranslate2 alone is called as its documentation does, with tokenizing before and after, which are
timed. "alike" is the share of the translations that are those of our own engine in single precision. Nothing
else should run meanwhile.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch

import interlingua
from interlingua.data.reading import read_lines
from interlingua.engine.ctranslate2 import CTranslate2Engine
from interlingua.engine.foreign import import_ctranslate2
from interlingua.errors import ConfigurationError
from interlingua.inference.translator import Translator

Run = Callable[[list[str], int], list[str]]
"""From texts and a beam to translations."""

OWN = "interlingua, fp32"
SYSTEMS = {
    OWN: {"engine": "interlingua", "precision": "fp32"},
    "interlingua, bf16": {"engine": "interlingua", "precision": "bf16"},
    "--engine ctranslate2, fp32": {"engine": "ctranslate2", "precision": "fp32"},
    "--engine ctranslate2, int8": {"engine": "ctranslate2", "precision": "int8"},
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path, metavar="MODEL")
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--sentences", type=int, default=1000)
    parser.add_argument("--beams", type=int, nargs="+", default=[1, 5])
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    texts = [line.partition("\t")[0] for line in read_lines(options.file)][: options.sentences]
    systems = prepare(options.model, options.threads)
    print(
        f"{len(texts):,} sentences, {options.threads} threads, median of {options.rounds} rounds in turns\n"
    )
    print("| | beam | sentences/s | lowest to highest | times ours in fp32 | alike |")
    print("|---|---:|---:|---:|---:|---:|")
    for beam in options.beams:
        for row in measure(systems, texts, beam, options.rounds):
            print(row)


def prepare(model: Path, threads: int) -> dict[str, Run]:
    """What is compared; without a precision that this machine lacks."""
    systems: dict[str, Run] = {}
    for name, how in SYSTEMS.items():
        try:
            loaded = interlingua.load(model, threads=threads, device="cpu", **how)
        except ConfigurationError as error:
            print(f"{name} is left out: {error.what}")
            continue
        assert isinstance(loaded, Translator)
        systems[name] = through(loaded)
        if how == {"engine": "ctranslate2", "precision": "fp32"}:
            systems["CTranslate2 alone, float32"] = alone(loaded, threads)
    return systems


def through(loaded: Translator) -> Run:
    def run(texts: list[str], beam: int) -> list[str]:
        return [translation.text for translation in loaded.translate(texts, beam=beam, log_probs=False)]

    return run


def alone(loaded: Translator, threads: int) -> Run:
    """The same converted model, called as its documentation does."""
    assert isinstance(loaded.engine, CTranslate2Engine)
    converted, capacity = loaded.engine.converted, loaded.engine.capacity
    translator = import_ctranslate2().Translator(
        str(converted.directory), compute_type="float32", inter_threads=threads, intra_threads=1
    )
    numbers = {name: i for i, name in enumerate(converted.target_names)}

    def run(texts: list[str], beam: int) -> list[str]:
        ids = loaded.tokenizers.source.encode_batch(texts)
        tokens = [[converted.source_names[i] for i in of_text] for of_text in ids]
        results = translator.translate_batch(
            tokens, beam_size=beam, max_batch_size=capacity.rows // beam,
            max_decoding_length=loaded.length_limit(max(map(len, ids))),
        )  # fmt: skip
        found = [[numbers[name] for name in result.hypotheses[0]] for result in results]
        return [loaded.tokenizers.target.decode(each) for each in found]

    return run


def measure(systems: dict[str, Run], texts: list[str], beam: int, rounds: int) -> list[str]:
    """A row of the table for each system."""
    rates: dict[str, list[float]] = {name: [] for name in systems}
    outputs = {name: run(texts, beam) for name, run in systems.items()}  # also the warm-up
    for number in range(rounds):
        for name in list(systems)[:: -1 if number % 2 else 1]:
            started = time.perf_counter()
            systems[name](texts, beam)
            rates[name].append(len(texts) / (time.perf_counter() - started))
    own = statistics.median(rates[OWN])
    rows = []
    for name, found in rates.items():
        alike = sum(map(str.__eq__, outputs[name], outputs[OWN])) / len(texts)
        median = statistics.median(found)
        spread = f"{min(found):.0f} to {max(found):.0f}"
        rows.append(f"| {name} | {beam} | {median:.0f} | {spread} | {median / own:.2f} | {alike:.1%} |")
    return rows


if __name__ == "__main__":
    main()
