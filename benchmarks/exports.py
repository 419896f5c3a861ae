"""Every export of every architecture: whether it gives the same answers, and how fast it is there.

    python benchmarks/exports.py DATA --work DIR [--steps 300] [--rounds 3] [--only "rotary …"]

DATA holds train.tsv and valid.tsv. A small model of each architecture (see MODELS) is trained for so many
updates, kept in --work, and exported to each format and quantization. A row tells the worst difference of a
target token's log-probability, how many greedy outputs are those of our model, the metric of both by the
other program's own search, and sentences/s of greedy search there as a multiple of ours (bare calls on both
sides, fp32, one thread, in turns, medians). Where an export is refused, its message stands instead.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

import interlingua
from interlingua.errors import InterlinguaError
from interlingua.inference.bundle import Bundle, load_bundle
from interlingua.inference.translator import Translator
from interlingua.interchange.comparison import ExportedModel, Sample, compare_with_ours, refuse_difference
from interlingua.interchange.formats import FORMATS
from interlingua.interchange.options import ExportOptions
from interlingua.interchange.pairs import choose_sample
from interlingua.interchange.requirements import refuse_other_kinds


def settings(**values: object) -> list[str]:
    return [word for name, value in values.items()
            for word in ("--set", f"{name.replace('__', '.')}={value}")]  # fmt: skip


SUBWORDS = settings(tokenizer__source="unigram", tokenizer__target="unigram", tokenizer__vocabulary_size=2000)
SEPARATE = settings(tokenizer__joint="false", model__embeddings="separate")
PAPER = settings(model__positions="sinusoidal", model__normalisation="layer")
MODELS = {
    "rotary, RMSNorm, SwiGLU, pre-norm": settings(
        model__positions="rotary", model__normalisation="rms", model__activation="swiglu"
    ),
    "rotary, RMSNorm, two vocabularies": [*settings(model__positions="rotary"), *SEPARATE],
    "sinusoidal, LayerNorm, ReLU, post-norm": [
        *PAPER, *settings(model__norm="post", model__activation="relu")
    ],
    "sinusoidal, post-norm, two vocabularies": [
        *PAPER, *settings(model__norm="post", model__activation="relu"), *SEPARATE
    ],
    "sinusoidal, LayerNorm, swish, pre-norm": [*PAPER, *settings(model__activation="swish")],
    "learned, LayerNorm, GELU, pre-norm": settings(
        model__positions="learned", model__normalisation="layer", model__activation="gelu"
    ),
    "learned, LayerNorm, GELU, post-norm": settings(
        model__positions="learned", model__normalisation="layer", model__activation="gelu", model__norm="post"
    ),
    "sinusoidal, characters": [
        *PAPER, *settings(model__activation="relu", tokenizer__source="characters",
                          tokenizer__target="characters")
    ],
    "sinusoidal, bytes": [
        *PAPER, *settings(model__activation="relu", tokenizer__source="bytes", tokenizer__target="bytes")
    ],
    "sinusoidal, words": [
        *PAPER, *settings(model__activation="relu", tokenizer__source="words", tokenizer__target="words")
    ],
    "rotary, characters to subwords": settings(model__positions="rotary", tokenizer__source="characters"),
    "rotary, convolution": settings(model__positions="rotary", model__convolution=7),
    "LSTM with attention": ["--preset", "lstm"],
}  # fmt: skip
WAYS: list[tuple[str, str | None]] = [
    ("ctranslate2", None), ("ctranslate2", "int8"), ("ctranslate2", "float16"), ("ctranslate2", "bfloat16"),
    ("argos", None), ("argos", "int8"), ("huggingface", None), ("onnx", None),
]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("--work", type=Path, required=True, help="where models are kept")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=MODELS, nargs="+", default=list(MODELS))
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    print("| model | to | weights | worst difference | equal greedy | metric here, there | × our speed |")
    print("|---|---|---|---:|---:|---:|---:|")
    for name in options.only:
        model = options.work / name
        if not (model / "info.json").is_file():
            train(model, MODELS[name], options.data, options.steps)
        bundle = load_bundle(model)
        sample = choose_sample(bundle, model, options.data / "valid.tsv")
        for to, quantization in WAYS:
            row = measure(bundle, model, sample, to, quantization, options.rounds)
            print(f"| {name} | {to} | {quantization or 'float32'} | {' | '.join(row)} |", flush=True)


def train(out: Path, how: list[str], data: Path, steps: int) -> None:
    size = [] if "--preset" in how else ["--preset", "mini"]
    command = [sys.executable, "-m", "interlingua", "train", "--train", data / "train.tsv",
               "--valid", data / "valid.tsv", "--out", out, "--max-steps", steps, "--languages", "en", "de",
               "--no-race", "--force", *SUBWORDS, *size, *how]  # fmt: skip
    with out.with_name(f"{out.name}.log").open("w") as log:
        subprocess.run(list(map(str, command)), check=True, stdout=log, stderr=subprocess.STDOUT)


def measure(
    bundle: Bundle, model: Path, sample: Sample, to: str, quantization: str | None, rounds: int
) -> Iterator[str]:
    """The cells of one export."""
    with tempfile.TemporaryDirectory() as directory:
        try:
            refuse_other_kinds(bundle, to)
            options = ExportOptions(to, quantization, ("en", "de"))
            exported = FORMATS[to].write(bundle, Path(directory), options)
            found = compare_with_ours(bundle, exported, sample, to=to, quantization=quantization)
            refuse_difference(found)
        except InterlinguaError as error:
            yield from (f"refused: {error.what}", "", "", "")
            return
        equal, of = found.equal_greedy_outputs
        yield f"{found.worst_log_prob_difference:.1e}"
        yield f"{equal} of {of}"
        yield f"{found.metric} {found.score:.2f}, {found.exported_score:.2f}"
        yield f"{compare_speed(bundle, model, sample, exported, rounds):.2f}"


def compare_speed(bundle: Bundle, model: Path, sample: Sample, exported: ExportedModel, rounds: int) -> float:
    """How many times as many sentences a second there as here."""
    texts = [source for source, _ in sample.pairs]
    ours = interlingua.load(model, threads=1, device="cpu", precision="fp32")
    assert isinstance(ours, Translator)
    most_tokens = max(bundle.lengths.limit(len(ids)) for ids in bundle.tokenizers.source.encode_batch(texts))
    runs: tuple[Callable[[], object], ...] = (
        lambda: ours.translate(texts, beam=1, log_probs=False),
        lambda: exported.translate(texts, most_tokens, greedy=True),
    )
    times: list[list[float]] = [[], []]
    for number in range(-1, rounds):  # the first to warm up
        for side in (0, 1) if number % 2 else (1, 0):
            began = time.perf_counter()
            runs[side]()
            if number >= 0:
                times[side].append(time.perf_counter() - began)
    return statistics.median(times[0]) / statistics.median(times[1])


if __name__ == "__main__":
    main()
