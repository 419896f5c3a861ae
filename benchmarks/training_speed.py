"""Training speed of model S against a plain torch.nn.Transformer loop, fed the very same batches.

Model S is 3+3 layers of width 256, feed-forward 1024, 4 heads, 8,000 joint pieces, dropout 0.1 everywhere
(residuals, attention weights, inside the feed-forward), label smoothing 0.1, post-norm, sinusoids. The other
side is what a careful reader of PyTorch's documentation writes: fp32, eager, Adam, clipped gradients.

    python benchmarks/training_speed.py --data DIR     # DIR has train.tsv and valid.tsv of Multi30k

The two sides take turns, batch by batch; the medians over the rounds are compared.
"""

from __future__ import annotations

import argparse
import itertools
import math
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from interlingua.data.batch import Batch
from interlingua.data.corpus import CorpusSettings
from interlingua.data.loader import Position, load_batches
from interlingua.data.preparation import prepare
from interlingua.engine.device import choose_dtype
from interlingua.kinds import PAD
from interlingua.model.architectures import build_model
from interlingua.model.positions import SinusoidalPositions
from interlingua.model.transformer import TransformerSettings
from interlingua.text.tokenizer import TokenizerSettings
from interlingua.training.loop import Learner, optimise
from interlingua.training.objective import build_objective
from interlingua.training.settings import TrainingSettings

DROPOUT, SMOOTHING, RATE = 0.1, 0.1, 7e-4


class Plain(nn.Module):
    """torch.nn.Transformer with tied, scaled embeddings."""

    def __init__(self, vocabulary: int, dropout: float = DROPOUT) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, 256)
        nn.init.normal_(self.embedding.weight, std=256**-0.5)
        self.positions = SinusoidalPositions(256)
        self.dropout = nn.Dropout(dropout)
        self.transformer = nn.Transformer(256, 4, 3, 3, 1024, dropout, batch_first=True)
        self.transformer.encoder.norm = self.transformer.decoder.norm = None

    def forward(self, batch: Batch) -> Tensor:
        """The logits."""
        source, mask = batch.source
        padding = torch.zeros(source.shape).masked_fill(~mask, -math.inf)
        hidden = self.transformer(
            self.embed(source), self.embed(batch.target_in),
            tgt_mask=nn.Transformer.generate_square_subsequent_mask(batch.target_in.shape[1]),
            src_key_padding_mask=padding, memory_key_padding_mask=padding, tgt_is_causal=True,
        )  # fmt: skip
        return F.linear(hidden, self.embedding.weight)

    def embed(self, ids: Tensor) -> Tensor:
        """What the layers get."""
        return self.dropout(self.positions(self.embedding(ids) * 16))


def plain_loop(vocabulary: int) -> Callable[[Batch], float]:
    model = Plain(vocabulary)
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE, betas=(0.9, 0.98), eps=1e-9)

    return lambda batch: plain_step(model, optimizer, batch)


def plain_step(model: Plain, optimizer: torch.optim.Optimizer, batch: Batch) -> float:
    """One update; returns the loss."""
    logits = model(batch).flatten(0, 1)
    loss = F.cross_entropy(logits, batch.target_out.flatten(), ignore_index=PAD, label_smoothing=SMOOTHING)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss.item()


def our_loop(
    vocabulary: int,
    precision: str,
    optimizer: str,
    positions: Literal["sinusoidal", "rotary"] = "sinusoidal",
) -> Callable[[Batch], float]:
    sizes = TransformerSettings(norm="post", dropout=DROPOUT, attention_dropout=DROPOUT,
                                activation_dropout=DROPOUT, positions=positions)  # fmt: skip
    settings = TrainingSettings(label_smoothing=SMOOTHING, optimizer=optimizer)
    model = build_model(sizes, vocabulary, vocabulary, shared=True)
    learner = Learner(model, settings, choose_dtype(precision, torch.device("cpu")))
    waiting: list[Batch] = []
    batches = ((waiting.pop(), Position()) for _ in itertools.count())
    reports = optimise(learner, batches, build_objective(settings), lambda step: RATE)

    def step(batch: Batch) -> float:
        waiting.append(batch)
        return next(reports).loss

    return step


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=60, help="batches each side is timed on")
    parser.add_argument("--warm-up", type=int, default=10, help="batches each side sees before")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    corpus = CorpusSettings(train=str(options.data / "train.tsv"), valid=str(options.data / "valid.tsv"))
    with tempfile.TemporaryDirectory() as cache:
        tokenizer = TokenizerSettings(source="unigram", target="unigram", joint=True, vocabulary_size=8000)
        prepared = prepare(corpus, tokenizer, Path(cache))
        vocabulary = len(prepared.tokenizers.target)
        sides = {
            "plain torch.nn.Transformer, fp32": plain_loop(vocabulary),
            "interlingua, fp32, AdamW": our_loop(vocabulary, "fp32", "adamw"),
            "interlingua, default precision, AdamW": our_loop(vocabulary, "auto", "adamw"),
            "interlingua, default precision and optimizer": our_loop(vocabulary, "auto", "muon"),
            "interlingua, the same with rotary positions": our_loop(vocabulary, "auto", "muon", "rotary"),
        }
        speeds: dict[str, list[float]] = {name: [] for name in sides}
        losses: dict[str, float] = {}
        stream = load_batches(prepared.train, 4096, 1, Position())
        for number, (batch, _) in enumerate(itertools.islice(stream, options.warm_up + options.rounds)):
            for name, step in sides.items():
                started = time.perf_counter()
                losses[name] = step(batch)
                if number >= options.warm_up:
                    speeds[name].append(batch.target_tokens / (time.perf_counter() - started))
    print(f"torch {torch.__version__}, {options.threads} threads, {options.rounds} batches of 4,096 tokens,")
    print(f"vocabulary {vocabulary:,}; non-padding target tokens a second\n")
    print("| | median | quartiles | against plain | loss at the end |")
    print("|---|---:|---:|---:|---:|")
    plain = speeds["plain torch.nn.Transformer, fp32"]
    for name, values in speeds.items():
        ratio = statistics.median(one / other for one, other in zip(values, plain, strict=True))
        low, median, high = statistics.quantiles(values, n=4)
        print(f"| {name} | {median:,.0f} | {low:,.0f} to {high:,.0f} | {ratio:.2f} | {losses[name]:.2f} |")
    print(f"\nratio: {ratio:.2f}")


if __name__ == "__main__":
    main()
