"""Minutes until sacreBLEU 30 on Multi30k: `interlingua train --minutes` against plain torch.nn loops.

    python benchmarks/time_to_quality.py --data DIR --out DIR [--results benchmarks/results]

DIR of --data holds Multi30k's train.tsv, valid.tsv and test2016.tsv. A run of ours is a whole process with
the defaults; it has reached the goal when its budget's end finds BLEU 30 or more on the validation pairs.
Machines are fast and slow by turns, so ours is tried twice, before the plain loops and after them, and the
worse of the two counts. The plain loops are three good settings of a single-precision eager loop with Adam;
their clock counts training steps alone, and a look at the validation pairs every minute stops it, as it does
where another was faster. All are searched with a beam of 5 and the length penalty that suits the validation
pairs best. What lies in --out is not run again.
Writes time_to_quality.md and .svg (needs matplotlib) to --results; the last line is the ratio of the minutes.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from sacrebleu.metrics import BLEU
from torch import nn
from training_speed import Plain, plain_step

import interlingua
from interlingua.data.corpus import CorpusSettings
from interlingua.data.loader import Position, load_batches
from interlingua.data.preparation import Prepared, prepare
from interlingua.data.reading import read_lines
from interlingua.engine.eager import EagerEngine
from interlingua.inference.translator import Translator
from interlingua.model.architectures import build_model
from interlingua.model.transformer import Transformer, TransformerSettings
from interlingua.runs.experiment import cache_directory
from interlingua.runs.lengths import measure_lengths
from interlingua.runs.validation import LENGTH_PENALTIES, best_hypothesis
from interlingua.text.tokenizer import TokenizerSettings

GOAL = 30.0
OURS = (2, 2.5, 3, 3.5, 4, 5, 6, 8, 10)
"""Minutes tried, until one reaches the goal."""
MOST = 40.0
"""Minutes after which a plain loop is given up."""


class Loop(NamedTuple):
    """A plain loop: inverse square root after the warm-up."""

    rate: float
    dropout: float
    tokens: int
    warmup: int


LOOPS = (Loop(7e-4, 0.1, 1024, 500), Loop(1e-3, 0.2, 1024, 1000), Loop(7e-4, 0.1, 4096, 500))


class Point(NamedTuple):
    """What was found after so many minutes."""

    minutes: float
    valid: float
    test: float
    """Not a number before the goal."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    curves = {"interlingua, before the others": ours(options.data, options.out / "before")}
    most = MOST
    for loop in LOOPS:
        name = f"plain, rate {loop.rate:g}, dropout {loop.dropout:g}, {loop.tokens:,} tokens"
        curves[name] = plain(loop, options.data, options.out / f"{name}.json", most)
        most = min([most, *(point.minutes for point in curves[name] if point.valid >= GOAL)])
    curves["interlingua, after them"] = ours(options.data, options.out / "after")
    lines = [
        f"Of `benchmarks/time_to_quality.py`, {torch.get_num_threads()} threads; sacreBLEU, beam 5.",
        "Ours counts the whole process, a run a point; the plain loops count training steps alone.\n",
        "![BLEU on the validation pairs, by the minutes](time_to_quality.svg)\n",
        "| | first at 30 or more on valid, minutes | BLEU on valid | BLEU on test2016 |",
        "|---|---:|---:|---:|",
    ]
    reached = {}
    for name, curve in curves.items():
        first = next((point for point in curve if point.valid >= GOAL), None)
        reached[name] = first.minutes if first else float("inf")
        late = f"not within {curve[-1].minutes:.1f} | {curve[-1].valid:.2f} |"
        cells = f"{first.minutes:.1f} | {first.valid:.2f} | {first.test:.2f}" if first else late
        lines.append(f"| {name} | {cells} |")
    before, *others, after = reached.values()
    lines.append(f"\nratio: {max(before, after) / min(others):.2f}")
    (options.results / "time_to_quality.md").write_text("\n".join(lines) + "\n")
    plot(curves, options.results / "time_to_quality.svg")
    print("\n".join(lines))


def ours(data: Path, out: Path) -> list[Point]:
    """Trains anew with more and more minutes until the goal is reached."""
    out.mkdir(parents=True, exist_ok=True)
    curve = []
    for minutes in OURS:
        run = out / f"{minutes:g}"
        if not (run / "info.json").exists():
            command: list[Any] = [sys.executable, "-m", "interlingua", "train", "--train", data / "train.tsv",
                                  "--valid", data / "valid.tsv", "--out", run, "--minutes", minutes,
                                  "--force"]  # fmt: skip
            with run.with_name(f"{run.name}.log").open("w") as log:
                subprocess.run(list(map(str, command)), check=True, stdout=log, stderr=subprocess.STDOUT)
        info = json.loads((run / "info.json").read_text())
        translator = interlingua.load(run)
        alpha = (translator.settings.length_penalty,)
        curve.append(Point(info["elapsed_s"] / 60, *bleu(translator, data, alpha)))
        if curve[-1].valid >= GOAL:
            break
    return curve


def plain(loop: Loop, data: Path, kept: Path, most: float) -> list[Point]:
    """Trains a plain loop until it reaches the goal, and one look more, or has had the most minutes."""
    if kept.exists():
        return [Point(*point) for point in json.loads(kept.read_text())]
    corpus = CorpusSettings(train=(str(data / "train.tsv"),), valid=(str(data / "valid.tsv"),))
    prepared = prepare(corpus, TokenizerSettings(), cache_directory())
    torch.manual_seed(1)
    model = Plain(len(prepared.tokenizers.target), loop.dropout)
    optimizer = torch.optim.Adam(model.parameters(), lr=loop.rate, betas=(0.9, 0.98), eps=1e-9)
    curve: list[Point] = []
    seconds, looked, over = 0.0, 0.0, 0
    for step, (batch, _) in enumerate(load_batches(prepared.train, loop.tokens, 1, Position()), start=1):
        started = time.perf_counter()
        for group in optimizer.param_groups:
            group["lr"] = loop.rate * min(step / loop.warmup, (loop.warmup / step) ** 0.5)
        plain_step(model, optimizer, batch)
        seconds += time.perf_counter() - started
        if seconds - looked < 60:
            continue
        looked = seconds
        translator = as_ours(model, prepared)
        curve.append(Point(seconds / 60, *bleu(translator, data, LENGTH_PENALTIES)))
        print(f"{kept.stem}: {seconds / 60:.1f} minutes, valid {curve[-1].valid:.2f}", file=sys.stderr)
        over += curve[-1].valid >= GOAL
        if over == 2 or seconds > 60 * most:
            break
    kept.write_text(json.dumps(curve))
    return curve


def as_ours(model: Plain, prepared: Prepared) -> Translator:
    """The plain model's weights in our Transformer, which computes the same and searches faster."""
    sizes = TransformerSettings(norm="post", dropout=0.0)
    size = len(prepared.tokenizers.target)
    copy = build_model(sizes, size, size, shared=True)
    assert isinstance(copy, Transformer)
    with torch.no_grad():
        copy.target_embedding.weight.copy_(model.embedding.weight)
        for mine, layer in zip(copy.encoder, model.transformer.encoder.layers, strict=True):
            attention(mine.attention, layer.self_attn)
            rest(
                mine,
                layer,
                [(mine.attention_sublayer, layer.norm1), (mine.feed_forward_sublayer, layer.norm2)],
            )
        for mine, layer in zip(copy.decoder, model.transformer.decoder.layers, strict=True):
            attention(mine.attention, layer.self_attn)
            attention(mine.cross, layer.multihead_attn)
            rest(mine, layer, [(mine.attention_sublayer, layer.norm1), (mine.cross_sublayer, layer.norm2),
                               (mine.feed_forward_sublayer, layer.norm3)])  # fmt: skip
    limits = measure_lengths(prepared.train)
    return Translator(EagerEngine(copy.eval()), prepared.tokenizers, **limits._asdict())


def attention(mine: Any, theirs: nn.MultiheadAttention) -> None:
    query, key_value = theirs.in_proj_weight.split([mine.query.out_features, mine.key_value.out_features])
    mine.query.weight.copy_(query)
    mine.key_value.weight.copy_(key_value)
    query, key_value = theirs.in_proj_bias.split([mine.query.out_features, mine.key_value.out_features])
    mine.query.bias.copy_(query)
    mine.key_value.bias.copy_(key_value)
    mine.output.load_state_dict(theirs.out_proj.state_dict())


def rest(mine: Any, theirs: Any, norms: list[tuple[Any, nn.Module]]) -> None:
    mine.feed_forward.inner.load_state_dict(theirs.linear1.state_dict())
    mine.feed_forward.outer.load_state_dict(theirs.linear2.state_dict())
    for sublayer, norm in norms:
        sublayer.norm.load_state_dict(norm.state_dict())


def bleu(translator: Translator, data: Path, penalties: tuple[float, ...]) -> tuple[float, float]:
    """BLEU of a beam of 5 with the length penalty best on valid: on valid, and at the goal on test."""

    def search(name: str) -> Callable[[float], float]:
        lines = read_lines(data / f"{name}.tsv")
        sources, targets = zip(*(line.split("\t") for line in lines), strict=True)
        found = translator.translate(list(sources), stop="all", beam=5, n_best=5)

        def score(alpha: float) -> float:
            outputs = [best_hypothesis(translation, alpha).text for translation in found]
            return float(BLEU().corpus_score(outputs, [list(targets)]).score)

        return score

    score = search("valid")
    alpha = max(penalties, key=score)
    valid = score(alpha)
    return valid, search("test2016")(alpha) if valid >= GOAL else math.nan


def plot(curves: dict[str, list[Point]], path: Path) -> None:
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    figure, axis = pyplot.subplots(figsize=(8, 4.5), layout="constrained")
    for name, curve in curves.items():
        width = 2.5 if name.startswith("interlingua") else 1.2
        axis.plot(
            [p.minutes for p in curve], [p.valid for p in curve], marker="o", label=name, linewidth=width
        )
    axis.axhline(GOAL, color="gray", linestyle=":")
    axis.set_xlabel("minutes")
    axis.set_ylabel("BLEU on the validation pairs, beam 5")
    axis.grid(alpha=0.3)
    axis.legend(fontsize="small")
    figure.savefig(path)


if __name__ == "__main__":
    main()
