"""Whether a sentence's translation depends on the other sentences of its batch, or on their order.

    python benchmarks/batch_invariance.py --model BUNDLE --data DIR     # DIR has test2016.tsv

Translates the test set in batches of 1, 7 and 64 sentences, each time in another random order, greedily and
with beam 5, and compares the texts. In lower precision the batch may decide a near tie, so the
log-probabilities of the references are compared with those of single precision instead.
"""

from __future__ import annotations

import argparse
import copy
import random
from pathlib import Path

import interlingua
from interlingua.data.corpus import Corpus, CorpusSettings
from interlingua.inference.translation import Translation
from interlingua.inference.translator import Translator


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    options = parser.parse_args()
    pairs = list(Corpus([str(next(options.data.rglob("test2016.tsv")))], CorpusSettings()))
    sources = [pair.source for pair in pairs]
    exact = interlingua.load(options.model)
    print("| fp32 | different texts | largest score difference among them | among the same texts |")
    print("|---|---:|---:|---:|", flush=True)
    differing = 0
    for beam in (1, 5):
        expected = translate(exact, sources, 64, beam)
        for size in (1, 7):
            found = translate(exact, sources, size, beam)
            gaps = {True: [0.0], False: [0.0]}
            for one, other in zip(expected, found, strict=True):
                gaps[one.text == other.text].append(abs(one.score - other.score))
            differing = max(differing, len(gaps[False]) - 1)
            print(f"| beam {beam}, batches of {size} and 64 | {len(gaps[False]) - 1} of {len(sources)} "
                  f"| {max(gaps[False]):.1e} | {max(gaps[True]):.1e} |", flush=True)  # fmt: skip
    reference = per_token(exact, pairs)
    print("\n| forced scores against fp32, nats a token | mean | largest of a sentence | whole test set |")
    print("|---|---:|---:|---:|")
    for precision in ("bf16", "int8"):
        found = per_token(interlingua.load(options.model, precision=precision), pairs)
        gaps = [abs(one - other) for (one, _), (other, _) in zip(found, reference, strict=True)]
        whole = abs(sum(a * n for a, n in found) - sum(a * n for a, n in reference)) / sum(
            n for _, n in found
        )
        print(f"| {precision} | {sum(gaps) / len(gaps):.4f} | {max(gaps):.4f} | {whole:.5f} |")
    print(f"\nat most {differing} of {len(sources)} texts differ in fp32")


def translate(translator: Translator, sources: list[str], size: int, beam: int) -> list[Translation]:
    """Translates so many sentences at a time, in an order of its own."""
    translator = copy.copy(translator)
    translator.engine = copy.copy(translator.engine)
    translator.engine.capacity = translator.engine.capacity._replace(rows=size * beam)
    order = random.Random(size).sample(range(len(sources)), len(sources))
    found: dict[int, Translation] = {}
    for start in range(0, len(order), size):
        some = order[start : start + size]
        found |= dict(zip(some, translator.translate([sources[i] for i in some], beam=beam), strict=True))
    return [found[i] for i in range(len(sources))]


def per_token(translator: Translator, pairs: list[tuple[str, str]]) -> list[tuple[float, int]]:
    """Mean log-probability of each reference's tokens, and their number."""
    scores = translator.score_pairs(pairs)
    return [(sum(score.log_probs) / len(score.log_probs), len(score.log_probs)) for score in scores]


if __name__ == "__main__":
    main()
