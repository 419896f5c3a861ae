"""Few pairs of one's own beside many of others: what the weight of one's own brings.

    python benchmarks/weights.py OWN OTHERS --work DIR --own-pairs 3000 --weights 1 10 --minutes 5

OWN and OTHERS have train.tsv, valid.tsv and test.tsv (or --tests). A model is trained on the first
--own-pairs pairs of OWN alone, and one of each weight on these and all of OTHERS, for so many minutes each,
by the defaults, with OWN's validation pairs. Printed are the scores of both tests. What is done is kept in
--work and not done again.
--cpu-time: see any_data.py.
"""

from __future__ import annotations

import argparse
import json
from itertools import islice
from pathlib import Path

from any_data import interlingua as run


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("own", type=Path, metavar="OWN")
    parser.add_argument("others", type=Path, metavar="OTHERS")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--own-pairs", type=int, default=3_000)
    parser.add_argument("--weights", type=float, nargs="+", default=[1, 10])
    parser.add_argument("--tests", nargs=2, default=["test.tsv", "test.tsv"], metavar=("OWN", "OTHERS"))
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cpu-time", action="store_true")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    own = options.work / "own.tsv"
    with (options.own / "train.tsv").open(encoding="utf-8") as lines:
        own.write_text("".join(islice(lines, options.own_pairs)), encoding="utf-8")
    others = options.others / "train.tsv"
    rows = {"own pairs alone": ["--train", own]}
    for weight in options.weights:
        corpora = ["--train", own, "--weight", weight, "--train", others, "--weight", 1]
        rows[f"others too, own of weight {weight:g}"] = corpora
    print("| trained on | own test | others' test |")
    print("|---|---|---|")
    for number, (name, corpora) in enumerate(rows.items()):
        scores = measure(options.work / f"model-{number}", corpora, options)
        print(f"| {name} | {' | '.join(scores)} |", flush=True)


def measure(model: Path, corpora: list[object], options: argparse.Namespace) -> list[str]:
    """The scores of both tests, with their intervals."""
    place = model.with_suffix(".json")
    if not place.exists():
        with model.with_suffix(".log").open("w") as log:
            run(["train", *corpora, "--valid", options.own / "valid.tsv", "--out", model, "--minutes",
                 options.minutes, "--seed", options.seed, "--threads", options.threads, "--force"],
                log, options.cpu_time)  # fmt: skip
            tests = [options.own / options.tests[0], options.others / options.tests[1]]
            printed = run(["evaluate", model, *tests, "--metric", "BLEU", "--json"], log)
        place.write_text(printed)
    lines = place.read_text().split("\n")
    (own,), (others,) = (json.loads(line) for line in lines if line)
    return [f"BLEU {s['score']:.2f} ± {s['confidence_var']:.2f}" for s in (own, others)]


if __name__ == "__main__":
    main()
