"""What helps in a short budget: each idea alone against the defaults, judged on the validation pairs.

    python benchmarks/recipes.py --data DIR --out DIR [--minutes 8] [--seeds 1] [NAME...]

DIR of --data holds train.tsv and valid.tsv. Every NAME (see --help) is one training by `interlingua train
--minutes` with the settings it stands for; one that lies in --out already is not run again, so the table
grows over several calls. No test set is read. The last line is the best gain over the defaults.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

LSTM = "model.architecture=recurrent"
IDEAS: dict[str, str] = {
    "defaults": "",
    "no dropout": "model.dropout=0",
    "dropout .1": "model.dropout=0.1",
    "dropout .2": "model.dropout=0.2",
    "attention dropout .1": "model.attention_dropout=0.1",
    "activation dropout .1": "model.activation_dropout=0.1",
    "no label smoothing": "training.label_smoothing=0",
    "label smoothing .2": "training.label_smoothing=0.2",
    "AdamW, rate 3e-3": "training.optimizer=adamw",
    "AdamW, rate 5e-3": "training.optimizer=adamw training.learning_rate=5e-3",
    "learning rate 3e-3": "training.learning_rate=3e-3",
    "learning rate 1e-2": "training.learning_rate=1e-2",
    "learning rate 1.5e-2": "training.learning_rate=1.5e-2",
    "learning rate 2e-2": "training.learning_rate=2e-2",
    "momentum .9": "training.momentum=0.9",
    "warm-up over a tenth": "training.warmup_share=0.1",
    "warm-up over a fiftieth": "training.warmup_share=0.02",
    "beta2 .999": "training.beta2=0.999",
    "weight decay .1": "training.weight_decay=0.1",
    "no averaging": "training.average_decay=0",
    "average over 300 steps": "training.average_decay=0.997",
    "batches of 1,024 tokens": "training.max_tokens=1024",
    "batches of 4,096 tokens": "training.max_tokens=4096",
    "2,000 pieces": "tokenizer.vocabulary_size=2000",
    "4,000 pieces": "tokenizer.vocabulary_size=4000",
    "16,000 pieces": "tokenizer.vocabulary_size=16000",
    "subwords cut at random, alpha .5": "training.subword_sampling=0.5",
    "subwords cut at random, alpha .2": "training.subword_sampling=0.2",
    "BPE": "tokenizer.source=bpe tokenizer.target=bpe",
    "BPE dropout .1": "tokenizer.source=bpe tokenizer.target=bpe training.subword_sampling=0.1",
    "R-Drop 1": "training.consistency=1",
    "R-Drop 3": "training.consistency=3",
    "R-Drop 3, batches of 1,024 tokens": "training.consistency=3 training.max_tokens=1024",
    "R-Drop 5": "training.consistency=5",
    "post-norm": "model.norm=post",
    "post-norm, rate 3e-3": "model.norm=post training.learning_rate=3e-3",
    "RMSNorm": "model.normalisation=rms",
    "GELU": "model.activation=gelu",
    "SwiGLU": "model.activation=swiglu model.feed_forward=172",
    "learned positions": "model.positions=learned",
    "sinusoidal positions": "model.positions=sinusoidal",
    "separate embeddings": "model.embeddings=separate",
    "width 96": "model.dim=96 model.feed_forward=192",
    "width 192": "model.dim=192 model.feed_forward=384",
    "preset small": "model.dim=256 model.feed_forward=1024 model.encoder_layers=3 model.decoder_layers=3",
    "feed-forward 512": "model.feed_forward=512",
    "3+3 layers": "model.encoder_layers=3 model.decoder_layers=3",
    "6+2 layers": "model.encoder_layers=6 model.decoder_layers=2",
    "6+6 layers": "model.encoder_layers=6 model.decoder_layers=6",
    "8 heads": "model.heads=8",
    "LSTM": LSTM,
    "LSTM, AdamW, rate 3e-3": f"{LSTM} training.learning_rate=3e-3",
    "LSTM, AdamW, rate 5e-3": f"{LSTM} training.learning_rate=5e-3",
    "LSTM, width 256, AdamW, rate 3e-3": f"{LSTM} model.dim=256 training.learning_rate=3e-3",
    "LSTM, width 256, Muon": f"{LSTM} model.dim=256 training.optimizer=muon",
    "LSTM, Muon": f"{LSTM} training.optimizer=muon",
    "LSTM, Muon, rate 3e-3": f"{LSTM} training.optimizer=muon training.learning_rate=3e-3",
}
"""The settings that differ from the defaults, as --set takes them."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "names",
        nargs="*",
        choices=[[], *IDEAS],
        metavar="NAME",
        help="all when not given: " + "; ".join(IDEAS),
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=8)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    options = parser.parse_args()
    for seed in options.seeds:
        for name in options.names or IDEAS:
            run = options.out / f"{name.replace(' ', '-')}-{seed}"
            if not (run / "info.json").exists():
                train(run, options.data, options.minutes, seed, IDEAS[name].split())
    show(options.out)


def train(run: Path, data: Path, minutes: float, seed: int, settings: list[str]) -> None:
    run.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "interlingua", "train", "--train", data / "train.tsv", "--valid",
               data / "valid.tsv", "--out", run, "--minutes", minutes, "--seed", seed, "--force"]  # fmt: skip
    for setting in settings:
        command += ["--set", setting]
    with run.with_name(f"{run.name}.log").open("w") as log:
        subprocess.run(list(map(str, command)), check=True, stdout=log, stderr=subprocess.STDOUT)


def show(out: Path) -> None:
    """Prints the table of all runs in a directory."""
    found: dict[str, list[dict[str, float]]] = defaultdict(list)
    for name in IDEAS:
        for info in sorted(out.glob(f"{name.replace(' ', '-')}-[0-9]*/info.json")):
            made = json.loads(info.read_text())
            found[name].append({"score": made["scores"][0]["score"], "loss": made["validation_loss"],
                                "steps": made["steps"], "parameters": made["parameters"]})  # fmt: skip
            metric, signature = made["scores"][0]["name"], made["scores"][0]["signature"]
    means = {name: statistics.mean(run["score"] for run in runs) for name, runs in found.items()}
    base = means.get("defaults", float("nan"))
    print(f"| idea | valid {metric} | against the defaults | valid loss | steps | parameters | settings |")
    print("|---|---:|---:|---:|---:|---:|---|")
    for name in sorted(means, key=lambda name: -means[name]):
        runs = found[name]
        scores = ", ".join(f"{run['score']:.2f}" for run in runs)
        loss = statistics.mean(run["loss"] for run in runs)
        print(f"| {name} | {scores} | {means[name] - base:+.2f} | {loss:.3f} | {runs[0]['steps']:,} "
              f"| {runs[0]['parameters']:,} | {IDEAS[name] and f'`{IDEAS[name]}`'} |")  # fmt: skip
    best = max(means, key=means.__getitem__)
    print(f"\n{signature}\nbest: {best}, {means[best] - base:+.2f}")


if __name__ == "__main__":
    main()
